import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EMERGENCY_PATIENCE } from './back.ts';
import { HEARD, zoneOf } from './gates.ts';
import { LEADERS_PATIENCE } from './leaders.ts';
import { ARRIVAL, nextStep, PREFLIGHT_PATIENCE, STEADY } from './machine.ts';
import { HOMELESS_PATIENCE } from './move.ts';
import type { FailoverWish, Observed, ZoneSight } from './observed.ts';
import { BEGIN, isOver, NEXT_PHASES, type FailoverState, type Phase } from './state.ts';
import { Model, wishFor } from './testing/model.ts';

/** A failover on a model, one look after the other. */
class Run {
  readonly model = new Model();
  state: FailoverState = BEGIN;
  wish: FailoverWish;

  constructor(spec: Partial<FailoverWish['spec']> = {}) {
    this.wish = wishFor(spec);
  }

  /** One look: saves, then acts. */
  look(): void {
    const step = nextStep(this.wish, this.state, this.model.observe());
    this.state = step.state;
    this.model.performAll(step.acts);
  }

  /** Looks until `done`, at most so often; each look takes 200 ms. */
  until(done: (state: FailoverState) => boolean, looks = 2_000): this {
    for (let n = 0; n < looks && !done(this.state); n += 1) {
      this.look();
      this.model.tick();
    }
    assert.ok(done(this.state), `it stays in ${this.state.phase}/${this.state.step}: ${this.state.message}`);
    return this;
  }

  to(phase: Phase): this {
    return this.until((state) => state.phase === phase);
  }

  end(): this {
    return this.until(({ phase }) => isOver(phase));
  }

  get phases(): string[] {
    return this.state.phases.map(({ name, step }) => (step === undefined ? name : `${name}/${step}`));
  }

  /** Nothing of it is left. */
  assertGivenBack(): void {
    // Kafka may be given its orders a moment after the end, once the Emergency that went first has ended too.
    const { emergency: _ended, emergencyZones: _left, ...seen } = this.model.change;
    this.model.change = seen;
    this.until(({ orders }) => orders.length === 0);
    for (const { partition, leader, replicas } of this.model.partitions) {
      const first = 1 + (partition % 3);
      assert.deepEqual([leader, replicas[0]], [first, first]);
    }
    assert.deepEqual(this.model.violations, []);
    assert.deepEqual(this.model.away, []);
    assert.equal(this.state.holds, false);
    for (const { pods } of this.model.zones) {
      assert.ok(pods.every(({ outBy, told }) => outBy === undefined && told === undefined));
    }
  }
}

function change(run: Run, seen: Partial<Observed>): Run {
  run.model.change = seen;
  return run;
}

describe('a drill', () => {
  it('moves the clients and the home away, and brings the home and the gateways back', () => {
    const run = new Run().end();
    assert.equal(run.state.phase, 'Succeeded');
    assert.deepEqual(run.phases, [
      'Preflight',
      'Prepare',
      'Drain',
      'Fence',
      'Promote',
      'Shift',
      'Verify',
      'Hold',
      'Restore/CatchUp',
      'Restore/Fence',
      'Restore/Promote',
      'Restore/Shift',
      'Restore/GiveBack',
    ]);
    assert.deepEqual([run.model.home, run.model.epoch], ['zone-a', 3]);
    assert.deepEqual(run.model.writers(), ['zone-a']);
    run.assertGivenBack();
    const { connectionsAtStart, connectionsMoved, replicationLag, redisLag, homelessMs, recovery } =
      run.state.figures;
    assert.deepEqual([connectionsAtStart, connectionsMoved, replicationLag, redisLag], [200, 200, 0, 0]);
    assert.ok(homelessMs !== undefined && homelessMs > 0 && homelessMs < 3_000, `${homelessMs}`);
    assert.match(recovery ?? '', /^\d+\.\ds$/);
  });

  it('of a zone that is not home moves no home', () => {
    const run = new Run({ fromZone: 'zone-b' });
    run.model.change = {};
    run.end();
    assert.deepEqual(run.phases, ['Preflight', 'Prepare', 'Drain', 'Verify', 'Hold', 'Restore/GiveBack']);
    assert.deepEqual([run.model.home, run.model.epoch], ['zone-a', 1]);
  });

  it('makes room first: no client is sent away before the others have their gateways', () => {
    const run = new Run().to('Drain');
    assert.deepEqual(run.model.away, [{ zone: 'zone-a', failover: 'drill', replicas: 3 }]);
    assert.deepEqual(
      run.model.zones.map(({ pods }) => pods.length),
      [2, 3, 3],
    );
    assert.ok(!run.model.done.some(({ act }) => act === 'drain' || act === 'outOfService'));
  });

  it('takes the zone out of the front Service before it sends clients away, at the rate of the platform', () => {
    const run = new Run().to('Fence');
    const acts = run.model.done.map(({ act }) => act);
    assert.ok(acts.indexOf('outOfService') < acts.indexOf('drain'));
    const told = run.model.done.find((act) => act.act === 'drain');
    assert.deepEqual(told?.act === 'drain' && told.pods.map(({ perSecond }) => perSecond), [50, 50]);
    assert.ok((run.state.figures.drainMs ?? 0) >= 1_800, '100 clients at 50 a second');
  });

  it('gives the clients that it sent away last time to be somewhere else before nobody has a home', () => {
    const run = new Run().to('Drain').until(({ figures }) => figures.drainMs !== undefined);
    const drained = run.model.now;
    run.to('Fence');
    assert.ok(run.model.now - drained >= ARRIVAL && run.model.now - drained < ARRIVAL + 1_000);
    assert.equal(run.state.phases.find(({ name }) => name === 'Drain')?.gate, 'Arrived');
    const urgent = new Run({ mode: 'Emergency' }).to('Fence');
    assert.ok(!urgent.state.phases.some(({ gate }) => gate === 'Arrived'));
  });

  it('is held as long as it says', () => {
    const run = new Run({ drill: { holdFor: '7s' } }).to('Hold');
    const began = run.model.now;
    run.to('Restore');
    assert.ok(run.model.now - began >= 7_000 && run.model.now - began < 9_500);
  });

  it('tells a gateway again that does not do what it was told: its kubelet lost the word', () => {
    const run = new Run();
    const [pod] = run.model.zone('zone-a').pods;
    assert.ok(pod);
    pod.deaf = 2;
    run.to('Drain');
    const began = run.model.now;
    run.to('Fence');
    const words = run.model.done.filter(({ act }) => act === 'drain').length;
    assert.equal(words, 3, 'twice in vain');
    assert.ok(run.model.now - began < 2 * HEARD + 10_000, `${run.model.now - began} ms`);
    pod.deaf = 1;
    run.end();
    assert.deepEqual(
      [run.state.phase, pod.outBy, pod.told, pod.lost],
      ['Succeeded', undefined, undefined, undefined],
    );
    assert.equal(run.model.done.filter(({ act }) => act === 'intoService').length, 2);
  });

  it('leaves a gateway to the person who empties it', () => {
    const run = new Run();
    const [own] = run.model.zone('zone-a').pods;
    assert.ok(own);
    own.told = 7;
    run.end();
    assert.deepEqual([run.state.phase, own.told, own.outBy], ['Succeeded', 7, undefined]);
  });

  for (const phase of ['Verify', 'Hold'] as const)
    for (const pause of [false, true])
      it(`keeps a gateway empty that starts in the zone meanwhile, in ${phase}${pause ? ', paused' : ''}`, () => {
        const run = new Run().to(phase);
        run.wish = { ...run.wish, spec: { ...run.wish.spec, pause } };
        // Something else is still waited for.
        run.model.zone('zone-b').ready = 0;
        run.model.zone('zone-a').pods.push({ name: 'zone-a-new', connections: 1, sent: 0 });
        run.look();
        run.look();
        const pod = run.model.zone('zone-a').pods.at(-1);
        assert.equal(run.state.phase, phase);
        assert.deepEqual([pod?.outBy, typeof pod?.told], ['drill', 'number']);
      });

  it('has a Redis follow again that forgot whom it follows while the drill is held', () => {
    const run = new Run().to('Hold');
    for (const name of ['zone-a', 'zone-c'])
      Object.assign(run.model.zone(name).redis, { primary: true, follows: undefined });
    run.look();
    assert.equal(run.state.phase, 'Hold');
    for (const name of ['zone-a', 'zone-c']) assert.equal(run.model.zone(name).redis.follows, 'zone-b');
  });
});

