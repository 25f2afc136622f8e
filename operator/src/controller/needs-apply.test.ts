import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from './kube-api.ts';
import { needsApply, normalizeDesired, remember, whyApply } from './needs-apply.ts';

type Anything = Record<string, unknown>;

function deployment(spec: Anything, metadata: Anything = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'gateway', namespace: 'ns', ...metadata },
    spec,
  } as unknown as KubeObject;
}

/** As the server would have it: what was applied, what it added, and who owns what. */
function live(desired: KubeObject, fields: Anything, more: Anything = {}, version = '10'): KubeObject {
  const { metadata, ...rest } = structuredClone(desired);
  return {
    ...rest,
    ...more,
    metadata: {
      ...metadata,
      ...(more.metadata as Anything | undefined),
      uid: 'u',
      resourceVersion: version,
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          subresource: 'status',
          fieldsV1: { 'f:status': {} },
        },
        { manager: 'causeway', operation: 'Apply', fieldsV1: fields },
      ],
    },
  };
}

function secret(value: Anything): KubeObject {
  const object: KubeObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'ns' } };
  return { ...object, ...value };
}

function service(ports: Anything[]): KubeObject {
  const object: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'ns' } };
  return Object.assign(object, { spec: { ports } });
}

function conditions(status: string): Anything[] {
  return [
    { type: 'Foreign', status: 'True' },
    { type: 'Ready', status },
  ];
}

function owner(uid: string): Anything {
  return { apiVersion: 'v1', kind: 'X', name: 'x', uid };
}

/** A copy with one value set, or taken out (undefined), at a path such as `spec.ports.0.name`. */
function edited(object: KubeObject, path: string, value: unknown): KubeObject {
  const copy = structuredClone(object);
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce<unknown>((at, name) => (at as Anything)[name], copy) as Anything | unknown[];
  if (Array.isArray(parent) && value === undefined) parent.splice(Number(last), 1);
  else if (value === undefined) delete (parent as Anything)[last];
  else (parent as Anything)[last] = value;
  return copy;
}

const spec = {
  replicas: 2,
  template: {
    spec: {
      containers: [
        {
          name: 'gateway',
          image: 'gateway:1',
          ports: [{ name: 'ws', containerPort: 8443 }],
          resources: { requests: { cpu: '1000m', memory: '0.5Gi' } },
          volumeMounts: [{ name: 'tls', mountPath: '/tls' }],
        },
      ],
      volumes: [{ name: 'tls', emptyDir: {} }],
    },
  },
};
const fields = {
  'f:spec': {
    'f:replicas': {},
    'f:template': {
      'f:spec': {
        'f:containers': {
          'k:{"name":"gateway"}': {
            '.': {},
            'f:name': {},
            'f:image': {},
            'f:ports': {
              'k:{"containerPort":8443,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:name': {} },
            },
            'f:resources': { 'f:requests': { 'f:cpu': {}, 'f:memory': {} } },
            'f:volumeMounts': { 'k:{"mountPath":"/tls"}': { '.': {}, 'f:mountPath': {}, 'f:name': {} } },
          },
        },
        'f:volumes': { 'k:{"name":"tls"}': { '.': {}, 'f:emptyDir': {}, 'f:name': {} } },
      },
    },
  },
};

/** The server's form of the above: defaults, canonical quantities, and a sidecar that a webhook put first. */
function asServed(): KubeObject {
  const served = live(deployment(spec), fields);
  const pod = (served as unknown as { spec: typeof spec }).spec.template.spec;
  const [container] = pod.containers;
  Object.assign(container ?? {}, {
    imagePullPolicy: 'IfNotPresent',
    ports: [{ name: 'ws', containerPort: 8443, protocol: 'TCP' }],
    resources: { requests: { cpu: '1', memory: '512Mi' } },
  });
  pod.containers.unshift({ name: 'sidecar', image: 'mesh:1' } as (typeof pod.containers)[number]);
  return served;
}

test('what is as it should be is not applied, whatever the server has made of it', () => {
  assert.equal(whyApply(deployment(spec), asServed()), undefined);
});

