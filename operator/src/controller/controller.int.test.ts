import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startControlPlane } from '../../../e2e/harness/index.ts';
import type { ControlPlane } from '../../../e2e/harness/index.ts';
import {
  addFinalizer,
  ApiEventRecorder,
  Applier,
  createMetrics,
  EVENT_KIND,
  HttpKubeApi,
  Informer,
  InformerSet,
  isConflict,
  isExpired,
  loadKubeConfig,
  recordWrites,
  removeFinalizer,
  systemClock,
  WriteLedger,
} from './index.ts';
import type { EngineMetrics, KubeEvent, KubeObject, ResourceKind } from './index.ts';
import { settle } from './testing/index.ts';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };

let cluster: ControlPlane;
let api: HttpKubeApi;
let foreign: HttpKubeApi;
let metrics: EngineMetrics;

before(async () => {
  cluster = await startControlPlane();
  metrics = createMetrics();
  const load = (): ReturnType<typeof loadKubeConfig> => loadKubeConfig({ path: cluster.kubeconfig });
  api = new HttpKubeApi({ load, metrics });
  foreign = new HttpKubeApi({ load, fieldManager: 'somebody-else' });
  await api.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'engine' } });
});

after(async () => {
  api?.close();
  foreign?.close();
  await cluster.stop();
});

/** Waits until `condition` holds; these tests wait for conditions, never for time alone. */
async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `${what}: not within ${ms / 1000} s`);
    await systemClock.sleep(50);
  }
}

function configMap(name: string, value: string): KubeObject & { data: Record<string, string> } {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'engine', name }, data: { value } };
}

test('an informer sees every change through restarts of the API server, and none twice', async () => {
  const informer = new Informer<KubeObject & { data: Record<string, string> }>({
    api,
    kind: CONFIG_MAP,
    clock: systemClock,
    namespaces: ['engine'],
    labelSelector: 'round',
    metrics,
  });
  const story = new Map<string, string>();
  informer.onChange({
    add: (object) => {
      assert.ok(!story.has(object.metadata.name));
      story.set(object.metadata.name, object.data.value ?? '');
    },
    update: (_before, now) => story.set(now.metadata.name, now.data.value ?? ''),
    delete: (object) => assert.ok(story.delete(object.metadata.name)),
  });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  await informer.whenSynced(stop.signal);
  const write = async (name: string, value: string): Promise<void> => {
    const object = configMap(name, value);
    object.metadata.labels = { round: 'yes' };
    await foreign.apply(CONFIG_MAP, object);
  };
  await write('kept', '1');
  await write('edited', '1');
  await write('gone', '1');
  await until('the first three', () => story.size === 3);
  for (const round of ['2', '3']) {
    await cluster.apiServer.kill();
    await cluster.apiServer.start();
    // The watch cache begins anew with the server: whoever was before it gets 410 Gone.
    await write('edited', round);
    await foreign.delete(CONFIG_MAP, { namespace: 'engine', name: 'gone' });
    await write(`new-${round}`, round);
    await until(`round ${round}`, () => story.get(`new-${round}`) === round && story.get('edited') === round);
  }
  await until('the deletion', () => !story.has('gone'));
  const truth = (
    await api.list<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, { labelSelector: 'round' })
  ).items;
  assert.deepEqual(
    Object.fromEntries(story),
    Object.fromEntries(truth.map((each) => [each.metadata.name, each.data.value])),
  );
  stop.abort();
  await running;
});

test('a watch from a version that is long gone is told so', async () => {
  const stop = new AbortController();
  const events = api.watch(CONFIG_MAP, { namespace: 'engine', resourceVersion: '1' }, stop.signal);
  await assert.rejects(async () => {
    for await (const event of events) assert.fail(`an event instead: ${event.type}`);
  }, isExpired);
});

test('a list over many pages is whole', async () => {
  const paged = new HttpKubeApi({ load: () => loadKubeConfig({ path: cluster.kubeconfig }), pageSize: 7 });
  for (let index = 0; index < 20; index += 1) await api.create(CONFIG_MAP, configMap(`page-${index}`, 'x'));
  const { items, resourceVersion } = await paged.list(CONFIG_MAP, { namespace: 'engine' });
  assert.equal(items.filter((each) => each.metadata.name.startsWith('page-')).length, 20);
  assert.ok(Number(resourceVersion) > 0);
  paged.close();
});

