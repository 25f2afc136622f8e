/** When a server keeps up with a rate. Pure. */
import { bucketPercentile } from './figures.ts';
import type { Published } from './load.ts';

/** A server that is further behind than this has a queue that grows. */
const MOST_P99_MS = 1_000;
/** The last delivery may be later than the last publication by this. */
const MOST_TAIL_SECONDS = 1;

/** Everything was sent, taken and delivered, and soon. */
export function keptUp(result: Published): boolean {
  const { skipped, failed, deliveries, expected, seconds, sendSeconds, pushTimes } = result;
  return (
    skipped === 0 &&
    failed === 0 &&
    expected > 0 &&
    deliveries === expected &&
    seconds - sendSeconds <= MOST_TAIL_SECONDS &&
    bucketPercentile(pushTimes, 99) <= MOST_P99_MS
  );
}
