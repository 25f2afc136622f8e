/** A channel's epoch and offset live at least this long after they were last used, seconds. */
const POSITION_MIN_S = 86_400;

/** How much of a channel is kept in Redis. */
export interface History {
  /** Publications in the stream, about. */
  size: number;
  /** How long the stream lives after its last publication. A rebuild from Kafka reaches back as far. */
  seconds: number;
}

/**
 * How long a channel's epoch and offset live after they were last used, seconds: always longer than the stream, or
 * offsets would begin anew in a stream that clients still have a position of.
 */
export function positionSeconds({ seconds }: History): number {
  return Math.ceil(Math.max(POSITION_MIN_S, 2 * seconds));
}
