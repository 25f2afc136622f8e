import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Clock } from './clock.ts';
import { fenced, FencedError } from './fence.ts';
import type { KubeApi } from './kube-api.ts';
import { LeaderElector } from './leader-election.ts';
import type { ElectionEnd, LeaderPlace } from './leader-election.ts';
import { LEASE_KIND } from './lease.ts';
import type { Lease } from './lease.ts';
import { chance, cuttable, FakeKubeApi, settle, TestClock } from './testing/index.ts';

const LEASE = { namespace: 'causeway', name: 'operator' };

interface Candidate {
  elector: LeaderElector;
  stop: AbortController;
  ended: Promise<ElectionEnd>;
  leading: () => boolean;
}

function candidate(api: KubeApi, clock: Clock, identity: string): Candidate {
  const elector = new LeaderElector({ api, clock, lease: LEASE, identity });
  const stop = new AbortController();
  let leading = false;
  const ended = elector.run(stop.signal, async ({ lost }) => {
    leading = true;
    const signal = AbortSignal.any([stop.signal, lost]);
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    leading = false;
  });
  return { elector, stop, ended, leading: () => leading };
}

test('the first candidate leads, the second waits', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const one = candidate(api, clock, 'one');
  await clock.advance(100);
  const two = candidate(api, clock, 'two');
  await clock.advance(60_000);
  assert.ok(one.leading() && one.elector.isLeader);
  assert.ok(!two.leading() && !two.elector.isLeader);
  assert.equal(two.elector.holder, 'one');
  const lease = await api.get<Lease>(LEASE_KIND, LEASE);
  assert.equal(lease?.spec.holderIdentity, 'one');
  assert.equal(lease?.spec.leaseDurationSeconds, 15);
  assert.equal(lease?.spec.leaseTransitions, 0);
  one.stop.abort();
  two.stop.abort();
  await clock.advance(5_000);
  assert.deepEqual(await Promise.all([one.ended, two.ended]), ['stopped', 'stopped']);
});

test('a leader that stops gives the lease back, and the next one leads at its next look', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const one = candidate(api, clock, 'one');
  await clock.advance(100);
  const two = candidate(api, clock, 'two');
  await clock.advance(10_000);
  one.stop.abort();
  await clock.advance(3_000);
  assert.equal(await one.ended, 'stopped');
  assert.equal(one.elector.isLeader, false);
  assert.ok(two.leading());
  assert.equal((await api.get<Lease>(LEASE_KIND, LEASE))?.spec.leaseTransitions, 1);
  two.stop.abort();
  await clock.advance(3_000);
  await two.ended;
});

test('a leader that is cut off stops acting after 10 s; the next one begins after 15 s, never before', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  let cut = false;
  const behindCut = cuttable(api, () => cut);
  const one = candidate(behindCut, clock, 'one');
  await clock.advance(100);
  const two = candidate(api, clock, 'two');
  await clock.advance(20_000);
  cut = true;
  const since = clock.now();
  let oneUntil = 0;
  let twoFrom = 0;
  for (let step = 0; step < 300; step += 1) {
    await clock.advance(100);
    if (one.elector.isLeader) oneUntil = clock.now() - since;
    if (two.elector.isLeader && twoFrom === 0) twoFrom = clock.now() - since;
  }
  assert.ok(oneUntil >= 7_000 && oneUntil <= 10_000, `one acted for ${oneUntil} ms`);
  assert.ok(twoFrom >= oneUntil + 3_000 && twoFrom < 20_000, `two began after ${twoFrom} ms`);
  assert.equal(await one.ended, 'lost');
  assert.equal(one.leading(), false, 'its work was told to end');
  two.stop.abort();
  await clock.advance(3_000);
  await two.ended;
});

test('the fence counts from when a renewal was asked for, however late the answer comes', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  let asked = 0;
  const one = candidate(api, clock, 'one');
  await clock.advance(100);
  api.before = ({ verb }) => {
    if (verb === 'update') asked = clock.now();
  };
  api.after = async ({ verb }) => {
    if (verb === 'update') await clock.sleep(5_000);
  };
  const before = one.elector.fence();
  await clock.advance(8_000);
  assert.ok(one.elector.fence() > before, 'it was renewed');
  assert.ok(one.elector.fence() <= asked + 10_000);
  one.stop.abort();
  await clock.advance(10_000);
  await one.ended;
});

test('a leader has stopped acting before it gives the lease back', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const one = candidate(api, clock, 'one');
  await clock.advance(100);
  let acting: boolean | undefined;
  api.before = ({ verb }) => {
    if (verb === 'update' && one.stop.signal.aborted) acting = one.elector.isLeader;
  };
  one.stop.abort();
  await clock.advance(1_000);
  assert.equal(acting, false);
  assert.equal((await api.get<Lease>(LEASE_KIND, LEASE))?.spec.holderIdentity, '');
});

test('when something of the leader may still act, the lease is not given back', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const elector = new LeaderElector({ api, clock, lease: LEASE, identity: 'one' });
  const ended = elector.run(new AbortController().signal, async () => false);
  await clock.advance(100);
  assert.equal(await ended, 'stopped');
  assert.equal((await api.get<Lease>(LEASE_KIND, LEASE))?.spec.holderIdentity, 'one');
  assert.equal(elector.isLeader, false);
});