test('each kind of drift is seen, and named', () => {
  const container = 'spec.template.spec.containers.1';
  const owned = 'metadata.managedFields.1.fieldsV1';
  const cases: [string, string, unknown, RegExp][] = [
    ['a value was edited', 'spec.replicas', 7, /^spec.replicas differs/],
    ['a list element was edited', `${container}.image`, 'x', /containers.image differs/],
    ['a list element is gone', container, undefined, /spec.template.spec.containers differs/],
    ['a quantity was edited', `${container}.resources.requests.cpu`, '2', /requests.cpu differs/],
    ['a map is gone', 'spec.template.spec.volumes.0.emptyDir', undefined, /volumes.emptyDir differs/],
    ['never applied by us', 'metadata.managedFields.1', undefined, /does not own/],
    [
      'another has taken a field',
      `${owned}.f:spec.f:replicas`,
      undefined,
      /spec.replicas is owned by another/,
    ],
    ['we own what we no longer want', `${owned}.f:spec.f:old`, {}, /spec.old is no longer wanted/],
  ];
  for (const [what, path, value, why] of cases) {
    const served = edited(asServed(), path, value);
    assert.match(whyApply(deployment(spec), served) ?? 'nothing', why, what);
  }
});

test('foreign fields are left alone', () => {
  const labelled = edited(asServed(), 'metadata.labels', { 'argocd.argoproj.io/instance': 'x' });
  const served = edited(labelled, 'spec.template.spec.nodeSelector', { disk: 'ssd' });
  assert.equal(whyApply(deployment(spec), served), undefined);
});

test('a field that is dropped from what is wanted is given up', () => {
  const { replicas: _dropped, ...rest } = spec;
  assert.match(whyApply(deployment(rest), asServed()) ?? '', /spec.replicas is no longer wanted/);
});

test('quantities are only quantities where the API has them', () => {
  const desired = deployment({ replicas: 1 }, { annotations: { cpu: '1000m' } });
  const served = live(deployment({ replicas: 1 }, { annotations: { cpu: '1' } }), {
    'f:metadata': { 'f:annotations': { 'f:cpu': {} } },
    'f:spec': { 'f:replicas': {} },
  });
  assert.match(whyApply(desired, served) ?? '', /metadata.annotations.cpu differs/);
});

test('lists without keys are compared in order and whole, sets as sets', () => {
  const desired = deployment({ args: ['a', 'b'] }, { finalizers: ['causeway.dev/topics'] });
  const owned = {
    'f:metadata': { 'f:finalizers': { '.': {}, 'v:"causeway.dev/topics"': {} } },
    'f:spec': { 'f:args': {} },
  };
  const served = live(desired, owned, { metadata: { finalizers: ['foreign', 'causeway.dev/topics'] } });
  assert.equal(whyApply(desired, served), undefined);
  const longer = edited(served, 'spec.args', ['a', 'b', 'c']);
  assert.match(whyApply(desired, longer) ?? '', /spec.args differs/);
});

test('owners are told apart by UID', () => {
  const desired = deployment({}, { ownerReferences: [owner('new')] });
  const served = live(deployment({}, { ownerReferences: [owner('old')] }), {
    'f:metadata': { 'f:ownerReferences': { '.': {}, 'k:{"uid":"old"}': {} } },
  });
  assert.match(whyApply(desired, served) ?? '', /ownerReferences differs/);
});

test("a Secret's stringData is compared as data, and its values are in no reason", () => {
  const desired = normalizeDesired(secret({ stringData: { key: 'hush', other: undefined } }));
  const served = live(secret({ data: { key: 'aHVzaA==' } }), { 'f:data': { 'f:key': {} } });
  assert.equal(whyApply(desired, served), undefined);
  const changed = live(secret({ data: { key: 'eA==' } }), { 'f:data': { 'f:key': {} } });
  const why = whyApply(desired, changed) ?? '';
  assert.equal(why, 'data.key differs');
  assert.doesNotMatch(JSON.stringify(remember(desired, changed)), /hush|aHVzaA|eA==/);
});