test('who writes over what has changed gets a conflict, and nobody loses a finalizer', async () => {
  const made = await api.create(CONFIG_MAP, configMap('conflict', '1'));
  await assert.rejects(api.create(CONFIG_MAP, configMap('conflict', '1')), isConflict);
  const current = await foreign.update(CONFIG_MAP, { ...made, data: { value: '2' } });
  await assert.rejects(api.update(CONFIG_MAP, { ...made, data: { value: '3' } }), isConflict);
  await assert.rejects(addFinalizer(api, CONFIG_MAP, made, 'causeway.dev/test'), isConflict);
  const held = await addFinalizer(api, CONFIG_MAP, current, 'causeway.dev/test');
  await api.delete(CONFIG_MAP, { namespace: 'engine', name: 'conflict' }, { uid: made.metadata.uid ?? '' });
  const going = await api.get(CONFIG_MAP, { namespace: 'engine', name: 'conflict' });
  assert.ok(going?.metadata.deletionTimestamp);
  await removeFinalizer(api, CONFIG_MAP, going, 'causeway.dev/test');
  assert.equal(await api.get(CONFIG_MAP, { namespace: 'engine', name: 'conflict' }), undefined);
  assert.equal(await removeFinalizer(api, CONFIG_MAP, held, 'causeway.dev/test'), undefined);
});

test('events are there for people to read, and repeats are one series', async () => {
  const object = await api.create(CONFIG_MAP, configMap('eventful', '1'));
  const recorder = new ApiEventRecorder({
    api,
    clock: systemClock,
    controller: 'causeway.dev/operator',
    instance: 'test',
  });
  const stop = new AbortController();
  const running = recorder.run(stop.signal);
  const input = {
    type: 'Warning',
    reason: 'BrokerUnreachable',
    note: 'kafka:9092 refuses connections',
  } as const;
  recorder.event(object, input);
  const find = async (): Promise<KubeEvent[]> =>
    (await api.list<KubeEvent>(EVENT_KIND, { namespace: 'engine' })).items.filter(
      ({ regarding }) => regarding.name === 'eventful',
    );
  await until('the event', async () => (await find()).length === 1);
  recorder.event(object, input);
  await until('the series', async () => (await find())[0]?.series?.count === 2);
  const [event] = await find();
  assert.equal(event?.regarding.uid, object.metadata.uid);
  assert.equal(event?.note, 'kafka:9092 refuses connections');
  stop.abort();
  await running;
});

interface Sample {
  kind: ResourceKind;
  object: KubeObject;
  /** What somebody else changes, as a merge patch, and what must be named as the reason. */
  drift: object;
  why: RegExp;
}

const metadata = (name: string): KubeObject['metadata'] => ({
  namespace: 'engine',
  name,
  labels: { 'causeway.dev/platform': 'orders' },
  annotations: { 'causeway.dev/certificate': '1' },
});
const podTemplate = {
  metadata: { labels: { app: 'orders' } },
  spec: {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { app: 'orders' } },
      },
    ],
    tolerations: [{ key: 'zone', operator: 'Exists' }],
    containers: [
      {
        name: 'main',
        image: 'main:1',
        args: ['serve', '--port=8443'],
        env: [
          { name: 'ZONE', value: 'zone-a' },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
        ports: [
          { name: 'ws', containerPort: 8443 },
          { name: 'gossip', containerPort: 8443, protocol: 'UDP' },
        ],
        // On purpose not in the form that the server keeps.
        resources: { requests: { cpu: '1000m', memory: '0.5Gi' }, limits: { memory: '1024Mi' } },
        readinessProbe: { httpGet: { path: '/readyz', port: 'ws', scheme: 'HTTPS' }, periodSeconds: 2 },
        volumeMounts: [
          { name: 'tls', mountPath: '/tls', readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'tls', secret: { secretName: 'orders-tls', optional: true } },
      { name: 'tmp', emptyDir: { sizeLimit: '0.25Gi' } },
      {
        name: 'info',
        downwardAPI: { items: [{ path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } }] },
      },
    ],
  },
};

function sample(
  apiVersion: string,
  [kind, plural]: [string, string],
  rest: object,
): Pick<Sample, 'kind' | 'object'> {
  const object: KubeObject = { apiVersion, kind, metadata: metadata(`sample-${plural}`), ...rest };
  return { kind: { apiVersion, kind, plural, namespaced: true }, object };
}

