/** Back-pressure: which watches of the source wait. A pure function of what has been read and not yet written. */

/** Bytes of changes that may wait before the source is made to wait. */
export const HIGH_WATER = 16 * 1024 * 1024;

/** One watch. */
export interface Lane {
  /** Bytes of its changes that wait for other watches. */
  bytes: number;
  /** It has told more than the watch for which all wait. */
  isAhead: boolean;
  paused: boolean;
}

/** Revisions that are whole, and wait to be written. */
export interface Queue {
  bytes: number;
  isEmpty: boolean;
}

/**
 * Which watches are to be paused. All that waits has one bound, whatever the number of prefixes, and an answer of each watch
 * more, which may be under way. The watch for which the others wait is read also over the bound once there is nothing to
 * write: only it can bring something.
 */
export function paused(lanes: readonly Lane[], queue: Queue, highWater = HIGH_WATER): boolean[] {
  const total = waitingBytes(lanes, queue);
  return lanes.map(({ isAhead, paused: isPaused }) => {
    if (!isAhead && queue.isEmpty) return false;
    return total > highWater || (isPaused && total >= highWater / 2);
  });
}

/** All that was read and is not yet written. */
export function waitingBytes(lanes: readonly Lane[], queue: Queue): number {
  return lanes.reduce((sum, { bytes }) => sum + bytes, queue.bytes);
}
