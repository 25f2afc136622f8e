import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SECRET_KEY, type InnerState } from '@causeway/crds';
import { bundleFingerprints } from './fingerprints.ts';

/** What a client with this pair and bundle (PEM) uses; undefined when it has no certificate. */
export function innerState({ ca, cert }: { ca?: Buffer; cert?: Buffer }): InnerState | undefined {
  const [fingerprint] = bundleFingerprints(cert?.toString() ?? '');
  if (fingerprint === undefined) return undefined;
  return { fingerprint, bundle: bundleFingerprints(ca?.toString() ?? '') };
}

/** The same of a mounted Secret. Rejects when it cannot be read. */
export async function readInnerState(dir: string): Promise<InnerState | undefined> {
  const [ca, cert] = await Promise.all([
    readFile(join(dir, SECRET_KEY.ca)),
    readFile(join(dir, SECRET_KEY.cert)),
  ]);
  return innerState({ ca, cert });
}
