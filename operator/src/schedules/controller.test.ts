import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { KubeError, type KubeApi, type KubeObject, type ObjectRef } from '../controller/kube-api.ts';
import { silentLogger } from '../controller/log.ts';
import { TestClock } from '../controller/testing/index.ts';
import type { FailoverObject } from '../failover/index.ts';
import { scheduleReconciler, type ScheduleWorld } from './controller.ts';
import { scheduleMetrics } from './metrics.ts';
import type { ScheduleObject } from './ports.ts';
import { at, QUIET, scheduleOf } from './testing/schedule.ts';

/** Schedules and failovers as an API server has them, which counts. What is written is seen at once. */
class Store {
  readonly clock = new TestClock(at('10:00'));
  readonly schedules = new Map<string, ScheduleObject>();
  readonly failovers = new Map<string, FailoverObject>();
  /** What the cache shows of the failovers; undefined: all that there is. */
  seen: FailoverObject[] | undefined;
  /** Writes of a status, and tries to make a failover. */
  readonly count = { saved: 0, tried: 0 };
  readonly world: ScheduleWorld = {
    clock: this.clock,
    kube: {
      get: (_kind: unknown, { name }: ObjectRef) => Promise.resolve(this.failovers.get(name)),
      apply: (_kind: unknown, { metadata, status }: ScheduleObject) => this.#save(metadata.name, status),
      create: (_kind: unknown, object: KubeObject) => this.#make(object as FailoverObject),
    } as unknown as KubeApi,
    cache: {
      get: ({ name }) => this.schedules.get(name),
      schedules: () => [...this.schedules.values()],
      failovers: () => this.seen ?? [...this.failovers.values()],
      hasSeenOurWrites: () => true,
      hasSeenFailover: () => true,
    },
    events: { event: () => undefined },
    ports: { platform: () => QUIET.platform },
    metrics: scheduleMetrics(new Registry(), () => []),
  };
  readonly #reconcile = scheduleReconciler(this.world);

  constructor(...schedules: ScheduleObject[]) {
    for (const schedule of schedules) this.schedules.set(schedule.metadata.name, schedule);
  }

  async reconcile(name: string): Promise<number | undefined> {
    const context = {
      signal: new AbortController().signal,
      log: silentLogger,
      clock: this.clock,
      failures: 0,
    };
    const result = await this.#reconcile({ namespace: 'messaging', name }, context);
    return result?.requeueAfterMs;
  }

  /** The reason why the schedule is ready, or waits. */
  reason(name: string): string | undefined {
    const { conditions = [] } = this.schedules.get(name)?.status ?? {};
    return conditions.find(({ type }) => type === 'Ready')?.reason;
  }

  #save(name: string, status: ScheduleObject['status']): Promise<unknown> {
    this.count.saved += 1;
    const schedule = this.schedules.get(name);
    assert.ok(schedule);
    this.schedules.set(name, { ...schedule, ...(status === undefined ? {} : { status }) });
    return Promise.resolve(this.schedules.get(name));
  }

  #make(object: FailoverObject): Promise<unknown> {
    this.count.tried += 1;
    const { name } = object.metadata;
    if (this.failovers.has(name))
      return Promise.reject(new KubeError('it is there', { code: 409, reason: 'AlreadyExists' }));
    const creationTimestamp = new Date(this.clock.now()).toISOString();
    this.failovers.set(name, {
      ...object,
      metadata: { ...object.metadata, uid: `uid-${name}`, creationTimestamp },
    });
    return Promise.resolve(this.failovers.get(name));
  }
}

/** A failover that no schedule has made. */
function foreign(name: string, platform: string): FailoverObject {
  return {
    metadata: { namespace: 'messaging', name, uid: 'uid-foreign', creationTimestamp: '2026-11-24T09:00:00Z' },
    spec: { platform, fromZone: 'zone-a', mode: 'Planned' },
  } as unknown as FailoverObject;
}

