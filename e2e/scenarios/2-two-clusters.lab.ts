/**
 * A platform, and a second one that stands by on a Kafka of its own, with MirrorMaker 2 between them: examples/two-clusters,
 * where two namespaces of the one lab stand for two clusters. What is missing in the copy is what a failover says, and refuses.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, test, type SuiteContext, type TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { Centrifuge } from 'centrifuge';
import type { MessagePlatformSpec } from '@causeway/crds';
import { smallKafka } from '../lab/index.ts';
import {
  connect,
  gatewayPods,
  loadLabImage,
  platformAccess,
  sdkClient,
  subscribe,
  waitReady,
} from '../platform/index.ts';
import { Failovers } from './failover.ts';
import { eventually, PATIENCE, scenario, withKafka } from './support.ts';

const EAST = 'messaging-east';
const WEST = 'messaging-west';
const WEST_KAFKA = 'kafka-west';
const MIRROR = 'mirror-maker';
const NAME = 'orders';
const CHANNEL = 'chat:lobby';

const lab = scenario(EAST, { setUp });
const own = new Failovers(lab, NAME);

interface Manifest {
  kind: string;
  spec?: MessagePlatformSpec;
}

async function setUp(): Promise<void> {
  const { progress } = lab;
  await removeSecond();
  const image = await progress.step("MirrorMaker's image on the nodes", () => loadLabImage(MIRROR));
  await progress.step('a second Kafka', async () => {
    await lab.kube.kubectl(['apply', '-f', '-'], { input: smallKafka(WEST_KAFKA) });
    await rolledOut(WEST_KAFKA, 'kafka');
  });
  await progress.step('the platforms of both clusters', async () => {
    await applyExample('east', (text) => text);
    await applyExample('west', small);
    await lab.waitReady(NAME);
    await westReady();
  });
  await progress.step('MirrorMaker', async () => {
    await applyExample(MIRROR, (text) => text.replace('docker.io/apache/kafka:4.1.1', image));
    await rolledOut(MIRROR, MIRROR);
  });
}

/** Applies a file of the example, as it stands but for `change`. */
async function applyExample(name: string, change: (text: string) => string): Promise<void> {
  const file = join(import.meta.dirname, `../../examples/two-clusters/${name}.yaml`);
  await lab.kube.kubectl(['apply', '-f', '-'], { input: change(readFileSync(file, 'utf8')) });
}

