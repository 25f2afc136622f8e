import { readFile } from 'node:fs/promises';
import { ANNOTATION } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import { parseAnnotations } from '../transport/index.ts';
import { Problems } from './problems.ts';

/** Most clients per second; as many as `failover.drainPerSecond` of a MessagePlatform takes. */
const MAX_PER_SECOND = 100_000;

/** Clients per second as {@link ANNOTATION}.drain says it; undefined: no number that it may be. */
export function parseRate(text: string): number | undefined {
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  return rate > 0 && rate <= MAX_PER_SECOND ? rate : undefined;
}

/** What the pod's annotations ask for, as the downward API file shows them. */
export class DrainRequest {
  readonly #file: string;
  readonly #problems: Problems;
  #perSecond: number | undefined;

  constructor(annotationsFile: string, log: Log) {
    this.#file = annotationsFile;
    this.#problems = new Problems(log);
  }

  /**
   * Reads the file again: clients to send away per second, or undefined. A value that is none is logged once and counts as
   * absent. While the file cannot be read, what was read before stays.
   */
  async read(): Promise<number | undefined> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (error) {
      this.#problems.note('drain', `${this.#file}: ${reason(error)}`);
      return this.#perSecond;
    }
    const value = parseAnnotations(text).get(ANNOTATION.drain);
    this.#perSecond = value === undefined ? undefined : parseRate(value);
    const isWrong = value !== undefined && this.#perSecond === undefined;
    this.#problems.note(
      'drain',
      isWrong
        ? `annotation ${ANNOTATION.drain} must be clients per second, a decimal number over 0 and up to ${MAX_PER_SECOND}; it is ${JSON.stringify(value.slice(0, 50))} and counts as absent`
        : '',
    );
    return this.#perSecond;
  }
}
