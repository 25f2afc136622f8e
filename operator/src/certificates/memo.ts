import { createHash } from 'node:crypto';

/**
 * Keeps the answers of a pure function of texts, for at most `limit` inputs; the oldest go first. Every reconcile asks
 * the same of the same certificates, and parsing and verifying them costs more than all else that it does. Of the
 * texts only a hash is kept: no private key stays in memory for it.
 */
export function memoize<T extends readonly (string | undefined)[], R>(
  compute: (...texts: T) => R,
  limit = 8192,
): (...texts: T) => R {
  const answers = new Map<string, R>();
  return (...texts) => {
    const key = digest(texts);
    const known = answers.get(key);
    if (known !== undefined || answers.has(key)) return known as R;
    const answer = compute(...texts);
    answers.set(key, answer);
    for (const oldest of answers.keys()) {
      if (answers.size <= limit) break;
      answers.delete(oldest);
    }
    return answer;
  };
}

function digest(texts: readonly (string | undefined)[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text === undefined ? '-' : `${text.length}:${text}`);
  return hash.digest('base64');
}
