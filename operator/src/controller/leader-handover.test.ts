/** The leadership goes where it is best placed: what standbys ask, and what a leader makes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeApi } from './kube-api.ts';
import { LeaderElector } from './leader-election.ts';
import type { ElectionEnd, LeaderPlace } from './leader-election.ts';
import { LEASE_KIND } from './lease.ts';
import type { Lease } from './lease.ts';
import { askIn, withAsk, zoneOfHolder } from './lease-notes.ts';
import { cuttable, FakeKubeApi, settle, TestClock } from './testing/index.ts';

const LEASE = { namespace: 'causeway', name: 'operator' };
const MIN_LEAD_MS = 30_000;
const ASK_PERIOD_MS = 10_000;
const DEADLINE_MS = 10_000;

/** A cluster with operators in zones, and homes that move. */
class World {
  readonly api = new FakeKubeApi();
  readonly clock = new TestClock();
  /** How many platforms each zone is home of. */
  readonly homes = new Map<string, number>();
  /** While false no leader hands over. */
  calm = true;
  readonly all: Process[] = [];

  /** Starts a process; `place` undefined: it knows nothing of zones. */
  start(identity: string, zone: string | undefined, api: KubeApi = this.api): Process {
    const place = this.#placeIn(zone);
    const elector = new LeaderElector({
      api,
      clock: this.clock,
      lease: LEASE,
      identity,
      ...(place === undefined ? {} : { place }),
    });
    const stop = new AbortController();
    const started: Process = { identity, elector, stop, leading: false, end: undefined };
    void elector
      .run(stop.signal, async (signals) => {
        started.leading = true;
        const over = AbortSignal.any([signals.stop, signals.lost]);
        if (!over.aborted)
          await new Promise((resolve) => over.addEventListener('abort', resolve, { once: true }));
        started.leading = false;
      })
      .then((end) => (started.end = end));
    this.all.push(started);
    return started;
  }

  #placeIn(zone: string | undefined): LeaderPlace | undefined {
    if (zone === undefined) return undefined;
    const isBetter = (one: string, other: string): boolean =>
      (this.homes.get(one) ?? 0) < (this.homes.get(other) ?? 0);
    return {
      zone: () => zone,
      isBetterThan: (holder) => isBetter(zone, holder),
      mayYieldTo: (asker) => this.calm && isBetter(asker, zone),
    };
  }

  /** Lets time pass; at no time may two act. `look` is called every 100 ms. */
  async pass(ms: number, look: () => void = () => undefined): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await this.clock.advance(100);
      const acting = this.all.filter(({ elector }) => elector.isLeader).map(({ identity }) => identity);
      assert.ok(acting.length <= 1, `${acting.join(' and ')} act at the same time`);
      look();
    }
  }

  async lease(): Promise<Lease> {
    const lease = await this.api.get<Lease>(LEASE_KIND, LEASE);
    assert.ok(lease, 'there is no lease');
    return lease;
  }

  /** Leaves nobody behind. */
  async end(): Promise<void> {
    for (const { stop } of this.all) stop.abort();
    await this.clock.advance(60_000);
    await settle();
    assert.deepEqual(
      this.all.filter(({ end }) => end === undefined),
      [],
    );
  }
}

interface Process {
  identity: string;
  elector: LeaderElector;
  stop: AbortController;
  leading: boolean;
  /** Undefined: it runs. */
  end: ElectionEnd | undefined;
}

/** A world whose leader is `one` in zone-a, with a standby `two` in zone-b. */
async function two(): Promise<{ world: World; one: Process; two: Process }> {
  const world = new World();
  const one = world.start('one', 'zone-a');
  await world.clock.advance(100);
  const standby = world.start('two', 'zone-b');
  await world.clock.advance(100);
  assert.ok(one.leading && !standby.leading);
  return { world, one, two: standby };
}

/** The asks that are written from now on, with the time of each. */
function asksOf(world: World): { at: number; by: string }[] {
  const asks: { at: number; by: string }[] = [];
  let before: string | undefined;
  world.api.after = async ({ verb }) => {
    if (verb !== 'update') return;
    const lease = await readQuietly(world);
    const ask = lease && askIn(lease);
    if (ask !== undefined && ask.at !== before) asks.push({ at: world.clock.now(), by: ask.identity });
    before = ask?.at;
  };
  return asks;
}