test('a lease that was deleted is not taken before its holder has stopped acting', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  let cut = false;
  const one = candidate(
    cuttable(api, () => cut),
    clock,
    'one',
  );
  await clock.advance(100);
  const two = candidate(api, clock, 'two');
  await clock.advance(10_000);
  cut = true;
  await api.delete(LEASE_KIND, LEASE);
  for (let step = 0; step < 250; step += 1) {
    await clock.advance(100);
    assert.ok(!(one.elector.isLeader && two.elector.isLeader), 'two act');
  }
  assert.ok(two.leading());
  for (const each of [one, two]) each.stop.abort();
  await clock.advance(3_000);
  await Promise.all([one.ended, two.ended]);
});

test('what the work throws is thrown, and the lease is not given back', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const elector = new LeaderElector({ api, clock, lease: LEASE, identity: 'one' });
  const failed = assert.rejects(
    elector.run(new AbortController().signal, async () => {
      throw new Error('bug');
    }),
    /bug/,
  );
  await clock.advance(100);
  await failed;
  assert.equal((await api.get<Lease>(LEASE_KIND, LEASE))?.spec.holderIdentity, 'one');
});

test('past its fence, no write of a process gets through', async () => {
  const api = new FakeKubeApi();
  const clock = new TestClock();
  const guarded = fenced(api, () => clock.now() + 1, clock);
  const object = { apiVersion: 'v1', kind: 'Lease', metadata: { ...LEASE } };
  await guarded.create(LEASE_KIND, object);
  const late = fenced(api, () => clock.now(), clock);
  await assert.rejects(late.create(LEASE_KIND, object), FencedError);
  await assert.rejects(late.update(LEASE_KIND, object), FencedError);
  await assert.rejects(late.apply(LEASE_KIND, object), FencedError);
  await assert.rejects(late.mergePatch(LEASE_KIND, LEASE, {}), FencedError);
  await assert.rejects(late.delete(LEASE_KIND, LEASE), FencedError);
  assert.ok(await late.get(LEASE_KIND, LEASE), 'reading is allowed');
});

test('nonsense settings are refused', () => {
  const options = { api: new FakeKubeApi(), clock: new TestClock(), lease: LEASE, identity: 'one' };
  assert.throws(
    () => new LeaderElector({ ...options, renewDeadlineMs: 15_000 }),
    /renew deadline < lease duration/,
  );
});

/** A machine of its own: it can be suspended, its wall clock set, and it runs a little fast or slow. */
class Machine implements Clock {
  readonly #base: TestClock;
  readonly #random: () => number;
  readonly #pace: number;
  #offset: number;
  #suspended: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(base: TestClock, random: () => number) {
    this.#base = base;
    this.#random = random;
    this.#pace = 0.9 + 0.2 * random();
    this.#offset = (random() - 0.5) * 3_600_000;
  }

  now(): number {
    return this.steady() + this.#offset;
  }

  steady(): number {
    return this.#base.now() * this.#pace;
  }

  random(): number {
    return this.#random();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#base.sleep(ms / this.#pace, signal);
    await this.#suspended?.promise;
  }

  /** Nothing of it goes on, while time does (SIGSTOP). */
  suspend(): void {
    this.#suspended ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#suspended?.resolve();
    this.#suspended = undefined;
  }

  setWall(byMs: number): void {
    this.#offset += byMs;
  }

  get awake(): Promise<void> {
    return this.#suspended?.promise ?? Promise.resolve();
  }
}

interface World {
  /** How likely a request, or an answer, is lost. */
  lose: number;
  /** At most how long they take. */
  slowMs: number;
  slowAnswerMs: number;
  random: () => number;
}

/** The API as one machine reaches it: slow, and now and then not at all, in either direction. */
function faulty(api: FakeKubeApi, base: TestClock, machine: Machine, fault: () => World): KubeApi {
  const call = async <R>(carryOut: () => Promise<R>): Promise<R> => {
    const { lose, slowMs, slowAnswerMs, random } = fault();
    await base.sleep(random() * slowMs);
    if (random() < lose) {
      await base.sleep(30_000);
      throw new Error('request lost');
    }
    let result: R;
    try {
      result = await carryOut();
    } finally {
      await base.sleep(random() * slowAnswerMs);
      await machine.awake;
    }
    if (random() < lose) {
      await base.sleep(30_000);
      throw new Error('answer lost');
    }
    return result;
  };
  return {
    list: (kind, options) => api.list(kind, options),
    watch: (kind, options, signal) => api.watch(kind, options, signal),
    get: (kind, ref) => call(() => api.get(kind, ref)),
    create: (kind, object) => call(() => api.create(kind, object)),
    update: (kind, object) => call(() => api.update(kind, object)),
    apply: (kind, object) => call(() => api.apply(kind, object)),
    mergePatch: (kind, ref, patch) => call(() => api.mergePatch(kind, ref, patch)),
    delete: (kind, ref, options) => call(() => api.delete(kind, ref, options)),
  };
}