describe('a planned move', () => {
  it('stays where it went, and lets the zone serve again', () => {
    const run = new Run({ mode: 'Planned', toHome: 'zone-c' }).end();
    assert.equal(run.state.phase, 'Succeeded');
    assert.deepEqual(run.phases.slice(-2), ['Verify', 'Restore/GiveBack']);
    assert.deepEqual([run.model.home, run.model.epoch, run.model.writers()], ['zone-c', 2, ['zone-c']]);
    assert.match(run.state.message, /The home is in zone-c now/);
    run.assertGivenBack();
  });
});

describe('an emergency', () => {
  it('does not wait for a zone that is gone, and gives it back when it follows', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    const began = run.model.now;
    run.end();
    assert.equal(run.state.phase, 'Succeeded');
    assert.ok(run.model.now - began < 6_000, `${run.model.now - began} ms`);
    assert.deepEqual([run.model.home, run.model.writers()], ['zone-b', ['zone-b']]);
    assert.equal(run.state.holds, true, 'the zone is not back yet');

    run.model.revive('zone-a');
    run.model.zone('zone-a').etcd.writable = true;
    run.until(({ holds }) => !holds);
    assert.equal(run.state.phase, 'Succeeded');
    assert.deepEqual(run.model.writers(), ['zone-b'], 'the old home is fenced');
    assert.equal(run.model.zone('zone-a').redis.follows, 'zone-b');
    run.assertGivenBack();
  });

  it('does not give a zone back that Kubernetes has not heard yet to be gone', () => {
    const run = new Run({ mode: 'Emergency', fromZone: 'zone-c' });
    run.model.kill('zone-c');
    const seen = (): Observed['zones'] =>
      run.model
        .observe()
        .zones.map((zone) => (zone.name === 'zone-c' ? { ...zone, nodes: 1, ready: 2 } : zone));
    for (let n = 0; n < 60; n += 1) {
      run.model.change = {};
      run.model.change = { zones: seen() };
      run.look();
      run.model.tick();
    }
    assert.deepEqual([run.state.phase, run.state.holds], ['Succeeded', true]);
    assert.match(run.state.message, /no gateway of it answers/);
  });

  it('that nobody asked for lets the zone serve once it has been back for a while without a break', () => {
    const run = new Run({ mode: 'Emergency' });
    run.wish = { ...run.wish, automatic: true };
    run.model.kill('zone-a');
    run.end();
    const wait = (ms: number): void => {
      for (let left = ms; left > 0; left -= 200) {
        run.look();
        run.model.tick();
      }
    };
    for (let times = 0; times < 3; times += 1) {
      run.model.revive('zone-a');
      wait(STEADY - 5_000);
      assert.equal(run.state.holds, true);
      assert.deepEqual(run.model.zone('zone-a').redis.follows, 'zone-b', 'it follows at once');
      run.model.kill('zone-a');
      wait(1_000);
      assert.equal(run.state.backSince, undefined);
    }
    run.model.revive('zone-a');
    const began = run.model.now;
    run.until(({ holds }) => !holds);
    assert.ok(run.model.now - began >= STEADY);
    run.assertGivenBack();
  });

  it('fences an old home that still answers, and loses nothing of it', () => {
    const run = new Run({ mode: 'Emergency' }).end();
    assert.equal(run.state.figures.replicationLag, 0);
    assert.deepEqual(run.model.writers(), ['zone-b']);
  });

  it('takes another home when the next one dies on the way', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    run.to('Promote');
    run.model.kill('zone-b');
    run.end();
    assert.equal(run.state.phase, 'Succeeded');
    assert.deepEqual([run.state.home?.to, run.model.home], ['zone-c', 'zone-c']);
    assert.deepEqual(run.model.violations, []);
  });

  describe('whose next home took the promotion, and whose answer was lost', () => {
    /** zone-b takes writes, nobody heard of it, and zone-c is to be home instead. */
    const retargeted = (): Run => {
      const run = new Run({ mode: 'Emergency' });
      run.model.kill('zone-a');
      run.to('Promote');
      run.model.silence('zone-b');
      run.until(({ home }) => home?.to === 'zone-c');
      assert.deepEqual(run.model.writers(), ['zone-b']);
      return run;
    };

    it('promotes nobody else while that one may run, and says so', () => {
      const run = retargeted();
      for (let n = 0; n < 50; n += 1) {
        run.look();
        run.model.tick();
      }
      assert.equal(run.state.phase, 'Promote');
      assert.match(run.state.message, /The etcd of zone-b may take writes, and does not answer/);
      assert.deepEqual([run.model.writers(), run.model.violations], [['zone-b'], []]);
    });

    it('fences it under the new epoch once it answers, and then goes on', () => {
      const run = retargeted();
      run.model.revive('zone-b');
      run.end();
      assert.deepEqual([run.state.phase, run.model.writers()], ['Succeeded', ['zone-c']]);
      assert.ok(run.model.zone('zone-b').etcd.fenced);
      assert.deepEqual(run.model.violations, []);
    });

    it('goes on once it is gone', () => {
      const run = retargeted();
      run.model.kill('zone-b');
      run.end();
      assert.deepEqual([run.state.phase, run.model.writers()], ['Succeeded', ['zone-c']]);
    });
  });

  it('takes another home when the next one answers, and does not take the promotion', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    run.model.zone('zone-b').stubborn = true;
    run.end();
    assert.deepEqual([run.state.phase, run.model.writers()], ['Succeeded', ['zone-c']]);
    assert.ok(run.model.zone('zone-b').etcd.fenced, 'a promotion of it that is late is worth nothing');
    assert.deepEqual(run.model.violations, []);
  });

  describe('that is out of time before it has a home', () => {
    /** zone-b may have taken the promotion, and is silent until after the time-out. */
    const late = (): Run => {
      const run = new Run({ mode: 'Emergency' });
      run.model.kill('zone-a');
      run.to('Promote');
      run.model.silence('zone-b');
      run.until(({ home }) => home?.to === 'zone-c');
      const began = run.model.now;
      return run.until(() => run.model.now - began > 70_000);
    };

    it('does not go back to the home that is gone, while another one is there', () => {
      const run = late();
      assert.equal(run.state.phase, 'Promote');
      run.model.kill('zone-b');
      run.end();
      assert.deepEqual([run.state.phase, run.model.writers()], ['Succeeded', ['zone-c']]);
    });

    it('goes back to one that answers again', () => {
      const run = late();
      run.model.revive('zone-a');
      run.until(({ phase }) => phase === 'RollingBack');
      run.model.revive('zone-b');
      run.end();
      assert.deepEqual([run.state.phase, run.model.writers()], ['RolledBack', ['zone-a']]);
      assert.deepEqual(run.model.violations, []);
    });

    it('ends once its next home is named and goes before it takes all writes: another Emergency may then begin', () => {
      const run = new Run({ mode: 'Emergency' });
      run.model.kill('zone-a');
      run.until(({ phase }) => phase === 'Promote' && run.model.home === 'zone-b');
      run.model.kill('zone-b');
      run.model.zone('zone-b').redis.primary = false;
      run.end();
      assert.deepEqual([run.state.phase, run.state.cause, run.state.moved], ['Failed', 'TimedOut', true]);
      assert.match(run.state.message, /in Promote, The etcd of zone-b does not answer/);
    });

    it('ends all the same after as long again, and says that nobody takes writes', () => {
      const run = late().end();
      assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeFenced']);
    });
  });

  it('guards the next home before it is over: that zone may be cut off as well', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    run.end();
    assert.equal(run.model.zone('zone-b').redis.guarded, true);
    const alone = new Run({ mode: 'Emergency' });
    alone.model.kill('zone-a');
    alone.to('Verify');
    alone.model.kill('zone-c');
    alone.end();
    assert.ok(!alone.model.zone('zone-b').redis.guarded, 'it would take no writes at all');
  });

  for (const [phase, pause] of [
    ['Shift', false],
    ['Verify', false],
    ['Verify', true],
  ] as const)
    it(`tells the old home that comes back in ${phase} at once${pause ? ', paused' : ''}`, () => {
      const run = new Run({ mode: 'Emergency' });
      run.model.kill('zone-a');
      run.to(phase);
      run.wish = { ...run.wish, spec: { ...run.wish.spec, pause } };
      // Something else is still waited for.
      run.model.silence('zone-c');
      Object.assign(run.model.services, phase === 'Shift' ? { redis: 'zone-a' } : {});
      run.model.zone('zone-b').ready = 0;
      run.model.revive('zone-a');
      run.model.zone('zone-a').etcd.writable = true;
      run.look();
      assert.equal(run.state.phase, phase);
      assert.deepEqual(run.model.writers(), ['zone-b']);
      assert.equal(run.model.zone('zone-a').redis.follows, 'zone-b');
    });

  it('looks often while only a part of the old home answers again, until all of it has been told', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    run.end();
    const lookAfter = (etcd?: ZoneSight['etcd'], redis?: ZoneSight['redis']): number | undefined => {
      const seen = run.model.observe();
      const zones = seen.zones.map((zone) => (zone.name === 'zone-a' ? { ...zone, etcd, redis } : zone));
      return nextStep(run.wish, run.state, { ...seen, zones }).lookAfter;
    };
    const { etcd, redis } = zoneOf(run.model.observe(), 'zone-b') ?? {};
    assert.equal(lookAfter(), 1_000, 'nothing of it answers');
    assert.equal(lookAfter(undefined, redis), 200, 'its Redis does');
    assert.equal(lookAfter(etcd && { ...etcd, epoch: 1 }, redis), 200, 'its etcd is not fenced');
    const follows = redis && ({ ...redis, role: 'replica', follows: 'zone-b' } as const);
    assert.equal(lookAfter(etcd, follows), 1_000, 'it is told, and its nodes are not ready yet');
  });

  it('goes back to an old home that was away when it was out of time, once that follows', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    run.to('Verify');
    run.model.change = { services: { redis: 'zone-a', etcd: 'zone-a' } };
    run.until(() => run.model.now - (run.state.startedAt ?? 0) > 58_000);
    run.model.revive('zone-a');
    run.until(({ phase }) => phase === 'RollingBack');
    run.model.change = {};
    assert.equal(run.state.step, 'CatchUp');
    run.end();
    assert.deepEqual([run.state.phase, run.model.writers()], ['RolledBack', ['zone-a']]);
    assert.deepEqual(run.model.violations, []);
  });

  it('fences a third zone that an earlier try left writing', () => {
    const run = new Run({ mode: 'Emergency', toHome: 'zone-b' });
    run.model.kill('zone-a');
    Object.assign(run.model.zone('zone-c').etcd, { epoch: 2, writable: true });
    run.end();
    assert.deepEqual([run.state.phase, run.model.writers()], ['Succeeded', ['zone-b']]);
    assert.deepEqual(run.model.violations, []);
  });

  it('leaves the followers of a home that never moved as they are', () => {
    const run = new Run({ mode: 'Emergency' }).end();
    const fenced = run.model.done.flatMap((act) => (act.act === 'fenceEtcd' ? [act.zone] : []));
    assert.deepEqual(fenced, ['zone-a']);
  });

  it('tells a Redis to follow that did not answer when the home moved', () => {
    const run = new Run({ mode: 'Emergency', toHome: 'zone-b' });
    run.model.kill('zone-a');
    run.to('Shift');
    const zones = run.model
      .observe()
      .zones.map((zone) => (zone.name === 'zone-c' ? { ...zone, redis: undefined } : zone));
    run.model.change = { zones };
    run.look();
    run.model.change = {};
    run.end();
    assert.equal(run.model.zone('zone-c').redis.follows, 'zone-b');
    assert.equal(run.state.phase, 'Succeeded');
  });

  it('does not wait for a rotation', () => {
    change(new Run({ mode: 'Emergency' }), { rotation: true }).end();
  });
});

