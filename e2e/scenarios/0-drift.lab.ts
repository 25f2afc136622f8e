/** What somebody deletes or edits is back within seconds, and what others own is left alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectName } from '@causeway/crds';
import { eventually, scenario, withKafka } from './support.ts';
import { exchange, exchangeAgain } from './traffic.ts';

const NAME = 'drift';
const lab = scenario('scenario-drift', {
  async setUp(own) {
    await own.readyPlatform(NAME);
    await exchange(own, NAME);
  },
});
/** An object must be back within this time; it takes well under a second on a machine that is not busy. */
const REPAIRED_MS = 20_000;
/** Kafka sends no events: it is looked at every 10 s, give or take 20 %. */
const TOPIC_REPAIRED_MS = 30_000;

interface KubeObject {
  metadata: {
    uid: string;
    annotations?: Record<string, string>;
    ownerReferences?: unknown[];
    deletionTimestamp?: string;
  };
  spec: Record<string, unknown>;
  data: Record<string, string>;
}

const find = (kind: string, name: string): Promise<KubeObject | undefined> =>
  lab.kube.find(['-n', lab.namespace, 'get', kind, name]);
const get = async (kind: string, name: string): Promise<KubeObject> => {
  const object = await find(kind, name);
  assert.ok(object, `${kind} ${name}`);
  return object;
};

const deleted = [
  ['deployment', objectName.zoneGateway(NAME, 'zone-b')],
  ['deployment', objectName.zoneReplicator(NAME, 'zone-c')],
  ['statefulset', objectName.zoneRedis(NAME, 'zone-c')],
  ['statefulset', objectName.zoneEtcd(NAME, 'zone-b')],
  ['service', objectName.gateway(NAME)],
  ['service', objectName.redis(NAME)],
  ['configmap', objectName.gateway(NAME)],
  ['secret', objectName.internal(NAME)],
  ['serviceaccount', objectName.gateway(NAME)],
  ['networkpolicy', objectName.redis(NAME)],
  ['poddisruptionbudget', objectName.zoneGateway(NAME, 'zone-a')],
] as const;

test('what is deleted is there again within 20 seconds, and messages flow', async () => {
  for (const [kind, name] of deleted) {
    const { uid } = (await get(kind, name)).metadata;
    const began = performance.now();
    await lab.kubectl('delete', kind, name, '--wait=false');
    await eventually(
      `${kind} ${name} is there again`,
      async () => {
        const now = await find(kind, name);
        return now !== undefined && now.metadata.uid !== uid;
      },
      REPAIRED_MS,
    );
    lab.progress.note(`${kind} ${name} deleted, back after ${Math.round(performance.now() - began)} ms`);
  }
  await lab.waitReady(NAME);
  await exchangeAgain(lab, NAME);
});

const edited = [
  {
    kind: 'deployment',
    name: objectName.zoneGateway(NAME, 'zone-a'),
    patch: {
      spec: { template: { spec: { containers: [{ name: 'gateway', image: 'localhost/not:this' }] } } },
    },
  },
  { kind: 'deployment', name: objectName.zoneGateway(NAME, 'zone-c'), patch: { spec: { replicas: 0 } } },
  {
    kind: 'service',
    name: objectName.gateway(NAME),
    patch: { spec: { selector: { 'causeway.dev/component': 'redis' } } },
  },
  {
    kind: 'configmap',
    name: objectName.zoneRedis(NAME, 'zone-b'),
    patch: { data: { 'redis.conf': 'port 1\n' } },
  },
  { kind: 'secret', name: objectName.internal(NAME), patch: { data: { 'tls.key': 'bm8ga2V5' } } },
  {
    kind: 'statefulset',
    name: objectName.zoneRedis(NAME, 'zone-b'),
    patch: { spec: { replicas: 2 } },
  },
  {
    kind: 'networkpolicy',
    name: objectName.etcd(NAME),
    patch: { spec: { ingress: [{}] } },
  },
] as const;

