/** Follows a ZoneFailover to its end, and shows it: for people on a terminal, in a log, or for programs. */
import { abortable, compareResourceVersions, Informer, systemClock } from '../controller/index.ts';
import { FAILOVER_KIND, type FailoverObject } from '../failover/index.ts';
import type { Cluster } from './connect.ts';
import { exitCodeOf, failoverLine, failoverText, progressLine } from './failover-text.ts';
import { styleOf, type Io } from './io.ts';
import { mayBeOld, Screen } from './screen.ts';

/** For people, or a line of JSON for each change. */
export type WatchOutput = 'text' | 'json';

/** The outside of a command that takes its time. */
export interface Session {
  io: Io;
  /** Ends the command: before anything is made, or while it is watched. */
  signal: AbortSignal;
  /** The API server has said nothing for so long: it is asked, and then it is said. Milliseconds. */
  silentMs?: number;
}

interface Following {
  name: string;
  output: WatchOutput;
  session: Session;
  /** What has been told already. */
  told?: FailoverObject;
}

/** How often it is looked how long the API server has been silent; on a terminal times go on, too. Milliseconds. */
const LOOK_MS = 1_000;
/** A watch says something once a minute, if only that nothing happened. That is too long to believe what may be old. */
const SILENT_MS = 10_000;

/** Resolves with the exit code. Rejects when the failover goes away, may not be read, or the signal aborts. */
export async function follow({ api, namespace }: Cluster, following: Following): Promise<number> {
  const { name, session } = following;
  const { signal } = session;
  signal.throwIfAborted();
  // The informer tries again for ever: what will never work is seen here.
  await abortable(api.list(FAILOVER_KIND, { namespace }), signal);
  const ended = Promise.withResolvers<number>();
  const failovers = new Informer<FailoverObject>({
    api,
    clock: systemClock,
    namespaces: [namespace],
    kind: FAILOVER_KIND,
  });
  const gone = (): void => ended.reject(new Error(`ZoneFailover ${namespace}/${name} is gone.`));
  const view = viewOf(following);
  const contact = new Contact({
    silentMs: session.silentMs ?? SILENT_MS,
    heardAgoMs: () => failovers.stalenessMs(),
    ask: () => api.get<FailoverObject>(FAILOVER_KIND, { namespace, name }),
    gone,
  });
  const look = (): void => {
    const failover = newest(failovers.get({ namespace, name }), contact.seen);
    if (failover === undefined) return;
    view.show(failover, contact.silence());
    const code = exitCodeOf(failover);
    if (code !== undefined) ended.resolve(code);
  };
  failovers.onChange({ add: look, update: look, delete: ({ metadata }) => metadata.name === name && gone() });
  const stop = new AbortController();
  const running = failovers.run(stop.signal);
  const looking = setInterval(() => {
    contact.check();
    look();
  }, LOOK_MS);
  try {
    return await abortable(ended.promise, signal);
  } finally {
    clearInterval(looking);
    view.close();
    stop.abort();
    await running;
  }
}

function newest(a: FailoverObject | undefined, b: FailoverObject | undefined): FailoverObject | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const [ofA, ofB] = [a, b].map(({ metadata }) => metadata.resourceVersion ?? '0');
  return compareResourceVersions(ofB ?? '0', ofA ?? '0') > 0 ? b : a;
}

interface ContactOptions {
  silentMs: number;
  /** Milliseconds since the watch last said anything. */
  heardAgoMs: () => number;
  ask: () => Promise<FailoverObject | undefined>;
  gone: () => void;
}

/**
 * Whether the API server still speaks. A watch that says nothing may be one to which nothing happens, or one whose other end is
 * gone, as in the loss of a zone: so it is asked.
 */
class Contact {
  readonly #options: ContactOptions;
  /** What it last answered. */
  seen: FailoverObject | undefined;
  #answeredAt = 0;
  #asking = false;
  #askedAt = 0;
  /** Why the last question had no answer. */
  #problem = '';

  constructor(options: ContactOptions) {
    this.#options = options;
  }

  /** What to say of a picture that may be old; empty while it is not. */
  silence(): string {
    const ms = this.#silentMs();
    const { silentMs } = this.#options;
    // An answer takes its time.
    const isAnswering = this.#problem === '' && (!this.#asking || Date.now() - this.#askedAt < silentMs);
    if (ms < silentMs || isAnswering) return '';
    return mayBeOld(ms, this.#problem);
  }

  /** Asks when it is time to. */
  check(): void {
    if (this.#asking || this.#silentMs() < this.#options.silentMs) return;
    this.#asking = true;
    this.#askedAt = Date.now();
    void this.#ask().finally(() => {
      this.#asking = false;
    });
  }

  async #ask(): Promise<void> {
    try {
      const failover = await this.#options.ask();
      this.#answeredAt = Date.now();
      this.#problem = '';
      if (failover === undefined) this.#options.gone();
      this.seen = failover;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }

  #silentMs(): number {
    return Math.min(this.#options.heardAgoMs(), Date.now() - this.#answeredAt);
  }
}

interface View {
  /** `silence`: what to say of a picture that may be old. */
  show(failover: FailoverObject, silence: string): void;
  close(): void;
}

function viewOf({ output, session: { io }, told }: Following): View {
  if (output === 'text' && io.terminal !== undefined) return picturesOn(io);
  const lines = output === 'json' ? jsonLines(io, told) : progressLines(io);
  let said = '';
  return {
    show: (failover, silence) => {
      // Once for each time that it falls silent: its length is told by the next line.
      if (silence !== '' && said === '') io.err(`${silence}\n`);
      if (silence === '' && said !== '') io.err('The API server answers again.\n');
      said = silence;
      lines(failover);
    },
    close: () => undefined,
  };
}

/** The whole picture again and again. */
function picturesOn(io: Io): View {
  const screen = new Screen(io);
  return {
    show: (failover, silence) => {
      const first = silence === '' ? '' : `${silence}\n\n`;
      // The cursor is below.
      const rows = (io.terminal?.rows ?? Infinity) - first.split('\n').length;
      screen.show(
        (now) => first + pictureOf(failover, io, { now, rows }),
        (now) => first + pictureOf(failover, io, { now }),
      );
    },
    close: () => screen.close(),
  };
}

function pictureOf(failover: FailoverObject, io: Io, as: { now: number; rows?: number }): string {
  return failoverText(failover, { style: styleOf(io), width: io.terminal?.columns, ...as });
}

function jsonLines(io: Io, told: FailoverObject | undefined): (failover: FailoverObject) => void {
  let said = told?.metadata.resourceVersion;
  return (failover) => {
    // Others of the namespace change too.
    if (failover.metadata.resourceVersion === said) return;
    said = failover.metadata.resourceVersion;
    io.out(failoverLine(failover, io.now()));
  };
}

/** A line for each change, and the picture at the end. */
function progressLines(io: Io): (failover: FailoverObject) => void {
  let said = '';
  return (failover) => {
    const line = progressLine(failover);
    if (line !== said) io.out(`${line}\n`);
    said = line;
    if (exitCodeOf(failover) !== undefined) io.out(`\n${pictureOf(failover, io, { now: io.now() })}`);
  };
}