describe('before it begins', () => {
  const waits = (seen: Partial<Observed>, gate: RegExp, spec: Partial<FailoverWish['spec']> = {}): void => {
    const run = change(new Run(spec), seen);
    for (let n = 0; n < 10; n += 1) run.look();
    assert.equal(run.state.phase, 'Queued');
    assert.match(run.state.message, gate);
    assert.deepEqual(run.model.done, []);
  };
  it('waits for the failover before it', () => waits({ ahead: 'other' }, /ZoneFailover other goes first/));
  it('waits for a rotation', () => waits({ rotation: true }, /rotation is under way/));

  const refuses = (run: Run, cause: string, message: RegExp): void => {
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause], ['Failed', cause]);
    assert.match(run.state.message, message);
    assert.deepEqual(
      run.model.done.filter(({ act }) => act !== 'claim'),
      [],
    );
  };
  it('refuses a zone that there is not', () =>
    refuses(
      new Run({ fromZone: 'zone-x' }),
      'UnknownZone',
      /fromZone zone-x is no zone of the platform: zone-a,/,
    ));
  it('refuses a home that there is not', () =>
    refuses(new Run({ toHome: 'zone-x' }), 'UnknownZone', /toHome zone-x/));
  it('refuses a platform that is paused', () =>
    refuses(change(new Run(), { platformPaused: true }), 'PlatformActive', /paused/));
  it('refuses when partitions of Kafka do not outlive the zone', () =>
    refuses(
      change(new Run(), {
        kafka: { atRisk: ['orders.chat/0', 'orders.chat/1'], led: 0, racks: new Map(), partitions: [] },
      }),
      'KafkaSurvives',
      /partition orders\.chat\/0 and 1 more would have fewer in-sync replicas than min\.insync\.replicas\.$/,
    ));
  it('names the brokers that do not say where they are when it refuses for Kafka', () => {
    const racks = new Map([
      [1, 'zone-a'],
      [12, undefined],
      [3, undefined],
    ] as const);
    refuses(
      change(new Run(), { kafka: { atRisk: ['orders.chat/0'], led: 0, racks, partitions: [] } }),
      'KafkaSurvives',
      /min\.insync\.replicas\. Not counted, since they do not say where they are \(broker\.rack\): brokers 3, 12\.$/,
    );
  });
  it('refuses when Kafka cannot be asked', () =>
    refuses(change(new Run(), { kafka: undefined }), 'KafkaSurvives', /cannot be asked/));
  const limited = {
    limits: { timeout: '60s', maxReplicationLag: 100, minReadyPerZone: 1, maxMirrorLag: 50 },
  };
  it('refuses when the mirror of Kafka is too far behind, and keeps the figure', () => {
    const run = change(new Run(limited), { mirror: { lag: 51 } });
    refuses(run, 'MirrorLag', /behind by 51 offsets; 50 are allowed/);
    assert.equal(run.state.figures.mirrorLag, 51);
  });
  it('refuses when a limit is set, and nobody knows how far the mirror is', () => {
    const unknown = { lag: undefined, unknown: 'orders.chat/3 has no copy' };
    refuses(
      change(new Run(limited), { mirror: unknown }),
      'MirrorLag',
      /unknown: orders\.chat\/3 has no copy/,
    );
    refuses(change(new Run(limited), { mirror: { lag: undefined } }), 'MirrorLag', /cannot be asked/);
    refuses(new Run(limited), 'MirrorLag', /has no kafka\.mirror/);
  });
  it('goes on with a mirror within its limit, and with any where none is set', () => {
    const within = change(new Run(limited), { mirror: { lag: 50 } }).to('Prepare');
    assert.equal(within.state.figures.mirrorLag, 50);
    const free = change(new Run(), { mirror: { lag: 1_000_000 } }).to('Prepare');
    assert.equal(free.state.figures.mirrorLag, 1_000_000);
    const unknown = change(new Run(), { mirror: { lag: undefined } }).to('Prepare');
    assert.ok(!('mirrorLag' in unknown.state.figures));
  });
  it('does not hold up an Emergency for the mirror', () => {
    change(new Run({ ...limited, mode: 'Emergency' }), { mirror: { lag: 51 } }).to('Promote');
  });
  it('refuses when the others have no room', () =>
    refuses(
      change(new Run(), { connectionsPerReplica: 90 }),
      'Capacity',
      /room for 540 clients, and there are 600/,
    ));
  it('refuses when the next home is too far behind', () => {
    const run = new Run({ toHome: 'zone-b' });
    const [a, b, c] = run.model.observe().zones;
    assert.ok(a && b?.etcd && c);
    change(run, { zones: [a, { ...b, etcd: { ...b.etcd, behind: 101 } }, c] });
    refuses(run, 'ReplicationLag', /zone-b is behind by 101 revisions; 100 are allowed/);
  });
  it('refuses when another zone has too few gateways', () => {
    const run = new Run();
    const [a, b, c] = run.model.observe().zones;
    assert.ok(a && b && c);
    change(run, { zones: [a, b, { ...c, ready: 0 }] });
    refuses(run, 'GatewaysReady', /zone-c has 0/);
  });

  it('gives what may come right its time', () => {
    const run = change(new Run(), { kafka: undefined });
    run.to('Preflight');
    const began = run.model.now;
    run.end();
    assert.ok(run.model.now - began >= PREFLIGHT_PATIENCE - 400);
    change(new Run(), {}).end();
  });

  it('chooses the home that is least behind', () => {
    const run = new Run();
    const [a, b, c] = run.model.observe().zones;
    assert.ok(a && b?.etcd && c?.etcd);
    change(run, {
      zones: [
        a,
        { ...b, etcd: { ...b.etcd, holds: { epoch: 1, revision: 43 } } },
        { ...c, etcd: { ...c.etcd, holds: { epoch: 1, revision: 47 } } },
      ],
    });
    run.to('Prepare');
    assert.equal(run.state.home?.to, 'zone-c');
  });
});