/** The second cluster's platform in one zone, with as many replicas as its Kafka has brokers. */
function small(text: string): string {
  const items = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  for (const { kind, spec } of items) {
    if (kind !== 'MessagePlatform' || spec === undefined) continue;
    spec.zones = [{ name: 'zone-c' }];
    spec.homeZone = 'zone-c';
    for (const topic of spec.kafka.topics) {
      topic.replicationFactor = 1;
      topic.config = {};
    }
  }
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

function westReady(): Promise<void> {
  return waitReady(lab.kube, { namespace: WEST, name: NAME }, PATIENCE);
}

async function rolledOut(namespace: string, deployment: string): Promise<void> {
  const args = ['-n', namespace, 'rollout', 'status', `deployment/${deployment}`, '--timeout=180s'];
  await lab.kube.kubectl(args, { timeoutMs: 200_000 });
}

/** Takes away what is not in the scenario's own namespace; nothing there is no error. */
async function removeSecond(): Promise<void> {
  const { kube, progress } = lab;
  const remove = (...what: string[]): Promise<string> =>
    kube.kubectl(['delete', ...what, '--ignore-not-found', '--timeout=170s'], { timeoutMs: 180_000 });
  await progress.step('nothing of a second cluster is left', async () => {
    await remove('namespace', MIRROR);
    if ((await kube.find(['get', 'namespace', WEST])) !== undefined) {
      await kube.kubectl(['-n', WEST, 'annotate', 'mp', '--all', 'causeway.dev/abandon-topics=true']);
      await remove('-n', WEST, 'mp', '--all');
    }
    await remove('namespace', WEST, WEST_KAFKA);
    await withKafka(async (admin) => {
      const syncs = (await admin.listTopics()).filter((topic) => topic.startsWith('mm2-'));
      if (syncs.length > 0) await admin.deleteTopics({ topics: syncs });
    });
  });
}

after(removeSecond);

afterEach(async (context: TestContext | SuiteContext) => {
  if (!('passed' in context) || context.passed) return;
  // Beside the failure, which it must not hide.
  const log = lab.kube.kubectl(['-n', MIRROR, 'logs', `deployment/${MIRROR}`, '--tail=60']);
  console.error(await log.catch((error: unknown) => String(error)));
});

async function clientOf(namespace: string): Promise<Centrifuge> {
  const access = await platformAccess(lab.kube, namespace, NAME);
  const [gateway] = await gatewayPods(lab.kube, access);
  assert.ok(gateway, `a ready gateway in ${namespace}`);
  return connect(await sdkClient(access, () => gateway, { user: 'ann' }));
}

/** Somebody who listens in the second cluster. */
class Listener {
  readonly #received = new Set<string>();
  readonly #client: Centrifuge;

  private constructor(client: Centrifuge) {
    this.#client = client;
  }

  static async start(): Promise<Listener> {
    const listener = new Listener(await clientOf(WEST));
    await subscribe(listener.#client, CHANNEL, (data) => {
      listener.#received.add((data as { id: string }).id);
    });
    return listener;
  }

  async hasAll(ids: readonly string[]): Promise<void> {
    await eventually('the second cluster has all', async () => ids.every((id) => this.#received.has(id)));
  }

  hasAny(ids: readonly string[]): boolean {
    return ids.some((id) => this.#received.has(id));
  }

  /** What the channel's history has. */
  async history(): Promise<string[]> {
    const { publications } = await this.#client.history(CHANNEL, { limit: 1_000 });
    return publications.map(({ data }) => (data as { id: string }).id);
  }

  publish(id: string): Promise<unknown> {
    return this.#client.publish(CHANNEL, { id });
  }

  stop(): void {
    this.#client.disconnect();
  }
}

async function withListener<T>(work: (listener: Listener) => Promise<T>): Promise<T> {
  const listener = await Listener.start();
  try {
    return await work(listener);
  } finally {
    listener.stop();
  }
}

/** Publishes in the first cluster; what was acknowledged. */
async function publish(round: string, count: number): Promise<string[]> {
  const client = await clientOf(EAST);
  const ids = Array.from({ length: count }, (_, index) => `${round}-${index}`);
  try {
    for (const id of ids) await client.publish(CHANNEL, { id });
    return ids;
  } finally {
    client.disconnect();
  }
}

async function scaleMirror(replicas: number): Promise<void> {
  await lab.kube.kubectl(['-n', MIRROR, 'scale', `deployment/${MIRROR}`, `--replicas=${replicas}`]);
  if (replicas > 0) return rolledOut(MIRROR, MIRROR);
  await eventually('MirrorMaker is gone', async () => {
    const { items } = await lab.kube.json<{ items: object[] }>(['-n', MIRROR, 'get', 'pods']);
    return items.length === 0;
  });
}

/** A short drill of a zone that is not home; what its status says in the end. */
async function drill(name: string, maxMirrorLag: number): Promise<number | undefined> {
  const what = ['--from', 'zone-b', '--hold', '1s', '--max-mirror-lag', String(maxMirrorLag)];
  lab.progress.note((await own.start(name, ...what)).trim());
  const { status } = await own.get(name);
  assert.equal(status?.phase, 'Succeeded', status?.message ?? 'no status');
  return status.figures?.mirrorLag;
}

test('what is published in one cluster comes to the other, where nobody can publish, and a drill knows that nothing is missing', async () => {
  await withListener(async (listener) => {
    await listener.hasAll(await publish('first', 30));
    await assert.rejects(listener.publish('refused'), { code: 103 });
  });
  assert.equal(await drill('mirrored', 0), 0);
});

test('without MirrorMaker a failover is refused with what is missing, and nothing is touched; with it again it goes', async () => {
  await scaleMirror(0);
  await withListener(async (listener) => {
    const missing = await publish('second', 20);
    await assert.rejects(own.start('behind', '--from', 'zone-b', '--max-mirror-lag', '10'));
    const { status } = await own.get('behind');
    assert.deepEqual(
      [status?.phase, status?.cause, status?.message, status?.figures?.mirrorLag],
      ['Failed', 'MirrorLag', 'The mirror of Kafka is behind by 20 offsets; 10 are allowed.', 20],
    );
    const { failover, away } = await own.status();
    assert.deepEqual([failover, away], [undefined, undefined]);
    assert.ok(!listener.hasAny(missing), 'nobody copied');

    await scaleMirror(1);
    await listener.hasAll(missing);
  });
  assert.equal(await drill('mirrored-again', 10), 0);
});

test('when the first cluster is given up, clients of the second find there what was copied, and publish', async () => {
  const copied = await withListener(async (listener) => {
    const ids = await publish('last', 10);
    await listener.hasAll(ids);
    return ids;
  });
  await scaleMirror(0);
  const patch = [{ op: 'remove', path: '/spec/kafka/topics/0/channels/publish' }];
  const args = ['patch', 'messageplatform', NAME, '--type=json', '-p', JSON.stringify(patch)];
  await lab.kube.kubectl(['-n', WEST, ...args]);
  await westReady();
  await withListener(async (listener) => {
    const history = await listener.history();
    assert.deepEqual(
      copied.filter((id) => !history.includes(id)),
      [],
    );
    await listener.publish('from-west');
    await listener.hasAll(['from-west']);
  });
});
