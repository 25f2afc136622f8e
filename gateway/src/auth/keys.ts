import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLocalJWKSet } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { SECRET_KEY } from '@causeway/crds';

/** Algorithms for a shared secret, and those for a key set: a public key must never be taken for a shared secret. */
const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
const KEY_SET_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const HMAC_MIN_BYTES = 32;

/** What tokens are checked with. */
export interface TokenKeys {
  algorithms: string[];
  key: Uint8Array | JWTVerifyGetKey;
}

/** There is no key that can be used; the message says where, and what there should be. */
export class NoTokenKeysError extends Error {
  constructor(where: string, problem: string) {
    super(`${where}: ${problem}`);
    this.name = 'NoTokenKeysError';
  }
}

const SHOULD_HAVE = `the JWT Secret must have ${SECRET_KEY.hmac} (32 bytes or more) or ${SECRET_KEY.jwks}`;

/** Contents of the mounted Secret, as far as it is about tokens. */
export interface KeyFiles {
  hmac: Buffer | undefined;
  jwks: Buffer | undefined;
}

/** Reads the mounted Secret. */
export async function readKeyFiles(dir: string): Promise<KeyFiles> {
  return {
    hmac: await optional(join(dir, SECRET_KEY.hmac)),
    jwks: await optional(join(dir, SECRET_KEY.jwks)),
  };
}

/** Makes keys of the mounted Secret's contents; a key set goes before a shared secret. Throws {@link NoTokenKeysError}. */
export function parseKeys(dir: string, { hmac, jwks }: KeyFiles): TokenKeys {
  if (jwks) return parseKeySet(`${dir}: ${SECRET_KEY.jwks}`, jwks.toString(), SHOULD_HAVE);
  if (!hmac) throw new NoTokenKeysError(dir, `no key found; ${SHOULD_HAVE}`);
  if (hmac.length < HMAC_MIN_BYTES)
    throw new NoTokenKeysError(dir, `${SECRET_KEY.hmac} is shorter than 32 bytes; ${SHOULD_HAVE}`);
  return { algorithms: HMAC_ALGORITHMS, key: new Uint8Array(hmac) };
}

/** Makes keys of a JSON Web Key Set (RFC 7517, 5). `where` and `advice`: for the message. Throws {@link NoTokenKeysError}. */
export function parseKeySet(where: string, text: string, advice: string): TokenKeys {
  try {
    return { algorithms: KEY_SET_ALGORITHMS, key: createLocalJWKSet(JSON.parse(text) as JSONWebKeySet) };
  } catch {
    throw new NoTokenKeysError(where, `is no JSON Web Key Set (RFC 7517); ${advice}`);
  }
}

async function optional(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