/** The lease, without the hooks of the API. */
async function readQuietly({ api }: World): Promise<Lease | undefined> {
  const { before, after } = api;
  Object.assign(api, { before: () => undefined, after: () => undefined });
  try {
    return await api.get<Lease>(LEASE_KIND, LEASE);
  } finally {
    Object.assign(api, { before, after });
  }
}

test('the home moves to the zone of the leader: it hands over to the standby in another zone, and ends', async () => {
  const { world, one, two: standby } = await two();
  await world.pass(MIN_LEAD_MS);
  assert.equal(zoneOfHolder(await world.lease(), 'one'), 'zone-a');
  world.homes.set('zone-a', 1);
  await world.pass(8_000);
  assert.equal(one.end, 'yielded');
  assert.ok(standby.leading && standby.elector.isLeader);
  const lease = await world.lease();
  assert.equal(lease.spec.leaseTransitions, 1);
  assert.equal(zoneOfHolder(lease, 'two'), 'zone-b');
  assert.equal(askIn(lease), undefined, 'the ask is over');
  // The process that is started again in its place is a standby, and has nothing to ask for.
  world.start('one-again', 'zone-a');
  await world.pass(60_000);
  assert.ok(standby.leading);
  await world.end();
});

test('where places are equal, or the standby has the worse one, nobody asks', async () => {
  const { world, one } = await two();
  const asks = asksOf(world);
  await world.pass(60_000);
  world.homes.set('zone-a', 2).set('zone-b', 2);
  await world.pass(60_000);
  world.homes.set('zone-a', 0);
  await world.pass(60_000);
  assert.deepEqual(asks, []);
  assert.ok(one.leading);
  await world.end();
});

test('in its first 30 s a leader does not hand over', async () => {
  const world = new World();
  world.homes.set('zone-a', 1);
  const one = world.start('one', 'zone-a');
  await world.clock.advance(100);
  const standby = world.start('two', 'zone-b');
  await world.pass(MIN_LEAD_MS - 200);
  assert.ok(one.leading);
  await world.pass(ASK_PERIOD_MS + 8_000);
  assert.equal(one.end, 'yielded');
  assert.ok(standby.leading);
  await world.end();
});

test('a leader that has something under way stays; it is asked once in 10 s, and keeps its lease well', async () => {
  const { world, one, two: standby } = await two();
  world.calm = false;
  world.homes.set('zone-a', 1);
  const asks = asksOf(world);
  let least = Infinity;
  await world.pass(120_000, () => {
    least = Math.min(least, one.elector.fence() - world.clock.now());
  });
  assert.ok(one.leading && !standby.leading);
  assert.ok(asks.length >= 10 && asks.length <= 12, `${asks.length} asks in 120 s`);
  for (const [index, { at }] of asks.entries())
    assert.ok(index === 0 || at - (asks[index - 1]?.at ?? 0) >= ASK_PERIOD_MS);
  assert.ok(least >= DEADLINE_MS - 2_200, `an ask cost a renewal: ${least} ms were left`);
  world.calm = true;
  await world.pass(ASK_PERIOD_MS + 8_000);
  assert.equal(one.end, 'yielded');
  assert.ok(standby.leading);
  await world.end();
});

test('an ask that was not met is not met later: whoever asked may be gone', async () => {
  const { world, one, two: standby } = await two();
  world.calm = false;
  world.homes.set('zone-a', 1);
  const asks = asksOf(world);
  await world.pass(MIN_LEAD_MS + 5_000);
  assert.ok(asks.length > 0);
  standby.stop.abort();
  await world.pass(5_000);
  assert.equal(askIn(await world.lease()), undefined, 'the next renewal drops it');
  world.calm = true;
  await world.pass(60_000);
  assert.ok(one.leading);
  await world.end();
});

test('an old ask in the lease means nothing to a new leader', async () => {
  const world = new World();
  world.homes.set('zone-a', 1);
  const ask = { identity: 'long gone', zone: 'zone-b', at: '2025-12-31T23:59:00Z' };
  const metadata = withAsk({ ...LEASE }, ask);
  const spec = { holderIdentity: 'dead', leaseDurationSeconds: 15 };
  await world.api.create<Lease>(LEASE_KIND, {
    apiVersion: LEASE_KIND.apiVersion,
    kind: 'Lease',
    metadata,
    spec,
  });
  const one = world.start('one', 'zone-a');
  await world.pass(18_000);
  assert.ok(one.leading);
  assert.equal(askIn(await world.lease()), undefined);
  await world.pass(60_000);
  assert.ok(one.leading);
  await world.end();
});

