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

/** The mounted Secret has no key that can be used; the message says what it should have. */
export class NoTokenKeysError extends Error {
  constructor(dir: string, problem: string) {
    super(
      `${dir}: ${problem}; the JWT Secret must have ${SECRET_KEY.hmac} (32 bytes or more) or ${SECRET_KEY.jwks}`,
    );
    this.name = 'NoTokenKeysError';
  }
}

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
  if (jwks) return { algorithms: KEY_SET_ALGORITHMS, key: keySet(dir, jwks) };
  if (!hmac) throw new NoTokenKeysError(dir, 'no key found');
  if (hmac.length < HMAC_MIN_BYTES)
    throw new NoTokenKeysError(dir, `${SECRET_KEY.hmac} is shorter than 32 bytes`);
  return { algorithms: HMAC_ALGORITHMS, key: new Uint8Array(hmac) };
}

function keySet(dir: string, text: Buffer): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(text.toString()) as JSONWebKeySet);
  } catch {
    throw new NoTokenKeysError(dir, `${SECRET_KEY.jwks} is no JSON Web Key Set`);
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
