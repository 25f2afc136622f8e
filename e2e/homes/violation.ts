import type { Store } from './history.ts';

/** What must not be. */
export type ViolationKind =
  /** Two zones took writes at once, or one went on after its time. */
  | 'two-homes'
  /** A primary that no replica hears of went on for too long. */
  | 'unguarded'
  /** Acknowledged, and neither at home nor kept aside. */
  | 'lost'
  /** Only an old home had it, and now the new one has it: somebody guessed. */
  | 'merged'
  /** Its writer was told that it is not done, and it is there. */
  | 'refused'
  /** It is there, and nobody wrote it. */
  | 'invented'
  /** A follower has something else than its home. */
  | 'diverged';

export interface Violation {
  kind: ViolationKind;
  store: Store;
  zone: string;
  /** The write that it is about. */
  value?: string;
  /** What was seen, in a sentence. */
  detail: string;
}

/** A line for each violation, at most `limit` of them. */
export function describeViolations(violations: readonly Violation[], limit = 20): string {
  const lines = violations
    .slice(0, limit)
    .map(({ kind, store, zone, value, detail }) =>
      [kind, store, zone, value, detail].filter((part) => part !== undefined).join(' · '),
    );
  if (violations.length > limit) lines.push(`… and ${violations.length - limit} more`);
  return lines.join('\n');
}