describe('an abort', () => {
  const abortIn = (phase: Phase, spec: Partial<FailoverWish['spec']> = {}): Run => {
    const run = new Run(spec).to(phase);
    run.wish = { ...run.wish, spec: { ...run.wish.spec, abort: true } };
    return run.end();
  };

  for (const phase of ['Queued', 'Preflight'] as const)
    it(`in ${phase} ends it at once`, () => {
      const run = abortIn(phase);
      assert.equal(run.state.phase, 'RolledBack');
      run.assertGivenBack();
    });

  for (const phase of ['Prepare', 'Drain'] as const)
    it(`in ${phase} gives back what was taken`, () => {
      const run = abortIn(phase);
      assert.deepEqual([run.state.phase, run.state.cause], ['RolledBack', 'Aborted']);
      assert.equal(run.phases.at(-1), 'RollingBack/GiveBack');
      assert.deepEqual([run.model.home, run.model.epoch], ['zone-a', 1]);
      run.assertGivenBack();
    });

  it('in Fence lets the old home take writes again, under a higher epoch', () => {
    const run = new Run().to('Fence');
    run.look();
    run.model.tick();
    assert.deepEqual(run.model.writers(), []);
    run.wish = { ...run.wish, spec: { ...run.wish.spec, abort: true } };
    run.end();
    assert.deepEqual(run.phases.slice(-2), ['RollingBack/Lift', 'RollingBack/GiveBack']);
    assert.deepEqual([run.model.home, run.model.epoch, run.model.writers()], ['zone-a', 3, ['zone-a']]);
    run.assertGivenBack();
  });

  for (const phase of ['Promote', 'Shift', 'Verify', 'Hold'] as const)
    it(`in ${phase} moves the home back once it has arrived`, () => {
      const run = abortIn(phase);
      assert.equal(run.state.phase, 'RolledBack');
      assert.ok(run.phases.includes('RollingBack/CatchUp'), run.phases.join(' '));
      assert.deepEqual([run.model.home, run.model.writers()], ['zone-a', ['zone-a']]);
      run.assertGivenBack();
    });

  it('cannot take back an emergency to a zone that is gone', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    run.to('Promote');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, abort: true } };
    run.end();
    assert.deepEqual([run.state.phase, run.model.home], ['Succeeded', 'zone-b']);
  });

  it('comes by itself when an emergency waits', () => {
    const run = new Run().to('Hold');
    run.model.change = { emergency: 'fire' };
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause], ['RolledBack', 'Emergency']);
    assert.match(run.state.message, /fire is an Emergency, and goes first/);
  });
});

