/** Limits that change through the zone's etcd while clients publish. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Centrifuge } from 'centrifuge';
import type { LimitsState } from '@causeway/crds';
import { startEtcd } from '../../../e2e/harness/index.ts';
import type { Etcd } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { EtcdClient } from '../etcd/index.ts';
import {
  buildBundle,
  connected,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  startTcpProxy,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform, TcpProxy } from '../testing/index.ts';

const EACH = { timeout: 60_000 };
const KEY = '/config/gateway-limits';
/** So little that a client which is over it stays over it, as far as a test can see. */
const SPEC = { messagesPerSecond: 0.001, burst: 2, tiers: [] };

for (const runtime of RUNTIMES) {
  describe(`limits of gateways on ${runtime}`, { timeout: 300_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    let etcd: Etcd;
    let proxy: TcpProxy;
    let writer: EtcdClient;
    const running: GatewayProcess[] = [];
    const clients: Centrifuge[] = [];

    before(async () => {
      [backends, etcd] = await Promise.all([startBackends(), startEtcd(), buildBundle()]);
      proxy = await startTcpProxy(Number(new URL(etcd.endpoint).port));
      writer = new EtcdClient({ endpoints: [etcd.endpoint] }, {}, () => undefined);
      platform = await backends.platform();
    });
    after(async () => {
      writer?.close();
      proxy?.close();
      await Promise.all([backends?.stop(), etcd?.stop()]);
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.disconnect();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
      proxy.restore();
      await erase();
    });

    const change = async (operation: object): Promise<void> => {
      await writer.transact({ compare: [], success: [operation], failure: [] });
    };
    const put = (value: unknown): Promise<void> =>
      change({
        request_put: {
          key: Buffer.from(KEY),
          value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
        },
      });
    const erase = (): Promise<void> => change({ request_delete_range: { key: Buffer.from(KEY) } });
    const start = async (): Promise<GatewayProcess> => {
      const gateway = await startGateway({
        runtime,
        platform,
        config: (config) => {
          config.limits = { connections: 1_000, ...SPEC, etcdKey: KEY };
          config.etcd = {
            homeZone: 'zone-a',
            epoch: 1,
            prefixes: ['/config/', '/tenants/'],
            zones: [{ zone: 'zone-a', endpoints: [`http://127.0.0.1:${proxy.port}`] }],
          };
        },
      });
      running.push(gateway);
      return gateway;
    };
    const stateOf = async (gateway: GatewayProcess): Promise<LimitsState> =>
      JSON.parse((await gateway.admin('/limits')).body) as LimitsState;
    /** Waits until the admin endpoint shows it. */
    const shows = (
      gateway: GatewayProcess,
      what: string,
      is: (state: LimitsState) => boolean,
    ): Promise<unknown> => waitFor(what, async () => is(await stateOf(gateway)), { timeoutMs: 30_000 });
    const followed = (gateway: GatewayProcess): Promise<unknown> =>
      shows(gateway, 'etcd followed', ({ etcd: followedKey }) => followedKey?.followed === true);
    const logged = (gateway: GatewayProcess, message: string): Record<string, unknown>[] =>
      gateway.logs.filter((line) => line['message'] === message);
    /** A client that publishes all the time, and counts what was let through and what was not. */
    const publisher = async (gateway: GatewayProcess) => {
      const client = await sdk(platform, [gateway]);
      clients.push(client);
      const seen = { taken: 0, refused: 0, connects: 0, on: true };
      client.on('connected', () => (seen.connects += 1));
      await connected(client);
      const ended = (async () => {
        while (seen.on) {
          await client.publish('chat:a', 1).then(
            () => (seen.taken += 1),
            (error: unknown) => {
              if ((error as { code: number }).code === 111) seen.refused += 1;
            },
          );
          await delay(5);
        }
      })();
      /** Waits until `count` more of one kind were seen. */
      const more = (kind: 'taken' | 'refused', count: number): Promise<unknown> => {
        const goal = seen[kind] + count;
        return waitFor(`${count} more ${kind}`, () => seen[kind] >= goal, {
          intervalMs: 10,
          timeoutMs: 30_000,
        });
      };
      return { seen, more, stop: async () => ((seen.on = false), ended) };
    };

    it('let a client through that was refused, and refuse it again, on one connection', EACH, async () => {
      const gateway = await start();
      await followed(gateway);
      const ann = await publisher(gateway);
      await ann.more('refused', 20);
      assert.equal(ann.seen.taken, 2, 'the burst of the spec');
      await put({ messagesPerSecond: 10_000, burst: 10_000 });
      await ann.more('taken', 100);
      await put({ messagesPerSecond: 0.001, burst: 3 });
      await ann.more('refused', 20);
      const { taken } = ann.seen;
      await ann.more('refused', 20);
      assert.equal(ann.seen.taken, taken, 'nothing more is let through');
      await put({ messagesPerSecond: 10_000, burst: 10_000 });
      await ann.more('taken', 20);
      await erase();
      await shows(gateway, 'the spec again', ({ from }) => from === 'spec');
      await ann.more('refused', 20);
      await ann.stop();
      assert.equal(ann.seen.connects, 1);
      assert.deepEqual((await stateOf(gateway)).limits, SPEC);
      assert.equal(await gateway.metric('causeway_gateway_limits_changes_total'), 4);
    });

    it('stay as they were while the value is wrong, and say what is wrong', EACH, async () => {
      const gateway = await start();
      await put({ messagesPerSecond: 10_000, burst: 10_000 });
      await shows(gateway, 'taken', ({ from }) => from === 'etcd');
      const { etcd: good } = await stateOf(gateway);
      const ann = await publisher(gateway);
      await put('{"burst": hush}');
      await shows(gateway, 'the problem', ({ problem }) => problem !== undefined);
      await ann.more('taken', 20);
      const state = await stateOf(gateway);
      assert.match(
        state.problem ?? '',
        /^etcd key \/config\/gateway-limits: is not JSON \(revision \d+\): put another/,
      );
      assert.equal(state.etcd?.revision, good?.revision, 'the one that applies');
      assert.equal(await gateway.metric('causeway_gateway_limits_problem'), 1);
      assert.equal(logged(gateway, 'limits in etcd not taken').length, 1);
      await put({ burst: 1, connections: 5 });
      await shows(
        gateway,
        'the next problem',
        ({ problem }) => problem?.includes('connections: is not known') === true,
      );
      await put({ messagesPerSecond: 9_000, burst: 9_000 });
      await shows(
        gateway,
        'repaired',
        ({ limits, problem }) => limits.burst === 9_000 && problem === undefined,
      );
      assert.equal(await gateway.metric('causeway_gateway_limits_problem'), 0);
      await ann.stop();
      assert.ok(!JSON.stringify(gateway.logs).includes('hush'), 'no value is in a log');
    });

    it('stay while etcd is cut off, and are those of then when it is back', EACH, async () => {
      const gateway = await start();
      await put({ messagesPerSecond: 10_000, burst: 10_000 });
      await shows(gateway, 'taken', ({ from }) => from === 'etcd');
      const ann = await publisher(gateway);
      proxy.cut();
      await shows(gateway, 'away', ({ problem }) => problem?.includes('has been away') === true);
      await put({ messagesPerSecond: 5_000, burst: 5_000 });
      await ann.more('taken', 20);
      assert.equal((await stateOf(gateway)).limits.burst, 10_000);
      proxy.restore();
      await shows(gateway, 'what was written meanwhile', ({ limits }) => limits.burst === 5_000);
      await followed(gateway);
      proxy.cut();
      await shows(gateway, 'away again', ({ problem }) => problem?.includes('has been away') === true);
      await erase();
      proxy.restore();
      await shows(gateway, 'deleted meanwhile', ({ from }) => from === 'spec');
      await ann.more('refused', 20);
      await ann.stop();
      assert.equal(ann.seen.connects, 1);
    });

    it('begin with those of the spec while etcd is away', EACH, async () => {
      proxy.cut();
      await put({ messagesPerSecond: 10_000, burst: 10_000 });
      const gateway = await start();
      const { from, problem } = await stateOf(gateway);
      assert.equal(from, 'spec');
      assert.match(problem ?? '', /has not been reached yet: the platform's limits apply/);
      assert.equal(logged(gateway, "the platform's limits apply until those in etcd are read").length, 1);
      const ann = await publisher(gateway);
      await ann.more('refused', 20);
      proxy.restore();
      await ann.more('taken', 20);
      await ann.stop();
      assert.equal((await stateOf(gateway)).from, 'etcd');
    });
  });
}
