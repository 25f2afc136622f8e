/** The CRD on a real kube-apiserver: what it refuses and says, what it accepts and fills in, how it reads. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ensureBinary } from '../../e2e/binaries/index.ts';
import { startControlPlane, type ControlPlane } from '../../e2e/harness/index.ts';
import { run, waitFor } from '../../e2e/tools/index.ts';
import { root } from '../scripts/crd.ts';
import {
  invalidEdits,
  invalidPlatforms,
  merge,
  unknownFields,
  validPlatform,
  type Change,
} from './invalid-platforms.ts';
import type { MessagePlatform } from './resource.ts';
import { assertRefused, explain, openTestApi, testObjects, type TestApi } from './test-api.ts';

/** What the API server makes of a topic that says nothing of its channels. */
const channels: MessagePlatform['spec']['kafka']['topics'][number]['channels'] = {
  subscribe: 'Authenticated',
  publish: 'Authenticated',
  history: { size: 1_000, ttl: '1h' },
  recovery: true,
  presence: false,
  joinLeave: false,
};

let cluster: ControlPlane;
let api: TestApi;
let kubectl: string;
const platforms = testObjects<MessagePlatform>(() => api, 'messageplatforms', validPlatform);
const { create, created, edit, edited, reported: report } = platforms;
const PLATFORMS = platforms.path;
const ORDERS = `${PLATFORMS}/orders`;

before(async () => {
  kubectl = await ensureBinary('kubectl');
  cluster = await startControlPlane();
  api = openTestApi(cluster.kubeconfig);
  await waitFor('the API serves MessagePlatforms', () => platforms.isServed());
});

after(async () => {
  api?.close();
  await cluster?.stop();
});

afterEach(async () => {
  await platforms.deleteAll();
});

const kube = async (...args: string[]): Promise<string> =>
  (await run(kubectl, ['--kubeconfig', cluster.kubeconfig, ...args], { timeoutMs: 60_000 })).stdout;

function applyTls(tls: Change): Promise<unknown> {
  const platform = JSON.stringify(merge(validPlatform, { spec: { tls } }));
  return run(kubectl, ['--kubeconfig', cluster.kubeconfig, 'apply', '-f', '-'], { input: platform });
}

describe('creating a platform refuses', () => {
  for (const { name, change, field, message } of invalidPlatforms) {
    it(name, async () => assertRefused(await create(change), field, message));
  }

  for (const { name, change, message } of unknownFields) {
    it(name, async () => {
      const answer = await create(change);
      assert.equal(answer.status, 400, explain(answer));
      assert.ok(answer.body.message?.endsWith(`strict decoding error: ${message}`), explain(answer));
    });
  }
});

describe('editing a platform refuses', () => {
  for (const { name, before: start, status, change, field, message } of invalidEdits) {
    it(name, async () => {
      await created(start);
      if (status) await report(status);
      assertRefused(await edit(change), field, message);
    });
  }
});

