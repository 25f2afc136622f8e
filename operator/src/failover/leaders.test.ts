import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FOLLOW_PATIENCE, LEADERS_PATIENCE, leadersBack, planAway, planBack } from './leaders.ts';
import type { KafkaSight, PartitionSight } from './observed.ts';
import { BEGIN, type ChangedOrder, type FailoverState } from './state.ts';
import { Model, wishFor } from './testing/model.ts';

const racks = new Map([
  [1, 'zone-a'],
  [2, 'zone-b'],
  [3, 'zone-c'],
  [4, 'zone-a'],
  [5, 'zone-b'],
  [6, 'zone-c'],
]);

function partition(number: number, replicas: number[], change: Partial<PartitionSight> = {}): PartitionSight {
  const [leader = -1] = replicas;
  return {
    topic: 'orders.chat',
    partition: number,
    leader,
    replicas,
    isr: replicas,
    settled: true,
    ...change,
  };
}

function kafka(...partitions: PartitionSight[]): KafkaSight {
  return { racks, partitions, atRisk: [], led: undefined };
}

/** Kafka after it was told so; elections of replicas that are not in sync are refused. */
function told(
  seen: KafkaSight,
  plan: ReturnType<typeof planAway>,
  to: (one: ChangedOrder) => readonly number[],
): KafkaSight {
  return kafka(
    ...seen.partitions.map((one) => {
      const order = plan.due.find((due) => due.partition === one.partition);
      const replicas = order === undefined ? one.replicas : to(order);
      const isElected = plan.elections.some((name) => name.partition === one.partition);
      const [first = -1] = replicas;
      assert.ok(!isElected || one.isr.includes(first), `${first} is elected, and not in sync`);
      return { ...one, replicas, leader: isElected ? first : one.leader };
    }),
  );
}

const orders = (plan: ReturnType<typeof planAway>): string[] => plan.due.map(({ to }) => to.join());
const elected = (plan: ReturnType<typeof planAway>): number[] => plan.elections.map((one) => one.partition);
const sorted = (ids: readonly number[]): string => ids.toSorted((a, b) => a - b).join();

describe('leaders that leave a zone', () => {
  it('go to a replica in sync elsewhere, and the zone comes last', () => {
    const plan = planAway(kafka(partition(0, [1, 4, 2])), 'zone-a', []);
    assert.deepEqual(orders(plan), ['2,1,4']);
    assert.deepEqual(elected(plan), [0]);
    assert.deepEqual(plan.orders, [{ topic: 'orders.chat', partition: 0, from: [1, 4, 2], to: [2, 1, 4] }]);
  });

  it('go to the broker that leads least', () => {
    const plan = planAway(
      kafka(partition(0, [2, 3, 1]), partition(1, [1, 2, 3]), partition(2, [1, 2, 3])),
      'zone-a',
      [],
    );
    assert.deepEqual(orders(plan), ['3,2,1', '2,3,1']);
  });

  it('need no other order where the first is elsewhere and in sync: an election does', () => {
    const plan = planAway(kafka(partition(0, [2, 1], { leader: 1 })), 'zone-a', []);
    assert.deepEqual([orders(plan), elected(plan), plan.orders], [[], [0], []]);
  });

  it('stay away: a partition that would come back by preference gets another order, and no election', () => {
    const plan = planAway(kafka(partition(0, [1, 2, 3], { leader: 2 })), 'zone-a', []);
    assert.deepEqual([orders(plan), elected(plan)], [['2,3,1'], []]);
  });

  it('stay where no replica in sync is known to be elsewhere', () => {
    const seen = kafka(partition(0, [1, 2, 3], { isr: [1] }), partition(1, [1, 4]), partition(2, [1, 9]));
    assert.deepEqual(planAway(seen, 'zone-a', []), { orders: [], due: [], elections: [] });
  });

  it('stay where somebody else reassigns the partition', () => {
    const plan = planAway(kafka(partition(0, [1, 2, 3], { settled: false })), 'zone-a', []);
    assert.deepEqual([plan.due, plan.elections], [[], []]);
  });

  it('keep to the plan of an earlier look, as long as it can be', () => {
    const before = [{ topic: 'orders.chat', partition: 0, from: [1, 2, 3], to: [3, 2, 1] }];
    assert.deepEqual(orders(planAway(kafka(partition(0, [1, 2, 3])), 'zone-a', before)), ['3,2,1']);
    const without = kafka(partition(0, [1, 2, 3], { isr: [1, 2] }));
    assert.deepEqual(orders(planAway(without, 'zone-a', before)), ['2,3,1']);
    const somebodys = kafka(partition(0, [1, 3, 2]));
    assert.deepEqual(planAway(somebodys, 'zone-a', before), { orders: before, due: [], elections: [] });
  });
});

