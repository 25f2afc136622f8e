import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  V1ObjectMeta,
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1PersistentVolumeClaimSpec,
} from '@kubernetes/client-node';
import { isReleased, provisioner, volumeFor } from './reconcile.ts';

const annotations = {
  'volume.kubernetes.io/selected-node': 'node-b',
  'volume.kubernetes.io/storage-provisioner': provisioner,
};

/** A claim that waits for us, with some of its metadata and spec changed. */
function claim(
  metadata: Pick<V1ObjectMeta, 'annotations' | 'deletionTimestamp'> = {},
  spec: Pick<V1PersistentVolumeClaimSpec, 'volumeName'> = {},
): V1PersistentVolumeClaim {
  return {
    metadata: { name: 'data-redis-0', namespace: 'messaging', uid: 'u1', annotations, ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  };
}

test('a claim that waits for us gets a volume that is pinned to the node that the scheduler chose', () => {
  const spec = volumeFor(claim(), '/lab')?.spec;
  assert.ok(spec);
  assert.deepEqual(spec.local, { path: '/lab/node-b/volumes/pvc-u1' });
  assert.deepEqual(spec.capacity, { storage: '1Gi' });
  assert.deepEqual(spec.claimRef, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name: 'data-redis-0',
    namespace: 'messaging',
    uid: 'u1',
  });
  const onNode = [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node-b'] }];
  assert.deepEqual(spec.nodeAffinity, { required: { nodeSelectorTerms: [{ matchExpressions: onNode }] } });
});

test("a claim that is bound, someone else's, unscheduled or being deleted gets none", () => {
  const someoneElses = { ...annotations, 'volume.kubernetes.io/storage-provisioner': 'other' };
  const unscheduled = { 'volume.kubernetes.io/storage-provisioner': provisioner };
  assert.equal(volumeFor(claim({}, { volumeName: 'pvc-u1' }), '/lab'), undefined);
  assert.equal(volumeFor(claim({ annotations: someoneElses }), '/lab'), undefined);
  assert.equal(volumeFor(claim({ annotations: unscheduled }), '/lab'), undefined);
  assert.equal(volumeFor(claim({ deletionTimestamp: new Date() }), '/lab'), undefined);
});

test('a volume goes when it is ours and released, and not before', () => {
  const volume = (by: string, phase: string): V1PersistentVolume => ({
    metadata: { name: 'pvc-u1', annotations: { 'pv.kubernetes.io/provisioned-by': by } },
    spec: { persistentVolumeReclaimPolicy: 'Delete' },
    status: { phase },
  });
  assert.equal(isReleased(volume(provisioner, 'Released')), true);
  assert.equal(isReleased(volume(provisioner, 'Bound')), false);
  assert.equal(isReleased(volume('other', 'Released')), false);
});
