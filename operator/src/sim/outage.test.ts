/** Zones that go, of a platform that makes Emergencies by itself: when it does, when it must not, and what it says then. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL } from '@causeway/crds';
import { FAILOVER_KIND, isOver, type FailoverObject } from '../failover/index.ts';
import { MOST_EMERGENCIES } from '../failover/automatic.ts';
import { fakeGateways } from './fake-gateways.ts';
import { calm, type FaultPlan } from './network.ts';
import { isReady } from './scenarios.ts';
import { createPlatform, editPlatform, emptyWorld, type World } from './world.ts';

async function pass(world: World, seconds: number): Promise<void> {
  await world.time.run(() => false, world.time.now + seconds * 1000);
}

async function until(world: World, what: string, done: () => boolean): Promise<void> {
  assert.ok(await world.time.run(done, world.time.now + 600_000), `${what}: not within ten minutes`);
}

/** A platform that has been watched for a minute. */
async function watched(): Promise<World> {
  const world = emptyWorld();
  await watch(world);
  return world;
}

async function watch(world: World): Promise<void> {
  world.startOperator();
  createPlatform(world, (spec) => {
    spec.failover.automatic = true;
  });
  await until(world, 'ready', () => isReady(world));
  await pass(world, 60);
}

const emergencies = (world: World): FailoverObject[] =>
  world.kube
    .all(FAILOVER_KIND)
    .map(({ object }) => object as FailoverObject)
    .filter(({ metadata }) => metadata.labels?.[LABEL.automatic] === 'true');

/** What the condition says. */
function said(world: World): string {
  const found = world.platform?.status?.conditions?.find(({ type }) => type === 'AutomaticFailover');
  return found === undefined ? 'nothing' : `${found.status} ${found.reason}`;
}

function assertNone(world: World): void {
  assert.deepEqual(
    emergencies(world).map(({ metadata }) => metadata.name),
    [],
  );
  assert.deepEqual(world.violations, []);
}

function startDrill(world: World, spec: object): void {
  const drill = {
    apiVersion: FAILOVER_KIND.apiVersion,
    kind: FAILOVER_KIND.kind,
    metadata: { namespace: 'messaging', name: 'drill' },
    spec: { platform: 'orders', mode: 'Drill', ...spec },
  };
  world.kube.create(FAILOVER_KIND, drill, { manager: 'kubectl' });
}

function drillOf(world: World): FailoverObject | undefined {
  return world.kube.get(FAILOVER_KIND, { namespace: 'messaging', name: 'drill' }) as
    FailoverObject | undefined;
}

