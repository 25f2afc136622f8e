import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { describe, it } from 'node:test';
import { ANSWER_LIMITS } from './answers.ts';
import { Names, sayWhenStale } from './index.ts';

const A = { address: '10.0.0.1', family: 4 };
const B = { address: '10.0.0.2', family: 4 };
const SIX = { address: 'fd00::1', family: 6 };

/** Name servers: each question waits until it is answered, failed or denied here. */
class NameServers {
  readonly questions: { name: string; answer(...found: LookupAddress[]): void; fail(code: string): void }[] =
    [];
  /** Answers at once, as long as it is set. */
  always: LookupAddress[] | undefined;
  now = 0;
  readonly names = new Names({ ask: (name) => this.#ask(name), now: () => this.now });

  #ask(name: string): Promise<LookupAddress[]> {
    if (this.always) return Promise.resolve(this.always);
    return new Promise((resolve, reject) => {
      this.questions.push({
        name,
        answer: (...found) => resolve(found),
        fail: (code) => reject(Object.assign(new Error(code), { code })),
      });
    });
  }

  /** One that knows where `host` was, so long ago that it is to be asked again. */
  static async knowing(host: string, ...found: LookupAddress[]): Promise<NameServers> {
    const servers = new NameServers();
    servers.always = found;
    await servers.names.addresses(host);
    servers.always = undefined;
    servers.now += ANSWER_LIMITS.freshMs + 1;
    return servers;
  }
}

/** As clients call it. */
function lookup(names: Names, host: string, options: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    names.lookup(host, options, (error, address, family) =>
      error ? reject(error) : resolve(family === undefined ? address : [address, family]),
    );
  });
}

describe('a name that is known', () => {
  it('is answered from memory while the answer is fresh', async () => {
    const servers = await NameServers.knowing('a', A);
    servers.now -= 1;
    assert.deepEqual(await servers.names.addresses('a'), [A]);
    assert.equal(servers.questions.length, 0);
    assert.equal(servers.names.counts.kept, 1);
  });

  it('has its old address when name servers are silent, and the new one as soon as they speak', async () => {
    const servers = await NameServers.knowing('a', A);
    const began = performance.now();
    assert.deepEqual(await servers.names.addresses('a'), [A]);
    const tookMs = performance.now() - began;
    assert.ok(tookMs > 250 && tookMs < 2_000, `it waited ${tookMs} ms`);
    servers.now += 1_000;
    const again = performance.now();
    assert.deepEqual(await servers.names.addresses('a'), [A]);
    assert.ok(performance.now() - again < 200, 'who comes later does not wait again');
    servers.questions[0]?.answer(B);
    await new Promise(setImmediate);
    assert.deepEqual(await servers.names.addresses('a'), [B]);
    assert.deepEqual(servers.names.counts, { kept: 1, answered: 1, stale: 2, failed: 0 });
  });

  it('has its old address when name servers fail, and is not asked for again at once', async () => {
    const servers = await NameServers.knowing('a', A);
    const stale: unknown[] = [];
    servers.names.onStale = (host, why) =>
      stale.push([host, (why as NodeJS.ErrnoException | undefined)?.code]);
    const asked = servers.names.addresses('a');
    servers.questions[0]?.fail('EAI_AGAIN');
    assert.deepEqual(await asked, [A]);
    assert.deepEqual(await servers.names.addresses('a'), [A]);
    assert.equal(servers.questions.length, 1);
    servers.now += ANSWER_LIMITS.recheckMs;
    const next = servers.names.addresses('a');
    assert.equal(servers.questions.length, 2);
    servers.questions[1]?.answer(B);
    assert.deepEqual(await next, [B]);
    assert.deepEqual(stale, [
      ['a', 'EAI_AGAIN'],
      ['a', undefined],
    ]);
  });

  it('is gone when that has been said for long enough', async () => {
    const servers = await NameServers.knowing('a', A);
    const deny = (): void => servers.questions.at(-1)?.fail('ENOTFOUND');
    const first = servers.names.addresses('a');
    deny();
    assert.deepEqual(await first, [A]);
    servers.now += ANSWER_LIMITS.goneMs;
    const last = servers.names.addresses('a');
    deny();
    await assert.rejects(last, { code: 'ENOTFOUND' });
  });
});

describe('the log', () => {
  it('is told once that old addresses are used, and why', async () => {
    const servers = await NameServers.knowing('a', A);
    const lines: unknown[] = [];
    const quiet = (): void => undefined;
    const warn = (message: string, fields?: object): number => lines.push([message, fields]);
    sayWhenStale(servers.names, { debug: quiet, info: quiet, warn, error: quiet });
    const asked = servers.names.addresses('a');
    servers.questions[0]?.fail('EAI_AGAIN');
    await asked;
    await servers.names.addresses('a');
    assert.equal(servers.names.counts.stale, 2);
    assert.deepEqual(lines, [
      [
        'name servers do not answer, going on with the addresses of before',
        { host: 'a', reason: 'EAI_AGAIN' },
      ],
    ]);
  });
});

describe('a name that is not known', () => {
  it('is waited for, and fails as the question does', async () => {
    const { names, questions } = new NameServers();
    const found = names.addresses('a');
    questions[0]?.answer(A, SIX);
    assert.deepEqual(await found, [A, SIX]);
    const failed = names.addresses('b');
    questions[1]?.fail('EAI_AGAIN');
    await assert.rejects(failed, { code: 'EAI_AGAIN' });
    assert.equal(names.counts.failed, 1);
  });

  it('is asked for once, whoever wants it', async () => {
    const { names, questions } = new NameServers();
    const both = [names.addresses('a'), names.addresses('a')];
    assert.equal(questions.length, 1);
    questions[0]?.answer(A);
    assert.deepEqual(await Promise.all(both), [[A], [A]]);
  });

  it('is asked for once more when no answer comes: another name server may get it', async () => {
    const { names, questions } = new NameServers();
    const found = names.addresses('a');
    while (questions.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    questions[1]?.answer(B);
    assert.deepEqual(await found, [B]);
  });

  it('waits for its turn: lookups must leave threads for files', async () => {
    const { names, questions } = new NameServers();
    const found = ['a', 'b', 'c'].map((name) => names.addresses(name));
    await new Promise(setImmediate);
    assert.deepEqual(
      questions.map(({ name }) => name),
      ['a', 'b'],
    );
    questions[0]?.answer(A);
    await found[0];
    while (questions.length < 3) await new Promise(setImmediate);
    for (const question of questions) question.answer(B);
    assert.deepEqual(await Promise.all(found), [[A], [B], [B]]);
  });
});

describe('the lookup for sockets', () => {
  it('answers in the form that is asked for', async () => {
    const servers = new NameServers();
    servers.always = [SIX, A];
    assert.deepEqual(await lookup(servers.names, 'a', { all: true }), [SIX, A]);
    assert.deepEqual(await lookup(servers.names, 'a', {}), [SIX.address, 6]);
    assert.deepEqual(await lookup(servers.names, 'a', { family: 4 }), [A.address, 4]);
    assert.deepEqual(await lookup(servers.names, 'a', { family: 'IPv6', all: true }), [SIX]);
    servers.always = [A];
    await assert.rejects(lookup(servers.names, 'b', { family: 6 }), { code: 'ENOTFOUND' });
  });

  it('takes addresses as they are', async () => {
    const { names, questions } = new NameServers();
    assert.deepEqual(await names.addresses('::1'), [{ address: '::1', family: 6 }]);
    assert.equal(questions.length, 0);
  });
});
