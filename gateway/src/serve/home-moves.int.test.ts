/**
 * `/sync` when the home moves: gateways of three zones, whose configuration stays behind as a mounted ConfigMap does. The fence and
 * the promotion are the operator's own.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { homeNotice } from '@causeway/crds';
import { WebSocket } from 'ws';
import { createTestPki, startRedis } from '../../../e2e/harness/index.ts';
import type { Redis, TestPki } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { etcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import { startReplicator } from '../replicate/replicator.ts';
import type { Replicator } from '../replicate/replicator.ts';
import { replicatorConfig, silent, Zone } from '../replicate/testing/index.ts';
import { buildBundle, RUNTIMES, startGateway, testTopic, token } from '../testing/index.ts';
import type { GatewayProcess, Platform } from '../testing/index.ts';

const PREFIXES = ['/config/'];
const NAMES = ['zone-a', 'zone-b', 'zone-c'] as const;
type Name = (typeof NAMES)[number];
/** From the notice to the first change of the next home, for a client that comes back at once; milliseconds. */
const LIMIT_MS = 2_000;

const keyOf = (n: number): string => `/config/${String(n).padStart(3, '0')}`;

interface Message {
  events?: { key: string }[];
  position?: { rev: string; epoch: string };
  error?: { reason: string };
}

/** An application that wants every new key: it comes back with its position, at the next of its gateways. */
class Reader {
  /** In the order in which they came. */
  readonly keys: string[] = [];
  /** When each of them came, monotonic milliseconds. */
  readonly cameAt: number[] = [];
  /** Why its streams ended. */
  readonly ends: string[] = [];
  readonly #open: (query: string) => WebSocket;
  #ws: WebSocket | undefined;
  #position: Message['position'];
  #left = false;

  constructor(open: (query: string) => WebSocket) {
    this.#open = open;
    this.#begin();
  }

  leave(): void {
    this.#left = true;
    this.#ws?.close();
  }

  #begin(): void {
    const at = this.#position;
    const ws = this.#open(at ? `?rev=${at.rev}&epoch=${at.epoch}` : '');
    this.#ws = ws;
    ws.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString()) as Message));
    ws.on('error', (error) => this.ends.push(String(error)));
    ws.on('close', () => {
      if (!this.#left) setTimeout(() => this.#left || this.#begin(), 50);
    });
  }

  #take({ events = [], position, error }: Message): void {
    if (error) this.ends.push(error.reason);
    for (const { key } of events) {
      this.keys.push(Buffer.from(key, 'base64').toString());
      this.cameAt.push(performance.now());
    }
    this.#position = position ?? this.#position;
  }
}