describe('a pause', () => {
  it('stops it where that is safe, and does not count for the time-out', () => {
    const run = new Run().to('Drain');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
    for (let n = 0; n < 400; n += 1) {
      run.look();
      run.model.tick(1_000);
    }
    assert.equal(run.state.phase, 'Drain');
    assert.match(run.state.message, /paused/);
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: false } };
    run.end();
    assert.equal(run.state.phase, 'Succeeded');
    assert.ok(
      Number.parseFloat(run.state.figures.recovery ?? '') < 60,
      run.state.figures.recovery ?? 'no figure',
    );
  });

  it('does not stop a home that is on its way', () => {
    const run = new Run().to('Fence');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
    run.to('Verify');
    run.look();
    assert.match(run.state.message, /paused/);
  });

  for (const step of ['Fence', 'Promote', 'Shift'] as const)
    it(`does not stop a home that is on its way back, in ${step}`, () => {
      const run = new Run().until(({ phase, step: at }) => phase === 'Restore' && at === step);
      run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
      run.until(({ step: at }) => at === 'GiveBack', 50).look();
      assert.match(run.state.message, /paused/);
      assert.deepEqual(run.model.writers(), ['zone-a']);
    });

  it('in Restore tells the old home that comes back', () => {
    const run = new Run().until(({ step }) => step === 'CatchUp');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
    run.model.zone('zone-a').redis = { primary: true, fenced: false, follows: undefined, offset: 0 };
    run.look();
    assert.match(run.state.message, /paused/);
    assert.equal(run.model.zone('zone-a').redis.follows, 'zone-b');
  });

  it('stops no clock where it stops nothing: an Emergency that finds no home ends all the same', () => {
    const run = new Run({ mode: 'Emergency' });
    run.model.kill('zone-a');
    run.to('Promote');
    run.model.kill('zone-b');
    run.model.kill('zone-c');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeFenced']);
    assert.deepEqual([run.state.pausedSince, run.state.pausedMs], [undefined, 0]);
  });

  it('ends with what it stopped, and is told with its length', () => {
    for (const phase of ['Queued', 'Preflight', 'Drain'] as const) {
      const run = new Run().to(phase);
      run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
      for (let n = 0; n < 10; n += 1) {
        run.look();
        run.model.tick(1_000);
      }
      assert.notEqual(run.state.pausedSince, undefined);
      run.wish = { ...run.wish, spec: { ...run.wish.spec, abort: true } };
      run.end();
      assert.deepEqual([run.state.pausedSince, run.state.pausedMs], [undefined, 10_000]);
    }
  });

  it('does not keep a home fenced that the way back could not leave', () => {
    const run = new Run().until(({ phase, step }) => phase === 'Restore' && step === 'Fence');
    run.model.kill('zone-a');
    run.until(({ step }) => step === 'Lift');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
    run.until(({ step }) => step === 'GiveBack', 50);
    assert.deepEqual(run.model.writers(), ['zone-b']);
  });

  it('of a drill that goes back does not hold up an Emergency', () => {
    const run = new Run().until(({ step }) => step === 'CatchUp');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true } };
    run.look();
    assert.match(run.state.message, /paused/);
    change(run, { emergency: 'fire' }).end();
    assert.equal(run.state.phase, 'Succeeded');
  });

  it('can be aborted', () => {
    const run = new Run().to('Drain');
    run.wish = { ...run.wish, spec: { ...run.wish.spec, pause: true, abort: true } };
    run.end();
    assert.equal(run.state.phase, 'RolledBack');
  });
});

