import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Registry } from 'prom-client';
import { KubeError, type KubeApi } from '../controller/kube-api.ts';
import { silentLogger } from '../controller/log.ts';
import { TestClock } from '../controller/testing/index.ts';
import { failoverReconciler, type FailoverWorld } from './controller.ts';
import { FAILOVER_FINALIZER, FAILOVER_KIND } from './kind.ts';
import { failoverMetrics } from './metrics.ts';
import type { Needs } from './needs.ts';
import type { FailoverObject } from './ports.ts';
import { Model, wishFor } from './testing/model.ts';

const ref = { namespace: 'messaging', name: 'drill' };

/** A failover as it is stored, changed by `spec`. */
function storedFailover(spec: Parameters<typeof wishFor>[0] = {}): FailoverObject {
  return {
    apiVersion: FAILOVER_KIND.apiVersion,
    kind: FAILOVER_KIND.kind,
    metadata: {
      ...ref,
      uid: 'uid-1',
      resourceVersion: '7',
      finalizers: [FAILOVER_FINALIZER],
      creationTimestamp: new Date(0).toISOString(),
    },
    spec: wishFor(spec).spec,
  } as FailoverObject;
}

it('an operator whose copy of a failover is old saves nothing over it, and does nothing', async () => {
  const old = storedFailover();
  const saved: unknown[] = [];
  const performed: string[] = [];
  const clock = new TestClock();
  const world: FailoverWorld = {
    clock,
    kube: {
      apply: (_kind: unknown, { metadata }: FailoverObject) => {
        saved.push(metadata.resourceVersion);
        return Promise.reject(new KubeError('it has been modified', { code: 409, reason: 'Conflict' }));
      },
    } as unknown as KubeApi,
    cache: { get: () => old, all: () => [old], hasSeenOurWrites: () => true },
    events: { event: () => undefined },
    ports: {
      observe: () => Promise.resolve(new Model().observe()),
      perform: (_failover, { act }) => {
        performed.push(act);
        return Promise.resolve();
      },
      release: () => Promise.resolve(),
    },
    metrics: failoverMetrics(new Registry(), () => 0),
  };
  const result = await failoverReconciler(world)(ref, {
    signal: new AbortController().signal,
    log: silentLogger,
    clock,
    failures: 0,
  });
  assert.deepEqual([saved, performed], [['7'], []]);
  assert.deepEqual(result, { requeueAfterMs: 200 }, 'it looks again');
});

it('decides phases that need no other look on the same one, and does what is alike at once', async () => {
  const model = new Model();
  let stored = storedFailover({ mode: 'Planned' });
  const story: string[] = [];
  let acting = 0;
  const clock = new TestClock();
  const world: FailoverWorld = {
    clock,
    kube: {
      apply: (_kind: unknown, { status }: FailoverObject) => {
        stored = { ...stored, status } as FailoverObject;
        story.push(`saved ${status?.phase}`);
        return Promise.resolve(stored);
      },
    } as unknown as KubeApi,
    cache: { get: () => stored, all: () => [stored], hasSeenOurWrites: () => true },
    events: { event: () => undefined },
    ports: {
      observe: () => {
        model.tick(200);
        story.push('looked');
        return Promise.resolve(model.observe());
      },
      perform: async (_failover, act) => {
        acting += 1;
        story.push(`${act.act}${acting > 1 ? ' meanwhile' : ''}`);
        await Promise.resolve();
        model.performAll([act]);
        acting -= 1;
      },
      release: () => Promise.resolve(),
    },
    metrics: failoverMetrics(new Registry(), () => 0),
  };
  const reconcile = failoverReconciler(world);
  const context = { signal: new AbortController().signal, log: silentLogger, clock, failures: 0 };
  for (let pass = 0; pass < 200 && stored.status?.phase !== 'Succeeded'; pass += 1) {
    const { requeueAfterMs = 0 } = (await reconcile(ref, context)) ?? {};
    await clock.advance(requeueAfterMs);
  }
  assert.equal(stored.status?.phase, 'Succeeded');
  assert.equal(model.home, 'zone-b');
  const move = story.slice(story.indexOf('saved Fence'));
  assert.deepEqual(move.slice(0, move.indexOf('saved Verify') + 1), [
    'saved Fence',
    'looked',
    'fenceEtcd',
    'fenceRedis',
    'looked',
    'saved Promote',
    'promoteEtcd',
    'moveHome',
    'promoteRedis',
    'followRedis',
    'followRedis meanwhile',
    'looked',
    'saved Shift',
    'shift',
    'looked',
    'saved Verify',
  ]);
});

