/** Between two acts of one sitting, milliseconds: a run takes two minutes, and a platform that is made anew a few more. */
const GAP_MS = 15 * 60_000;

/** In how many sittings runs of one kind were made, by the times of their acts. Pure. */
export function sittingsOf(times: readonly string[]): number {
  const sorted = times.map((time) => Date.parse(time)).sort((a, b) => a - b);
  return sorted.filter((at, index) => at - (sorted[index - 1] ?? -Infinity) > GAP_MS).length;
}
