import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../controller/index.ts';
import { planObjects, unifiedDiff, type ObjectChange } from './plan-objects.ts';
import { TO_BE_ISSUED } from './plan-view.ts';

type Loose = KubeObject & Record<string, unknown>;

const SERVER = { uid: 'u-9', resourceVersion: '5', creationTimestamp: '2026-11-23T12:00:00Z' };

function plan(desired: Loose, live?: Loose): ObjectChange[] {
  return planObjects({ desired: [desired], live: () => live, leftOver: [], waitsFor: () => undefined });
}

function deployment(spec: object): Loose {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'orders-gateway-zone-a', namespace: 'messaging', labels: { app: 'gateway' } },
    spec,
  };
}

const wantedSpec = {
  replicas: 2,
  template: {
    spec: {
      containers: [{ name: 'gateway', image: 'gateway:2', resources: { requests: { cpu: '1000m' } } }],
    },
  },
};

/** As the server would have it after our apply: with its own fields, and ours listed as ours. */
function liveDeployment(
  change: (spec: typeof wantedSpec & Record<string, unknown>) => void,
  alsoOurs: object = {},
): Loose {
  const spec = {
    ...structuredClone(wantedSpec),
    strategy: { type: 'RollingUpdate' },
    progressDeadlineSeconds: 600,
  };
  spec.template.spec.containers[0]!.resources.requests.cpu = '1';
  change(spec);
  const live = deployment(spec);
  live.metadata = { ...live.metadata, ...SERVER };
  live.metadata.managedFields = [
    {
      manager: 'causeway',
      operation: 'Apply',
      fieldsV1: {
        'f:metadata': { 'f:labels': { 'f:app': {} } },
        'f:spec': {
          'f:replicas': {},
          ...alsoOurs,
          'f:template': {
            'f:spec': {
              'f:containers': {
                'k:{"name":"gateway"}': {
                  '.': {},
                  'f:name': {},
                  'f:image': {},
                  'f:resources': { 'f:requests': { 'f:cpu': {} } },
                },
              },
            },
          },
        },
      },
    },
  ];
  return live;
}

describe('planning objects', () => {
  it('says nothing of an object that is as it should be, whatever the server and others added', () => {
    const live = liveDeployment((spec) => {
      spec.template.spec.containers.push({
        name: 'sidecar-of-others',
        image: 'x',
        resources: { requests: { cpu: '1' } },
      });
    });
    assert.deepEqual(plan(deployment(wantedSpec), live), []);
  });

  it('shows a changed value, and a field of ours that is no longer wanted, and nothing that is not ours', () => {
    const live = liveDeployment(
      (spec) => {
        spec.template.spec.containers[0]!.image = 'gateway:1';
        spec['paused'] = true;
        spec['minReadySeconds'] = 5;
      },
      { 'f:paused': {} },
    );
    const [change] = plan(deployment(wantedSpec), live);
    assert.equal(change?.action, 'change');
    assert.equal(change.reason, 'spec.template.spec.containers.image differs');
    assert.equal(
      change.diff,
      [
        '@@ -6,12 +6,11 @@',
        '   name: orders-gateway-zone-a',
        '   namespace: messaging',
        ' spec:',
        '-  paused: true',
        '   replicas: 2',
        '   template:',
        '     spec:',
        '       containers:',
        '-        - image: gateway:1',
        '+        - image: gateway:2',
        '           name: gateway',
        '           resources:',
        '             requests:',
        '',
      ].join('\n'),
    );
  });

  it('never shows a Secret’s values, before or after', () => {
    const secret = (data: Record<string, string>): Loose => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'orders-tls', namespace: 'messaging' },
      type: 'Opaque',
      data,
    });
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const live = secret({ 'tls-1.key': base64('old-private-key'), same: base64('same') });
    const wanted = secret({ 'tls-1.key': base64(TO_BE_ISSUED), same: base64('same') });
    const [change] = plan(wanted, { ...live, metadata: { ...live.metadata, ...SERVER } });
    assert.equal(
      change?.diff,
      [
        '@@ -1,7 +1,7 @@',
        ' apiVersion: v1',
        ' data:',
        '   same: <4 bytes, sha256 0967115f>',
        '-  tls-1.key: <15 bytes, sha256 1e61e4ee>',
        '+  tls-1.key: <to be issued>',
        ' kind: Secret',
        ' metadata:',
        '   name: orders-tls',
        '',
      ].join('\n'),
    );
    const created = JSON.stringify(plan(live));
    assert.ok(!created.includes('old-private-key') && !created.includes(base64('old-private-key')), created);
  });

  it('lists what is created, with what it waits for, and what is left over, last', () => {
    const changes = planObjects({
      desired: [deployment(wantedSpec)],
      live: () => undefined,
      leftOver: [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'orders-gateway-zone-c' } }],
      waitsFor: () => 'waits for a Secret',
    });
    assert.deepEqual(
      changes.map(({ action, kind, name, reason }) => [action, kind, name, reason]),
      [
        ['create', 'Deployment', 'orders-gateway-zone-a', 'waits for a Secret'],
        ['delete', 'Service', 'orders-gateway-zone-c', 'it is no longer wanted'],
      ],
    );
    assert.deepEqual(changes[0]?.object, deployment(wantedSpec));
  });
});

describe('a unified diff', () => {
  it('is empty for texts that are the same', () => {
    assert.equal(unifiedDiff('a\nb\n', 'a\nb\n'), '');
  });
});
