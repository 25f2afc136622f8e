/** How far a partition has been carried. Offsets are Kafka's. */
export interface Progress {
  readonly topic: string;
  /** The next offset to carry; undefined: not known yet. */
  readonly next: number | undefined;
  /** The offset that the next record will get, as far as Kafka has told; undefined: it has not yet. */
  readonly end: number | undefined;
}

/** How many offsets of each topic are still to be carried. Partitions of which it is not known yet are left out. */
export function lagOf(partitions: Iterable<Progress>): Record<string, number> {
  const lag: Record<string, number> = {};
  for (const { topic, next, end } of partitions) {
    if (next !== undefined && end !== undefined) lag[topic] = (lag[topic] ?? 0) + Math.max(0, end - next);
  }
  return lag;
}
