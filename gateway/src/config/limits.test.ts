import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SendLimitsConfig } from '@causeway/crds';
import { limitsOver, MAX_LIMITS_BYTES } from './index.ts';

const KEY = '/config/gateway-limits';
const spec: SendLimitsConfig = {
  messagesPerSecond: 200,
  burst: 400,
  tiers: [
    { name: 'vip', messagesPerSecond: 5_000, burst: 10_000 },
    { name: 'free', messagesPerSecond: 1, burst: 2 },
  ],
  tenant: { messagesPerSecond: 1_000, burst: 2_000 },
};
const over = (value: unknown): SendLimitsConfig => limitsOver(spec, KEY, Buffer.from(JSON.stringify(value)));

describe('limits in etcd', () => {
  it('are laid over those of the spec, member by member and tier by tier', () => {
    assert.deepEqual(over({}), spec);
    assert.deepEqual(over({ burst: 300 }), { ...spec, burst: 300 });
    assert.deepEqual(over({ messagesPerSecond: 0.5, burst: null }), { ...spec, messagesPerSecond: 0.5 });
    assert.deepEqual(over({ tenant: { messagesPerSecond: 0.1 } }).tenant, {
      messagesPerSecond: 0.1,
      burst: 1,
    });
    const tiers = [
      { name: 'free', messagesPerSecond: 10 },
      { name: 'new', messagesPerSecond: 5, burst: 5 },
    ];
    assert.deepEqual(over({ tiers }).tiers, [
      spec.tiers[0],
      { name: 'free', messagesPerSecond: 10, burst: 20 },
      { name: 'new', messagesPerSecond: 5, burst: 5 },
    ]);
    const { tenant: _, ...without } = spec;
    assert.equal('tenant' in limitsOver(without, KEY, Buffer.from('{}')), false);
  });

  for (const [value, problem] of [
    [{ messagesPerSecond: 0 }, 'messagesPerSecond: must be a number over 0; it is 0'],
    [{ messagesPerSecond: 1_000_001 }, 'messagesPerSecond: must be at most 1000000; it is 1000001'],
    [{ burst: 1.5 }, 'burst: must be a whole number from 1 to 1000000; it is 1.5'],
    [
      { messagesPerSecond: 500 },
      'burst: must be at least messagesPerSecond (500), or the rate can never be reached; it is 400',
    ],
    [
      { messagePerSecond: 5 },
      'messagePerSecond: is not known here; there are messagesPerSecond, burst, tiers, tenant',
    ],
    [{ connections: 5 }, 'connections: is not known here; there are messagesPerSecond, burst, tiers, tenant'],
    [{ tiers: {} }, 'tiers: must be a list; it is {}'],
    [{ tiers: [{ messagesPerSecond: 1 }] }, 'tiers[0].name: must be a text that is not empty; it is missing'],
    [{ tiers: [{ name: 'a' }] }, 'tiers[0].messagesPerSecond: must be a number over 0; it is missing'],
    [
      { tiers: [{ name: 'a', messagesPerSecond: 5, burst: 4 }] },
      'tiers[0].burst: must be at least messagesPerSecond (5), or the rate can never be reached; it is 4',
    ],
    [
      { tiers: ['a', 'a'].map((name) => ({ name, messagesPerSecond: 1 })) },
      'tiers[1].name: must be different from the names of the other tiers; it is "a"',
    ],
    [
      { tiers: [{ name: 'a', messagesPerSecond: 1, bursts: 1 }] },
      'tiers[0].bursts: is not known here; there are name, messagesPerSecond, burst',
    ],
    [
      { tiers: Array.from({ length: 21 }, (_, n) => ({ name: `t${n}`, messagesPerSecond: 1 })) },
      'tiers: must be at most 20',
    ],
    [{ tenant: 5 }, 'tenant: must be an object; it is 5'],
    [[], 'must be an object such as {"messagesPerSecond": 500, "burst": 1000}; it is something else'],
    ['hush', 'must be an object such as {"messagesPerSecond": 500, "burst": 1000}; it is something else'],
  ] as const) {
    it(`are refused: ${JSON.stringify(value).slice(0, 80)}`, () => {
      assert.throws(() => over(value), {
        name: 'ConfigError',
        message: `etcd key /config/gateway-limits: ${problem}`,
      });
    });
  }

  it('that are no JSON, or far too long, are refused without being shown', () => {
    assert.throws(() => limitsOver(spec, KEY, Buffer.from('hush')), {
      message: 'etcd key /config/gateway-limits: is not JSON',
    });
    assert.throws(() => limitsOver(spec, KEY, Buffer.alloc(MAX_LIMITS_BYTES + 1, ' ')), {
      message: 'etcd key /config/gateway-limits: is longer than 64 KiB',
    });
  });
});
