/** What a platform must not do. */
export type ViolationKind =
  /** Acknowledged, and not delivered to one who was there. */
  | 'lost'
  /** Acknowledged, and nobody ever saw it. */
  | 'vanished'
  /** Delivered twice, or twice in a stream. */
  | 'doubled'
  /** Two saw another order, or what was acknowledged came after what was begun later. */
  | 'reordered'
  /** Delivered, and never published like this. */
  | 'invented'
  /** Delivered, though its publisher was told that it is not taken. */
  | 'refused'
  /** Offsets that don't follow each other. */
  | 'gap'
  /** Told that it has recovered, and there was a hole. */
  | 'hole'
  /** One place has two publications. */
  | 'inconsistent'
  /** Another stream under the same subscription, without a cause or without word of it. */
  | 'epoch'
  /** Told that it can't recover, without a cause. */
  | 'needless';

export interface Violation {
  kind: ViolationKind;
  channel: string;
  subscriber?: string;
  id?: string;
  /** What was seen, in a sentence. */
  detail: string;
}

/** A line for each violation, at most `limit` of them. */
export function describeViolations(violations: readonly Violation[], limit = 20): string {
  const lines = violations
    .slice(0, limit)
    .map(({ kind, channel, subscriber, id, detail }) =>
      [kind, channel, subscriber, id, detail].filter((part) => part !== undefined).join(' · '),
    );
  if (violations.length > limit) lines.push(`… and ${violations.length - limit} more`);
  return lines.join('\n');
}
