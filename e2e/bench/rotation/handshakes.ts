/** TLS clients of gateway pods: single handshakes with or without a session of before, and handshakes all the time. */
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import type { GatewayAddress, PlatformAccess } from '../../platform/index.ts';

/** Time for one handshake, milliseconds. */
const TIMEOUT_MS = 10_000;

type Pod = Pick<GatewayAddress, 'host' | 'port'>;

/** What a handshake came to. */
interface Made {
  /** Connection included, milliseconds. */
  ms: number;
  resumed: boolean;
  /** A ticket for the next one; undefined: it was not asked for. */
  session: Buffer | undefined;
}

/** One handshake that checks chain and name. `ticket`: waits for one, which a request brings (Bun sends it with an answer). */
export function handshake(
  { ca, servername }: Pick<PlatformAccess, 'ca' | 'servername'>,
  { host, port }: Pod,
  { session, ticket = false, version = 'TLSv1.3' }: Wishes = {},
): Promise<Made> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const socket: TLSSocket = connect({
      host,
      port,
      ca,
      servername,
      minVersion: version,
      maxVersion: version,
      ...(session === undefined ? {} : { session }),
    });
    const late = setTimeout(
      () => socket.destroy(new Error(`no handshake within ${TIMEOUT_MS} ms`)),
      TIMEOUT_MS,
    );
    let made: Made | undefined;
    socket.once('secureConnect', () => {
      made = { ms: performance.now() - began, resumed: socket.isSessionReused(), session: undefined };
      if (ticket) socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n');
      else socket.destroy();
    });
    socket.on('session', (given: Buffer) => {
      if (made === undefined || !ticket) return;
      made.session = given;
      socket.destroy();
    });
    // What was made stays made, however the connection ends.
    socket.once('error', (error) => (made === undefined ? reject(error) : undefined));
    socket.once('close', () => {
      clearTimeout(late);
      if (made === undefined) reject(new Error('the connection ended in the handshake'));
      else resolve(made);
    });
  });
}

interface Wishes {
  session?: Buffer | undefined;
  ticket?: boolean;
  version?: 'TLSv1.2' | 'TLSv1.3';
}

/** A handshake that was made, and when it began (milliseconds of the process). */
export interface Sample {
  at: number;
  ms: number;
}

/** New whole handshakes at a steady rate, by turns with each pod, by clients that hold the trust of the start. */
export class HandshakeLoad {
  readonly samples: Sample[] = [];
  readonly failures: string[] = [];
  readonly #access: PlatformAccess;
  readonly #pods: () => readonly GatewayAddress[];
  readonly #end = new AbortController();
  readonly #open = new Set<Promise<void>>();
  readonly #running: Promise<void>;

  /**
   * Begins. `perSecond`: of all pods together. `pods` gives those that clients are sent to now; a handshake has failed
   * when its pod is among them before and after.
   */
  constructor(access: PlatformAccess, pods: () => readonly GatewayAddress[], perSecond: number) {
    this.#access = access;
    this.#pods = pods;
    this.#running = this.#run(1000 / perSecond);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
    await Promise.all(this.#open);
  }

  async #run(everyMs: number): Promise<void> {
    let due = performance.now();
    for (let n = 0; !this.#end.signal.aborted; n += 1) {
      const pods = this.#pods();
      const pod = pods[n % Math.max(1, pods.length)];
      if (pod !== undefined) {
        const one = this.#one(pod).finally(() => this.#open.delete(one));
        this.#open.add(one);
      }
      // Never more than it should be, however late the process is.
      due = Math.max(due + everyMs, performance.now());
      await delay(Math.max(0, due - performance.now()));
    }
  }

  async #one(pod: GatewayAddress): Promise<void> {
    const at = performance.now();
    try {
      const { ms } = await handshake(this.#access, pod);
      this.samples.push({ at, ms });
    } catch (error) {
      if (this.#pods().some(({ host }) => host === pod.host))
        this.failures.push(`${pod.pod}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