describe("Kafka's leaders", () => {
  const led = (run: Run): number => run.model.partitions.filter(({ leader }) => leader === 1).length;

  it('leave once the other zones have their gateways, however long these take', () => {
    const run = new Run().to('Prepare');
    change(run, { zones: run.model.observe().zones.map((zone) => ({ ...zone, ready: 0 })) });
    const since = run.model.now;
    run.until(() => run.model.now - since > 2 * LEADERS_PATIENCE);
    assert.equal(run.state.phases.at(-1)?.gate, 'CapacityReady');
    assert.deepEqual([led(run), run.state.figures.capacityMs], [2, undefined]);
    change(run, {}).to('Drain');
    assert.equal(led(run), 0);
    assert.ok((run.state.figures.capacityMs ?? 0) > 2 * LEADERS_PATIENCE);
  });

  it('leave the zone before its clients do, stay away while it is held, and come back', () => {
    const run = new Run().to('Drain');
    assert.deepEqual([led(run), run.state.figures.leadersMoved], [0, 2]);
    assert.ok(!run.model.done.some(({ act }) => act === 'drain'));
    run.to('Restore');
    assert.equal(led(run), 0);
    run.end();
    assert.deepEqual([led(run), run.state.orders], [2, []]);
  });

  it('are in the status before Kafka is told, and come back after an operator that died in between', () => {
    const run = new Run().until(({ orders }) => orders.length > 0);
    assert.ok(run.model.done.some(({ act }) => act === 'orderReplicas'));
    const died = new Run();
    for (let n = 0; died.state.orders.length === 0; n += 1) {
      const step = nextStep(died.wish, died.state, died.model.observe());
      died.state = step.state;
      if (step.state.orders.length === 0) died.model.performAll(step.acts);
      died.model.tick();
    }
    died.wish = { ...died.wish, spec: { ...died.wish.spec, abort: true } };
    died.end();
    assert.ok(!died.model.done.some(({ act }) => act === 'orderReplicas' || act === 'electLeaders'));
    died.assertGivenBack();
  });

  it('stay where Kafka cannot move them: it goes on after a while, and says so', () => {
    const run = new Run().to('Prepare');
    run.model.partitions = run.model.partitions.map((one) => ({ ...one, settled: false }));
    const since = run.model.now;
    run.to('Drain');
    assert.ok(run.model.now - since >= LEADERS_PATIENCE);
    assert.match(run.state.message, /2 Kafka partitions are still led from zone-a/);
    assert.deepEqual([led(run), run.state.figures.leadersMoved], [2, 0]);
    assert.equal(run.state.phases.find(({ name }) => name === 'Prepare')?.gate, 'LeadersMoved');
  });

  it('are not waited for when Kafka does not answer any more', () => {
    const run = new Run().to('Prepare');
    change(run, { kafka: undefined }).end();
    assert.deepEqual([run.state.phase, run.state.figures.leadersMoved], ['Succeeded', 0]);
  });

  it('are not moved by an Emergency', () => {
    const run = new Run({ mode: 'Emergency' }).end();
    assert.deepEqual([led(run), run.state.orders], [2, []]);
  });

  it('come back after its end when an Emergency goes first, and a deletion waits for them no longer than the time-out', () => {
    const run = new Run().to('Drain');
    change(run, { emergency: 'gone' }).end();
    assert.deepEqual([run.state.cause, run.state.holds, led(run)], ['Emergency', true, 0]);
    run.wish = { ...run.wish, deleted: true };
    run.until(({ holds }) => !holds);
    const waited = run.model.now - (run.state.finishedAt ?? 0);
    assert.ok(waited >= 60_000 && waited < 61_000, `${waited}`);
    assert.equal(led(run), 0);
  });
});

describe('a zone that goes in the middle', () => {
  it('the next home, before it was promoted: the old one takes writes again', () => {
    const run = new Run({ toHome: 'zone-b' }).to('Fence');
    run.model.kill('zone-b');
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause], ['RolledBack', 'TimedOut']);
    assert.deepEqual([run.model.home, run.model.writers()], ['zone-a', ['zone-a']]);
    run.assertGivenBack();
  });

  for (const phase of ['Fence', 'Promote'] as const)
    it(`the next home in ${phase}: nobody waits for it as long as the failover may take, since nobody takes writes`, () => {
      const limits = { timeout: '24h', maxReplicationLag: 100, minReadyPerZone: 1 };
      const run = new Run({ toHome: 'zone-b', limits }).to(phase);
      const began = run.model.now;
      run.model.kill('zone-b');
      run.until(() => run.model.writers().length === 0).until(() => run.model.writers().length > 0);
      const waited = run.model.now - began;
      assert.ok(waited > HOMELESS_PATIENCE - 1_000 && waited < HOMELESS_PATIENCE + 2_000, `${waited}`);
      run.end();
      assert.deepEqual([run.state.phase, run.state.cause], ['RolledBack', 'TimedOut']);
      assert.match(run.state.message, new RegExp(`did not come through ${phase} in 15 s, .*zone-b`));
      assert.deepEqual([run.model.home, run.model.writers()], ['zone-a', ['zone-a']]);
      run.assertGivenBack();
    });

  for (const step of ['Fence', 'Promote'] as const)
    it(`the zone that the home comes back to in ${step}: the home stays where it is, and takes writes again soon`, () => {
      const limits = { timeout: '24h', maxReplicationLag: 100, minReadyPerZone: 1 };
      const run = new Run({ limits }).until(({ phase, step: at }) => phase === 'Restore' && at === step);
      const began = run.model.now;
      run.model.kill('zone-a');
      run.until(() => run.model.writers().length === 0).until(() => run.model.writers().length > 0);
      assert.ok(run.model.now - began < HOMELESS_PATIENCE + 2_000, `${run.model.now - began}`);
      assert.deepEqual([run.model.home, run.model.writers()], ['zone-b', ['zone-b']]);
      run.end();
      assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeStays']);
      assert.deepEqual(run.model.violations, []);
    });

  it('nobody but the operator, for long: it goes on, not back', () => {
    const run = new Run({ toHome: 'zone-b' }).to('Fence');
    run.look();
    run.model.tick(HOMELESS_PATIENCE);
    run.end();
    assert.equal(run.state.phase, 'Succeeded');
  });

  it('the zone that the home came back to, before it takes all writes: the end says that an Emergency is needed', () => {
    const run = new Run().until(({ step }) => step === 'Promote');
    run.until(() => run.model.home === 'zone-a');
    run.model.kill('zone-a');
    run.model.zone('zone-a').redis.primary = false;
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause, run.state.moved], ['Failed', 'HomeLost', false]);
    assert.match(
      run.state.message,
      /The etcd of zone-a does not answer. An Emergency for zone-a moves the home on/,
    );
  });

  for (const step of ['CatchUp', 'Fence', 'Promote'] as const)
    it(`the zone that was left, out of spec.zones, up to ${step}: the home stays, and takes writes${step === 'CatchUp' ? ' all the time' : ' at once'}`, () => {
      const run = new Run({ drill: { holdFor: '24h' } }).to('Hold');
      if (step !== 'CatchUp') {
        run.wish = { ...run.wish, spec: { ...run.wish.spec, abort: true } };
        run.until((state) => state.step === step);
      }
      // A look has what the model has then; without that zone.
      const look = (): void => {
        run.model.change = {};
        run.model.change = { zones: run.model.observe().zones.filter(({ name }) => name !== 'zone-a') };
        run.look();
        run.model.tick();
      };
      run.wish = { ...run.wish, spec: { ...run.wish.spec, abort: true } };
      const began = run.model.now;
      while (!isOver(run.state.phase) && run.model.now - began < 60_000) {
        look();
        const since = run.model.now - began;
        if (step === 'CatchUp' || since > 1_500)
          assert.deepEqual(run.model.writers(), ['zone-b'], `after ${since} ms`);
      }
      assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeStays']);
      assert.match(run.state.message, /The home stays in zone-b: zone-a is no zone of the platform any more/);
    });

  it('the home, while the drill is held and nobody makes an Emergency: the end says that one is needed', () => {
    const run = new Run().to('Hold');
    run.model.kill('zone-b');
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeLost']);
    assert.match(run.state.message, /zone-b is home, and its etcd or Redis does not answer/);
  });

  it('the zone that was left, while the drill is held: the home stays, and that is said', () => {
    const run = new Run().to('Hold');
    run.model.kill('zone-a');
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeStays']);
    // Kafka's leaders are not sent to a zone that is away; how it ended stays said.
    for (let n = 0; n < 100; n += 1) run.look();
    assert.match(run.state.message, /The home stays in zone-b/);
    assert.deepEqual([run.model.home, run.model.writers()], ['zone-b', ['zone-b']]);
    assert.deepEqual([run.state.holds, run.state.orders.length], [true, 2]);
    run.model.revive('zone-a');
    run.assertGivenBack();
  });

  it('the old home right after it was fenced: the end says that an Emergency is needed', () => {
    const run = new Run().to('Fence');
    run.look();
    run.model.kill('zone-a');
    run.end();
    assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeFenced']);
    assert.match(run.state.message, /An Emergency for zone-a moves the home on/);
    assert.deepEqual(run.model.violations, []);
  });
});

