import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createTestPki } from '../../../e2e/harness/index.ts';
import type { TestPki } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { keyPair as pair, signedWith as token, startKeyServer } from '../testing/index.ts';
import type { KeyServer } from '../testing/index.ts';
import { RemoteKeys, TokenError, TokenVerifier } from './index.ts';

let pki: TestPki;
let provider: KeyServer;

before(async () => {
  pki = await createTestPki();
  provider = await startKeyServer(pki);
});

after(() => {
  provider.stop();
  pki.remove();
});

beforeEach(() => {
  provider.asked = 0;
});

/** Keys behind the URL, and the errors of reading them; `clock.now` is theirs. */
function remote(change: { ca?: string; refreshMs?: number } = {}): {
  keys: RemoteKeys;
  verifier: TokenVerifier;
  failures: string[];
  clock: { now: number };
} {
  const failures: string[] = [];
  const clock = { now: 0 };
  const keys = new RemoteKeys({
    url: provider.url,
    refreshMs: change.refreshMs ?? 60_000,
    ca: () => change.ca ?? readFileSync(pki.caFile, 'utf8'),
    changed: () => undefined,
    failed: (error) => failures.push(error instanceof Error ? error.message : String(error)),
    now: () => clock.now,
  });
  keys.start();
  return { keys, verifier: new TokenVerifier({}, keys), failures, clock };
}

const refused = (kind: string) => (error: unknown) => error instanceof TokenError && error.kind === kind;

describe('a key set behind a URL', () => {
  it('is read at the start; until then no token is refused for good', async () => {
    const key = await pair('one');
    provider.publish(key);
    const { keys, verifier } = remote();
    await assert.rejects(verifier.verify(await token(key)), refused('unavailable'));
    await waitFor('the keys are there', async () => verifier.ready);
    assert.equal((await verifier.verify(await token(key))).user, 'ann');
    keys.stop();
  });

  it('is read again when a token names a key that is not in it, for many tokens once', async () => {
    const [old, next, foreign] = [await pair('old'), await pair('next'), await pair('foreign')];
    provider.publish(old);
    const { keys, verifier, clock } = remote();
    await waitFor('the keys are there', async () => verifier.ready);
    provider.publish(old, next);
    await assert.rejects(verifier.verify(await token(next)), refused('unavailable'), 'just asked');
    clock.now += 10_000;
    const tokens = await Promise.all(Array.from({ length: 50 }, () => token(next)));
    await Promise.all(tokens.map((one) => verifier.verify(one)));
    assert.equal(provider.asked, 2);
    clock.now += 10_000;
    await assert.rejects(verifier.verify(await token(foreign)), refused('invalid'));
    await assert.rejects(verifier.verify(await token(foreign)), refused('unavailable'));
    assert.equal(provider.asked, 3, 'whoever sends foreign tokens does not make us ask for each');
    keys.stop();
  });

  it('is read at its interval: a key that is taken out is of no use any more', async () => {
    const [old, next] = [await pair('old'), await pair('next')];
    provider.publish(old);
    const { keys, verifier } = remote({ refreshMs: 50 });
    await waitFor('the keys are there', async () => verifier.ready);
    provider.publish(next);
    await waitFor(
      'the next key is known',
      async () => (await verifier.verify(await token(next))).user === 'ann',
    );
    await assert.rejects(verifier.verify(await token(old)), TokenError);
    keys.stop();
  });

  it('that cannot be read leaves the keys of before, and says why', async () => {
    const key = await pair('one');
    provider.publish(key);
    const { keys, verifier, failures } = remote({ refreshMs: 20 });
    await waitFor('the keys are there', async () => verifier.ready);
    for (const [status, body, said] of [
      [503, '', /answered 503/],
      [302, '', /answered 302, and redirects are not followed/],
      [200, '<html>', /no JSON Web Key Set/],
      [200, 'x'.repeat(300 * 1024), /answered more than 262144 bytes/],
    ] as const) {
      provider.answer = { status, body };
      await waitFor(`it says ${String(said)}`, async () => said.test(failures.at(-1) ?? ''));
      assert.equal((await verifier.verify(await token(key))).user, 'ann');
    }
    keys.stop();
  });

  it('is read from the server that it names only: another authority is not trusted', async () => {
    const other = await createTestPki();
    const { keys, verifier, failures } = remote({ ca: readFileSync(other.caFile, 'utf8') });
    await waitFor('it failed', async () => failures.length > 0);
    assert.equal(verifier.ready, false);
    keys.stop();
    other.remove();
  });
});
