/** Who may see what: prefixes of the token, of the platform, and those that are asked for. */
import { normalizePrefixes } from '../etcd/index.ts';
import { SyncFailure } from './failure.ts';

/** Most prefixes of one stream. */
export const MAX_PREFIXES = 16;
/** Most bytes of one prefix. */
export const MAX_PREFIX_BYTES = 1024;

/** What prefixes are checked against. */
export interface Rights {
  /** Claim `sync` of the token. */
  granted: readonly string[];
  /** `spec.etcd.prefixes`. */
  served: readonly string[];
}

/**
 * The prefixes that a stream shows, normalized. None asked for: all that the token and the platform have in common. One
 * that is asked for must be whole within both; it is never narrowed without a word. Throws {@link SyncFailure}.
 */
export function allowedPrefixes(asked: readonly string[], { granted, served }: Rights): string[] {
  if (asked.length > MAX_PREFIXES) {
    throw new SyncFailure('bad-request', `more than ${MAX_PREFIXES} prefixes are asked for`);
  }
  for (const prefix of asked) {
    if (prefix === '' || Buffer.byteLength(prefix) > MAX_PREFIX_BYTES) {
      throw new SyncFailure('bad-request', `a prefix must have 1 to ${MAX_PREFIX_BYTES} bytes`);
    }
    if (!covered(prefix, served))
      throw new SyncFailure('no-right', 'a prefix is not served by this platform');
    if (!covered(prefix, granted))
      throw new SyncFailure('no-right', 'a prefix is not in the claim "sync" of the token');
  }
  const prefixes = asked.length > 0 ? asked : common(granted, served);
  if (prefixes.length === 0) {
    throw new SyncFailure(
      'no-right',
      'the claim "sync" of the token has no prefix that this platform serves',
    );
  }
  return normalizePrefixes(prefixes);
}

function covered(prefix: string, by: readonly string[]): boolean {
  return by.some((outer) => prefix.startsWith(outer));
}

function common(granted: readonly string[], served: readonly string[]): string[] {
  return [
    ...granted.filter((prefix) => covered(prefix, served)),
    ...served.filter((prefix) => covered(prefix, granted)),
  ];
}

/** Whether a key is under one of the prefixes. */
export function isUnder(key: Buffer, prefixes: readonly Buffer[]): boolean {
  return prefixes.some(
    (prefix) => key.length >= prefix.length && key.compare(prefix, 0, prefix.length, 0, prefix.length) === 0,
  );
}
