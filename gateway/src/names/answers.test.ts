import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ANSWER_LIMITS, Answers } from './answers.ts';

const LIMITS = { freshMs: 10, staleMs: 100, recheckMs: 5, goneMs: 20, names: 3 };
const at = (address: string): { address: string; family: number }[] => [{ address, family: 4 }];

/** What name servers say, after a time, of one of more names than are kept. */
const steps = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 40 }),
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    what: fc.constantFrom('answered', 'denied', 'failed', 'look'),
  }),
  { maxLength: 60 },
);

/** The last answer for a name, and what came after it: an independent account of what {@link Answers} should know. */
interface Account {
  address: string;
  answeredAt: number;
  failedAt?: number;
  deniedAt?: number;
}

describe('what is remembered of answers', () => {
  it('is the last one, never too old, never denied for too long, and of not more names than the limit', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const answers = new Answers(LIMITS);
        const accounts = new Map<string, Account>();
        let now = 0;
        for (const [index, { afterMs, name, what }] of all.entries()) {
          now += afterMs;
          const account = accounts.get(name);
          if (what === 'answered') {
            answers.answered(name, at(String(index)), now);
            accounts.set(name, { address: String(index), answeredAt: now });
          } else if (what === 'look') {
            const known = answers.look(name, now);
            // Fewer than the account has: names go when there are too many.
            if (!known) continue;
            assert.ok(account, 'it was answered, and not denied for long');
            const age = now - account.answeredAt;
            assert.ok(age <= LIMITS.staleMs, 'it is not too old');
            assert.deepEqual(known, {
              addresses: at(account.address),
              isFresh: age <= LIMITS.freshMs,
              isDue: account.failedAt === undefined || now - account.failedAt >= LIMITS.recheckMs,
            });
          } else if (account) {
            account.failedAt = now;
            if (what === 'denied') account.deniedAt ??= now;
            if (
              account.deniedAt !== undefined &&
              what === 'denied' &&
              now - account.deniedAt >= LIMITS.goneMs
            )
              accounts.delete(name);
            answers[what](name, now);
          } else answers[what](name, now);
          assert.ok(answers.size <= LIMITS.names);
        }
      }),
    );
  });

  it('is kept for the names that are wanted', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('b', 'c', 'd', 'e', 'f')), (others) => {
        const answers = new Answers(LIMITS);
        answers.answered('a', at('1'), 0);
        for (const other of others) {
          answers.answered(other, at('2'), 0);
          assert.ok(answers.look('a', 0), 'it was wanted just before');
        }
      }),
    );
  });

  it('is used for a day, and asked for again each second', () => {
    const answers = new Answers();
    const day = 24 * 3_600_000;
    answers.answered('a', at('1'), 0);
    assert.deepEqual(answers.look('a', 1_000), { addresses: at('1'), isFresh: true, isDue: true });
    assert.equal(answers.look('a', 1_001)?.isFresh, false);
    answers.failed('a', day - 500);
    assert.equal(answers.look('a', day)?.isDue, false);
    assert.equal(answers.look('a', day + 1), undefined);
    assert.equal(answers.size, 0);
  });

  it('goes when name servers say for ten seconds that there is no such name', () => {
    const answers = new Answers();
    answers.answered('a', at('1'), 0);
    answers.denied('a', 5_000);
    answers.denied('a', 5_000 + ANSWER_LIMITS.goneMs - 1);
    assert.ok(answers.look('a', 15_000), 'a name server that has just started may say so too');
    answers.denied('a', 5_000 + ANSWER_LIMITS.goneMs);
    assert.equal(answers.look('a', 15_000), undefined);
  });

  it('begins anew with each answer', () => {
    const answers = new Answers();
    answers.answered('a', at('1'), 0);
    answers.denied('a', 5_000);
    answers.answered('a', at('2'), 9_000);
    answers.denied('a', 16_000);
    assert.deepEqual(answers.look('a', 20_000)?.addresses, at('2'));
  });
});