describe('a platform that makes Emergencies by itself', () => {
  it('says that it watches, writes nothing meanwhile, and says nothing once it is to do so no more', async () => {
    const world = await watched();
    assert.equal(said(world), 'True Watching');
    assert.deepEqual(world.platform?.status?.automaticFailover?.zones?.[0], {
      zone: 'zone-a',
      seenBy: ['zone-b', 'zone-c'],
      missedBy: [],
    });
    const before = world.network.writes;
    await pass(world, 600);
    assert.equal(world.network.writes, before);
    editPlatform(world, (spec) => {
      spec.failover.automatic = false;
    });
    await pass(world, 10);
    assert.deepEqual([said(world), world.platform?.status?.automaticFailover], ['nothing', undefined]);
    world.outage.begin('zone-a');
    await pass(world, 60);
    assertNone(world);
  });

  it('leaves a zone that is gone, home or not, and takes it back once it has stayed for a while', async () => {
    for (const zone of ['zone-a', 'zone-c']) {
      const world = await watched();
      world.outage.begin(zone);
      await until(world, 'an Emergency', () => emergencies(world).length > 0);
      await pass(world, 30);
      const [made] = emergencies(world);
      assert.deepEqual([made?.spec.fromZone, made?.status?.phase], [zone, 'Succeeded']);
      assert.equal(world.platform?.status?.homeZone, zone === 'zone-a' ? 'zone-b' : 'zone-a');
      assert.equal(said(world), 'False WitnessesMissing', 'one more outage is left to people');
      world.outage.end(zone);
      await pass(world, 20);
      assert.equal(world.platform?.status?.away?.[0]?.zone, zone);
      await pass(world, 40);
      assert.equal(world.platform?.status?.away, undefined);
      assert.deepEqual([said(world), isReady(world)], ['True Watching', true]);
      assert.equal(emergencies(world).length, 1);
      assert.deepEqual(world.violations, []);
    }
  });

  it('does nothing about a zone that comes and goes, and was never gone for long enough', async () => {
    const world = await watched();
    for (let times = 0; times < 20; times += 1) {
      world.outage.begin('zone-c');
      await pass(world, 8);
      assert.equal(said(world), 'True ZoneMissed');
      world.outage.end('zone-c');
      await pass(world, 2);
    }
    assertNone(world);
  });

  it('makes no more than so many in an hour, of a zone that goes again and again, and says so', async () => {
    const world = await watched();
    for (let times = 0; times < 6; times += 1) {
      world.outage.begin('zone-c');
      await pass(world, 30);
      if (times === 4) assert.equal(said(world), 'False TooManyEmergencies');
      world.outage.end('zone-c');
      await pass(world, 6 * 60);
    }
    assert.equal(emergencies(world).length, MOST_EMERGENCIES);
    await pass(world, 60 * 60);
    world.outage.begin('zone-c');
    await pass(world, 60);
    assert.equal(emergencies(world).length, MOST_EMERGENCIES + 1);
    assert.ok(emergencies(world).every(({ status }) => isOver(status?.phase ?? 'Queued')));
    assert.deepEqual(world.violations, []);
  });

  it('waits a while before it makes a second one of the same zone', async () => {
    const world = await watched();
    world.outage.begin('zone-c');
    await pass(world, 30);
    world.outage.end('zone-c');
    await until(world, 'back', () => world.platform?.status?.away === undefined);
    world.outage.begin('zone-c');
    await pass(world, 30);
    assert.deepEqual([said(world), emergencies(world).length], ['False RecentEmergency', 1]);
    await pass(world, 5 * 60);
    assert.equal(emergencies(world).length, 2);
    assert.deepEqual(world.violations, []);
  });

  it('does nothing when the operator alone can see nothing, and says so', async () => {
    const world = await watched();
    const blind: FaultPlan = (call) =>
      ['gateway', 'redis', 'etcd'].includes(call.target)
        ? { kind: 'refused', afterMs: 5, error: new Error('connect ETIMEDOUT') }
        : calm(call);
    world.network.setPlan(blind);
    await pass(world, 60);
    assert.equal(said(world), 'False WitnessesMissing');
    assertNone(world);
    world.network.setPlan(calm);
    await pass(world, 30);
    assert.equal(said(world), 'True Watching');
  });

  it('leaves a zone to people in which something still answers', async () => {
    let since = Infinity;
    const world = emptyWorld({
      instead: (process) => {
        const gateways = fakeGateways(world, world.network, process);
        return {
          gateways: {
            ...gateways,
            // Its gateways are not reached any more, nor by the operator; its Redis and etcd are.
            zones: async (host) => {
              const view = await gateways.zones(host);
              const unreachableMs = Math.max(0, world.time.now - since);
              if (view.zone === 'zone-c' && unreachableMs > 0) throw new Error('connect ETIMEDOUT');
              const seen = view.seen.map((one) => (one.zone === 'zone-c' ? { ...one, unreachableMs } : one));
              return { ...view, seen };
            },
          },
        };
      },
    });
    await watch(world);
    since = world.time.now;
    await pass(world, 60);
    assert.equal(said(world), 'False ZoneAnswers');
    assertNone(world);
  });

  it('leaves a second zone to people', async () => {
    const world = await watched();
    world.outage.begin('zone-a');
    await pass(world, 30);
    world.outage.begin('zone-c');
    await pass(world, 60);
    assert.deepEqual([said(world), emergencies(world).length], ['False WitnessesMissing', 1]);
    assert.deepEqual(world.violations, []);
  });

  it('makes one beside no other failover: a drill that is under way ends first', async () => {
    const world = await watched();
    startDrill(world, { fromZone: 'zone-c' });
    await pass(world, 15);
    world.outage.begin('zone-b');
    await pass(world, 14);
    assert.deepEqual([said(world), emergencies(world).length], ['False OtherFailover', 0]);
    await until(world, 'an Emergency', () => emergencies(world).length > 0);
    assert.deepEqual(world.violations, []);
  });

  for (const pause of [false, true])
    it(`moves the home on that goes while a drill has it${pause ? ', and is paused' : ''}: nobody else could`, async () => {
      const world = await watched();
      const limits = { timeout: '24h' };
      startDrill(world, { fromZone: 'zone-a', toHome: 'zone-b', limits, drill: { holdFor: '24h' } });
      await until(world, 'held', () => drillOf(world)?.status?.phase === 'Hold');
      if (pause)
        world.kube.patch(
          FAILOVER_KIND,
          { namespace: 'messaging', name: 'drill' },
          { spec: { pause } },
          { manager: 'kubectl' },
        );
      await pass(world, 20);
      assert.equal(world.platform?.status?.homeZone, 'zone-b');
      world.outage.begin('zone-b');
      const began = world.time.now;
      await until(world, 'another home', () => world.platform?.status?.homeZone !== 'zone-b');
      assert.ok(world.time.now - began < 20_000, `${world.time.now - began} ms`);
      await pass(world, 30);
      const [made] = emergencies(world);
      assert.deepEqual([made?.spec.fromZone, made?.status?.phase], ['zone-b', 'Succeeded']);
      const { phase, cause } = drillOf(world)?.status ?? {};
      assert.deepEqual([phase, cause], ['Failed', 'HomeLost']);
      world.outage.end('zone-b');
      await pass(world, 120);
      const home = world.platform?.status?.homeZone;
      assert.deepEqual([world.etcd.writers(), isReady(world), said(world)], [[home], true, 'True Watching']);
      assert.deepEqual(world.violations, []);
    });
});
