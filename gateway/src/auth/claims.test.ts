import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JWTPayload } from 'jose';
import { allowedIn, matches } from './capabilities.ts';
import { grantOf, identityOf } from './claims.ts';
import { TokenError } from './token-error.ts';

const refused = (claims: object, message: RegExp, read: (claims: JWTPayload) => unknown = identityOf): void =>
  assert.throws(
    () => read({ sub: 'ann', ...claims }),
    (error) => error instanceof TokenError && error.kind === 'invalid' && message.test(error.message),
    JSON.stringify(claims),
  );

describe('the claims of a connection token', () => {
  it('subscribe the connection', () => {
    const { subscriptions } = identityOf({
      sub: 'ann',
      channels: ['chat:a', 'chat:b'],
      subs: {
        'chat:b': { info: { role: 'host' }, data: 1 },
        'chat:c': { override: { force_push_join_leave: { value: true } } },
      },
    });
    const nothing = { info: undefined, data: undefined, joinLeave: false };
    assert.deepEqual(
      subscriptions,
      new Map<string, object>([
        ['chat:a', nothing],
        ['chat:b', { ...nothing, info: { role: 'host' }, data: 1 }],
        ['chat:c', { ...nothing, joinLeave: true }],
      ]),
    );
  });

  it('say when the connection expires, apart from the token', () => {
    assert.equal(identityOf({ sub: 'ann', exp: 5 }).expiresAt, 5);
    assert.equal(identityOf({ sub: 'ann', exp: 5, expire_at: 9 }).expiresAt, 9);
    assert.equal(identityOf({ sub: 'ann', exp: 5, expire_at: 0 }).expiresAt, undefined);
  });

  it('are refused where they are not understood, and do not show what they hold', () => {
    refused({ tenant: 7 }, /claim tenant/);
    refused({ tier: {} }, /claim tier/);
    refused({ expire_at: 'never' }, /claim expire_at/);
    refused({ channel: 'chat:a' }, /subscription token/);
    refused({ channels: 'chat:a' }, /claim channels/);
    refused({ channels: [7] }, /claim channels/);
    refused({ subs: [] }, /claim subs/);
    refused({ subs: { 'chat:a': 7 } }, /claim subs/);
    refused({ subs: { 'chat:a': { override: 7 } } }, /claim subs/);
    refused({ channels: Array.from({ length: 129 }, (_, i) => `chat:${i}`) }, /claim subs/);
    refused({ caps: {} }, /claim caps/);
    refused({ caps: [7] }, /claim caps/);
    refused({ caps: [{ channels: ['chat:a'] }] }, /claim caps/);
    refused({ caps: [{ allow: ['sub'] }] }, /claim caps/);
    refused({ caps: [{ channels: ['chat:a'], allow: ['sub', 'dance'] }] }, /claim caps/);
    refused({ caps: [{ channels: ['^chat'], allow: ['sub'], match: 'regex' }] }, /wildcard/);
    refused({ caps: [{ channels: Array.from({ length: 257 }, () => 'x'), allow: [] }] }, /256/);
    refused({ channel: 7 }, /claim channel/, grantOf);
    refused({ channel: 'chat:a', allow: 'pub' }, /claim allow/, grantOf);
  });
});

describe('capabilities', () => {
  const { capabilities } = identityOf({
    sub: 'ann',
    caps: [
      { channels: ['chat:quiet'], allow: [] },
      { channels: ['chat:a', 'chat:b'], allow: ['sub', 'pub'] },
      { channels: ['chat:*', '*:open'], match: 'wildcard', allow: ['hst'] },
      { channels: ['chat:late'], allow: ['sub'] },
    ],
  });
  for (const [channel, rights] of [
    ['chat:quiet', []],
    ['chat:a', ['sub', 'pub']],
    ['chat:b', ['sub', 'pub']],
    ['chat:c', ['hst']],
    ['news:open', ['hst']],
    ['chat:late', ['hst']],
    ['news:closed', []],
  ] as const) {
    it(`of the first one that names ${channel} hold: ${rights.join(' ') || 'none'}`, () => {
      assert.deepEqual([...allowedIn(channel, capabilities)], rights);
    });
  }

  it('that there are not allow nothing', () => {
    assert.equal(allowedIn('chat:a', undefined).size, 0);
  });
});

describe('a wildcard', () => {
  it('matches as the regular expression would that has .* for each star', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', ':', '*'), maxLength: 8 });
    const channel = fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 12 });
    fc.assert(
      fc.property(pattern, channel, (stars, name) => {
        const expression = new RegExp(`^${stars.replaceAll('*', '.*')}$`);
        assert.equal(matches(stars, name), expression.test(name), `${stars} ${name}`);
      }),
      { numRuns: 5_000 },
    );
  });

  it('takes no long time with many stars', () => {
    const began = performance.now();
    assert.equal(matches(`${'*a'.repeat(120)}*b`, 'a'.repeat(255)), false);
    assert.ok(performance.now() - began < 1_000);
  });
});
