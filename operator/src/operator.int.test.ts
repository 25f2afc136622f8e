import assert from 'node:assert/strict';
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { ANNOTATION, COMPONENT, LABEL, ZONE_TOPOLOGY_LABEL } from '@causeway/crds';
import {
  startControlPlane,
  startKafka,
  startRedis,
  type ControlPlane,
  type Kafka,
  type Redis,
} from '../../e2e/harness/index.ts';
import { waitFor } from '../../e2e/tools/index.ts';
import {
  createMetrics,
  HttpKubeApi,
  loadKubeConfig,
  silentLogger,
  type KubeObject,
} from './controller/index.ts';
import { FAILOVER_KIND } from './failover/index.ts';
import { createOperator } from './operator.ts';
import { KIND } from './platform/kinds.ts';
import {
  KafkaJsAdmin,
  redisAdmin,
  type KafkaAccess,
  type MessagePlatform,
  type RedisAdmin,
} from './platform/index.ts';
import type { Pod } from './platform/workloads.ts';
import { SCHEDULE_KIND } from './schedules/index.ts';

const ZONES = ['zone-a', 'zone-b', 'zone-c'];
const NAMESPACE = 'messaging';
const root = join(import.meta.dirname, '../..');
const ref = (name: string): { namespace: string; name: string } => ({ namespace: NAMESPACE, name });

let cluster: ControlPlane;
let kafka: Kafka;
let api: HttpKubeApi;
let kafkaAdmin: KafkaJsAdmin;
let access: KafkaAccess;
const redises = new Map<string, Redis>();
let folder: string;

/** Names and addresses of Redis lead nowhere here: a real one on loopback stands for each zone. */
const routedRedis: RedisAdmin = {
  look: (address) => redisAdmin.look(route(address)),
  act: (address, action) => redisAdmin.act(route(address), action),
};

function route<T extends { host: string }>(to: T): T & { address: undefined } {
  const zone = ZONES.find((name) => to.host.includes(name)) ?? '';
  return { ...to, host: 'localhost', address: undefined, port: redises.get(zone)?.port ?? 1 };
}

async function withOperator<T>(work: () => Promise<T>): Promise<T> {
  const operator = createOperator({
    api,
    kafka: kafkaAdmin,
    redis: routedRedis,
    images: { gatewayBun: 'bun', gatewayNode: 'node', redis: 'redis', etcd: 'etcd' },
    namespaces: [],
    concurrency: 4,
    resyncMs: 1_000,
    lease: undefined,
    identity: 'test',
    log: silentLogger,
    metrics: createMetrics(),
  });
  const stop = new AbortController();
  const running = operator.run(stop.signal);
  try {
    return await work();
  } finally {
    stop.abort();
    await running;
  }
}

async function platform(): Promise<MessagePlatform | undefined> {
  return api.get<MessagePlatform>(KIND.platform, ref('orders'));
}

async function condition(
  type: string,
): Promise<{ status: string; reason: string; message: string } | undefined> {
  return (await platform())?.status?.conditions?.find((one) => one.type === type);
}

/** Plays the kubelet: marks pods as it would when their containers are ready. */
async function makePodsReady(): Promise<void> {
  const { items } = await api.list<Pod>(KIND.pod, { namespace: NAMESPACE });
  for (const pod of items) {
    if (pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true)
      continue;
    const now = new Date().toISOString();
    const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: now,
    }));
    const status = { phase: 'Running', podIP: '10.0.0.1', conditions };
    await api.apply(
      KIND.pod,
      { apiVersion: 'v1', kind: 'Pod', metadata: ref(pod.metadata.name), status } as KubeObject,
      { subresource: 'status' },
    );
  }
}

