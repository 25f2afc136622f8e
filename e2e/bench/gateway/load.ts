/** The load generator (e2e/binaries/modules/gatewayload): its process, and its commands by name. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ensureBinary } from '../../binaries/index.ts';
import type { Book } from './books.ts';
import type { Buckets } from './figures.ts';

/** What the processes of one benchmark may take at most. */
const LIFETIME = '2h';
/** How long a command may take over what it says itself: it waits for answers and for the rest to arrive. */
const COMMAND_GRACE_MS = 120_000;

/** A part of each result: CPU that the generator itself used meanwhile. */
export interface Measured<T> {
  cpuSeconds: number;
  result: T;
}

/** Errors by text, with how often. */
export type Errors = Record<string, number>;

/** Connections that were opened. Times from TCP to the last answer. */
export interface Opened {
  made: number;
  failed: number;
  resumed: number;
  errors: Errors;
  seconds: number;
  times: Buckets;
}

/** One load at a set rate. Times from when a message was due. */
export interface Published {
  sent: number;
  /** Due while all publishers had as many under way as they may. */
  skipped: number;
  acknowledged: number;
  failed: number;
  errors: Errors;
  deliveries: number;
  expected: number;
  sendSeconds: number;
  /** Until the last delivery. */
  seconds: number;
  ackTimes: Buckets;
  pushTimes: Buckets;
}

/** Visitors by kind; the Go source says what each does. */
export interface Visited {
  kinds: Record<string, Opened>;
  seconds: number;
}

/** Connections of a flood, by kind: those that were ended as they should be. */
export interface Flooded extends Visited {
  /** Due while as many were open as may be. */
  skipped: number;
}

/** Messages that came back to whom sent them. */
export interface Echoed {
  made: number;
  failed: number;
  errors: Errors;
  seconds: number;
}

/** Connections that lost their server and came back. */
export interface Returned {
  lost: number;
  back: number;
  attempts: number;
  /** Times that the server said that it can't give what was missed. */
  unrecovered: number;
  /** From the first loss until the last was back. */
  seconds: number;
  times: Buckets;
}

/** What a feed has published. */
export interface Fed {
  sent: number;
  acknowledged: number;
  failed: number;
  errors: Errors;
  /** Acknowledged numbers by channel. */
  channels: Record<string, number[]>;
}

/** A crowd as it is now. */
export interface CrowdLook {
  clients: number;
  /** Of those, connected and subscribed. */
  in: number;
  /** Who got something of their channel within 3 s: who is in by a dead link does not know it yet. */
  receiving: number;
  /** Connections that ended since the crowd is there. */
  losses: number;
  deliveries: number;
  sent: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  /** Publications that were due while no publisher was connected. */
  skipped: number;
  /** Of the generator, since it began. */
  cpuSeconds: number;
}

/** A command and what it needs; the Go source says what each means. */
interface Commands {
  connect: {
    order: {
      group: string;
      address: string;
      count: number;
      concurrency: number;
      channel?: string;
      perChannel?: number;
      recover?: boolean;
    };
    result: Opened;
  };
  close: { order: { group: string }; result: { closed: number; ended: number } };
  echo: { order: { group: string; rounds: number; bytes: number; concurrency: number }; result: Echoed };
  publish: {
    order: {
      group: string;
      perSecond: number;
      seconds: number;
      bytes: number;
      channel?: string;
      inFlight?: number;
    };
    result: Published;
  };
  handshakes: {
    order: { address: string; seconds: number; concurrency: number; resumed: boolean };
    result: Opened;
  };
  churn: {
    order: {
      address: string;
      perSecond: number;
      seconds: number;
      concurrency: number;
      channel: string;
      channels: number;
      rounds: number;
      bytes: number;
    };
    result: Opened;
  };
  visits: {
    order: {
      address: string;
      count: number;
      /** Number of the first one: who comes twice with a number is the same user. */
      first: number;
      concurrency: number;
      channel: string;
      bytes: number;
    };
    result: Visited;
  };
  flood: {
    order: { address: string; perSecond: number; seconds: number; concurrency: number };
    result: Flooded;
  };
  feed: {
    order: {
      group: string;
      perSecond: number;
      seconds: number;
      bytes: number;
      channel: string;
      channels: number;
    };
    result: undefined;
  };
  'feed-stop': { order: object; result: Fed };
  'await-back': { order: { group: string; seconds: number }; result: Returned };
  books: { order: { group: string; seconds: number; count: number }; result: Book[] };
  crowd: {
    order: {
      address: string;
      count: number;
      perChannel: number;
      channel: string;
      publishers: number;
      perSecond: number;
      bytes: number;
      /** Seconds. */
      pingDelays: readonly number[];
      concurrency: number;
      /** Until all are there. */
      seconds: number;
      /** The journal. */
      file: string;
    };
    result: CrowdLook;
  };
  'crowd-look': { order: object; result: CrowdLook };
  'crowd-stop': { order: { seconds: number }; result: CrowdLook };
}

