import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../controller/kube-api.ts';
import { trimNode, trimPod } from './trim.ts';
import { isServing, podProblems } from './workloads.ts';

const metadata = {
  name: 'orders-gateway-zone-a-1',
  namespace: 'messaging',
  uid: 'u',
  resourceVersion: '5',
  labels: { 'causeway.dev/component': 'gateway' },
  annotations: { 'causeway.dev/certificate': '3' },
  ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r' }],
};

describe('what the cache keeps', () => {
  it('of a pod: who it is, and how it is doing', () => {
    const waiting = { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, managedFields: [{ manager: 'kubelet' }] },
      spec: { containers: [{ name: 'gateway', image: 'x' }] },
      status: {
        phase: 'Pending',
        podIP: '10.0.0.7',
        conditions: [{ type: 'Ready', status: 'False' }],
        containerStatuses: [{ name: 'gateway', imageID: 'sha256:0', state: waiting }],
      },
    } as KubeObject;
    assert.deepEqual(trimPod(pod), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      status: {
        phase: 'Pending',
        podIP: '10.0.0.7',
        conditions: [{ type: 'Ready', status: 'False' }],
        containerStatuses: [{ state: waiting }],
      },
    });
    assert.equal(podProblems([trimPod(pod)])[0]?.reason, 'ImagePullBackOff');
    assert.equal(isServing(trimPod(pod)), false);
  });

  it('of a pod that nobody has reported on', () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: {} } as KubeObject;
    assert.deepEqual(trimPod(pod), { apiVersion: 'v1', kind: 'Pod', metadata, status: {} });
  });

  it('of a node: its zone, whether it is ready, whether it takes pods', () => {
    const labels = { 'topology.kubernetes.io/zone': 'zone-a' };
    const conditions = [{ type: 'Ready', status: 'True' }];
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n', labels, managedFields: [] },
      spec: { unschedulable: true, podCIDR: '10.1.0.0/24' },
      status: { conditions, images: [{ names: ['a'] }], capacity: { cpu: '1' } },
    } as KubeObject;
    assert.deepEqual(trimNode(node), {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n', labels },
      spec: { unschedulable: true },
      status: { conditions },
    });
  });
});
