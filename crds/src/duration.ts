const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration as the CRD allows it: whole numbers of at most six digits with the units ms, s, m or h, such as
 * `1h30m`, added up as in Go's time.ParseDuration, which the CRD's rules use.
 * @returns milliseconds
 * @throws RangeError when the text is not a duration
 */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d{1,6})(ms|s|m|h)/gy)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new RangeError(
      `"${text}" is not a duration: write whole numbers of at most six digits with the units ms, s, m or h, such as 1h30m`,
    );
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? 0), 0);
}
