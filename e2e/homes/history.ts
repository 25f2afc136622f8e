/** What is written to: etcd by applications, Redis by gateways. */
export type Store = 'etcd' | 'redis';

/** What a writer was told. `refused`: it is not done, for good. `unknown`: an error that leaves it open, or nothing. */
export type Result = 'acknowledged' | 'refused' | 'unknown';

/** One attempt to write. Times in milliseconds since the history began, on one clock. */
export interface Write {
  kind: 'write';
  /** Nobody else writes it: it names the write. */
  value: string;
  client: string;
  store: Store;
  /** Whose store was asked. */
  zone: string;
  key: string;
  invokedAt: number;
  /** Infinity: it never got an answer. */
  endedAt: number;
  result: Result;
  /**
   * Under which home the store took it, read together with the write: in etcd the epoch, in Redis the identity of the
   * primary's data set. Of acknowledged writes.
   */
  reign?: string;
  /** Where the write stands in that store. Of acknowledged writes. */
  revision?: bigint;
  /** In what words it was refused, for those who read it. */
  note?: string;
}

/**
 * Who cannot reach a zone, or be reached from it. `operator`: Causeway. `zones`: no other zone, so that what replicates
 * from it has lost it. `some`: at least one other zone.
 */
export type Apart = 'operator' | 'zones' | 'some';

/** A home as the present one's records have it. `from`: what of the home before is in it, up to that revision. */
export interface HomeNote {
  epoch: number;
  zone: string;
  from?: { zone: string; revision: bigint };
}

/** One thing that was done, seen or suffered. */
export type HomesEvent =
  | Write
  | { kind: 'cut'; zone: string; side: Apart }
  | { kind: 'mended'; zone: string; side: Apart }
  /** Somebody says that the zone is gone: the home need not be asked any more. */
  | { kind: 'emergency'; zone: string }
  /** All that a zone's store has at the end. */
  | { kind: 'state'; store: Store; zone: string; isHome: boolean; entries: ReadonlyMap<string, string> }
  /** What a zone has kept aside at the end, of one of its times as home. */
  | { kind: 'aside'; zone: string; entries: ReadonlyMap<string, string> }
  /** All homes after the first, ascending by epoch, as the last of them has them. */
  | { kind: 'homes'; homes: readonly HomeNote[] };

/** An event and when it was noted, milliseconds since the history began. */
export type Noted = HomesEvent & { ms: number };

/** What a writer is about to do. */
export type Attempt = Pick<Write, 'client' | 'store' | 'zone' | 'key' | 'value'>;

/** What was done and seen, by one process: what ended before something else began came before it. */
export class HomesHistory {
  readonly events: Noted[] = [];
  readonly #now: () => number;
  readonly #began: number;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#began = now();
  }

  /** Milliseconds since it began. */
  get ms(): number {
    return this.#now() - this.#began;
  }

  add(event: Exclude<HomesEvent, Write>): void {
    this.events.push({ ...event, ms: this.ms });
  }

  /** A write begins. Call what it returns with its answer; without one it is unknown for ever. */
  begin(attempt: Attempt): (answer: Pick<Write, 'result' | 'reign' | 'revision' | 'note'>) => void {
    const ms = this.ms;
    const write: Write & { ms: number } = {
      kind: 'write',
      ...attempt,
      invokedAt: ms,
      endedAt: Infinity,
      result: 'unknown',
      ms,
    };
    this.events.push(write);
    return (answer) => void Object.assign(write, answer, { endedAt: this.ms });
  }
}

/** The writes of a history. Throws on one that is none: a value that is written twice. */
export function writesOf(events: readonly Noted[]): Write[] {
  const writes = events.filter((event) => event.kind === 'write');
  const values = new Set<string>();
  for (const { value, result, reign, revision } of writes) {
    if (values.has(value)) throw new Error(`two writes have the value ${value}`);
    values.add(value);
    if (result === 'acknowledged' && (reign === undefined || revision === undefined))
      throw new Error(`${value} was acknowledged, and nobody says under which home`);
  }
  return writes;
}
