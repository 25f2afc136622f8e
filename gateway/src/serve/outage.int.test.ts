/** What clients of the other zones notice when a zone is cut off with its Kafka broker and its gateway. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Centrifuge } from 'centrifuge';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  CAN_BE_CUT_OFF,
  coordinatorOf,
  connected,
  cutOff,
  listen,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Listener, Platform } from '../testing/index.ts';

/** Enough that each of the three partitions has some. */
const CHANNELS = ['chat:a', 'chat:b', 'chat:c', 'chat:d', 'chat:e', 'chat:f'];
/** Between two publications to one channel, milliseconds. */
const PAUSE_MS = 50;
/** It took 15 s on a machine that did much else; what is over this hangs, or waits for a time-out too many. */
const BOUND_MS = 40_000;

/** Publishes to one channel until it is told to stop, and notes when each was begun, and whether it was acknowledged. */
class Publisher {
  readonly begun = new Map<string, number>();
  readonly acknowledged = new Map<string, number>();
  readonly #end = new AbortController();
  readonly #over: Promise<void>;

  constructor(client: Centrifuge, channel: string) {
    this.#over = this.#run(client, channel);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#over;
  }

  async #run(client: Centrifuge, channel: string): Promise<void> {
    for (let n = 0; !this.#end.signal.aborted; n += 1) {
      const id = `${channel} ${n}`;
      this.begun.set(id, performance.now());
      await client.publish(channel, id).then(
        () => this.acknowledged.set(id, performance.now()),
        // While the partition has no leader: allowed, and it may come or not.
        () => undefined,
      );
      await delay(PAUSE_MS);
    }
  }
}

/** On one runtime, since most of it is waiting for Kafka's time-outs; `RUNTIME=node` or `bun` says on which. */
for (const runtime of RUNTIMES.filter((one) => one === (process.env['RUNTIME'] ?? 'bun'))) {
  describe(`the others in an outage of a zone, with gateways on ${runtime}`, { timeout: 180_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    const ends: (() => void | Promise<void>)[] = [];

    before(async () => {
      [backends] = await Promise.all([
        startBackends({ kafka: { brokers: 3, config: CAN_BE_CUT_OFF } }),
        buildBundle(),
      ]);
      platform = await backends.platform();
    });
    after(() => backends.stop());
    afterEach(async () => {
      for (const end of ends.splice(0).toReversed()) await end();
    });

    const start = async (zone: string): Promise<GatewayProcess> => {
      const gateway = await startGateway({ runtime, platform, zone });
      ends.push(() => gateway.stop());
      return gateway;
    };
    const client = async (gateway: GatewayProcess, user: string): Promise<Centrifuge> => {
      const made = await sdk(platform, [gateway], { user });
      ends.push(() => made.disconnect());
      return connected(made);
    };

    it('get publications again soon, each once', async (t) => {
      const gateways = await Promise.all(['zone-a', 'zone-b', 'zone-c'].map(start));
      const [lost, next, third] = gateways as [GatewayProcess, GatewayProcess, GatewayProcess];
      const assigned = (gateway: GatewayProcess): boolean =>
        gateway.logs.some(({ message }) => message === 'partitions assigned');
      await waitFor('all carry', () => gateways.every(assigned));
      const [ann, bob] = [await client(next, 'ann'), await client(third, 'bob')];
      const listeners = new Map<string, Listener>();
      const arrived = new Map<string, number>();
      for (const name of CHANNELS) {
        const listener = await listen(bob, name);
        listener.subscription.on('publication', ({ data }) => arrived.set(data as string, performance.now()));
        listeners.set(name, listener);
      }
      const publishers = new Map(CHANNELS.map((name) => [name, new Publisher(ann, name)]));
      ends.push(async () => void (await Promise.all([...publishers.values()].map((one) => one.stop()))));
      await waitFor('all have carried', async () => {
        const carried = await Promise.all(
          gateways.map((one) => one.metric('causeway_gateway_carried_total')),
        );
        return carried.every((records) => records > 20);
      });

      const group = `${platform.name}.causeway-delivery`;
      const broker = await coordinatorOf(backends.kafka, group);
      const cutAt = performance.now();
      const heal = await cutOff(broker);
      ends.push(heal);
      lost.signal('SIGSTOP');
      ends.push(() => lost.signal('SIGCONT'));
      /** How long after the cut something of a channel that was begun after it was first there. */
      const resumed = (channel: string, when: ReadonlyMap<string, number>): number | undefined => {
        const begun = publishers.get(channel)?.begun ?? new Map<string, number>();
        for (const [id, at] of begun) if (at > cutAt && when.has(id)) return (when.get(id) ?? 0) - cutAt;
        return undefined;
      };
      await waitFor('every channel delivers again', () => CHANNELS.every((name) => resumed(name, arrived)), {
        timeoutMs: BOUND_MS,
      });
      for (const name of CHANNELS) {
        const seconds = (when: ReadonlyMap<string, number>): string =>
          ((resumed(name, when) ?? NaN) / 1_000).toFixed(1);
        const acknowledged = publishers.get(name)?.acknowledged ?? new Map<string, number>();
        t.diagnostic(
          `${name}: acknowledged after ${seconds(acknowledged)} s, delivered after ${seconds(arrived)} s`,
        );
      }
      await Promise.all([...publishers.values()].map((one) => one.stop()));
      for (const [name, { acknowledged }] of publishers) {
        const got = (): unknown[] => listeners.get(name)?.data ?? [];
        await waitFor(`all of ${name}`, () => [...acknowledged.keys()].every((id) => got().includes(id)));
        assert.equal(new Set(got()).size, got().length, `none of ${name} twice`);
      }
    });
  });
}
