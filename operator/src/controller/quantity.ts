/** Kubernetes quantities ("1000m" is "1", "0.5Gi" is "512Mi"). Pure. */

const SUFFIXES: Record<string, bigint> = {
  n: 1n,
  u: 1_000n,
  m: 1_000_000n,
  '': 1_000_000_000n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: 10n ** 9n * 2n ** 10n,
  Mi: 10n ** 9n * 2n ** 20n,
  Gi: 10n ** 9n * 2n ** 30n,
  Ti: 10n ** 9n * 2n ** 40n,
  Pi: 10n ** 9n * 2n ** 50n,
  Ei: 10n ** 9n * 2n ** 60n,
};

const FORM = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d{1,3})|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$/;

/**
 * A quantity in billionths, or undefined when it isn't one (resource.Quantity's grammar). What is finer than a
 * billionth is rounded away from zero, as the API server does.
 */
export function parseQuantity(text: string): bigint | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponential, exponent = '0', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  let scaled = BigInt(whole + fraction) * (SUFFIXES[suffix] ?? 1n);
  let divisor = 10n ** BigInt(fraction.length);
  if (exponential !== undefined) {
    const power = Number(exponent);
    if (power >= 0) scaled *= 10n ** BigInt(power);
    else divisor *= 10n ** BigInt(-power);
  }
  const rounded = (scaled + divisor - 1n) / divisor;
  return sign === '-' ? -rounded : rounded;
}

/** True when both are quantities of the same amount. Numbers count as their decimal form. */
export function sameQuantity(a: unknown, b: unknown): boolean {
  const left = asQuantity(a);
  return left !== undefined && left === asQuantity(b);
}

function asQuantity(value: unknown): bigint | undefined {
  if (typeof value === 'number') return parseQuantity(String(value));
  return typeof value === 'string' ? parseQuantity(value) : undefined;
}
