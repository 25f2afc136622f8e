/** Two controllers of schedules against a real API server, without an election between them: the worst case. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LABEL, type DrillSchedule, type ZoneFailover } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import { runResume } from '../cli/drills.ts';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from '../cli/testing/cluster.ts';
import { testIo } from '../cli/testing/io.ts';
import {
  ApiEventRecorder,
  createMetrics,
  Informer,
  recordWrites,
  silentLogger,
  systemClock,
  WriteLedger,
  type Clock,
} from '../controller/index.ts';
import { FAILOVER_KIND, type FailoverObject } from '../failover/index.ts';
import { scheduleController } from '../operator.ts';
import { platformCache, platformInformers } from '../platform/index.ts';
import { SCHEDULE_KIND, type ScheduleObject } from './index.ts';

let cluster: TestCluster;
/** How far the operators' clock is ahead: drills are due each minute, and no test waits for one. */
let aheadMs = 90_000;
const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };

before(async () => {
  cluster = await startTestCluster();
});

after(async () => {
  await cluster?.stop();
});

/** Runs two controllers while `work` is done. */
async function withOperators(work: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const running = ['one', 'two'].map((instance) => runOperator(instance, stop.signal));
  try {
    await work();
  } finally {
    stop.abort();
    await Promise.all(running);
  }
}

async function runOperator(instance: string, signal: AbortSignal): Promise<void> {
  const { api } = cluster;
  const metrics = createMetrics();
  const informers = platformInformers({ api, clock, namespaces: [NAMESPACE] });
  const own = { api, clock, namespaces: [NAMESPACE] };
  const failovers = informers.add(new Informer<FailoverObject>({ ...own, kind: FAILOVER_KIND }));
  const schedules = informers.add(new Informer<ScheduleObject>({ ...own, kind: SCHEDULE_KIND }));
  const ledger = new WriteLedger(informers);
  const events = new ApiEventRecorder({ api, clock, controller: 'causeway.dev/operator', instance });
  const controller = scheduleController(
    { clock, kube: recordWrites(api, ledger), events, cache: platformCache(informers, ledger) },
    {
      engine: { clock, concurrency: 2, log: silentLogger, metrics },
      informers,
      ledger,
      failovers,
      schedules,
    },
  );
  await Promise.all([informers.run(signal), events.run(signal), controller.run(signal)]);
}

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await cluster.kubectl(['-n', NAMESPACE, ...args, '-o', 'json'])) as T;
}

const schedule = (): Promise<DrillSchedule> => json<DrillSchedule>('get', 'dsch', 'often');

async function drills(): Promise<ZoneFailover[]> {
  const selector = `${LABEL.drillSchedule}=often`;
  return (await json<{ items: ZoneFailover[] }>('get', 'zf', '-l', selector)).items;
}

/** What the other controllers would write. */
async function report(kind: string, name: string, status: object): Promise<void> {
  const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await cluster.kubectl(['-n', NAMESPACE, 'patch', kind, name, ...how]);
}

/** Ends the drill that is under way, whose name it returns once the schedule has seen it. */
async function endDrill(phase: 'Succeeded' | 'Failed'): Promise<string> {
  const name = (await schedule()).status?.active?.name ?? '';
  const finishedAt = new Date(clock.now()).toISOString();
  await report('zf', name, { phase, finishedAt, message: `It is ${phase}.` });
  await waitFor('the schedule sees it', async () => (await schedule()).status?.active?.name !== name);
  return name;
}

async function untilUnderWay(): Promise<ZoneFailover> {
  await waitFor('a drill is under way', async () => (await schedule()).status?.active?.uid !== undefined);
  const { active } = (await schedule()).status ?? {};
  const found = (await drills()).find(({ metadata }) => metadata.uid === active?.uid);
  assert.ok(found, 'the drill that the status names is there');
  return found;
}

const YAML = `apiVersion: causeway.dev/v1alpha1
kind: DrillSchedule
metadata: { name: often, namespace: messaging }
spec:
  platform: orders
  schedule: '* * * * *'
  successfulDrillsHistoryLimit: 0
  drill: { holdFor: 7s }
`;

describe('two operators and one schedule', () => {
  it('start one drill of the first zone, once the platform is Ready', async () => {
    await cluster.kubectl(['apply', '-f', '-'], platformYaml('127.0.0.1:1'));
    await cluster.kubectl(['apply', '-f', '-'], YAML);
    await withOperators(async () => {
      await waitFor('it says what it waits for', async () =>
        (await schedule()).status?.conditions?.some(({ reason }) => reason === 'PlatformChanging'),
      );
      assert.deepEqual(await drills(), []);
      const conditions = [{ type: 'Ready', status: 'True', reason: 'AsDesired', message: 'Well.' }];
      const ready = conditions.map((one) => ({ ...one, lastTransitionTime: new Date().toISOString() }));
      await report('mp', 'orders', { observedGeneration: 1, homeZone: 'zone-a', conditions: ready });
      const { metadata, spec } = await untilUnderWay();
      const { uid } = (await schedule()).metadata;
      assert.deepEqual(
        metadata.ownerReferences?.map((owner) => [owner.kind, owner.uid, owner.controller]),
        [['DrillSchedule', uid, true]],
      );
      assert.match(metadata.name, /^often-\d{8}$/);
      assert.deepEqual([spec.fromZone, spec.mode, spec.drill], ['zone-a', 'Drill', { holdFor: '7s' }]);
      assert.equal((await drills()).length, 1);
    });
  });

  it('go on with the next zone when it is due, and keep no more drills than asked for', async () => {
    await withOperators(async () => {
      const first = await endDrill('Succeeded');
      await waitFor('the first one is not kept', async () =>
        (await drills()).every(({ metadata }) => metadata.name !== first),
      );
      aheadMs += 60_000;
      // A change of anything that is followed is a reason to look; so is an hour that has passed.
      await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', 'look=now']);
      const { spec } = await untilUnderWay();
      assert.equal(spec.fromZone, 'zone-b');
      assert.equal((await drills()).length, 1);
    });
  });

  it('stop after one that failed, until somebody says that all is well', async () => {
    await withOperators(async () => {
      const failed = await endDrill('Failed');
      aheadMs += 60_000;
      await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', 'look=again', '--overwrite']);
      await waitFor(
        'the next one is skipped',
        async () => (await schedule()).status?.lastSkipped?.reason === 'Stopped',
      );
      assert.deepEqual(
        (await drills()).map(({ metadata }) => metadata.name),
        [failed],
      );
      const io = testIo();
      await runResume('often', { kubeconfig: cluster.controlPlane.kubeconfig, namespace: NAMESPACE }, io);
      assert.match(io.stdout, /goes on after drill often-\d+ of zone-b/);
      await waitFor('it goes on', async () => (await schedule()).status?.failed === undefined);
      aheadMs += 60_000;
      await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', 'look=once-more', '--overwrite']);
      assert.equal((await untilUnderWay()).spec.fromZone, 'zone-c');
    });
  });

  it('tell the story as events', async () => {
    const selector = ['--field-selector', 'regarding.kind=DrillSchedule'];
    const { items } = await json<{ items: { reason: string }[] }>('get', 'events.events.k8s.io', ...selector);
    const told = new Set(items.map(({ reason }) => reason));
    for (const reason of ['DrillStarted', 'DrillSucceeded', 'DrillFailed', 'DrillSkipped', 'DrillResumed'])
      assert.ok(told.has(reason), `${reason} is not among ${[...told].join(', ')}`);
  });
});
