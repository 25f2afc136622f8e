import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ANNOTATION, certificateKey, privateKeyKey, SECRET_KEY } from '@causeway/crds';
import { bundleFingerprints, fingerprintOf } from '../mounted/index.ts';
import { parseAnnotations } from './annotations.ts';

/** One version of the server's certificate. */
export interface CertificatePair {
  version: number;
  cert: Buffer;
  key: Buffer;
  /** See CertificateState in the contract. */
  fingerprint: string;
}

/** What the mounted Secret and the pod's annotations say now. */
export interface CertificateFiles {
  pairs: Map<number, CertificatePair>;
  /** Versions whose files are broken, and how. */
  broken: Map<number, string>;
  /** 48 bytes, if there are. */
  ticketKey: Buffer | undefined;
  /** SHA-256 of each certificate of the trust bundle. */
  bundle: string[];
  /** The version that the pod's annotation names. */
  annotated: number | undefined;
  /** The version that the Secret names. */
  current: number | undefined;
}

const TICKET_KEY_BYTES = 48;

/** Reads the mounted Secret and the annotations. Rejects if the Secret's directory cannot be read. */
export async function readCertificateFiles(dir: string, annotationsFile: string): Promise<CertificateFiles> {
  const pairs = new Map<number, CertificatePair>();
  const broken = new Map<number, string>();
  for (const version of versionsIn(await readdir(dir))) {
    try {
      pairs.set(version, await readPair(dir, version));
    } catch (error) {
      broken.set(version, (error as Error).message);
    }
  }
  const ticketKey = await optional(join(dir, SECRET_KEY.ticketKey));
  const annotations = parseAnnotations((await optional(annotationsFile))?.toString() ?? '');
  return {
    pairs,
    broken,
    ticketKey: ticketKey?.length === TICKET_KEY_BYTES ? ticketKey : undefined,
    bundle: bundleFingerprints((await optional(join(dir, SECRET_KEY.ca)))?.toString() ?? ''),
    annotated: versionNumber(annotations.get(ANNOTATION.certificate)),
    current: versionNumber((await optional(join(dir, SECRET_KEY.current)))?.toString()),
  };
}

/**
 * The version to serve: the one that the annotation names, else the Secret's current one; undefined if that is not
 * there (then what was served before stays).
 */
export function chooseVersion({ pairs, annotated, current }: CertificateFiles): number | undefined {
  const wanted = annotated ?? current;
  return wanted !== undefined && pairs.has(wanted) ? wanted : undefined;
}

/** The versions among a Secret's keys, ascending. */
export function versionsIn(names: string[]): number[] {
  const versions = names.map((name) => versionNumber(/^tls-(\d+)\.crt$/.exec(name)?.[1]));
  return versions.filter((version) => version !== undefined).sort((a, b) => a - b);
}

async function readPair(dir: string, version: number): Promise<CertificatePair> {
  const cert = await readFile(join(dir, certificateKey(version)));
  const key = await readFile(join(dir, privateKeyKey(version)));
  const leaf = new X509Certificate(cert);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`${privateKeyKey(version)} is not the key of ${certificateKey(version)}`);
  }
  return { version, cert, key, fingerprint: fingerprintOf(leaf) };
}

function versionNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text.trim()) ? Number(text.trim()) : undefined;
}

async function optional(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
