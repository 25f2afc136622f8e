import { TokenError } from './token-error.ts';

/** Most prefixes in a claim. */
const MAX_PREFIXES = 64;

/** Claim sync: a list of prefixes of etcd keys, none of them empty. Throws {@link TokenError}. */
export function syncClaim(claim: unknown): string[] | undefined {
  if (claim === undefined) return undefined;
  const good =
    Array.isArray(claim) &&
    claim.length <= MAX_PREFIXES &&
    claim.every((prefix) => typeof prefix === 'string' && prefix !== '');
  if (!good) throw new TokenError('invalid', 'claim sync is not a list of prefixes');
  return claim as string[];
}
