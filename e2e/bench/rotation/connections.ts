/** Long connections: opened at a bounded rate, held, and asked at the end whether they still answer. */
import { setTimeout as delay } from 'node:timers/promises';
import { WEBSOCKET_PATH } from '@causeway/crds';
import { tokenFor, type GatewayAddress, type PlatformAccess } from '../../platform/index.ts';
import { Client } from '../messages/client.ts';

/** Connections, and answers asked for, in a second. */
const PER_SECOND = 100;
/** Channel of the publications that flow all the time; every connection of the first pods' listens. */
const CHANNEL = 'chat:flow';
/** Time between two publications, milliseconds. */
const PUBLISH_MS = 200;

/** What became of connections and publications. */
export interface Held {
  /** Connections that do not answer any more. */
  dropped: number;
  published: number;
  /** Publications that were not acknowledged. */
  unpublished: number;
  /** Acknowledged publications that a listener did not get, over all listeners. */
  missed: number;
}

export class Connections {
  readonly #clients: Client[] = [];
  /** Publications that each listener got. */
  readonly #received: number[] = [];
  #published = 0;
  #lost = 0;
  #publishing: Promise<void> | undefined;
  readonly #end = new AbortController();

  get count(): number {
    return this.#clients.length;
  }

  /** Opens `count`, spread over `pods`; one in each pod listens to the publications. `close()` must be called. */
  static async open(
    access: PlatformAccess,
    pods: readonly GatewayAddress[],
    count: number,
  ): Promise<Connections> {
    const connections = new Connections();
    const token = await tokenFor(access, 'bench', { tier: 'vip' });
    for (let n = 0; n < count; n += 1) {
      const pod = pods[n % pods.length];
      if (pod === undefined) throw new RangeError('there is no gateway pod');
      const listens = n < pods.length;
      const { ca, servername } = access;
      const url = `wss://${pod.host}:${pod.port}${WEBSOCKET_PATH}`;
      const client = await Client.connect({ url, ca, servername, token }, () => {
        connections.#received[n] = (connections.#received[n] ?? 0) + 1;
      });
      connections.#clients.push(client);
      if (listens) {
        connections.#received[n] = 0;
        await client.subscribe(CHANNEL);
      }
      await delay(1000 / PER_SECOND);
    }
    connections.#publishing = connections.#publish();
    return connections;
  }

  async #publish(): Promise<void> {
    while (!this.#end.signal.aborted) {
      const client = this.#clients.at(-1);
      try {
        await client?.publish(CHANNEL, { n: this.#published });
        this.#published += 1;
      } catch {
        this.#lost += 1;
      }
      await delay(PUBLISH_MS);
    }
  }

  /** Ends the flow of publications, and asks every connection. */
  async check(): Promise<Held> {
    this.#end.abort();
    await this.#publishing;
    await delay(1000);
    let dropped = 0;
    for (const client of this.#clients) {
      await client.subscribe('chat:alive').catch(() => {
        dropped += 1;
      });
    }
    const missed = this.#received.reduce((sum, received) => sum + Math.max(0, this.#published - received), 0);
    return { dropped, published: this.#published, unpublished: this.#lost, missed };
  }

  close(): void {
    this.#end.abort();
    for (const client of this.#clients) client.close();
  }
}
