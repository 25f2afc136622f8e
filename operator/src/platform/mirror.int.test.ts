/** The lag of a mirror, with MirrorMaker 2 between two real Kafkas. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import kafkajs, { type Producer } from 'kafkajs';
import { Registry } from 'prom-client';
import { startKafka, startMirrorMaker, type Kafka, type Server } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { silentLogger, systemClock } from '../controller/index.ts';
import type { MirrorSight } from '../failover/index.ts';
import { KafkaJsAdmin, type KafkaAccess } from './kafka.ts';
import { lookAtMirror } from './mirror.ts';
import { mirrorReconciler, MirrorSights } from './mirror-watch.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';
import type { PlatformWorld } from './world.ts';

const TOPIC = 'orders.chat';

let east: Kafka;
let west: Kafka;
let admin: KafkaJsAdmin;
let mirror: Server | undefined;
let producer: Producer | undefined;

async function producerOf({ bootstrapServers }: Kafka): Promise<Producer> {
  const client = new kafkajs.Kafka({
    brokers: bootstrapServers.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
  });
  producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  return producer;
}

const access = ({ bootstrapServers }: Kafka): KafkaAccess => ({ brokers: bootstrapServers.split(',') });
const records = (partition: number, count: number): { partition: number; value: string }[] =>
  Array.from({ length: count }, () => ({ partition, value: 'x' }));

function mirrored(): MessagePlatform {
  return ordersPlatform(({ spec }) => {
    const [topic] = spec.kafka.topics;
    assert.ok(topic);
    topic.partitions = 2;
    spec.kafka.bootstrapServers = east.bootstrapServers;
    spec.kafka.mirror = {
      bootstrapServers: west.bootstrapServers,
      sourceAlias: 'east',
      targetAlias: 'west',
      replicationPolicy: 'Default',
    };
  });
}

async function lag(): Promise<MirrorSight | undefined> {
  return lookAtMirror(admin, mirrored(), new Map());
}

/** What Prometheus sees after a look of the operator. */
async function scraped(): Promise<string> {
  const registry = new Registry();
  const platform = mirrored();
  const kube = { get: async () => undefined } as unknown as PlatformWorld['kube'];
  const cache = { get: () => platform } as unknown as PlatformWorld['cache'];
  const world = { clock: systemClock, kube, cache, kafka: admin };
  const look = mirrorReconciler(world, new MirrorSights(registry, () => [platform]));
  const { signal } = new AbortController();
  await look(platform.metadata, { log: silentLogger, clock: systemClock, signal, failures: 0 });
  return registry.metrics();
}

before(async () => {
  [east, west] = await Promise.all([startKafka(), startKafka()]);
  admin = new KafkaJsAdmin();
  const topic = { act: 'create', partitions: 2, replicationFactor: 1, config: {} } as const;
  await admin.perform(access(east), { ...topic, topic: TOPIC });
  // Kafka answers before its partitions have leaders.
  await waitFor('the topic has leaders', lag);
});

after(async () => {
  await mirror?.stop();
  await producer?.disconnect();
  await admin?.close();
  await Promise.all([east?.stop(), west?.stop()]);
});

test('the lag is none, unknown, none again, and what MirrorMaker has missed while it was gone', async () => {
  assert.deepEqual(await lag(), { lag: 0 }, 'nothing is written yet');

  const toEast = await producerOf(east);
  await toEast.send({ topic: TOPIC, messages: [...records(0, 30), ...records(1, 12)] });
  assert.deepEqual(await lag(), { lag: undefined, unknown: `${TOPIC}/0 has no copy` }, 'nobody copies');

  const [source, target] = [
    { alias: 'east', kafka: east },
    { alias: 'west', kafka: west },
  ];
  const caughtUp = async (): Promise<boolean> => (await lag())?.lag === 0;
  mirror = await startMirrorMaker({ source, target, topics: 'orders\\..*' }, caughtUp);

  await mirror.kill();
  await toEast.send({ topic: TOPIC, messages: [...records(0, 10), ...records(1, 5)] });
  assert.deepEqual(await lag(), { lag: 15 });
  assert.match(
    await scraped(),
    /^causeway_mirror_lag_offsets\{namespace="messaging",platform="orders"\} 15$/m,
  );
  await mirror.start();
});

test('topics are made also when one whose ends were asked for has been deleted by somebody else', async () => {
  const make = { act: 'create', partitions: 1, replicationFactor: 1, config: {} } as const;
  await admin.perform(access(east), { ...make, topic: 'passing' });
  const has = async (topic: string): Promise<boolean> =>
    (await admin.look(access(east), [topic])).topics.has(topic);
  await waitFor('its end', async () => (await admin.ends(access(east), ['passing'])).size === 1);
  const somebody = new KafkaJsAdmin();
  try {
    await somebody.perform(access(east), { act: 'delete', topic: 'passing' });
  } finally {
    await somebody.close();
  }
  await waitFor('it is gone', async () => !(await has('passing')));
  assert.equal(await admin.perform(access(east), { ...make, topic: 'next' }), 'done');
});
