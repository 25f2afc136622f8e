/** Leaders of partitions leave a zone and come back, on a real Kafka with a broker in each of three zones. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import kafkajs from 'kafkajs';
import { startKafka, type Kafka } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import type { PartitionSight } from '../failover/index.ts';
import { planAway, planBack } from '../failover/leaders.ts';
import { nextStep } from '../failover/machine.ts';
import { BEGIN, type FailoverState } from '../failover/state.ts';
import { Model, wishFor } from '../failover/testing/model.ts';
import { KafkaJsAdmin, type KafkaAccess } from './kafka.ts';
import { kafkaSight } from './kafka-placement.ts';

const TOPIC = 'orders.chat';
/** Two replicas of each partition. */
const PAIRS = 'orders.pairs';
let kafka: Kafka;
let admin: KafkaJsAdmin;
let access: KafkaAccess;

before(async () => {
  // Only what is asked for moves a leader.
  kafka = await startKafka({ brokers: 3, config: { 'auto.leader.rebalance.enable': 'false' } });
  access = { brokers: kafka.bootstrapServers.split(',') };
  admin = new KafkaJsAdmin();
  const config = { 'min.insync.replicas': '2' };
  await admin.perform(access, { act: 'create', topic: TOPIC, partitions: 9, replicationFactor: 3, config });
  const pairs = { partitions: 3, replicationFactor: 2, config: {} };
  await admin.perform(access, { act: 'create', topic: PAIRS, ...pairs });
});

after(async () => {
  await admin.close();
  await kafka.stop();
});

async function sight(): Promise<ReturnType<typeof kafkaSight>> {
  return kafkaSight(await admin.placement(access, [TOPIC]), 'zone-a');
}

const placed = ({ partition, leader, replicas, isr }: PartitionSight): unknown => ({
  partition,
  leader,
  replicas,
  isr: isr.toSorted((a, b) => a - b),
});

test('all leaders leave the zone at once, the replicas stay in sync, and all come back as they were', async () => {
  await waitFor('all partitions to have their leader', async () => {
    const { partitions, led } = await sight();
    return led === 3 && partitions.every(({ isr, leader }) => isr.length === 3 && leader > 0);
  });
  const start = await sight();

  const away = planAway(start, 'zone-a', []);
  assert.equal(away.due.length, 3);
  const began = Date.now();
  await admin.reorder(
    access,
    away.due.map(({ to, ...name }) => ({ ...name, replicas: to })),
  );
  assert.equal((await sight()).led, 3, 'the order alone moves no leader');
  await admin.elect(access, away.elections);
  await waitFor('no partition to be led from the zone', async () => (await sight()).led === 0);
  assert.ok(Date.now() - began < 5_000);
  const left = await sight();
  assert.ok(left.partitions.every(({ isr, settled }) => isr.length === 3 && settled));
  const led = [2, 3].map((id) => left.partitions.filter(({ leader }) => leader === id).length);
  assert.ok(Math.abs((led[0] ?? 0) - (led[1] ?? 0)) <= 1, led.join());

  // As when an answer was lost: again, it changes nothing, and is no error.
  await admin.elect(access, away.elections);

  const back = planBack(left, away.orders);
  await admin.reorder(
    access,
    back.due.map(({ from, ...name }) => ({ ...name, replicas: from })),
  );
  await admin.elect(access, back.elections);
  await waitFor('the leaders to be back', async () => (await sight()).led === 3);
  assert.deepEqual((await sight()).partitions.map(placed), start.partitions.map(placed));
});

test('replicas that are not the partition’s own are refused before Kafka is asked', async () => {
  await assert.rejects(
    admin.reorder(access, [{ topic: TOPIC, partition: 0, replicas: [1, 2] }]),
    /partition orders\.chat\/0 has other replicas by now/,
  );
});

test('a partition that there is not is named', async () => {
  await assert.rejects(admin.elect(access, [{ topic: 'orders.none', partition: 0 }]), /orders\.none\/0/);
});

/** A drill of that zone of a platform that is well, until it has begun or ended: only Kafka is real. */
async function begin(fromZone: string): Promise<FailoverState> {
  const model = new Model();
  const wish = wishFor({ fromZone });
  let state = BEGIN;
  while (['Queued', 'Preflight'].includes(state.phase)) {
    model.change = { kafka: kafkaSight(await admin.placement(access, [TOPIC]), fromZone) };
    const step = nextStep(wish, state, model.observe());
    state = step.state;
    model.performAll(step.acts);
    // As often as it takes to be out of patience.
    model.tick(5_000);
  }
  return state;
}

test('while a broker is gone, a drill of another zone is refused: its partitions would be short of replicas', async () => {
  assert.equal((await begin('zone-b')).phase, 'Prepare', 'all brokers are there');
  const [broker] = kafka.brokers;
  await broker?.kill();
  await waitFor('the broker to be out of sync', async () =>
    (await sight()).partitions.every(({ isr }) => !isr.includes(1)),
  );
  const { phase, cause, message } = await begin('zone-b');
  assert.deepEqual([phase, cause], ['Failed', 'KafkaSurvives']);
  assert.match(
    message,
    /Without the brokers of zone-b, partition orders\.chat\/0 and 8 more would have fewer in-sync replicas than min\.insync\.replicas\./,
  );
  assert.equal((await begin('zone-a')).phase, 'Prepare', 'that zone has nothing to lose');
});

test('an election of a broker that is gone is refused, and a reassignment under way is seen', async () => {
  const [broker] = kafka.brokers;
  assert.ok(broker);
  await broker.kill();
  const { partitions } = await waitFor('the broker to be out of sync', async () => {
    const seen = await sight();
    return seen.partitions.every(({ isr }) => !isr.includes(1)) ? seen : undefined;
  });
  const own = partitions.find(({ replicas }) => replicas[0] === 1);
  assert.ok(own);
  await assert.rejects(admin.elect(access, [own]), /preferred leader was not available/);

  const pairs = async (): Promise<PartitionSight[]> => [
    ...(await admin.placement(access, [PAIRS])).partitions,
  ];
  const start = await pairs();
  assert.deepEqual([start.length, start.every(({ settled }) => settled)], [3, true]);
  const moved = start.find(({ replicas }) => !replicas.includes(1));
  assert.ok(moved);
  // It cannot end: the broker that is to get the data is not there.
  const person = new kafkajs.Kafka({ brokers: access.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await person.connect();
  try {
    const partitionAssignment = [{ partition: moved.partition, replicas: [moved.replicas[0] ?? 0, 1] }];
    await person.alterPartitionReassignments({ topics: [{ topic: PAIRS, partitionAssignment }] });
  } finally {
    await person.disconnect();
  }
  await waitFor('the reassignment to be seen', async () => (await pairs()).some(({ settled }) => !settled));
  const open = (await pairs()).filter(({ settled }) => !settled);
  assert.deepEqual(
    open.map(({ partition }) => partition),
    [moved.partition],
  );
});
