/** The mounted Secrets with which etcd is reached: read, and watched for a change. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SECRET_KEY } from '@causeway/crds';
import type { EtcdConnectionConfig } from '@causeway/crds';

/** What a Secret holds; a part that isn't there is `undefined`. */
export interface Credentials {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  username?: string;
  password?: string;
}

/** A mounted Secret that can't be used. The message says which file, and what to do. */
export class CredentialsError extends Error {
  override name = 'CredentialsError';
}

/** Reads the Secret of an etcd. None, without `dir`. */
export async function readCredentials({ dir, endpoints }: EtcdConnectionConfig): Promise<Credentials> {
  if (dir === undefined) return {};
  const [ca, cert, key, username, password] = await Promise.all(
    [SECRET_KEY.ca, SECRET_KEY.cert, SECRET_KEY.key, SECRET_KEY.username, SECRET_KEY.password].map((name) =>
      readOptional(join(dir, name)),
    ),
  );
  if (ca === undefined && endpoints.some((endpoint) => endpoint.startsWith('https:'))) {
    throw new CredentialsError(
      `${join(dir, SECRET_KEY.ca)} is missing: etcd is reached by https and can't be verified`,
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new CredentialsError(
      `${dir}: ${SECRET_KEY.cert} and ${SECRET_KEY.key} go together, and one is missing`,
    );
  }
  if ((username === undefined) !== (password === undefined)) {
    throw new CredentialsError(`${dir}: username and password go together, and one is missing`);
  }
  return {
    ...(ca && { ca }),
    ...(cert && key && { cert, key }),
    ...(username && password && { username: text(username), password: text(password) }),
  };
}

/** Whether both are the same, so that a connection made with one still holds. */
export function sameCredentials(a: Credentials, b: Credentials): boolean {
  return (
    sameBytes(a.ca, b.ca) &&
    sameBytes(a.cert, b.cert) &&
    sameBytes(a.key, b.key) &&
    a.username === b.username &&
    a.password === b.password
  );
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

function text(bytes: Buffer): string {
  return bytes.toString().trimEnd();
}

async function readOptional(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