test('Services: ports by number and protocol', () => {
  const desired = service([
    { port: 443, targetPort: 8443 },
    { port: 53, protocol: 'UDP' },
  ]);
  const served = live(
    service([
      { port: 53, protocol: 'UDP', targetPort: 53 },
      { port: 443, protocol: 'TCP', targetPort: 8443 },
    ]),
    {
      'f:spec': {
        'f:ports': {
          'k:{"port":443,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:targetPort': {} },
          'k:{"port":53,"protocol":"UDP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} },
        },
      },
    },
  );
  assert.equal(whyApply(desired, served), undefined);
});

test('what the server makes of a value is remembered, and is no drift; a later edit is', () => {
  const desired = deployment({ schedule: '1h' });
  const owned = { 'f:spec': { 'f:schedule': {} } };
  const answer = live(deployment({ schedule: '1h0m0s' }), owned, {}, '20');
  assert.ok(needsApply(desired, answer), 'nothing is known yet');
  const remembered = remember(desired, answer);
  assert.equal(whyApply(desired, answer, { remembered }), undefined);
  const later = live(deployment({ schedule: '1h0m0s', foreign: 1 }), owned, {}, '30');
  assert.equal(whyApply(desired, later, { remembered }), undefined, 'a foreign change is none of ours');
  const changed = live(deployment({ schedule: '2h0m0s' }), owned, {}, '31');
  assert.match(whyApply(desired, changed, { remembered }) ?? '', /spec.schedule was changed by another/);
  const taken = live(deployment({ schedule: '1h0m0s' }), {}, {}, '32');
  assert.match(whyApply(desired, taken, { remembered }) ?? '', /taken one of its fields/);
});

test('a cache that is behind our own write causes no second one; a new wish does', () => {
  const desired = deployment({ replicas: 3 });
  const owned = { 'f:spec': { 'f:replicas': {} } };
  const remembered = remember(desired, live(desired, owned, {}, '100'));
  const stale = live(deployment({ replicas: 2 }), owned, {}, '99');
  assert.equal(whyApply(desired, stale, { remembered }), undefined);
  assert.match(whyApply(deployment({ replicas: 4 }), stale, { remembered }) ?? '', /spec.replicas differs/);
});

test('status is judged by what we own of the status', () => {
  const desired = {
    apiVersion: 'causeway.dev/v1alpha1',
    kind: 'MessagePlatform',
    metadata: { name: 'orders', namespace: 'ns' },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  } as KubeObject;
  const owned = {
    'f:status': { 'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:type': {}, 'f:status': {} } } },
  };
  const entry = { manager: 'causeway', operation: 'Apply', subresource: 'status', fieldsV1: owned };
  const owning = edited(desired, 'metadata.managedFields', [entry]);
  const served = edited(owning, 'status.conditions', conditions('True'));
  assert.equal(whyApply(desired, served, { subresource: 'status' }), undefined);
  const changed = edited(owning, 'status.conditions', conditions('False'));
  assert.match(
    whyApply(desired, changed, { subresource: 'status' }) ?? '',
    /status.conditions.status differs/,
  );
});

test('property: an object is never applied over its own remembered answer, and any edit of a wanted value is seen', () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean());
  const tree = fc.dictionary(
    fc.stringMatching(/^[a-z]{1,8}$/),
    fc.oneof(
      value,
      fc.array(value, { minLength: 1, maxLength: 3 }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { minKeys: 1 }),
    ),
    { minKeys: 1 },
  );
  fc.assert(
    fc.property(tree, fc.nat(), (wanted, pick) => {
      const desired = deployment(wanted);
      const remembered = remember(desired, live(desired, {}, {}, '5'));
      assert.equal(whyApply(desired, live(desired, {}, {}, '6'), { remembered }), undefined);
      const other = structuredClone(wanted) as Anything;
      const name = Object.keys(other)[pick % Object.keys(other).length] ?? '';
      other[name] = { edited: true, was: 'not this' };
      assert.ok(needsApply(desired, live(deployment(other), {}, {}, '7'), { remembered }));
    }),
  );
});
