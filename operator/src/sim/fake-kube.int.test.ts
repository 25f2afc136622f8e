/** The fake API server beside the real one: the same requests to both must leave the same objects. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { startControlPlane, type ControlPlane } from '../../../e2e/harness/index.ts';
import {
  HttpKubeApi,
  isNotFound,
  KubeError,
  loadKubeConfig,
  systemClock,
  type KubeApi,
  type KubeObject,
  type ResourceKind,
} from '../controller/index.ts';
import { CHILD_KINDS, desiredObjects, KIND, type MessagePlatform } from '../platform/index.ts';
import { withCrdDefaults } from './crd-schema.ts';
import type { Json } from './json.ts';
import { kubeClient } from './kube-client.ts';
import { SimProcess } from './sim-process.ts';
import { Random } from './random.ts';
import { World } from './world.ts';

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

let cluster: ControlPlane;
let real: HttpKubeApi;
let vandal: HttpKubeApi;

before(async () => {
  cluster = await startControlPlane();
  const load = (): ReturnType<typeof loadKubeConfig> => loadKubeConfig({ path: cluster.kubeconfig });
  real = new HttpKubeApi({ load });
  vandal = new HttpKubeApi({ load, fieldManager: 'vandal' });
  await real.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'messaging' } });
  const file = new URL('../../../crds/messageplatforms.causeway.dev.yaml', import.meta.url);
  await real.create(CRD, parse(readFileSync(file, 'utf8')) as KubeObject);
  for (;;) {
    try {
      await real.list(KIND.platform, { namespace: 'messaging' });
      return;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await systemClock.sleep(100);
    }
  }
});

after(async () => {
  real.close();
  vandal.close();
  await cluster.stop();
});

/** The fake's API for the operator and for the vandal; time passes while a call waits. */
function fake(): { operator: KubeApi; vandal: KubeApi } {
  const world = new World();
  const process = new SimProcess('test', world.time, new Random(0));
  const { kube, network, time } = world;
  const api = kubeClient({
    kube,
    network,
    time,
    process,
    watches: { delayMs: () => 1 },
    opened: () => undefined,
    deleting: () => undefined,
  });
  const pass = <T>(call: Promise<T>): Promise<T> => {
    void time.run(() => false, time.now + 100);
    return call;
  };
  const vandalWriter = { manager: 'vandal' };
  return {
    operator: {
      ...api,
      get: (kind, ref) => pass(api.get(kind, ref)),
      create: (kind, object) => pass(api.create(kind, object)),
      update: (kind, object) => pass(api.update(kind, object)),
      apply: (kind, object, options) => pass(api.apply(kind, object, options)),
      mergePatch: (kind, ref, patch) => pass(api.mergePatch(kind, ref, patch)),
    },
    vandal: {
      ...api,
      mergePatch: async (kind, ref, patch) => kube.patch(kind, ref, patch as Json, vandalWriter) as never,
    },
  };
}

/** What both servers decide alike; not names of chance, addresses and times. */
function comparable(object: KubeObject | undefined): unknown {
  if (object === undefined) return undefined;
  const {
    uid: _uid,
    resourceVersion: _v,
    creationTimestamp: _c,
    managedFields,
    ...metadata
  } = object.metadata;
  // Of other writes only their effect on what was applied counts: the rest of their entries nobody reads.
  const owned = (managedFields ?? [])
    .filter(({ operation }) => operation === 'Apply')
    .map(({ manager, operation, subresource, fieldsV1 }) => ({ manager, operation, subresource, fieldsV1 }))
    .sort((a, b) =>
      JSON.stringify([a.manager, a.operation, a.subresource]).localeCompare(
        JSON.stringify([b.manager, b.operation, b.subresource]),
      ),
    );
  const text = JSON.stringify({
    ...object,
    metadata,
    owned,
    ...(object.kind === 'MessagePlatform' ? {} : { status: null }),
  });
  const values = JSON.parse(text) as Json & { spec?: Json };
  for (const address of ['clusterIP', 'clusterIPs'])
    if (values.spec?.[address] !== undefined) values.spec[address] = 'any';
  return values;
}

type Act = (api: { operator: KubeApi; vandal: KubeApi }) => Promise<unknown>;

/** Does the same to both, and compares the object after each act. */
async function compareActs(kind: ResourceKind, name: string, acts: Act[]): Promise<void> {
  const pair = { real: { operator: real, vandal }, fake: fake() };
  const ref = { namespace: 'messaging', name };
  for (const [index, act] of acts.entries()) {
    const outcomes = [];
    for (const api of [pair.real, pair.fake]) {
      try {
        await act(api);
        outcomes.push('done');
      } catch (error) {
        assert.ok(error instanceof KubeError, `act ${index}: ${String(error)}`);
        outcomes.push(`${error.code}`);
      }
    }
    assert.equal(
      outcomes[1],
      outcomes[0],
      `act ${index}: the real one answers ${outcomes[0]}, the fake ${outcomes[1]}`,
    );
    const expected = comparable(await pair.real.operator.get(kind, ref));
    const actual = comparable(await pair.fake.operator.get(kind, ref));
    assert.deepEqual(actual, expected, `after act ${index}`);
  }
}