interface Waiting {
  resolve: (line: string) => void;
  reject: (error: Error) => void;
}

/** A running load generator. One command at a time. */
export class Load {
  readonly #child: ChildProcess;
  #waiting: Waiting | undefined;
  #ended: Error | undefined;
  #stderr = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null || child.stderr === null)
      throw new TypeError('the load generator has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(line);
    });
    child.stderr.on(
      'data',
      (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-4000)),
    );
    const ended = (why: string): void => {
      this.#ended = new Error(`the load generator ended (${why}): ${this.#stderr}`);
      this.#waiting?.reject(this.#ended);
      this.#waiting = undefined;
    };
    child.once('error', (error) => ended(error.message));
    child.once('close', (code, signal) => ended(String(signal ?? code)));
  }

  /** Starts it; `stop` must be called. `serverName`: what the certificate is checked for, if not localhost. */
  static async start(access: {
    caFile: string;
    token: string;
    secret?: string;
    serverName?: string;
  }): Promise<Load> {
    const program = await ensureBinary('gatewayload');
    const name = access.serverName === undefined ? [] : ['-server-name', access.serverName];
    const child = spawn(program, ['-ca', access.caFile, '-max', LIFETIME, ...name], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, TOKEN: access.token, TOKEN_SECRET: secretBytes(access.secret) },
    });
    return new Load(child);
  }

  /** Carries out one command. Throws when the generator can't, ends, or takes far longer than it should. */
  async run<K extends keyof Commands>(
    name: K,
    order: Commands[K]['order'],
  ): Promise<Measured<Commands[K]['result']>> {
    const seconds = 'seconds' in order && typeof order.seconds === 'number' ? order.seconds : 0;
    const line = await this.#ask(JSON.stringify({ do: name, ...order }), name, seconds * 1000);
    const { cpuSeconds, result, error } = JSON.parse(line) as Measured<Commands[K]['result']> & {
      error?: string;
    };
    if (error) throw new Error(`load generator, ${name}: ${error}`);
    return { cpuSeconds, result };
  }

  #ask(text: string, name: string, expectedMs: number): Promise<string> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#waiting) return Promise.reject(new Error('a command of the load generator is under way'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#waiting = undefined;
          reject(new Error(`load generator: no answer to ${name}`));
        },
        expectedMs + COMMAND_GRACE_MS + FILL_MS,
      );
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) };
      this.#child.stdin?.write(`${text}\n`);
    });
  }

  /** Ends it. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    this.#child.kill('SIGKILL');
    await closed;
  }
}

/** The generator takes it as hexadecimal: contestants sign with the bytes of its text. */
function secretBytes(secret = ''): string {
  return Buffer.from(secret).toString('hex');
}

/** Opening 20,000 connections, or an echo of all of them, says no time of its own: it takes minutes on a slow machine. */
const FILL_MS = 300_000;
