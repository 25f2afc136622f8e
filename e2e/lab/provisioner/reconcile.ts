import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ApiException } from '@kubernetes/client-node';
import type { CoreV1Api, V1PersistentVolume, V1PersistentVolumeClaim } from '@kubernetes/client-node';

/** The name of this provisioner in the StorageClass. */
export const provisioner = 'causeway.dev/lab-local';

const nodeAnnotation = 'volume.kubernetes.io/selected-node';
const provisionerAnnotation = 'volume.kubernetes.io/storage-provisioner';
const ownAnnotation = 'pv.kubernetes.io/provisioned-by';

/** The volume that a claim needs now: it is ours, the scheduler has chosen its node, and it has none yet. Pure. */
export function volumeFor(claim: V1PersistentVolumeClaim, labDir: string): V1PersistentVolume | undefined {
  const { metadata, spec } = claim;
  const node = metadata?.annotations?.[nodeAnnotation];
  const ours = metadata?.annotations?.[provisionerAnnotation] === provisioner;
  if (!ours || !node || !metadata?.uid || !spec || spec.volumeName || metadata.deletionTimestamp)
    return undefined;
  const name = `pvc-${metadata.uid}`;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { [ownAnnotation]: provisioner } },
    spec: {
      accessModes: spec.accessModes ?? ['ReadWriteOnce'],
      capacity: { storage: spec.resources?.requests?.['storage'] ?? '1Gi' },
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        name: metadata.name ?? '',
        namespace: metadata.namespace ?? '',
        uid: metadata.uid,
      },
      local: { path: join(labDir, node, 'volumes', name) },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
          ],
        },
      },
      persistentVolumeReclaimPolicy: 'Delete',
      ...(spec.storageClassName ? { storageClassName: spec.storageClassName } : {}),
      volumeMode: 'Filesystem',
    },
  };
}

/** Whether a volume is ours and its claim has gone, so that it and its data go too. Pure. */
export function isReleased(volume: V1PersistentVolume): boolean {
  return (
    volume.metadata?.annotations?.[ownAnnotation] === provisioner &&
    volume.status?.phase === 'Released' &&
    volume.spec?.persistentVolumeReclaimPolicy === 'Delete' &&
    !volume.metadata.deletionTimestamp
  );
}

/** Makes the volumes that are wanted and removes those that are released. Returns what it did, in words. */
export async function reconcile(core: CoreV1Api, labDir: string): Promise<string[]> {
  const done: string[] = [];
  const claims = await core.listPersistentVolumeClaimForAllNamespaces();
  const volumes = await core.listPersistentVolume();
  const names = new Set(volumes.items.map((volume) => volume.metadata?.name));
  for (const claim of claims.items) {
    const volume = volumeFor(claim, labDir);
    if (!volume || names.has(volume.metadata?.name)) continue;
    await create(core, volume);
    done.push(`made ${volume.spec?.local?.path} for ${claim.metadata?.namespace}/${claim.metadata?.name}`);
  }
  for (const volume of volumes.items.filter(isReleased)) {
    await remove(core, volume, labDir);
    done.push(`removed ${volume.metadata?.name}`);
  }
  return done;
}

async function create(core: CoreV1Api, volume: V1PersistentVolume): Promise<void> {
  const path = volume.spec?.local?.path ?? '';
  mkdirSync(path, { recursive: true });
  // Pods run as any user id, and not all ask for an fsGroup.
  chmodSync(path, 0o777);
  try {
    await core.createPersistentVolume({ body: volume });
  } catch (error) {
    // An earlier try got through although its answer was lost.
    if (!(error instanceof ApiException && error.code === 409)) throw error;
  }
}

async function remove(core: CoreV1Api, volume: V1PersistentVolume, labDir: string): Promise<void> {
  const path = volume.spec?.local?.path ?? '';
  if (!path.startsWith(`${labDir}/`))
    throw new Error(`volume ${volume.metadata?.name} is outside of ${labDir}: ${path}`);
  rmSync(path, { recursive: true, force: true });
  await core.deletePersistentVolume({ name: volume.metadata?.name ?? '' });
}
