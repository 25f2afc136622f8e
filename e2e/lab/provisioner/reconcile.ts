import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ApiException } from '@kubernetes/client-node';
import type { CoreV1Api, V1PersistentVolume, V1PersistentVolumeClaim } from '@kubernetes/client-node';

/** The name of this provisioner in the StorageClass. */
export const provisioner = 'causeway.dev/lab-local';

const nodeAnnotation = 'volume.kubernetes.io/selected-node';
const provisionerAnnotation = 'volume.kubernetes.io/storage-provisioner';
const ownAnnotation = 'pv.kubernetes.io/provisioned-by';

/** Whether a claim needs a volume of ours now: the scheduler has chosen its node, and it has none yet. */
function needsVolume({ metadata, spec }: V1PersistentVolumeClaim): boolean {
  const annotations = metadata?.annotations ?? {};
  const ours = annotations[provisionerAnnotation] === provisioner && Boolean(annotations[nodeAnnotation]);
  return ours && Boolean(metadata?.uid) && !spec?.volumeName && !metadata?.deletionTimestamp;
}

/** The volume that a claim needs now, if any. Pure. */
export function volumeFor(claim: V1PersistentVolumeClaim, labDir: string): V1PersistentVolume | undefined {
  if (!needsVolume(claim)) return undefined;
  const { name: claimName = '', namespace = '', uid = '', annotations } = claim.metadata ?? {};
  const { accessModes = ['ReadWriteOnce'], resources, storageClassName } = claim.spec ?? {};
  const node = annotations?.[nodeAnnotation] ?? '';
  const name = `pvc-${uid}`;
  const onNode = { key: 'kubernetes.io/hostname', operator: 'In', values: [node] };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { [ownAnnotation]: provisioner } },
    spec: {
      accessModes,
      capacity: { storage: resources?.requests?.['storage'] ?? '1Gi' },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: claimName, namespace, uid },
      local: { path: join(labDir, node, 'volumes', name) },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [onNode] }] } },
      persistentVolumeReclaimPolicy: 'Delete',
      ...(storageClassName ? { storageClassName } : {}),
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