describe('editing a platform allows', () => {
  it('what the home zone is called after a failover, and then taking the old one away', async () => {
    await created();
    await report({ homeZone: 'zone-b', epoch: 2 });
    await edited({ spec: { homeZone: 'zone-b' } });
    const { spec } = await edited({ spec: { zones: [{ name: 'zone-b' }, { name: 'zone-c' }] } });
    assert.deepEqual(
      spec.zones.map(({ name }) => name),
      ['zone-b', 'zone-c'],
    );
  });

  it('a new zone while a failover is under way, and after it the end of one that is away', async () => {
    await created();
    const away = [{ zone: 'zone-c', failover: 'fire' }];
    await report({ homeZone: 'zone-a', failover: { name: 'fire' }, away });
    await edited({ spec: { zones: [...validPlatform.spec.zones, { name: 'zone-d' }] } });
    await report({ homeZone: 'zone-a', failover: null, away });
    await edited({ spec: { zones: [{ name: 'zone-a' }, { name: 'zone-b' }] } });
    // What the operator still knows of that zone it may write, and take back.
    await report({ homeZone: 'zone-a', failover: { name: 'drill' }, away });
    await report({ homeZone: 'zone-a', failover: { name: 'drill' }, away: null });
  });

  it('a new zone, more partitions, another runtime, and topics that come and go', async () => {
    await created();
    await edited({ spec: { zones: [...validPlatform.spec.zones, { name: 'zone-d' }] } });
    await edited({ spec: { gateway: { runtime: 'Node' } } });
    await edited({ spec: { kafka: { topics: [{ name: 'chat', partitions: 12 }, { name: 'alerts' }] } } });
    const { spec } = await edited({ spec: { kafka: { topics: [{ name: 'alerts' }] } } });
    assert.deepEqual(spec.kafka.topics, [{ name: 'alerts', partitions: 6, replicationFactor: 3, channels }]);
  });

  it('writing down the size that a volume already has', async () => {
    await created();
    const { spec } = await edited({ spec: { redis: { storage: '1Gi' }, etcd: { storage: '1Gi' } } });
    assert.equal(spec.redis.storage, '1Gi');
  });

  it('an apply that goes from the own authority to a Secret and back', async () => {
    await applyTls({});
    await applyTls({ issuer: { secretRef: { name: 'orders-cert' } } });
    await applyTls({ issuer: { selfManaged: {} } });
    await applyTls({ issuer: { secretRef: { name: 'orders-cert' } } });
    await applyTls({});
    assert.ok(!('issuer' in ((await api.send('GET', ORDERS)).body['spec'] as MessagePlatform['spec']).tls));
  });
});