describe('leaders that come back', () => {
  const changed = [{ topic: 'orders.chat', partition: 0, from: [1, 2, 3], to: [2, 3, 1] }];

  it('get the order of before, and are elected', () => {
    const plan = planBack(kafka(partition(0, [2, 3, 1])), changed);
    assert.deepEqual([plan.due, elected(plan)], [changed, [0]]);
    const ordered = planBack(kafka(partition(0, [1, 2, 3], { leader: 2 })), changed);
    assert.deepEqual([ordered.orders, elected(ordered)], [[], [0]]);
  });

  it('get the order, and wait for their election, when they are not in sync', () => {
    const plan = planBack(kafka(partition(0, [2, 3, 1], { isr: [2, 3] })), changed);
    assert.deepEqual([plan.due, elected(plan)], [changed, []]);
  });

  it('are left to whoever gave them another order, or took the topic away', () => {
    const nothing = { orders: [], due: [], elections: [] };
    assert.deepEqual(planBack(kafka(partition(0, [3, 2, 1])), changed), nothing);
    assert.deepEqual(planBack(kafka(partition(0, [2, 3, 5])), changed), nothing);
    assert.deepEqual(planBack(kafka(), changed), nothing);
  });

  it('wait until the other zones follow the home that has come back, and no longer than a while', () => {
    const model = new Model();
    const began = model.now;
    model.partitions = [partition(0, [2, 3, 1])];
    const state: FailoverState = {
      ...BEGIN,
      phase: 'Restore',
      step: 'GiveBack',
      home: { from: 'zone-a', to: 'zone-b' },
      orders: changed,
      phases: [{ name: 'Restore', step: 'GiveBack', startedAt: began }],
    };
    const acts = (of = state): string[] =>
      leadersBack(wishFor(), of, { ...model.observe(), claim: 'drill' }).acts.map(({ act }) => act);
    const both = ['orderReplicas', 'electLeaders'];
    assert.deepEqual(acts(), both);
    model.zone('zone-c').redis.follows = 'zone-b';
    assert.deepEqual(acts(), [], 'zone-c still follows the other one');
    const { home: _home, ...stayed } = state;
    assert.deepEqual(acts(stayed), both, 'nobody has to follow another home');
    model.now = began + FOLLOW_PATIENCE - 1;
    assert.deepEqual(acts(), []);
    model.now = began + FOLLOW_PATIENCE;
    assert.deepEqual(acts(), both);
  });

  it('are elected again and again for a while after the failover has ended, and once more at its end', () => {
    const model = new Model();
    const finishedAt = model.now;
    model.partitions = [partition(0, [1, 2, 3], { leader: 2, isr: [1, 2, 3] })];
    const state: FailoverState = {
      ...BEGIN,
      phase: 'Succeeded',
      orders: changed,
      holds: true,
      finishedAt,
      phases: [{ name: 'Restore', step: 'GiveBack', startedAt: finishedAt - 60_000, endedAt: finishedAt }],
    };
    const look = (): ReturnType<typeof leadersBack> =>
      leadersBack(wishFor(), state, { ...model.observe(), claim: undefined });
    model.now = finishedAt + LEADERS_PATIENCE - 1;
    assert.deepEqual([look().state.orders, look().acts.map(({ act }) => act)], [changed, ['electLeaders']]);
    model.now = finishedAt + LEADERS_PATIENCE;
    assert.deepEqual([look().state.orders, look().acts.map(({ act }) => act)], [[], ['electLeaders']]);
  });

  it('wait for a reassignment of somebody else', () => {
    const plan = planBack(kafka(partition(0, [2, 3, 1], { settled: false })), changed);
    assert.deepEqual([plan.orders, plan.due, plan.elections], [changed, [], []]);
  });
});

/** Any partitions on six brokers in three zones: any of their replicas lead, and are in sync. */
const anyKafka = fc
  .array(
    fc.record({
      replicas: fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 1, maxLength: 4 }),
      inSync: fc.nat(15),
      leads: fc.nat(3),
      settled: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((all) =>
    kafka(
      ...all.map(({ replicas, inSync, leads, settled }, number) => {
        const isr = replicas.filter((_, index) => ((inSync >> index) & 1) === 1);
        return partition(number, replicas, {
          isr,
          leader: isr[leads % Math.max(1, isr.length)] ?? -1,
          settled,
        });
      }),
    ),
  );

const isIn = (id: number | undefined): boolean => racks.get(id ?? -1) === 'zone-a';

describe('whatever Kafka looks like', () => {
  it('no replica is added or lost, all leave that can, and a second look has nothing to do', () => {
    fc.assert(
      fc.property(anyKafka, (seen) => {
        const plan = planAway(seen, 'zone-a', []);
        const after = told(seen, plan, ({ to }) => to);
        after.partitions.forEach((one, index) => {
          const before = seen.partitions[index];
          assert.equal(sorted(one.replicas), sorted(before?.replicas ?? []));
          const canLeave = one.settled && one.isr.some((id) => !isIn(id));
          if (canLeave)
            assert.ok(!isIn(one.leader) && !isIn(one.replicas[0]), `${one.partition} is led from there`);
          if (!isIn(before?.leader)) assert.equal(one.leader, before?.leader, 'who leads elsewhere goes on');
        });
        const again = planAway(after, 'zone-a', plan.orders);
        assert.deepEqual([again.due, again.elections, again.orders], [[], [], plan.orders]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('all orders come back exactly, from any half of what was to be done', () => {
    fc.assert(
      fc.property(anyKafka, fc.nat(12), (seen, done) => {
        const plan = planAway(seen, 'zone-a', []);
        const away = told(seen, { ...plan, due: plan.due.slice(0, done), elections: [] }, ({ to }) => to);
        const after = told(away, planBack(away, plan.orders), ({ from }) => from);
        assert.deepEqual(
          after.partitions.map(({ replicas }) => replicas),
          seen.partitions.map(({ replicas }) => replicas),
        );
        const last = planBack(after, plan.orders);
        assert.deepEqual([last.orders, last.elections], [[], []]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('the other brokers lead as many each, as far as the number allows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), (count) => {
        const all = Array.from({ length: count }, (_, number) =>
          partition(
            number,
            [0, 1, 2, 3, 4, 5].map((n) => 1 + ((number + n) % 6)),
          ),
        );
        const after = told(kafka(...all), planAway(kafka(...all), 'zone-a', []), ({ to }) => to);
        const led = [2, 3, 5, 6].map((id) => after.partitions.filter(({ leader }) => leader === id).length);
        assert.ok(Math.max(...led) - Math.min(...led) <= 1, led.join());
      }),
    );
  });
});