const samples: Sample[] = [
  {
    ...sample('v1', ['ConfigMap', 'configmaps'], { data: { a: '1', b: '2' } }),
    drift: { data: { a: 'edited' } },
    why: /data.a was changed/,
  },
  {
    ...sample('v1', ['Secret', 'secrets'], {
      type: 'Opaque',
      stringData: { key: 'value' },
      data: { raw: 'AAEC' },
    }),
    drift: { data: { key: null } },
    why: /data.key was changed/,
  },
  {
    ...sample('v1', ['Service', 'services'], {
      spec: {
        selector: { app: 'orders' },
        ports: [
          { name: 'wss', port: 443, targetPort: 'ws' },
          { name: 'dns', port: 443, protocol: 'UDP', targetPort: 8443 },
        ],
      },
    }),
    drift: { spec: { selector: { app: 'other' } } },
    why: /spec.selector.app was changed/,
  },
  {
    ...sample('v1', ['ServiceAccount', 'serviceaccounts'], { automountServiceAccountToken: false }),
    drift: { automountServiceAccountToken: true },
    why: /automountServiceAccountToken was changed/,
  },
  {
    ...sample('apps/v1', ['Deployment', 'deployments'], {
      spec: { replicas: 2, selector: { matchLabels: { app: 'orders' } }, template: podTemplate },
    }),
    drift: { spec: { replicas: 5 } },
    why: /spec.replicas was changed/,
  },
  {
    ...sample('apps/v1', ['StatefulSet', 'statefulsets'], {
      spec: {
        serviceName: 'orders',
        replicas: 1,
        selector: { matchLabels: { app: 'orders' } },
        template: podTemplate,
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } },
          },
        ],
      },
    }),
    drift: { metadata: { annotations: { 'causeway.dev/certificate': '7' } } },
    why: /annotations/,
  },
  {
    ...sample('policy/v1', ['PodDisruptionBudget', 'poddisruptionbudgets'], {
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'orders' } } },
    }),
    drift: { spec: { maxUnavailable: '50%' } },
    why: /spec.maxUnavailable was changed/,
  },
  {
    ...sample('networking.k8s.io/v1', ['NetworkPolicy', 'networkpolicies'], {
      spec: {
        podSelector: { matchLabels: { app: 'orders' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ ports: [{ port: 8443 }], from: [{ podSelector: {} }, { namespaceSelector: {} }] }],
        egress: [{}],
      },
    }),
    drift: { spec: { ingress: [] } },
    why: /spec.ingress was changed/,
  },
];

test('what is applied once is not applied again, not even by a new process; drift is repaired; foreign fields stay', async (context) => {
  const cache = new InformerSet();
  for (const { kind } of samples)
    cache.add(new Informer({ api, kind, clock: systemClock, namespaces: ['engine'] }));
  const ledger = new WriteLedger(cache);
  const stop = new AbortController();
  const running = cache.run(stop.signal);
  await cache.whenSynced(stop.signal);
  const recorded = recordWrites(api, ledger);
  const applier = new Applier({ api: recorded, cache });
  for (const { kind, object, drift, why } of samples) {
    await context.test(kind.kind, async () => {
      const seen = (): Promise<void> => until('the cache', () => ledger.cacheHasSeen(kind, object.metadata));
      assert.equal((await applier.apply(kind, object)).outcome, 'created');
      assert.equal((await applier.apply(kind, object)).outcome, 'unchanged', 'before the cache has seen it');
      await seen();
      assert.equal((await applier.apply(kind, object)).outcome, 'unchanged', 'by the same process');
      const restarted = new Applier({ api: recorded, cache });
      const again = await restarted.apply(kind, object);
      assert.equal(again.outcome, 'unchanged', `by a new process: ${again.why}`);

      const labels = { metadata: { labels: { 'somebody.else/owns': 'this' } } };
      const labelled = await foreign.mergePatch(kind, object.metadata, labels);
      const drifted = await foreign.mergePatch(kind, object.metadata, drift);
      ledger.wrote(kind, drifted);
      await seen();
      const repair = await applier.apply(kind, object);
      assert.equal(repair.outcome, 'repaired');
      assert.match(repair.why ?? '', why);
      assert.equal(repair.object?.metadata.labels?.['somebody.else/owns'], 'this');
      assert.notEqual(labelled.metadata.resourceVersion, drifted.metadata.resourceVersion);
      await seen();
      assert.equal((await applier.apply(kind, object)).outcome, 'unchanged', 'after the repair');

      const fewer = structuredClone(object);
      delete fewer.metadata.annotations;
      assert.equal(
        (await applier.apply(kind, fewer)).object?.metadata.annotations?.['causeway.dev/certificate'],
        undefined,
      );
      await seen();
      assert.equal((await applier.apply(kind, fewer)).outcome, 'unchanged', 'after giving a field up');
      assert.equal(await applier.remove(kind, object.metadata), true);
      await seen();
      assert.equal(await applier.remove(kind, object.metadata), false);
    });
  }
  stop.abort();
  await running;
});

test('at steady state a hundred rounds write nothing', async () => {
  const cache = new InformerSet();
  for (const { kind } of samples) cache.add(new Informer({ api, kind, clock: systemClock }));
  const stop = new AbortController();
  const running = cache.run(stop.signal);
  await cache.whenSynced(stop.signal);
  const applier = new Applier({ api, cache });
  const items = samples.map(({ kind, object }) => ({ kind, object }));
  assert.equal((await applier.applyAll(items)).writes, samples.length);
  const writes = async (): Promise<number> =>
    (await metrics.apiWrites.get()).values.reduce((sum, { value }) => sum + value, 0);
  const writesBefore = await writes();
  for (let round = 0; round < 100; round += 1) {
    const report = await applier.applyAll(items);
    assert.deepEqual([report.writes, report.failures], [0, []]);
    await settle();
  }
  assert.equal(await writes(), writesBefore);
  stop.abort();
  await running;
});