describe('a platform that is accepted', () => {
  it('has its defaults filled in', async () => {
    const { spec } = await created({ spec: { gateway: { replicasPerZone: null } } });
    assert.deepEqual(spec, {
      zones: [{ name: 'zone-a' }, { name: 'zone-b' }, { name: 'zone-c' }],
      homeZone: 'zone-a',
      gateway: {
        runtime: 'Bun',
        heartbeat: { interval: '25s', timeout: '10s' },
        connectTimeout: '10s',
        auth: { jwt: { secretRef: { name: 'orders-jwt' } } },
        limits: { connectionsPerReplica: 20_000, messagesPerSecond: 200, burst: 400 },
        service: { type: 'ClusterIP', port: 443 },
      },
      kafka: {
        bootstrapServers: 'kafka.kafka:9092',
        deletionPolicy: 'Retain',
        topics: [
          {
            name: 'chat',
            partitions: 6,
            replicationFactor: 3,
            config: { 'min.insync.replicas': '2' },
            channels,
          },
        ],
      },
      redis: {},
      etcd: { deletionPolicy: 'Retain' },
      tls: {
        duration: '2160h',
        renewBefore: '720h',
        authority: { duration: '87600h', renewBefore: '8760h' },
        ticketKeyLifetime: '24h',
        rotation: {
          maxUnverified: 1,
          canaryPause: '10s',
          pauseBetweenZones: '10s',
          podTimeout: '60s',
          unavailableZone: 'Wait',
        },
      },
      failover: { automatic: false, unhealthyAfter: '10s', drainPerSecond: 2000 },
    } satisfies MessagePlatform['spec']);
  });

  it('may be as odd as Kubernetes, Kafka and browsers allow', async () => {
    await created({
      metadata: { name: 'a' },
      spec: {
        zones: [{ name: '1' }],
        homeZone: '1',
        gateway: {
          heartbeat: { interval: '1m1s', timeout: '999ms' },
          allowedOrigins: [
            'http://localhost:3000',
            'capacitor://localhost',
            'http://[::1]:8080',
            'https://10.0.0.1',
          ],
          tracing: { endpoint: 'http://[::1]:4318/otlp', samplingRatePerMillion: 0 },
          resources: {
            requests: { cpu: 1, memory: '1e9', 'example.com/dongle': 2, 'ephemeral-storage': '.5Gi' },
            limits: { cpu: '1000m', memory: '1G' },
          },
          service: { annotations: { plain: '', 'example.com/with.domain_1': 'x' } },
          limits: { etcdKey: '/a/b/l' },
          rpc: [
            { method: 'a.B_c:d/e-1', url: 'http://10.0.0.1:8080/rpc?a=b' },
            {
              method: 'f',
              url: 'https://[::1]',
              timeout: '30s',
              secretRef: { name: 'f' },
              caSecretRef: { name: 'f' },
            },
          ],
          tolerations: [{ operator: 'Exists' }, { key: 'k', effect: 'NoExecute', tolerationSeconds: 0 }],
        },
        kafka: {
          bootstrapServers: 'kafka_1.example.com:1,10.0.0.1:65535',
          tls: {},
          sasl: { mechanism: 'PLAIN', secretRef: { name: 'a.b-c' } },
          topics: [{ name: 'x_y-z', replicationFactor: 1, config: { 'min.insync.replicas': '1' } }],
        },
        redis: { external: { url: 'rediss://[2001:db8::1]:6380/15' } },
        etcd: {
          prefixes: ['/config/', '/configs/', '/a/b/'],
          external: { zones: [{ zone: '1', endpoints: ['http://[::1]:2379', 'https://etcd:2379'] }] },
        },
        tls: {
          dnsNames: ['*.example.com', 'localhost', 'xn--bcher-kva.example'],
          duration: '1h',
          renewBefore: '5m',
        },
      },
    });
  });

  it('may have names as long as the rules say', async () => {
    const zone = 'a-zone-of-22-letters-x';
    await created({
      metadata: { name: 'a-name-of-22-letters-x' },
      spec: { zones: [{ name: zone }], homeZone: zone },
    });
  });

  it('keeps spec and status apart', async () => {
    const platform = await created({ status: { homeZone: 'zone-b' } });
    assert.equal(platform.status, undefined, 'a status in a create is dropped');

    const reported = await report({ homeZone: 'zone-a', epoch: 1, observedGeneration: 1 });
    assert.equal(reported.metadata.generation, 1, 'a status is no new generation');

    const both = await edited({ status: { homeZone: 'zone-c' }, spec: { gateway: { replicasPerZone: 3 } } });
    assert.equal(both.status?.homeZone, 'zone-a', 'an edit of the spec leaves the status alone');
    assert.equal(both.metadata.generation, 2, 'a spec is a new generation');

    const answer = await api.send(
      'PATCH',
      `${ORDERS}/status`,
      { spec: { gateway: { replicasPerZone: 9 } } },
      { 'content-type': 'application/merge-patch+json' },
    );
    assert.equal((answer.body['spec'] as MessagePlatform['spec']).gateway.replicasPerZone, 3);
  });
});

describe('every example', () => {
  const folder = `${root}examples/`;
  const files = ['', 'two-clusters/'].flatMap((of) =>
    readdirSync(`${folder}${of}`)
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => `${of}${file}`),
  );

  it('is there', () => assert.ok(files.length >= 4, files.join(', ')));

  for (const file of files) {
    it(`${file} is accepted as it stands`, async () => {
      const kinds = parseAllDocuments(readFileSync(`${folder}${file}`, 'utf8')).map(
        (document) => (document.toJS() as { kind: string }).kind,
      );
      const output = await kube('apply', '--validate=strict', '-f', `${folder}${file}`);
      assert.equal(output.trim().split('\n').length, kinds.length, output);
      assert.doesNotMatch(output, /unchanged|configured/, 'examples share no objects');
    });
  }

  it('has a token key that is long enough for HMAC (RFC 7518 section 3.2) and says that it is a demonstration', () => {
    const secrets = files
      .flatMap((file) => parseAllDocuments(readFileSync(`${folder}${file}`, 'utf8')))
      .map((document) => document.toJS() as { kind: string; stringData?: { hmac?: string } })
      .filter(({ kind }) => kind === 'Secret');
    assert.ok(secrets.length > 0);
    for (const { stringData } of secrets) {
      assert.ok(Buffer.byteLength(stringData?.hmac ?? '') >= 32);
      assert.match(stringData?.hmac ?? '', /demo/);
    }
  });
});