for (const runtime of RUNTIMES) {
  describe(`/sync on ${runtime} when the home moves`, { timeout: 120_000 }, () => {
    let pki: TestPki;
    let redis: Redis;
    let platform: Platform;
    let zones: Record<Name, Zone>;
    let gateways: Record<Name, GatewayProcess>;
    let replicators: Replicator[] = [];
    let readers: Reader[] = [];

    const replicate = (homeZone: Name, zone: Name, epoch: number): void => {
      replicators.push(
        startReplicator(replicatorConfig(zones, { homeZone, zone, epoch, prefixes: PREFIXES }), silent),
      );
    };
    const start = (zone: Name): Promise<GatewayProcess> =>
      startGateway({
        runtime,
        platform,
        zone,
        config: (config) => {
          config.etcd = {
            homeZone: 'zone-a',
            epoch: 1,
            prefixes: PREFIXES,
            zones: NAMES.map((name) => ({ zone: name, endpoints: [zones[name].etcd.endpoint] })),
          };
        },
      });
    const read = async (first: Name, then: Name): Promise<Reader> => {
      const authorization = `Bearer ${await token('ann', { sync: PREFIXES })}`;
      let at = first;
      const reader = new Reader((query) => {
        const { port } = gateways[at];
        at = then;
        return new WebSocket(`wss://localhost:${port}/sync${query}`, {
          ca: readFileSync(pki.caFile),
          headers: { authorization },
        });
      });
      readers.push(reader);
      return reader;
    };
    const everybody = (what: string, count: number): Promise<boolean> =>
      waitFor(
        what,
        () => {
          assert.deepEqual(
            readers.map(({ keys }) => keys.length),
            readers.map(() => count),
          );
          return true;
        },
        { intervalMs: 20 },
      );
    const tell = (text: string): void => {
      for (const gateway of Object.values(gateways)) gateway.annotateHome(text);
    };

    before(async () => {
      [pki, redis] = await Promise.all([createTestPki(), startRedis(), buildBundle()]);
      const name = `moves-${runtime}`;
      // Of Kafka nothing is asked here.
      const brokers = ['127.0.0.1:1'];
      platform = { name, pki, redisUrl: redis.url, brokers, topics: [testTopic(name, 'chat')] };
      const [a, b, c] = await Promise.all(NAMES.map((zone) => Zone.start(zone)));
      assert.ok(a && b && c);
      zones = { 'zone-a': a, 'zone-b': b, 'zone-c': c };
      replicate('zone-a', 'zone-b', 1);
      replicate('zone-a', 'zone-c', 1);
      const [one, two, three] = await Promise.all(NAMES.map(start));
      assert.ok(one && two && three);
      gateways = { 'zone-a': one, 'zone-b': two, 'zone-c': three };
    });
    after(async () => {
      for (const reader of readers) reader.leave();
      await Promise.all(Object.values(gateways ?? {}).map((gateway) => gateway.stop()));
      await Promise.all(replicators.map((replicator) => replicator.stop()));
      await Promise.all([...Object.values(zones ?? {}), redis].map((one) => one.stop()));
      pki.remove();
      [replicators, readers] = [[], []];
    });

    it('streams go on within 2 s of the annotation, in every zone, with nothing lost or repeated', async (t) => {
      const admin = etcdAdmin({
        access: (zone) => ({ endpoints: [zones[zone as Name].etcd.endpoint] }),
        applications: undefined,
      });
      await zones['zone-a'].put([keyOf(0), '']);
      // Clients of the zone that is left come back elsewhere.
      for (const [first, then] of [
        ['zone-a', 'zone-b'],
        ['zone-b', 'zone-b'],
        ['zone-c', 'zone-c'],
      ] as const)
        await read(first, then);
      await everybody('the state', 1);
      for (let n = 1; n <= 20; n++) await zones['zone-a'].put([keyOf(n), '']);
      await everybody('changes of the first home', 21);

      const { revision } = await admin.fence('zone-a', 2);
      await waitFor('all has arrived', async () => {
        const { checkpoint } = await admin.state('zone-b');
        return checkpoint !== undefined && BigInt(checkpoint.revision) >= BigInt(revision);
      });
      await admin.promote('zone-b', 2, 'zone-a', { atLeast: revision });
      await Promise.all(replicators.map((replicator) => replicator.stop()));
      replicators = [];
      await waitFor('both know that the home moves', async () => {
        const epochs = await Promise.all(
          (['zone-a', 'zone-b'] as const).map((zone) => gateways[zone].metric('causeway_gateway_sync_epoch')),
        );
        return epochs.every((epoch) => epoch === 0);
      });
      // As long as the operator and the kubelet take, and longer than the first tries to connect again.
      await delay(3_000);

      const toldAt = performance.now();
      tell(homeNotice('zone-b', 2));
      replicate('zone-b', 'zone-a', 2);
      replicate('zone-b', 'zone-c', 2);
      for (let n = 21; n <= 40; n++) await zones['zone-b'].put([keyOf(n), '']);
      await everybody('changes of the next home', 41);
      const all = Array.from({ length: 41 }, (_, n) => keyOf(n));
      for (const { keys, cameAt, ends } of readers) {
        const took = Math.round((cameAt[21] ?? Number.NaN) - toldAt);
        t.diagnostic(`the next home's first change came after ${took} ms; ends: ${ends.join() || 'none'}`);
        assert.deepEqual(keys.toSorted(), all);
        assert.ok(took < LIMIT_MS, `${took} ms`);
      }
      assert.deepEqual(readers[2]?.ends, [], 'a third zone notices nothing');
    });

    it('a configuration that comes later, and nonsense, change nothing; the next home does', async () => {
      const ends = readers.map((reader) => reader.ends.length);
      for (const gateway of Object.values(gateways))
        gateway.configure(({ etcd }) => Object.assign(etcd ?? {}, { homeZone: 'zone-b', epoch: 2 }));
      tell('zone-b/next');
      await waitFor('it is said', () =>
        Object.values(gateways).every(({ logs }) =>
          logs.some(({ problem }) => /it is "zone-b\/next"/.test(String(problem))),
        ),
      );
      await zones['zone-b'].put([keyOf(41), '']);
      await everybody('a change', 42);
      assert.deepEqual(
        readers.map((reader) => reader.ends.length),
        ends,
      );
      tell(homeNotice('zone-b', 3));
      await waitFor('the epoch', async () => {
        const epochs = await Promise.all(
          Object.values(gateways).map((gateway) => gateway.metric('causeway_gateway_sync_epoch')),
        );
        return epochs.every((epoch) => epoch === 3);
      });
    });
  });
}