test('what is edited is as it was within 20 seconds, and messages flow', async () => {
  for (const { kind, name, patch } of edited) {
    const wanted = await get(kind, name);
    const type = kind === 'deployment' ? 'strategic' : 'merge';
    const began = performance.now();
    await lab.kubectl('patch', kind, name, `--type=${type}`, '-p', JSON.stringify(patch));
    await eventually(
      `${kind} ${name} is as it was`,
      async () => {
        const now = await get(kind, name);
        assert.deepEqual([now.spec, isValid(now.data)], [wanted.spec, true]);
        return kind === 'secret' || JSON.stringify(now.data) === JSON.stringify(wanted.data);
      },
      REPAIRED_MS,
    );
    lab.progress.note(`${kind} ${name} edited, back after ${Math.round(performance.now() - began)} ms`);
  }
  await lab.waitReady(NAME);
  await exchangeAgain(lab, NAME);
});

/** A broken key may be mended by another one; it only must not stay broken. */
function isValid(data: Record<string, string> | undefined): boolean {
  return data?.['tls.key'] !== 'bm8ga2V5';
}

test('a topic with another setting, or deleted in Kafka, is mended within 30 seconds', async () => {
  const topic = `${NAME}.chat`;
  const setting = 'min.insync.replicas';
  const read = (): Promise<string | undefined> =>
    withKafka(async (admin) => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name: topic, configNames: [setting] }],
      });
      return resources[0]?.configEntries[0]?.configValue;
    });
  await withKafka((admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: topic, configEntries: [{ name: setting, value: '1' }] }],
    }),
  );
  assert.equal(await read(), '1');
  await eventually('the setting is back', async () => (await read()) === '2', TOPIC_REPAIRED_MS);

  await withKafka((admin) => admin.deleteTopics({ topics: [topic] }));
  await eventually(
    'the topic is back with all its partitions',
    () =>
      withKafka(async (admin) => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        return topics[0]?.partitions.length === 6;
      }),
    TOPIC_REPAIRED_MS,
  );
  await lab.waitReady(NAME);
  await exchangeAgain(lab, NAME);
});

test("an annotation and a label of somebody else's stay through a repair, and so does the size that an autoscaler set", async () => {
  const name = objectName.zoneGateway(NAME, 'zone-b');
  await lab.kubectl('annotate', 'deployment', name, 'example.com/team=payments');
  await lab.kubectl('label', 'service', objectName.gateway(NAME), 'example.com/scrape=yes');
  await lab.patchPlatform(NAME, { spec: { gateway: { replicasPerZone: null } } });
  await lab.waitReady(NAME);
  await lab.kubectl('scale', 'deployment', name, '--replicas=2');

  // A repair of the same objects shows that the operator has looked at them since.
  await lab.kubectl('label', 'deployment', name, 'causeway.dev/component=changed', '--overwrite');
  await lab.kubectl('label', 'service', objectName.gateway(NAME), 'causeway.dev/component-', '--overwrite');
  const component = async (kind: string, of: string): Promise<string> =>
    lab.kubectl('get', kind, of, '-o', 'jsonpath={.metadata.labels.causeway\\.dev/component}');
  for (const [kind, of] of [
    ['deployment', name],
    ['service', objectName.gateway(NAME)],
  ] as const)
    await eventually(
      `${kind} ${of} has its label`,
      async () => (await component(kind, of)) === 'gateway',
      REPAIRED_MS,
    );

  const deployment = await get('deployment', name);
  assert.equal(deployment.metadata.annotations?.['example.com/team'], 'payments');
  assert.equal(deployment.spec['replicas'], 2);
  assert.equal(
    await lab.kubectl(
      'get',
      'service',
      objectName.gateway(NAME),
      '-o',
      'jsonpath={.metadata.labels.example\\.com/scrape}',
    ),
    'yes',
  );
  await lab.waitReady(NAME);
  await exchangeAgain(lab, NAME);
});