/** What is stored: the failover that is tested, and others beside it. */
interface Shelf {
  stored: FailoverObject;
  others: readonly FailoverObject[];
}

/** A world with the model's platform, and with what is on the shelf; its time is the clock's. */
function worldOf(model: Model, clock: TestClock, shelf: Shelf): FailoverWorld {
  return {
    clock,
    kube: {
      apply: (_kind: unknown, { status }: FailoverObject) => {
        shelf.stored = { ...shelf.stored, status } as FailoverObject;
        return Promise.resolve(shelf.stored);
      },
    } as unknown as KubeApi,
    cache: {
      get: () => shelf.stored,
      all: () => [shelf.stored, ...shelf.others],
      hasSeenOurWrites: () => true,
    },
    events: { event: () => undefined },
    ports: {
      observe: () => Promise.resolve({ ...model.observe(), now: clock.now() }),
      perform: (_failover, act) => {
        model.performAll([act]);
        return Promise.resolve();
      },
      release: () => Promise.resolve(),
    },
    metrics: failoverMetrics(new Registry(), () => 0),
  };
}

it('looks seldom while gateways start and clients go, however much changes: stores now and then, Kafka once there is capacity', async () => {
  const model = new Model();
  const clock = new TestClock(1_000_000);
  const shelf: Shelf = { stored: storedFailover(), others: [] };
  const looks: { at: number; phase: string; needs: Needs }[] = [];
  const world = worldOf(model, clock, shelf);
  world.ports.observe = (_failover, needs) => {
    looks.push({ at: clock.now(), phase: shelf.stored.status?.phase ?? 'Queued', needs });
    const { kafka, ...seen } = model.observe();
    return Promise.resolve({ ...seen, now: clock.now(), kafka: needs.kafka ? kafka : undefined });
  };
  const reconcile = failoverReconciler(world);
  const context = { signal: new AbortController().signal, log: silentLogger, clock, failures: 0 };
  const reaches = async (phase: string, step: () => void): Promise<void> => {
    for (let pass = 0; pass < 2_000 && shelf.stored.status?.phase !== phase; pass += 1) {
      await reconcile(ref, context);
      // Something changes ten times a second.
      await clock.advance(100);
      step();
    }
    assert.equal(shelf.stored.status?.phase, phase);
  };
  const capacityAt = 1_012_000;
  await reaches('Prepare', () => undefined);
  await reaches('Drain', () => (clock.now() < capacityAt ? undefined : model.tick(100)));
  await reaches('Fence', () => model.tick(100));

  const waiting = looks.filter(({ at, phase }) => phase === 'Prepare' && at < capacityAt);
  const gaps = waiting.slice(2).map(({ at }, index) => at - (waiting[index + 1]?.at ?? 0));
  assert.ok(gaps.length > 15 && gaps.every((gap) => gap === 500), gaps.join());
  const asked = (part: 'stores' | 'kafka') => waiting.filter(({ needs }) => needs[part]).length;
  assert.deepEqual(
    [asked('stores'), asked('kafka')],
    [2, 0],
    'the first look of Preflight was enough for five seconds',
  );
  const ready = looks.filter(({ at, phase }) => phase === 'Prepare' && at >= capacityAt);
  assert.ok(ready.some(({ needs }) => needs.kafka));

  // Whoever says something else is heard at once.
  shelf.stored = { ...shelf.stored, status: { ...shelf.stored.status, phase: 'Drain' } };
  await reconcile(ref, context);
  const before = looks.length;
  await reconcile(ref, context);
  assert.equal(looks.length, before, 'it rests');
  shelf.stored = {
    ...shelf.stored,
    metadata: { ...shelf.stored.metadata, generation: 9 },
    spec: { ...shelf.stored.spec, abort: true },
  };
  await reconcile(ref, context);
  assert.equal(shelf.stored.status?.phase, 'RollingBack');
});