describe("a drill whose name is somebody else's", () => {
  const name = 'daily-29925240';

  it('is said once, and nothing is written until the name is free: then it is made', async () => {
    const store = new Store(scheduleOf());
    store.failovers.set(name, foreign(name, 'another'));
    for (let pass = 0; pass < 10; pass += 1) await store.reconcile('daily');
    assert.equal(store.reason('daily'), 'NameTaken');
    assert.deepEqual(store.count, { saved: 1, tried: 0 });
    assert.equal(
      await store.reconcile('daily'),
      at('10:15') - at('10:00'),
      'it comes back when its window ends',
    );
    store.failovers.delete(name);
    await store.reconcile('daily');
    await store.reconcile('daily');
    assert.equal(store.reason('daily'), 'DrillUnderWay');
    assert.equal(store.failovers.get(name)?.spec.mode, 'Drill');
  });

  it('is said also when somebody was faster, after it was saved', async () => {
    const store = new Store(scheduleOf());
    const { kube } = store.world;
    const create = kube.create.bind(kube);
    kube.create = (kind, object) => {
      if (!store.failovers.has(name)) store.failovers.set(name, foreign(name, 'another'));
      return create(kind, object);
    };
    for (let pass = 0; pass < 10; pass += 1) await store.reconcile('daily');
    assert.equal(store.reason('daily'), 'NameTaken');
    assert.deepEqual(store.count, { saved: 2, tried: 1 });
    assert.equal(store.failovers.get(name)?.spec.mode, 'Planned', 'it is left alone');
  });
});

describe('a drill of a schedule', () => {
  it('is to begin in what is left of its window', async () => {
    const store = new Store(scheduleOf());
    await store.clock.advance(at('10:05:30') - at('10:00'));
    await store.reconcile('daily');
    assert.equal(store.failovers.get('daily-29925240')?.spec.startingDeadlineSeconds, 9 * 60 + 30);
  });

  it('that made room, or did not begin in time, stops nothing; one that was aborted does', async () => {
    for (const [cause, reason] of [
      ['NotStartedInTime', 'Scheduled'],
      ['Emergency', 'Scheduled'],
      ['Aborted', 'DrillFailed'],
    ] as const) {
      const store = new Store(scheduleOf());
      await store.reconcile('daily');
      const [drill] = store.failovers.values();
      assert.ok(drill);
      const status = { phase: 'RolledBack', cause, finishedAt: '2026-11-24T10:01:00Z' };
      store.failovers.set(drill.metadata.name, { ...drill, status } as FailoverObject);
      await store.reconcile('daily');
      assert.equal(store.reason('daily'), reason, cause);
    }
  });
});

describe('two schedules of one platform that are due in the same minute', () => {
  const two = (): Store => new Store(scheduleOf({ name: 'daily' }), scheduleOf({ name: 'second' }));
  const drills = (store: Store): string[] => [...store.failovers.keys()];

  it('make one drill, whoever looks at the same time; the other waits in its window', async () => {
    const store = two();
    for (let pass = 0; pass < 3; pass += 1)
      await Promise.all(['daily', 'second'].map((name) => store.reconcile(name)));
    assert.deepEqual(drills(store), ['daily-29925240']);
    assert.deepEqual(
      ['daily', 'second'].map((name) => store.reason(name)),
      ['DrillUnderWay', 'OtherFailover'],
    );
  });

  it('make one drill also while the cache does not show it', async () => {
    const store = two();
    store.seen = [];
    for (let pass = 0; pass < 3; pass += 1)
      for (const name of ['daily', 'second']) await store.reconcile(name);
    assert.deepEqual(drills(store), ['daily-29925240']);
    assert.equal(store.reason('second'), 'OtherFailover');
  });

  it('make the other one when the first has ended, if its window has not', async () => {
    for (const [time, made] of [
      ['10:10', ['daily-29925240', 'second-29925240']],
      ['10:20', ['daily-29925240']],
    ] as const) {
      const store = two();
      for (const name of ['daily', 'second', 'daily', 'second']) await store.reconcile(name);
      const [first] = store.failovers.values();
      assert.ok(first);
      const finishedAt = `2026-11-24T${time}:00Z`;
      const ended = { ...first, status: { phase: 'Succeeded', finishedAt } } as FailoverObject;
      store.failovers.set(first.metadata.name, ended);
      await store.clock.advance(at(time) - at('10:00'));
      for (const name of ['second', 'daily', 'second', 'second']) await store.reconcile(name);
      assert.deepEqual(drills(store), made);
    }
  });
});