const PLATFORM_SPEC = (finalSpec: Json = {}): KubeObject =>
  ({
    apiVersion: 'causeway.dev/v1alpha1',
    kind: 'MessagePlatform',
    metadata: { namespace: 'messaging', name: 'orders' },
    spec: {
      zones: [{ name: 'zone-a' }, { name: 'zone-b' }],
      homeZone: 'zone-a',
      gateway: { auth: { jwt: { secretRef: { name: 'jwt' } } } },
      kafka: { bootstrapServers: 'kafka:9092', topics: [{ name: 'chat' }] },
      ...finalSpec,
    },
  }) as unknown as KubeObject;

function status(of: Json): KubeObject {
  const { spec: _spec, ...rest } = PLATFORM_SPEC() as unknown as Json;
  return { ...rest, status: of } as unknown as KubeObject;
}

/** What somebody may do to each kind. */
const SPOILS: Record<string, Json> = {
  Deployment: { spec: { replicas: 4 } },
  StatefulSet: { spec: { replicas: 2, template: { metadata: { annotations: { mine: 'yes' } } } } },
  Service: {
    spec: { selector: { app: 'x' }, ports: [{ name: 'other', port: 99, protocol: 'TCP', targetPort: 99 }] },
  },
  ConfigMap: { data: { 'gateway.json': 'x', mine: 'yes' } },
  NetworkPolicy: { spec: { ingress: null } },
  PodDisruptionBudget: { spec: { maxUnavailable: 2 } },
  ServiceAccount: { automountServiceAccountToken: true },
};

/** What the API server refuses. */
const FORBIDDEN: Record<string, Json> = {
  Deployment: { spec: { selector: { matchLabels: { app: 'x' } } } },
  StatefulSet: { spec: { serviceName: 'x' } },
};

describe('the fake API server, beside the real one', () => {
  it('treats lists of a status alike, also when they get empty', async () => {
    const apply =
      (of: Json): Act =>
      (api) =>
        api.operator.apply(KIND.platform, status(of), { subresource: 'status' });
    await compareActs(KIND.platform, 'orders', [
      (api) => api.operator.create(KIND.platform, PLATFORM_SPEC()),
      apply({ topics: [{ name: 'a', configKeys: [] }], epoch: 1 }),
      apply({ topics: [{ name: 'a', state: 'Ready' }], epoch: 1 }),
      apply({ topics: [{ name: 'a', configKeys: ['x', 'y'] }], epoch: 1 }),
      apply({ topics: [{ name: 'a', configKeys: ['y', 'z'] }, { name: 'b' }] }),
      apply({ topics: [{ name: 'a' }] }),
      apply({ topics: [] }),
      apply({ topicsSummary: '0/0' }),
    ]);
  });

  const platform = withCrdDefaults('MessagePlatform', {
    ...PLATFORM_SPEC(),
    metadata: { namespace: 'messaging', name: 'shop', uid: '00000000-0000-4000-8000-000000000001' },
  }) as unknown as MessagePlatform;
  const images = { gatewayBun: 'gateway:bun', gatewayNode: 'gateway:node', redis: 'redis:7', etcd: 'etcd:3' };
  const changed: MessagePlatform = {
    ...platform,
    spec: {
      ...platform.spec,
      gateway: {
        ...platform.spec.gateway,
        runtime: 'Node',
        resources: { requests: { cpu: '1000m' } },
        service: { ...platform.spec.gateway.service, annotations: { 'example.com/a': 'b' } },
      },
    },
  };
  for (const desired of desiredObjects(platform, images)) {
    const kind = CHILD_KINDS.find((each) => each.kind === desired.kind);
    assert.ok(kind !== undefined);
    const { name } = desired.metadata;
    it(`treats ${desired.kind} ${name} alike, through changes of ours and of others`, async () => {
      const later = desiredObjects(changed, images).find(
        (each) => each.kind === desired.kind && each.metadata.name === name,
      );
      const apply =
        (object: KubeObject = desired): Act =>
        (api) =>
          api.operator.apply(kind, object);
      const spoil =
        (patch: Json): Act =>
        (api) =>
          api.vandal.mergePatch(kind, { namespace: 'messaging', name }, patch);
      await compareActs(kind, name, [
        apply(),
        apply(),
        apply(later),
        apply(),
        spoil({
          metadata: { labels: { 'causeway.dev/component': 'x', mine: 'yes' }, annotations: { mine: 'yes' } },
        }),
        apply(),
        spoil({ metadata: { labels: { 'causeway.dev/platform': null }, ownerReferences: null } }),
        apply(),
        spoil(SPOILS[desired.kind] ?? {}),
        apply(),
        spoil({ metadata: { resourceVersion: '1' } }),
        spoil(FORBIDDEN[desired.kind] ?? {}),
      ]);
    });
  }
});
