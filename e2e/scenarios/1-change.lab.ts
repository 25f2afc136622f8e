/** A platform is made, scaled, given more partitions and deleted, each time with the leading operator killed in the middle, under traffic. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { LABEL, objectName } from '@causeway/crds';
import { ensureBinary } from '../binaries/index.ts';
import { leftOf } from './leftovers.ts';
import { aimAtLeader, newLeader } from './operator.ts';
import { eventually, scenario, withKafka } from './support.ts';
import { exchange, Traffic } from './traffic.ts';

const lab = scenario('scenario-change');
const NAME = 'change';
const ref = { namespace: lab.namespace, name: NAME };

/** Resolves when the first object of a kind is seen with the platform's label. */
async function firstOf(kind: string): Promise<void> {
  const kubectl = await ensureBinary('kubectl');
  const args = ['-n', lab.namespace, 'get', kind, '-l', `${LABEL.platform}=${NAME}`, '--watch', '-o', 'name'];
  const watch = spawn(kubectl, args, {
    env: { ...process.env, KUBECONFIG: lab.kube.kubeconfig },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const timer = setTimeout(() => watch.kill(), 120_000);
  try {
    await new Promise<void>((resolve, reject) => {
      watch.stdout.once('data', () => resolve());
      watch.once('error', reject);
      watch.once('exit', () => reject(new Error(`no ${kind} of ${NAME} appeared`)));
    });
  } finally {
    clearTimeout(timer);
    watch.kill();
  }
}

/** Starts a change, kills the leader as soon as `started` resolves, and waits for another leader. */
async function killedWhile(change: () => Promise<unknown>, started: () => Promise<void>): Promise<void> {
  const target = await aimAtLeader(lab.kube);
  const seen = started();
  await Promise.all([change(), seen.then(() => target.kill())]);
  const began = performance.now();
  await newLeader(lab.kube, target.identity);
  lab.progress.note(
    `leader killed; another one leads after ${((performance.now() - began) / 1000).toFixed(1)} s`,
  );
}

/** The operator begins within milliseconds of the change, so killing it with the change is in the middle of it. */
const atOnce = (): Promise<void> => Promise.resolve();

async function gatewayPodCount(): Promise<number> {
  const selector = `${LABEL.platform}=${NAME},${LABEL.component}=gateway`;
  const pods = await lab.kube.json<{ items: unknown[] }>([
    '-n',
    lab.namespace,
    'get',
    'pods',
    '-l',
    selector,
  ]);
  return pods.items.length;
}

async function scaled(replicas: number): Promise<void> {
  await lab.progress.step(`${replicas} gateways in each zone`, async () => {
    await lab.waitReady(NAME);
    await eventually(`${3 * replicas} gateway pods`, async () => (await gatewayPodCount()) === 3 * replicas);
  });
}

function partitions(): Promise<number> {
  return withKafka(async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${NAME}.chat`] });
    return topics[0]?.partitions.length ?? 0;
  });
}

test('killed in the middle of a creation, the operator finishes it: one authority, and messages flow', async () => {
  await killedWhile(
    () => lab.applyPlatform(NAME, (spec) => (spec.kafka.topics[0]!.partitions = 3)),
    () => firstOf('secret'),
  );
  await lab.progress.step('Ready all the same', () => lab.waitReady(NAME));
  await exchange(lab, NAME);
});

test('gateways are scaled from 1 to 2 and back under traffic: nothing acknowledged is lost, nothing comes twice', async () => {
  const traffic = await Traffic.start(lab, NAME);
  try {
    await traffic.flows(50);
    await killedWhile(() => lab.patchPlatform(NAME, { spec: { gateway: { replicasPerZone: 2 } } }), atOnce);
    await scaled(2);
    await traffic.flows(50);
    await killedWhile(() => lab.patchPlatform(NAME, { spec: { gateway: { replicasPerZone: 1 } } }), atOnce);
    await scaled(1);
    await traffic.flows(50);
    lab.progress.note(await traffic.check());
  } finally {
    await traffic.stop();
  }
});

test('a topic gets 6 partitions instead of 3 under traffic: nothing acknowledged is lost, nothing comes twice', async () => {
  assert.equal(await partitions(), 3);
  const traffic = await Traffic.start(lab, NAME);
  try {
    await traffic.flows(50);
    const topics = (
      await lab.kube.json<{ spec: { kafka: { topics: object[] } } }>(['-n', lab.namespace, 'get', 'mp', NAME])
    ).spec.kafka.topics;
    const grown = topics.map((topic) => ({ ...topic, partitions: 6 }));
    await killedWhile(() => lab.patchPlatform(NAME, { spec: { kafka: { topics: grown } } }), atOnce);
    await eventually('6 partitions', async () => (await partitions()) === 6);
    await lab.waitReady(NAME);
    await traffic.flows(200);
    lab.progress.note(await traffic.check());
  } finally {
    await traffic.stop();
  }
});

test('killed in the middle of a deletion, the operator finishes it: nothing is left, the topic neither', async () => {
  await lab.patchPlatform(NAME, {
    spec: { kafka: { deletionPolicy: 'Delete' }, etcd: { deletionPolicy: 'Delete' } },
  });
  await eventually('the platform to know', async () => {
    const finalizers = await lab.kubectl('get', 'mp', NAME, '-o', 'jsonpath={.metadata.finalizers}');
    return finalizers.includes('causeway.dev/topics');
  });
  await lab.waitReady(NAME);
  await killedWhile(() => lab.kubectl('delete', 'mp', NAME, '--wait=false'), atOnce);
  await lab.progress.step('deleted all the same', () =>
    lab.kubectl('wait', '--for=delete', `mp/${NAME}`, '--timeout=300s'),
  );
  await eventually('nothing of it is left', async () => {
    assert.deepEqual(await leftOf(lab, ref.name), []);
    return true;
  });
  assert.deepEqual(
    await withKafka(async (admin) =>
      (await admin.listTopics()).filter((name) => name.startsWith(`${NAME}.`)),
    ),
    [],
  );
  assert.equal(
    await lab.kube.find(['-n', lab.namespace, 'get', 'secret', objectName.authority(NAME)]),
    undefined,
  );
});