describe('people and programs', () => {
  const status = {
    observedGeneration: 1,
    homeZone: 'zone-a',
    gateways: { ready: 5, desired: 6, summary: '5/6' },
    topicsSummary: '1/1',
    certificates: { version: 1, notAfter: '2027-02-21T18:00:00Z' },
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'GatewaysNotReady',
        message: 'zone-b: 1 of 2 gateway pods is ready',
        lastTransitionTime: '2026-11-23T18:00:00Z',
      },
    ],
  };

  it('read what matters in kubectl get', async () => {
    await created();
    await report(status);
    const [head, row] = (await kube('get', 'mp')).trim().split('\n');
    assert.match(head ?? '', /^NAME +READY +HOME +GATEWAYS +TOPICS +CERT-EXPIRES +AGE$/);
    assert.match(row ?? '', /^orders +False +zone-a +5\/6 +1\/1 +2027-02-21T18:00:00Z +\d+s$/);
  });

  it('read why in kubectl get -o wide', async () => {
    await created();
    await report(status);
    const [head, row] = (await kube('get', 'mp', '-o', 'wide')).trim().split('\n');
    assert.match(head ?? '', / AGE +REASON +MESSAGE$/);
    assert.match(row ?? '', / GatewaysNotReady +zone-b: 1 of 2 gateway pods is ready$/);
  });

  it('get a table without gaps before the operator has seen the platform', async () => {
    await created();
    const accept = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
    const { body } = await api.send('GET', ORDERS, undefined, accept);
    const columns = body['columnDefinitions'] as { name: string; description: string }[];
    assert.ok(columns.every(({ description }) => description.length > 0));
    assert.equal((body['rows'] as { cells: unknown[] }[])[0]?.cells.length, columns.length);
  });

  it('can wait for it with kubectl wait', async () => {
    await created();
    await report(merge(status, { conditions: [{ ...status.conditions[0], status: 'True' }] }) as Change);
    await kube('wait', '--for=condition=Ready', 'mp/orders', '--timeout=5s');
  });

  it('find it by its short name and its categories', async () => {
    const { body } = await api.send('GET', '/apis/causeway.dev/v1alpha1');
    const resources = body['resources'] as { name: string; shortNames?: string[]; categories?: string[] }[];
    const kind = resources.find(({ name }) => name === 'messageplatforms');
    assert.deepEqual(kind?.shortNames, ['mp']);
    assert.deepEqual(kind?.categories?.toSorted(), ['all', 'causeway']);
    await created();
    assert.match(await kube('get', 'all'), /messageplatform\.causeway\.dev\/orders/);
  });

  it('are told by kubectl explain what Kafka needs', async () => {
    const text = (await kube('explain', 'mp.spec.kafka')).replaceAll(/\s+/g, ' ');
    assert.match(
      text,
      /The Kafka cluster \(3\.x or later\) that carries publications, and the topics in it\./,
    );
    assert.match(
      text,
      /bootstrapServers <string> -required- Brokers to start from, host:port, separated by commas\./,
    );
    assert.match(text, /deletionPolicy <string> enum: Retain, Delete What becomes of the topics/);
    assert.match(
      await kube('explain', 'mp.status.conditions.message'),
      /What a person should know, and do\./,
    );
  });

  it('are shown no warning of the API server about the CRD itself', async () => {
    const { body } = await api.send(
      'GET',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/messageplatforms.causeway.dev',
    );
    const conditions = (body['status'] as { conditions: { type: string; status: string }[] }).conditions;
    assert.deepEqual(Object.fromEntries(conditions.map(({ type, status: holds }) => [type, holds])), {
      NamesAccepted: 'True',
      Established: 'True',
    });
  });
});