it('one whose turn does not come in time ends as if it had never been; one that has begun goes on', async () => {
  const model = new Model();
  const clock = new TestClock(1_000_000);
  const other = { ...storedFailover({ mode: 'Planned' }), status: { phase: 'Drain' } } as FailoverObject;
  other.metadata = { ...other.metadata, name: 'first', uid: 'uid-2' };
  const shelf: Shelf = { stored: storedFailover({ startingDeadlineSeconds: 1_060 }), others: [other] };
  const world = worldOf(model, clock, shelf);
  const context = { signal: new AbortController().signal, log: silentLogger, clock, failures: 0 };
  const passes = async (n: number): Promise<string | undefined> => {
    for (let pass = 0; pass < n; pass += 1) await failoverReconciler(world)(ref, context);
    return shelf.stored.status?.phase;
  };
  assert.equal(await passes(1), 'Queued');
  const queued = shelf.stored;
  await clock.advance(59_000);
  assert.equal(await passes(1), 'Queued');
  await clock.advance(1_000);
  assert.equal(await passes(1), 'RolledBack');
  assert.equal(shelf.stored.status?.cause, 'NotStartedInTime');
  assert.deepEqual(model.done, [], 'nothing was changed');
  Object.assign(shelf, { stored: queued, others: [] });
  await clock.advance(-1_000);
  await passes(5);
  assert.notEqual(shelf.stored.status?.phase, 'Queued');
  await clock.advance(1_000);
  await passes(1);
  assert.equal(shelf.stored.status?.cause, undefined);
});

it('one that is to be deleted after its end waits until it has given back what it holds', async () => {
  const model = new Model();
  const clock = new TestClock(1_000_000);
  let stored = storedFailover({ mode: 'Planned', ttlSecondsAfterFinished: 60 });
  const end = { phase: 'Succeeded', finishedAt: new Date(clock.now()).toISOString(), holds: true } as const;
  stored = {
    ...stored,
    status: { ...end, orders: [{ topic: 't', partition: 0, from: [1, 2], to: [2, 1] }] },
  };
  const deleted: string[] = [];
  const write = (object: Partial<FailoverObject>): Promise<FailoverObject> => {
    stored = { ...stored, ...object, metadata: { ...stored.metadata, ...object.metadata } };
    return Promise.resolve(stored);
  };
  const world: FailoverWorld = {
    clock,
    kube: {
      apply: (_kind: unknown, { status }: FailoverObject) => write(status === undefined ? {} : { status }),
      update: (_kind: unknown, object: FailoverObject) => write(object),
      mergePatch: (_kind: unknown, _ref: unknown, object: FailoverObject) => write(object),
      delete: (_kind: unknown, { name }: { name: string }) => {
        deleted.push(name);
        return Promise.resolve();
      },
    } as unknown as KubeApi,
    cache: { get: () => stored, all: () => [stored], hasSeenOurWrites: () => true },
    events: { event: () => undefined },
    ports: {
      // Kafka does not answer: the order cannot be given back yet.
      observe: () => Promise.resolve({ ...model.observe(), now: clock.now(), kafka: undefined }),
      perform: () => Promise.resolve(),
      release: () => Promise.resolve(),
    },
    metrics: failoverMetrics(new Registry(), () => 0),
  };
  const context = { signal: new AbortController().signal, log: silentLogger, clock, failures: 0 };
  const reconcile = failoverReconciler(world);
  await clock.advance(3_600_000);
  for (let pass = 0; pass < 3; pass += 1) await reconcile(ref, context);
  assert.deepEqual([deleted, stored.status?.holds], [[], true], 'it is older than that, and holds an order');
  stored = { ...stored, status: { ...end, holds: false, finishedAt: new Date(clock.now()).toISOString() } };
  assert.deepEqual(await reconcile(ref, context), { requeueAfterMs: 60_000 });
  await clock.advance(60_000);
  await reconcile(ref, context);
  assert.deepEqual(deleted, ['drill']);
});