/** Starts a Redis for each zone with the inner certificate that the operator issued. */
async function startRedises(): Promise<void> {
  const secret = await api.get<KubeObject & { data: Record<string, string> }>(
    KIND.secret,
    ref('orders-internal'),
  );
  const file = (key: string): string => {
    const path = join(folder, key);
    writeFileSync(path, Buffer.from(secret?.data[key] ?? '', 'base64'));
    return path;
  };
  const tls = {
    certFile: file('tls.crt'),
    keyFile: file('tls.key'),
    caFile: file('ca.crt'),
    clientCertificates: true,
  };
  for (const zone of ZONES) redises.set(zone, await startRedis({ tls }));
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-operator-'));
  [cluster, kafka] = await Promise.all([
    startControlPlane({ audit: true, controllers: true }),
    startKafka({ brokers: 3 }),
  ]);
  access = { brokers: kafka.bootstrapServers.split(',') };
  kafkaAdmin = new KafkaJsAdmin();
  api = new HttpKubeApi({ load: () => loadKubeConfig({ path: cluster.kubeconfig }) });
  const crdKind = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    namespaced: false,
  };
  for (const kind of [KIND.platform, FAILOVER_KIND, SCHEDULE_KIND]) {
    const file = join(root, `crds/${kind.plural}.causeway.dev.yaml`);
    await api.create(crdKind, parse(readFileSync(file, 'utf8'), { maxAliasCount: -1 }) as KubeObject);
    await waitFor(
      `${kind.kind}s are served`,
      async () => (await api.list(kind).catch(() => undefined)) !== undefined,
    );
  }
  const nodeKind = KIND.node;
  for (const zone of ZONES) {
    await api.create(nodeKind, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${zone}`, labels: { [ZONE_TOPOLOGY_LABEL]: zone } },
    });
  }
});

after(async () => {
  api.close();
  await kafkaAdmin.close();
  await Promise.all([...redises.values()].map((redis) => redis.stop()));
  await Promise.all([kafka.stop(), cluster.stop()]);
  rmSync(folder, { recursive: true });
});

describe('the operator against a real API server, Kafka and Redis', () => {
  it('makes all that examples/orders.yaml asks for', async () => {
    const text = readFileSync(join(root, 'examples/orders.yaml'), 'utf8').replaceAll(
      'kafka.kafka:9092',
      kafka.bootstrapServers,
    );
    const kinds = {
      Namespace: { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false },
      Secret: KIND.secret,
      MessagePlatform: KIND.platform,
    };
    for (const document of parseAllDocuments(text)) {
      const object = document.toJS() as KubeObject;
      await api.create(kinds[object.kind as keyof typeof kinds], object);
    }
    await withOperator(async () => {
      await waitFor('the topic is there', async () => (await condition('TopicsReady'))?.status === 'True');
      await startRedises();
      await waitFor(
        'all is Ready',
        async () => {
          await makePodsReady();
          const redis = await condition('RedisReady');
          // A replica cannot find its primary's name here; all else has to be as in a cluster.
          const rest = await Promise.all(
            ['CertificatesReady', 'TopicsReady', 'EtcdReady', 'ReplicationReady', 'GatewaysReady'].map(
              condition,
            ),
          );
          return (
            /zone-b is Syncing, zone-c is Syncing/.test(redis?.message ?? '') &&
            rest.every((one) => one?.status === 'True')
          );
        },
        { timeoutMs: 60_000 },
      );
    });
    const { topics } = await kafkaAdmin.look(access, ['orders.chat']);
    assert.deepEqual(topics.get('orders.chat'), {
      name: 'orders.chat',
      partitions: 6,
      replicationFactor: 3,
      config: { 'min.insync.replicas': '2' },
    });
    assert.equal((await platform())?.status?.gateways?.summary, '3/3');
    assert.equal((await platform())?.status?.homeZone, 'zone-a');
  });

  it('has the primary in the home zone and the others follow it', async () => {
    const states = await Promise.all(
      ZONES.map(async (zone) => {
        const secret = await api.get<KubeObject & { data: Record<string, string> }>(
          KIND.secret,
          ref('orders-internal'),
        );
        const pem = (key: string): string => Buffer.from(secret?.data[key] ?? '', 'base64').toString();
        return routedRedis.look({
          host: `orders-redis-${zone}`,
          tls: { ca: pem('ca.crt'), cert: pem('tls.crt'), key: pem('tls.key') },
        });
      }),
    );
    assert.deepEqual(
      states.map((state) => [state.role, state.primaryHost]),
      [
        ['primary', undefined],
        ['replica', 'orders-redis-zone-a.messaging.svc'],
        ['replica', 'orders-redis-zone-a.messaging.svc'],
      ],
    );
  });

  it('writes nothing at steady state, also after a restart of the operator', async () => {
    const writes = (): number =>
      readFileSync(cluster.auditLog ?? '', 'utf8')
        .split('\n')
        .filter((line) => line.includes('causeway/dev')).length;
    const earlier = writes();
    assert.ok(earlier > 40, 'the audit log shows the writes that made the platform');
    await withOperator(async () => {
      // Several rounds of looks at Kafka and Redis.
      await new Promise((resolve) => setTimeout(resolve, 5_000));
    });
    assert.equal(writes(), earlier);
  });

  it('repairs what others delete or edit within seconds, and leaves foreign fields alone', async () => {
    await withOperator(async () => {
      await api.delete(KIND.service, ref('orders-redis'));
      await api.delete(KIND.deployment, ref('orders-gateway-zone-b'));
      await api.mergePatch(KIND.configMap, ref('orders-gateway'), {
        data: { 'gateway.json': 'broken', foreign: 'stays' },
      });
      await api.mergePatch(KIND.service, ref('orders-gateway'), {
        metadata: { annotations: { foreign: 'stays' } },
        spec: { selector: { [LABEL.serving]: 'false' } },
      });
      await kafkaAdmin.perform(access, {
        act: 'alter',
        topic: 'orders.chat',
        config: { 'min.insync.replicas': '1' },
        changed: [],
      });
      await waitFor(
        'the Service is back',
        async () => (await api.get(KIND.service, ref('orders-redis'))) !== undefined,
        { timeoutMs: 10_000 },
      );
      await waitFor(
        'the Deployment is back',
        async () => (await api.get(KIND.deployment, ref('orders-gateway-zone-b'))) !== undefined,
        { timeoutMs: 10_000 },
      );
      await waitFor(
        'the ConfigMap is repaired',
        async () => {
          const map = await api.get<KubeObject & { data: Record<string, string> }>(
            KIND.configMap,
            ref('orders-gateway'),
          );
          assert.equal(map?.data['foreign'], 'stays');
          return map.data['gateway.json']?.startsWith('{') === true;
        },
        { timeoutMs: 10_000 },
      );
      await waitFor(
        'the selector is repaired',
        async () => {
          const service = await api.get<KubeObject & { spec: { selector: Record<string, string> } }>(
            KIND.service,
            ref('orders-gateway'),
          );
          assert.equal(service?.metadata.annotations?.['foreign'], 'stays');
          return service.spec.selector[LABEL.serving] === 'true';
        },
        { timeoutMs: 10_000 },
      );
      await waitFor(
        'the topic setting is repaired',
        async () => {
          const { topics } = await kafkaAdmin.look(access, ['orders.chat']);
          return topics.get('orders.chat')?.config['min.insync.replicas'] === '2';
        },
        { timeoutMs: 10_000 },
      );
    });
  });

  it('says what cannot work, and the rest goes on', async () => {
    await withOperator(async () => {
      const topics = [
        { name: 'chat', partitions: 3, replicationFactor: 3, config: { 'min.insync.replicas': '2' } },
        { name: 'wide', partitions: 1, replicationFactor: 5 },
        { name: 'odd', partitions: 1, replicationFactor: 1, config: { 'no.such.setting': '1' } },
        { name: 'fine', partitions: 2, replicationFactor: 1 },
      ];
      await api.mergePatch(KIND.platform, ref('orders'), { spec: { kafka: { topics } } });
      await waitFor('each refusal is told', async () => {
        const message = (await condition('TopicsReady'))?.message ?? '';
        return [
          /has 6 partitions and the platform asks for 3/,
          /asks for 5 replicas, and Kafka has 3 brokers/,
          /orders\.odd could not be changed.*no\.such\.setting/,
        ].every((one) => one.test(message));
      });
      assert.equal((await kafkaAdmin.look(access, ['orders.fine'])).topics.get('orders.fine')?.partitions, 2);
      assert.equal((await condition('Stalled'))?.status, 'True');

      await api.mergePatch(KIND.platform, ref('orders'), {
        spec: {
          kafka: { topics: [{ ...topics[0], partitions: 9 }] },
          gateway: { auth: { jwt: { secretRef: { name: 'nowhere' } } } },
        },
      });
      await waitFor(
        'the missing Secret is told',
        async () => (await condition('GatewaysReady'))?.reason === 'SecretNotFound',
      );
      await waitFor(
        'the topic grew',
        async () =>
          (await kafkaAdmin.look(access, ['orders.chat'])).topics.get('orders.chat')?.partitions === 9,
      );
      assert.match(
        (await condition('GatewaysReady'))?.message ?? '',
        /Secret messaging\/nowhere does not exist. Create it with hmac or jwks.json/,
      );
      await api.mergePatch(KIND.platform, ref('orders'), {
        spec: { gateway: { auth: { jwt: { secretRef: { name: 'orders-jwt' } } } } },
      });
      await waitFor(
        'nothing is Stalled any more',
        async () => {
          await makePodsReady();
          return (await condition('Stalled'))?.status === 'False';
        },
        { timeoutMs: 30_000 },
      );
    });
  });

  it('does nothing while paused, says so, and goes on afterwards', async () => {
    await withOperator(async () => {
      await api.mergePatch(KIND.platform, ref('orders'), {
        metadata: { annotations: { [ANNOTATION.paused]: 'true' } },
      });
      await waitFor('it says that it is paused', async () => (await condition('Paused'))?.status === 'True');
      await api.delete(KIND.service, ref('orders-redis'));
      await api.mergePatch(KIND.platform, ref('orders'), {
        metadata: { annotations: { another: 'change' } },
      });
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.equal(await api.get(KIND.service, ref('orders-redis')), undefined);
      await api.mergePatch(KIND.platform, ref('orders'), {
        metadata: { annotations: { [ANNOTATION.paused]: null } },
      });
      await waitFor(
        'the Service is back',
        async () => (await api.get(KIND.service, ref('orders-redis'))) !== undefined,
      );
      await waitFor('the condition is gone', async () => (await condition('Paused')) === undefined);
    });
  });

  it('takes a zone out with all that is in it', async () => {
    await withOperator(async () => {
      await api.mergePatch(KIND.platform, ref('orders'), {
        spec: { zones: [{ name: 'zone-a' }, { name: 'zone-b' }] },
      });
      await waitFor('nothing of zone-c is left', async () => {
        const all = await Promise.all(
          [KIND.deployment, KIND.statefulSet, KIND.service, KIND.podDisruptionBudget].map((kind) =>
            api.list(kind, { namespace: NAMESPACE, labelSelector: `${LABEL.zone}=zone-c` }),
          ),
        );
        return all.every((list) => list.items.length === 0);
      });
    });
  });

  it('is not held for ever by a Kafka that is down: it says what is left, and a person can give up on it', async () => {
    await withOperator(async () => {
      const spec = { kafka: { deletionPolicy: 'Delete', bootstrapServers: '127.0.0.1:1' } };
      await api.mergePatch(KIND.platform, ref('orders'), { spec });
      await waitFor(
        'the finalizer is there',
        async () => ((await platform())?.metadata.finalizers ?? []).length > 0,
      );
      await api.delete(KIND.platform, ref('orders'));
      await waitFor(
        'it says what is left',
        async () => {
          const { items } = await api.list(KIND.pod, {
            namespace: NAMESPACE,
            labelSelector: `${LABEL.component}=${COMPONENT.gateway}`,
          });
          for (const pod of items) await api.delete(KIND.pod, ref(pod.metadata.name));
          return (await condition('Ready'))?.reason === 'Deleting';
        },
        { timeoutMs: 60_000 },
      );
      assert.match(
        (await condition('Ready'))?.message ?? '',
        /waits for topics orders\.chat.*cannot be reached.*kubectl annotate mp orders causeway\.dev\/abandon-topics=true/,
      );
      await api.mergePatch(KIND.platform, ref('orders'), {
        metadata: { annotations: { [ANNOTATION.abandonTopics]: 'true' } },
      });
      await waitFor('the platform is gone', async () => (await platform()) === undefined);
      await waitFor('its objects are gone', async () => {
        const all = await Promise.all(
          [KIND.deployment, KIND.statefulSet, KIND.service, KIND.secret, KIND.configMap].map((kind) =>
            api.list(kind, { namespace: NAMESPACE, labelSelector: LABEL.platform }),
          ),
        );
        return all.every((list) => list.items.length === 0);
      });
    });
    const { topics } = await kafkaAdmin.look(access, ['orders.chat']);
    assert.equal(topics.get('orders.chat')?.partitions, 9, 'what was given up on is still there');
  });
});
