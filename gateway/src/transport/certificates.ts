import type { CertificateState, HandshakeCount } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { chooseVersion, readCertificateFiles } from './certificate-files.ts';
import type { CertificateFiles, CertificatePair } from './certificate-files.ts';

/** What a TLS server serves. */
export interface ServedCertificate {
  cert: Buffer;
  key: Buffer;
  ticketKeys: Buffer | undefined;
}

/** The server's certificate, as the mounted files say; see design, "Certificates". */
export class Certificates {
  readonly #dir: string;
  readonly #annotationsFile: string;
  readonly #log: Log;
  #files: CertificateFiles | undefined;
  #served: CertificatePair | undefined;
  #ticketKey: Buffer | undefined;
  #problem = '';
  #handshakes: CertificateState['handshakes'] = { since: noHandshakes(), before: noHandshakes() };

  constructor(dir: string, annotationsFile: string, log: Log) {
    this.#dir = dir;
    this.#annotationsFile = annotationsFile;
    this.#log = log;
  }

  /** What is served now; undefined before there was a certificate that could be. */
  get served(): ServedCertificate | undefined {
    return this.#served && { cert: this.#served.cert, key: this.#served.key, ticketKeys: this.#ticketKey };
  }

  get state(): Omit<CertificateState, 'inner'> | undefined {
    if (!this.#served || !this.#files) return undefined;
    const { version, fingerprint } = this.#served;
    const available = [...this.#files.pairs.keys()];
    return { version, fingerprint, available, bundle: this.#files.bundle, handshakes: this.#handshakes };
  }

  /** A handshake with a client ended. */
  countHandshake(outcome: 'completed' | 'failed'): void {
    this.#handshakes.since[outcome] += 1;
  }

  /**
   * Reads the files again. True if something else is to be served from now on. What cannot be served is logged once,
   * and what was served before stays.
   */
  async reload(): Promise<boolean> {
    let files: CertificateFiles;
    try {
      files = await readCertificateFiles(this.#dir, this.#annotationsFile);
    } catch (error) {
      this.#report(`${this.#dir}: ${(error as Error).message}`);
      return false;
    }
    this.#files = files;
    const version = chooseVersion(files);
    this.#report(problemOf(files, version));
    const pair = version === undefined ? this.#served : files.pairs.get(version);
    if (!pair) return false;
    const ticketKey = files.ticketKey ?? this.#ticketKey;
    const same =
      this.#served && sameBytes(this.#served.cert, pair.cert) && sameBytes(this.#served.key, pair.key);
    if (same && sameBytes(ticketKey, this.#ticketKey)) return false;
    if (this.#served !== undefined && this.#served.version !== pair.version)
      this.#handshakes = { since: noHandshakes(), before: this.#handshakes.since };
    this.#served = pair;
    this.#ticketKey = ticketKey;
    this.#log.info('certificate to serve', { version: pair.version, fingerprint: pair.fingerprint });
    return true;
  }

  #report(problem: string): void {
    if (problem !== '' && problem !== this.#problem) this.#log.warn('certificate files', { problem });
    this.#problem = problem;
  }
}

function noHandshakes(): HandshakeCount {
  return { completed: 0, failed: 0 };
}

function problemOf({ broken, annotated, current }: CertificateFiles, version: number | undefined): string {
  const problems = [...broken].map(([n, problem]) => `version ${n}: ${problem}`);
  if (version === undefined)
    problems.push(`version ${annotated ?? current ?? '(none named)'} cannot be served`);
  return problems.join('; ');
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.equals(b));
}