const WELL = { lose: 0, slowMs: 50, slowAnswerMs: 50 };

interface Runner {
  world: World;
  machine: Machine;
  current: LeaderElector;
  stop: AbortController;
  done: Promise<void>;
  /** How often it handed over. */
  yields: number;
}

/** Homes move as chance has it; a leader that is asked hands over more often than not. */
function placeIn(zone: string, homes: ReadonlyMap<string, number>, random: () => number): LeaderPlace {
  const isBetter = (one: string, other: string): boolean => (homes.get(one) ?? 0) < (homes.get(other) ?? 0);
  return {
    zone: () => zone,
    isBetterThan: (holder) => isBetter(zone, holder),
    mayYieldTo: (asker) => isBetter(asker, zone) && random() < 0.8,
  };
}

/** The home is on one machine, and nowhere else. */
function moveHome(homes: Map<string, number>, machine: number): void {
  homes.clear();
  homes.set(`m${machine}`, 1);
}

/** A machine on which the operator is started again whenever it ends. */
function runner(
  api: FakeKubeApi,
  base: TestClock,
  name: string,
  { world, homes }: { world: World; homes: ReadonlyMap<string, number> },
): Runner {
  const machine = new Machine(base, world.random);
  const stop = new AbortController();
  const connection = faulty(api, base, machine, () => world);
  const blind = world.random() < 0.25;
  let started = 0;
  const elect = (): LeaderElector => {
    started += 1;
    return new LeaderElector({
      api: connection,
      clock: machine,
      lease: LEASE,
      identity: `${name}-${started}`,
      // Each machine is a zone; on one in four is a version that knows nothing of zones.
      ...(blind ? {} : { place: placeIn(name, homes, world.random), minLeadMs: 3_000, askPeriodMs: 1_000 }),
    });
  };
  const self: Runner = { world, machine, current: elect(), stop, done: Promise.resolve(), yields: 0 };
  const live = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const dying = new AbortController();
      // A process that is told to go now and then, as in a rollout.
      const life = AbortSignal.any([stop.signal, dying.signal]);
      machine.sleep(20_000 + world.random() * 120_000, stop.signal).then(
        () => dying.abort(),
        () => undefined,
      );
      const how = await self.current.run(life, async ({ stop: over, lost }) => {
        const end = AbortSignal.any([over, lost]);
        if (!end.aborted)
          await new Promise((resolve) => end.addEventListener('abort', resolve, { once: true }));
        await machine.sleep(world.random() * 500);
      });
      if (how === 'yielded') self.yields += 1;
      self.current = elect();
    }
  };
  self.done = live();
  return self;
}

test('property: whatever is cut, lost, slow, suspended or set wrong, and wherever homes move, never may two act; and when it is over, one does', async () => {
  let yields = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 3 }), async (seed, count) => {
      const random = chance(seed);
      const base = new TestClock(Date.UTC(2026, 0, 1), random);
      const api = new FakeKubeApi();
      const homes = new Map<string, number>();
      const runners = Array.from({ length: count }, (_, index) =>
        runner(api, base, `m${index}`, { world: { ...WELL, random }, homes }),
      );
      const step = async (): Promise<number> => {
        await base.advance(200);
        const acting = runners.filter(({ current }) => current.isLeader).length;
        assert.ok(acting <= 1, `${acting} may act at the same time`);
        return acting;
      };
      for (let round = 0; round < 12; round += 1) {
        for (const { world } of runners) {
          // Whole cuts, and answers that come late while the questions are quick, are what shows mistakes.
          world.lose = random() < 0.3 ? 1 : random() < 0.5 ? 0 : random();
          world.slowMs = random() < 0.5 ? 50 : random() * 8_000;
          world.slowAnswerMs = random() < 0.5 ? 50 : random() * 12_000;
        }
        for (const { machine } of runners) {
          if (random() < 0.2) machine.suspend();
          else machine.resume();
          if (random() < 0.1) machine.setWall((random() - 0.5) * 120_000);
        }
        // Beyond the machines: then nobody is at home anywhere that matters.
        moveHome(homes, Math.floor(random() * (count + 1)));
        const steps = Math.floor(random() * 120);
        for (let each = 0; each < steps; each += 1) await step();
      }
      for (const { machine, world } of runners) {
        Object.assign(world, WELL);
        machine.resume();
      }
      let led = 0;
      for (let each = 0; each < 400; each += 1) {
        if (each % 100 === 0)
          moveHome(
            homes,
            runners.findIndex(({ current }) => current.isLeader),
          );
        led += await step();
      }
      assert.ok(led > 100, `once all is well somebody leads; led in ${led} of 400 looks`);
      for (const { stop } of runners) stop.abort();
      await base.advance(60_000);
      await Promise.all(runners.map(({ done }) => done));
      await settle();
      yields += runners.reduce((sum, each) => sum + each.yields, 0);
    }),
    { numRuns: 40 },
  );
  assert.ok(yields >= 20, `only ${yields} hand-overs in 40 runs`);
});
