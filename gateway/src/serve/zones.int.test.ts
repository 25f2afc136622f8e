/** Gateways of three zones that ask each other, with real sockets. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { ADMIN_PATH } from '@causeway/crds';
import type { GatewayConfig, SeenZone, ZoneView } from '@causeway/crds';
import { createTestPki } from '../../../e2e/harness/index.ts';
import type { TestPki } from '../../../e2e/harness/index.ts';
import { freePorts, waitFor } from '../../../e2e/tools/index.ts';
import { buildBundle, RUNTIMES, startGateway, startTcpProxy, testTopic } from '../testing/index.ts';
import type { GatewayProcess, Platform, Runtime, TcpProxy } from '../testing/index.ts';

const EACH = { timeout: 60_000 };

for (const runtime of RUNTIMES) {
  describe(`gateways of several zones on ${runtime}`, { timeout: 300_000 }, () => {
    let pki: TestPki;
    const ends: (() => unknown)[] = [];

    before(async () => {
      [pki] = await Promise.all([createTestPki(), buildBundle()]);
    });
    after(() => pki.remove());
    afterEach(async () => {
      await Promise.all(ends.splice(0).map((end) => end()));
    });

    /** They ask each other whether they are ready or not, so there is no Redis and no Kafka here. */
    const start = async (zone: string, peers: GatewayConfig['peers']): Promise<GatewayProcess> => {
      const platform: Platform = {
        name: 'p',
        pki,
        redisUrl: 'redis://127.0.0.1:1',
        brokers: ['127.0.0.1:1'],
        topics: [testTopic('p', 'chat')],
      };
      const runtimeOf: Runtime = runtime;
      const gateway = await startGateway({
        runtime: runtimeOf,
        platform,
        zone,
        ready: false,
        config: (config) => (config.peers = peers),
      });
      ends.push(() => gateway.stop());
      await waitFor('it answers', async () => (await gateway.admin(ADMIN_PATH.healthz)).status === 200);
      return gateway;
    };
    const peer = (zone: string, port: number, host = '127.0.0.1'): GatewayConfig['peers'][number] => ({
      zone,
      host,
      port,
    });
    const view = async (gateway: GatewayProcess): Promise<ZoneView> =>
      JSON.parse((await gateway.admin(ADMIN_PATH.zones)).body) as ZoneView;
    const seen = async (gateway: GatewayProcess, zone: string): Promise<SeenZone> => {
      const found = (await view(gateway)).seen.find((one) => one.zone === zone);
      assert.ok(found);
      return found;
    };
    const isReachable = async (gateway: GatewayProcess, zone: string): Promise<boolean> => {
      const { reachable, total, unreachableMs } = await seen(gateway, zone);
      return reachable === 1 && total === 1 && unreachableMs === 0;
    };
    const proxy = async (port: number): Promise<TcpProxy> => {
      const made = await startTcpProxy(port);
      ends.push(() => made.close());
      return made;
    };

    it(
      'see each other by name or address, though none is ready; their own zone they leave out',
      EACH,
      async () => {
        const b = await start('zone-b', []);
        const c = await start('zone-c', []);
        const a = await start('zone-a', [
          peer('zone-a', 1),
          peer('zone-b', b.adminPort, 'localhost'),
          peer('zone-c', c.adminPort),
        ]);
        assert.equal((await b.admin(ADMIN_PATH.readyz)).status, 503);
        await waitFor('both', async () => {
          const { seen: all } = await view(a);
          return all.every(({ reachable, unreachableMs }) => reachable > 0 && unreachableMs === 0);
        });
        const { zone, seen: all } = await view(a);
        assert.deepEqual([zone, all.map((one) => one.zone)], ['zone-a', ['zone-b', 'zone-c']]);
        const ago = Date.now() - Date.parse(all[1]?.lastReachable ?? '');
        assert.ok(ago >= -50 && ago < 3_000, `${ago} ms ago`);
        assert.deepEqual((await view(b)).seen, []);
      },
    );

    it('see one that hangs, one that is gone, and each when it is back', EACH, async () => {
      const b = await start('zone-b', []);
      const c = await start('zone-c', []);
      const toC = await proxy(c.adminPort);
      const a = await start('zone-a', [peer('zone-b', b.adminPort), peer('zone-c', toC.port)]);
      for (const zone of ['zone-b', 'zone-c']) await waitFor(zone, () => isReachable(a, zone));
      // The kernel still takes connections for it.
      b.signal('SIGSTOP');
      const stoppedAt = performance.now();
      await waitFor('zone-b is missed', async () => (await seen(a, 'zone-b')).unreachableMs > 4_000);
      const { reachable, unreachableMs, lastReachable } = await seen(a, 'zone-b');
      const sinceStop = performance.now() - stoppedAt;
      assert.equal(reachable, 0);
      // It answered once in the round before at the latest.
      assert.ok(unreachableMs <= sinceStop + 2_500, `${unreachableMs} of ${sinceStop}`);
      assert.ok(Date.now() - Date.parse(lastReachable ?? '') >= unreachableMs - 50);
      assert.equal((await seen(a, 'zone-c')).unreachableMs, 0);
      assert.ok((await a.metric('causeway_gateway_zone_unreachable_seconds')) >= 4);
      // At the end of a round, and the log is asynchronous.
      await waitFor('the log says it', () =>
        a.logs.some(
          ({ message, unreachable }) => /no gateway/.test(String(message)) && unreachable === 'zone-b',
        ),
      );
      b.signal('SIGCONT');
      await waitFor('zone-b is back', () => isReachable(a, 'zone-b'));
      toC.cut();
      await waitFor('zone-c is missed', async () => (await seen(a, 'zone-c')).unreachableMs > 2_000);
      toC.restore();
      await waitFor('zone-c is back', () => isReachable(a, 'zone-c'));
      await b.stop();
      await waitFor('zone-b is gone', async () => (await seen(a, 'zone-b')).unreachableMs > 2_000);
    });

    it('that begin without DNS know nothing, and say nothing', EACH, async () => {
      const [port = 0] = await freePorts(1);
      const a = await start('zone-a', [peer('zone-b', port, 'no-such-name.invalid'), peer('zone-c', port)]);
      await waitFor('zone-c is missed', async () => (await seen(a, 'zone-c')).unreachableMs > 2_000);
      assert.deepEqual(await seen(a, 'zone-b'), { zone: 'zone-b', reachable: 0, total: 0, unreachableMs: 0 });
      assert.equal((await seen(a, 'zone-c')).lastReachable, undefined);
    });
  });
}
