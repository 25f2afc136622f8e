/** Two controllers of automatic Emergencies against a real API server, without an election between them: the worst case. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { LABEL, type MessagePlatform, type ZoneFailover } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from '../cli/testing/cluster.ts';
import {
  ApiEventRecorder,
  Controller,
  createMetrics,
  Informer,
  InformerSet,
  recordWrites,
  refOf,
  silentLogger,
  systemClock as clock,
  WriteLedger,
  type KubeObject,
} from '../controller/index.ts';
import { KIND } from '../platform/kinds.ts';
import type { AutomaticLook } from './automatic-controller.ts';
import { automaticMetrics, automaticReconciler, FAILOVER_KIND, type FailoverObject } from './index.ts';

let cluster: TestCluster;
const ZONES = ['zone-a', 'zone-b', 'zone-c'];
/** Since when zone-a is gone; undefined: it is there. */
let goneSince: number | undefined;

before(async () => {
  cluster = await startTestCluster();
});

after(async () => {
  await cluster?.stop();
});

function look(): AutomaticLook {
  const gone = goneSince;
  const alive = ZONES.filter((zone) => gone === undefined || zone !== 'zone-a');
  const missed = (zone: string): number => (alive.includes(zone) ? 0 : Date.now() - (gone ?? 0));
  const known = { ready: 1, away: false, gatewaysDown: false };
  return {
    views: alive.map((zone) => ({
      zone,
      seen: ZONES.filter((other) => other !== zone).map((other) => {
        return { zone: other, reachable: 1, total: 1, unreachableMs: missed(other) };
      }),
    })),
    zones: ZONES.map((name) => ({ ...known, name, answers: alive.includes(name) })),
    home: 'zone-a',
    paused: false,
  };
}

async function runOperator(instance: string, signal: AbortSignal): Promise<void> {
  const { api } = cluster;
  const metrics = createMetrics();
  const own = { api, clock, namespaces: [NAMESPACE] };
  const informers = new InformerSet();
  const platforms = informers.add(new Informer({ ...own, kind: KIND.platform }));
  const failovers = informers.add(new Informer<FailoverObject>({ ...own, kind: FAILOVER_KIND }));
  const ledger = new WriteLedger(informers);
  const events = new ApiEventRecorder({ api, clock, controller: 'causeway.dev/operator', instance });
  const controller = new Controller({
    clock,
    concurrency: 1,
    log: silentLogger,
    metrics,
    name: 'automaticfailover',
    reconcile: automaticReconciler({
      clock,
      kube: recordWrites(api, ledger),
      events,
      cache: {
        all: () => failovers.list(),
        hasSeenOurWrites: (ref) => ledger.cacheHasSeen(FAILOVER_KIND, ref),
      },
      ports: {
        kind: KIND.platform,
        platform: (ref) => {
          if (!ledger.cacheHasSeen(KIND.platform, ref)) return 'behind';
          return platforms.get(ref) as (MessagePlatform & KubeObject) | undefined;
        },
        look: () => Promise.resolve(look()),
      },
      metrics: automaticMetrics(metrics.registry, () => []),
    }),
  });
  controller.watches(platforms, (platform) => [refOf(platform)]);
  await Promise.all([informers.run(signal), events.run(signal), controller.run(signal)]);
}

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await cluster.kubectl(['-n', NAMESPACE, ...args, '-o', 'json'])) as T;
}

const platform = (): Promise<MessagePlatform & KubeObject> => json('get', 'mp', 'orders');

async function made(): Promise<ZoneFailover[]> {
  const { items } = await json<{ items: ZoneFailover[] }>('get', 'zf', '-l', `${LABEL.automatic}=true`);
  return items;
}

async function setAutomatic(automatic: boolean): Promise<void> {
  const patch = JSON.stringify({ spec: { failover: { automatic, unhealthyAfter: '3s' } } });
  await cluster.kubectl(['-n', NAMESPACE, 'patch', 'mp', 'orders', '--type=merge', '-p', patch]);
}

describe('two operators and a platform that makes Emergencies by itself', () => {
  const stop = new AbortController();
  let running: Promise<void>[] = [];

  before(async () => {
    await cluster.kubectl(['apply', '-f', '-'], platformYaml('127.0.0.1:1'));
    // As its own reconciler says it, which does not run here.
    const status = JSON.stringify({ status: { homeZone: 'zone-a', epoch: 1 } });
    const how = ['--subresource=status', '--type=merge', '-p', status];
    await cluster.kubectl(['-n', NAMESPACE, 'patch', 'mp', 'orders', ...how]);
    running = ['one', 'two'].map((instance) => runOperator(instance, stop.signal));
    await setAutomatic(true);
  });

  after(async () => {
    stop.abort();
    await Promise.all(running);
  });

  it('say that they watch, and then write nothing', async () => {
    await waitFor(
      'it is said',
      async () => (await platform()).status?.automaticFailover?.reason === 'Watching',
    );
    const { resourceVersion } = (await platform()).metadata;
    // Three looks of each.
    await sleep(3_000);
    assert.equal((await platform()).metadata.resourceVersion, resourceVersion);
  });

  it('make one Emergency of a zone that is gone, which the status names', async () => {
    goneSince = Date.now();
    await waitFor('it is made', async () => (await made()).length > 0);
    await waitFor(
      'the status has it',
      async () => (await platform()).status?.automaticFailover?.emergencies?.[0]?.uid !== undefined,
    );
    const all = await made();
    const { emergencies = [], reason } = (await platform()).status?.automaticFailover ?? {};
    assert.deepEqual(
      emergencies.map(({ failover, uid }) => [failover, uid]),
      all.map(({ metadata }) => [metadata.name, metadata.uid]),
    );
    assert.deepEqual(
      all.map(({ spec }) => [spec.platform, spec.fromZone, spec.mode]),
      [['orders', 'zone-a', 'Emergency']],
    );
    // Nobody moves anything here: it has not ended.
    assert.equal(reason, 'OtherFailover');
  });

  it('say nothing any more once it is switched off', async () => {
    await setAutomatic(false);
    await waitFor('it is gone', async () => (await platform()).status?.automaticFailover === undefined);
    assert.equal((await platform()).status?.homeZone, 'zone-a');
  });
});
