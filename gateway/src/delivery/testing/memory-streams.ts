import type { Streams } from '../carrier.ts';
import type { Append, AppendOutcome } from '../redis-streams.ts';

/** Streams in memory, which decide as Redis does (see APPEND). */
export class MemoryStreams implements Streams {
  readonly connected = true;
  /** `<topic>/<partition>` and offset of each record, in order. */
  readonly carried: string[] = [];
  /** Those that came once more. */
  readonly again: string[] = [];
  readonly #positions = new Map<string, number>();
  readonly #logs = new Map<string, string>();
  readonly #came: (record: string) => void;

  /** `came` is told each record as it is taken. */
  constructor(came: (record: string) => void = () => undefined) {
    this.#came = came;
  }

  async connection(): Promise<void> {}

  async append(records: Append[]): Promise<AppendOutcome[]> {
    return records.map((record) => this.#append(record));
  }

  #append({ source, kafka: { offset }, previous }: Append): AppendOutcome {
    const last = this.#positions.get(source);
    if (last !== undefined && last >= offset) {
      this.again.push(`${source} ${offset}`);
      return 'seen';
    }
    if (last !== undefined && last !== previous) return 'elsewhere';
    if (last === undefined && previous !== -1) return 'lost';
    this.#positions.set(source, offset);
    this.carried.push(`${source} ${offset}`);
    this.#came(`${source} ${offset}`);
    return 'ok';
  }

  async note(): Promise<void> {}

  async positions(sources: string[]): Promise<(number | undefined)[]> {
    return sources.map((source) => this.#positions.get(source));
  }

  async logs(sources: string[]): Promise<(string | undefined)[]> {
    return sources.map((source) => this.#logs.get(source));
  }

  async noteLog(source: string, id: string): Promise<void> {
    if (!this.#positions.has(source) || !this.#logs.has(source)) this.#logs.set(source, id);
  }

  async forget(source: string): Promise<boolean> {
    return this.#positions.delete(source);
  }

  async replaceLog(source: string, from: string, to: string): Promise<boolean> {
    if (this.#logs.get(source) !== from) return false;
    this.#logs.set(source, to);
    this.#positions.delete(source);
    return true;
  }
}