describe('an Emergency that waits for a drill', () => {
  const limits = { timeout: '24h', maxReplicationLag: 100, minReadyPerZone: 1 };
  const forHome = { emergency: 'fire', emergencyZones: ['zone-b'] };
  const begun = (): Run => new Run({ toHome: 'zone-b', limits, drill: { holdFor: '24h' } });
  /** How long it takes to its end, milliseconds. */
  const endsIn = (run: Run): number => {
    const began = run.model.now;
    run.end();
    return run.model.now - began;
  };

  for (const phase of ['Shift', 'Verify', 'Hold'] as const)
    for (const gone of [['zone-b'], ['zone-a', 'zone-b']])
      it(`in ${phase} does so for a moment only when the home is gone${gone.length > 1 ? ', and the zone that was left' : ''}`, () => {
        const run = begun().to(phase);
        for (const name of gone) run.model.kill(name);
        // In Shift something is waited for that does not come.
        const services = { redis: 'zone-a', etcd: 'zone-a' };
        change(run, phase === 'Shift' ? { services } : {}).look();
        assert.equal(run.state.phase, phase);
        change(run, { ...run.model.change, ...forHome });
        assert.ok(endsIn(run) < 3_000);
        assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeLost']);
        assert.match(run.state.message, /An Emergency for zone-b moves the home on/);
      });

  it('in Promote does so for a moment only when the next home went with half of its promotion', () => {
    const run = begun().to('Promote');
    run.until(({ phase }) => phase === 'Promote' && run.model.home === 'zone-b');
    run.model.kill('zone-b');
    run.model.zone('zone-b').redis.primary = false;
    const began = run.model.now;
    run.until(() => run.model.now - began > 2 * HOMELESS_PATIENCE);
    assert.equal(run.state.phase, 'Promote', 'the home has moved: nothing goes back without it');
    change(run, forHome);
    assert.ok(endsIn(run) < 3_000);
    assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeLost']);
  });

  for (const step of ['CatchUp', 'Fence', 'Lift'] as const)
    it(`in ${step} of the way back does so for a moment only when the home is gone`, () => {
      const run = new Run({ toHome: 'zone-b', limits }).until(
        ({ step: at }) => at === (step === 'Lift' ? 'Fence' : step),
      );
      run.model.kill('zone-b');
      if (step === 'Lift') run.until(({ step: at }) => at === 'Lift');
      const began = run.model.now;
      if (step !== 'Fence') run.until(() => run.model.now - began > 60_000);
      assert.equal(run.state.step, step);
      change(run, forHome);
      assert.ok(endsIn(run) < 3_000);
      assert.deepEqual(
        [run.state.phase, run.state.cause],
        ['Failed', step === 'CatchUp' ? 'HomeLost' : 'HomeFenced'],
      );
      assert.deepEqual(run.model.violations, []);
    });

  it('waits for a zone that may have taken a promotion: it would be a second home', () => {
    const run = begun().to('Promote');
    run.model.silence('zone-b');
    run.until(({ step }) => step === 'Lift');
    run.model.kill('zone-a');
    change(run, { emergency: 'fire', emergencyZones: ['zone-a'] });
    const began = run.model.now;
    run.until(() => run.model.now - began > 60_000);
    assert.deepEqual([run.state.step, run.model.writers()], ['Lift', ['zone-b']]);
    run.model.revive('zone-b');
    assert.ok(endsIn(run) < 3_000);
    assert.deepEqual([run.state.cause, run.model.writers()], ['HomeFenced', []]);
  });

  it('of another zone leaves a home that was fenced its time to come back', () => {
    const run = new Run({ toHome: 'zone-b', limits }).until(({ step }) => step === 'Fence');
    run.model.kill('zone-b');
    change(run, { emergency: 'fire', emergencyZones: ['zone-c'] }).until(({ step }) => step === 'Lift');
    const began = run.model.now;
    run.until(() => run.model.now - began > 60_000);
    assert.equal(run.state.step, 'Lift');
    run.model.revive('zone-b');
    run.end();
    assert.deepEqual([run.state.cause, run.model.writers()], ['HomeStays', ['zone-b']]);
  });

  it('does not wait for a zone that does not follow: the home stays where it is, and takes writes', () => {
    const run = begun().to('Hold');
    run.model.kill('zone-a');
    change(run, { emergency: 'fire', emergencyZones: ['zone-c'] });
    assert.ok(endsIn(run) < EMERGENCY_PATIENCE + 2_000);
    assert.deepEqual([run.state.phase, run.state.cause], ['Failed', 'HomeStays']);
    assert.deepEqual(run.model.writers(), ['zone-b']);
  });

  it('does not wait for gateways that do not serve again', () => {
    const run = new Run({ fromZone: 'zone-c', limits }).to('Hold');
    const zones = run.model
      .observe()
      .zones.map((zone) => (zone.name === 'zone-c' ? { ...zone, pods: [], ready: 0 } : zone));
    change(run, { zones, emergency: 'fire', emergencyZones: ['zone-a'] });
    assert.ok(endsIn(run) < EMERGENCY_PATIENCE + 2_000);
    assert.deepEqual([run.state.phase, run.state.cause], ['RolledBack', 'Emergency']);
  });

  it('goes first: when the home is gone no drill or planned move is in its way for long', () => {
    const event: fc.Arbitrary<'look' | 'next' | 'tick' | 'long' | 'pause' | 'resume' | 'abort' | 'kill'> =
      fc.constantFrom('look', 'next', 'next', 'next', 'tick', 'long', 'pause', 'resume', 'abort', 'kill');
    const mode = fc.constantFrom('Drill', 'Planned');
    fc.assert(
      fc.property(mode, fc.array(event, { maxLength: 24, size: 'max' }), (chosen, events) => {
        const run = new Run({ mode: chosen, limits, drill: { holdFor: '60s' } });
        for (const one of events) {
          if (one === 'look') run.look();
          if (one === 'next') goOn(run);
          if (one === 'tick' || one === 'long') run.model.tick(one === 'long' ? 20_000 : 200);
          if (one === 'kill') run.model.kill('zone-c');
          if (one === 'pause' || one === 'resume' || one === 'abort')
            run.wish = {
              ...run.wish,
              spec: { ...run.wish.spec, ...(one === 'abort' ? { abort: true } : { pause: one === 'pause' }) },
            };
        }
        const { home } = run.model;
        run.model.kill(home);
        change(run, { emergency: 'fire', emergencyZones: [home] });
        const took = endsIn(run);
        assert.ok(took < 2 * HOMELESS_PATIENCE + 2 * EMERGENCY_PATIENCE, `${took} ms`);
        assert.deepEqual(run.model.violations, []);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** On to its next phase or step, or for as long as that takes 200 looks. */
function goOn(run: Run): void {
  const { phase, step } = run.state;
  for (let n = 0; n < 200 && run.state.phase === phase && run.state.step === step; n += 1) {
    run.look();
    run.model.tick();
  }
}

describe('whatever happens', () => {
  type Event =
    | { do: 'look' | 'unsaved' | 'tick' | 'long' | 'abort' | 'pause' | 'resume' }
    /** It goes on to its next phase or step, as far as it can. */
    | { do: 'next' }
    /** It dies after so many acts. */
    | { do: 'crash'; after: number }
    | { do: 'kill' | 'revive' | 'silence' | 'emergency'; zone: string };
  const zone = fc.constantFrom('zone-a', 'zone-b', 'zone-c');
  const other = fc.constantFrom('zone-b', 'zone-c');
  const event: fc.Arbitrary<Event> = fc.oneof(
    { weight: 30, arbitrary: fc.constant<Event>({ do: 'look' }) },
    { weight: 20, arbitrary: fc.constant<Event>({ do: 'tick' }) },
    { weight: 4, arbitrary: fc.constant<Event>({ do: 'long' }) },
    { weight: 20, arbitrary: fc.constant<Event>({ do: 'next' }) },
    { weight: 6, arbitrary: fc.constant<Event>({ do: 'unsaved' }) },
    { weight: 6, arbitrary: fc.nat(3).map((after): Event => ({ do: 'crash', after })) },
    { weight: 1, arbitrary: fc.constant<Event>({ do: 'abort' }) },
    { weight: 1, arbitrary: zone.map((name): Event => ({ do: 'emergency', zone: name })) },
    { weight: 2, arbitrary: fc.constantFrom<Event>({ do: 'pause' }, { do: 'resume' }) },
    { weight: 1, arbitrary: zone.map((name): Event => ({ do: 'kill', zone: name })) },
    { weight: 2, arbitrary: zone.map((name): Event => ({ do: 'revive', zone: name })) },
    // The zone that an Emergency leaves is gone: it is fenced when it is back, and nobody waits for it.
    { weight: 1, arbitrary: other.map((name): Event => ({ do: 'silence', zone: name })) },
  );
  const mode = fc.constantFrom('Drill', 'Planned', 'Emergency') satisfies fc.Arbitrary<
    FailoverWish['spec']['mode']
  >;

  it('there are never two homes, epochs grow, phases go only along their ways, an end is an end', () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(mode, fc.array(event, { maxLength: 120, size: 'max' }), (chosen, events) => {
        const run = new Run({ mode: chosen });
        const check = watch(run);
        for (const one of events) {
          happen(run, one);
          check();
        }
        // In the end all is well again, and it must come to its end.
        for (const { name } of run.model.zones) run.model.revive(name);
        const { pause: _pause, ...spec } = run.wish.spec;
        run.wish = { ...run.wish, spec };
        for (let n = 0; n < 4_000 && !(isOver(run.state.phase) && !run.state.holds); n += 1) {
          run.look();
          check();
          run.model.tick();
        }
        assert.ok(
          isOver(run.state.phase),
          `it stays in ${run.state.phase}/${run.state.step}: ${run.state.message}`,
        );
        run.assertGivenBack();
        ends.add(`${chosen} ${run.state.phase}`);
      }),
      { numRuns: 1_000 },
    );
    for (const end of ['Drill Succeeded', 'Drill RolledBack', 'Planned Succeeded', 'Emergency Succeeded'])
      assert.ok(ends.has(end), `${end} was met: ${[...ends].join(', ')}`);
  });

  function happen(run: Run, one: Event): void {
    const { model } = run;
    const step = (): ReturnType<typeof nextStep> => nextStep(run.wish, run.state, model.observe());
    const say = (spec: Partial<FailoverWish['spec']>): void => {
      run.wish = { ...run.wish, spec: { ...run.wish.spec, ...spec } };
    };
    if (one.do === 'look') run.look();
    if (one.do === 'next') goOn(run);
    if (one.do === 'unsaved') step();
    if (one.do === 'crash') {
      const { state, acts } = step();
      run.state = state;
      model.performAll(acts.slice(0, one.after));
    }
    if (one.do === 'tick') model.tick();
    if (one.do === 'long') model.tick(20_000);
    if (one.do === 'abort') say({ abort: true });
    if (one.do === 'pause') say({ pause: true });
    if (one.do === 'resume') say({ pause: false });
    if (one.do === 'emergency') model.change = { emergency: 'fire', emergencyZones: [one.zone] };
    if (one.do === 'kill') model.kill(one.zone);
    if (one.do === 'revive') model.revive(one.zone);
    if (one.do === 'silence') model.silence(one.zone);
  }

  /** What must hold after each event. */
  function watch(run: Run): () => void {
    let before = run.state;
    return () => {
      const { state, model } = run;
      if (state.phase !== before.phase)
        assert.ok(NEXT_PHASES[before.phase].includes(state.phase), `${before.phase} → ${state.phase}`);
      if (isOver(before.phase)) assert.equal(state.phase, before.phase);
      assert.ok((state.epoch ?? 0) >= (before.epoch ?? 0));
      assert.deepEqual(model.violations, []);
      // A zone that is dead counts: nothing but a failover would have it take no more.
      if (!isOver(state.phase) && state.message.startsWith('It is paused'))
        assert.ok(
          model.zones.some(({ etcd }) => etcd.writable),
          `it rests in ${state.phase}/${state.step}, and no zone takes writes`,
        );
      before = state;
    };
  }
});