test('an ask that comes back as it was is not a new one', async () => {
  const { world, one, two: standby } = await two();
  standby.stop.abort();
  await world.pass(MIN_LEAD_MS);
  world.homes.set('zone-a', 1);
  world.calm = false;
  const ask = { identity: 'three', zone: 'zone-b', at: '2026-01-01T00:00:00Z' };
  const write = async (annotations: Record<string, string> = {}): Promise<void> => {
    const lease = await world.lease();
    const metadata = withAsk(lease.metadata, ask);
    const noted = { ...metadata, annotations: { ...metadata.annotations, ...annotations } };
    await world.api.update(LEASE_KIND, { ...lease, metadata: noted });
  };
  await write();
  // Its renewals find it, and are lost: the ask stays in the lease while it is read again and again.
  let updates = 0;
  world.api.before = ({ verb }) => {
    if (verb !== 'update') return;
    updates += 1;
    if (updates === 2) throw new Error('lost');
  };
  await world.pass(2_200);
  assert.equal(updates, 2, 'a conflict, and a renewal that was lost');
  world.calm = true;
  world.api.before = () => undefined;
  await write({ touched: 'by a person' });
  await world.pass(10_000);
  assert.ok(one.leading, 'it had seen that ask before');
  await world.end();
});

test('asks do not make the lease of a dead leader last longer, for nobody', async () => {
  for (const askers of [true, false]) {
    const world = new World();
    let cut = false;
    const one = world.start(
      'one',
      'zone-a',
      cuttable(world.api, () => cut),
    );
    await world.clock.advance(100);
    world.start('two', 'zone-b');
    world.start('three', 'zone-a');
    world.calm = false;
    await world.pass(20_000);
    if (askers) world.homes.set('zone-a', 1);
    const asks = asksOf(world);
    cut = true;
    const since = world.clock.now();
    let [oneUntil, nextFrom] = [0, 0];
    await world.pass(30_000, () => {
      const now = world.clock.now() - since;
      if (one.elector.isLeader) oneUntil = now;
      if (nextFrom === 0 && world.all.some((each) => each !== one && each.elector.isLeader)) nextFrom = now;
    });
    assert.equal(asks.length > 0, askers);
    assert.ok(oneUntil <= DEADLINE_MS, `it acted for ${oneUntil} ms`);
    assert.ok(nextFrom >= oneUntil + 3_000 && nextFrom <= 17_500, `the next began after ${nextFrom} ms`);
    assert.equal(one.end, 'lost');
    await world.end();
  }
});

test('the one that asked leads next, whenever others look', async () => {
  for (let offset = 0; offset < 2_400; offset += 200) {
    const { world, one, two: standby } = await two();
    await world.pass(MIN_LEAD_MS + offset);
    // Started again and again, at once, as a kubelet does at its best.
    let again: Process | undefined;
    world.homes.set('zone-a', 1);
    await world.pass(10_000, () => {
      if (one.end !== undefined) again ??= world.start('one-again', 'zone-a');
    });
    assert.equal(one.end, 'yielded');
    assert.ok(standby.leading && again?.leading === false, `at ${offset} ms`);
    await world.end();
  }
});

test('the one that asked dies before it leads: another one does, after three looks', async () => {
  const { world, one, two: standby } = await two();
  await world.pass(MIN_LEAD_MS);
  const third = world.start('three', 'zone-a');
  world.homes.set('zone-a', 1);
  let since = 0;
  await world.pass(20_000, () => {
    if (one.end !== undefined && since === 0) since = world.clock.now();
    if (!one.leading) standby.stop.abort();
    if (third.elector.isLeader && since > 0) {
      assert.ok(world.clock.now() - since <= 9_000, 'three looks, and its own');
      since = Infinity;
    }
  });
  assert.equal(one.end, 'yielded');
  assert.equal(since, Infinity, 'nobody leads');
  await world.end();
});

test('two standbys ask: one leader, in one of their zones, and no more moves', async () => {
  const { world, one } = await two();
  world.start('three', 'zone-c');
  await world.pass(MIN_LEAD_MS);
  world.homes.set('zone-a', 1);
  await world.pass(10_000);
  assert.equal(one.end, 'yielded');
  const { spec } = await world.lease();
  assert.ok(['two', 'three'].includes(spec.holderIdentity ?? ''));
  world.start('one-again', 'zone-a');
  await world.pass(120_000);
  const after = await world.lease();
  assert.equal(after.spec.holderIdentity, spec.holderIdentity);
  assert.equal(after.spec.leaseTransitions, 1);
  await world.end();
});

test('an ask over a renewal is refused, and asked again', async () => {
  const { world, one, two: standby } = await two();
  await world.pass(MIN_LEAD_MS);
  world.homes.set('zone-a', 1);
  // Whatever a standby read was renewed by the time it writes.
  let refused = 0;
  world.api.before = async ({ verb }) => {
    if (verb !== 'update' || refused > 0) return;
    const lease = await readQuietly(world);
    if (lease === undefined || one.elector.fence() - world.clock.now() > DEADLINE_MS - 50) return;
    refused += 1;
    const renewTime = new Date(world.clock.now()).toISOString();
    await world.api.update(LEASE_KIND, { ...lease, spec: { ...lease.spec, renewTime } });
  };
  await world.pass(5_000);
  assert.equal(refused, 1);
  assert.ok(one.leading);
  await world.pass(ASK_PERIOD_MS + 8_000);
  assert.ok(standby.leading);
  await world.end();
});

test('an ask that comes while a leader gives its lease back does not keep the lease from the others', async () => {
  const { world, one, two: standby } = await two();
  await world.pass(5_000);
  world.api.before = async ({ verb }) => {
    if (verb !== 'update' || !one.stop.signal.aborted) return;
    const lease = await readQuietly(world);
    world.api.before = () => undefined;
    assert.equal(lease?.spec.holderIdentity, 'one');
    const ask = { identity: 'two', zone: 'zone-b', at: '2026-01-01T00:00:00Z' };
    await world.api.update(LEASE_KIND, { ...lease, metadata: withAsk(lease.metadata, ask) });
  };
  one.stop.abort();
  await world.pass(2_500);
  assert.equal(one.end, 'stopped');
  assert.ok(standby.leading);
  await world.end();
});

/** An operator of a version that knows no notes: it keeps the annotations that it finds, and renews every 2 s. */
async function oldLeader(world: World): Promise<AbortController> {
  const stop = new AbortController();
  const renew = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const lease = await readQuietly(world);
      const renewTime = new Date(world.clock.now()).toISOString();
      if (lease !== undefined)
        await world.api.update(LEASE_KIND, {
          ...lease,
          spec: { ...lease.spec, holderIdentity: 'old', leaseDurationSeconds: 15, renewTime },
        });
      await world.clock.sleep(2_000, stop.signal).catch(() => undefined);
    }
  };
  void renew();
  await settle();
  return stop;
}

test('a leader of an earlier version, which keeps the notes of another one, is not asked', async () => {
  const { world, one, two: standby } = await two();
  await world.pass(5_000);
  one.stop.abort();
  standby.stop.abort();
  await world.pass(3_000);
  const lease = await world.lease();
  const note = JSON.stringify({ identity: 'one', zone: 'zone-a' });
  const metadata = { ...lease.metadata, annotations: { 'causeway.dev/zone': note } };
  await world.api.update(LEASE_KIND, { ...lease, metadata });
  const old = await oldLeader(world);
  world.homes.set('zone-a', 1);
  const asks = asksOf(world);
  const next = world.start('next', 'zone-b');
  await world.pass(60_000);
  assert.deepEqual(asks, []);
  assert.equal(next.leading, false);
  old.abort();
  await world.pass(20_000);
  assert.ok(next.leading, 'its lease runs out as ever');
  await world.end();
});

test('a standby of an earlier version, or one that does not know its zone, leads after a leader that does', async () => {
  const world = new World();
  const one = world.start('one', 'zone-a');
  await world.clock.advance(100);
  const blind = world.start('blind', undefined);
  world.homes.set('zone-a', 1);
  await world.pass(60_000);
  assert.ok(one.leading);
  one.stop.abort();
  await world.pass(3_000);
  assert.ok(blind.leading);
  assert.equal(zoneOfHolder(await world.lease(), 'blind'), undefined);
  const better = world.start('better', 'zone-b');
  await world.pass(60_000);
  assert.ok(blind.leading && !better.leading, 'where it is, nobody knows');
  await world.end();
});
