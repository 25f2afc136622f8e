import { isDeepStrictEqual } from 'node:util';
import type { KubeApi, KubeObject, ObjectMeta, ResourceKind } from './kube-api.ts';

/** An object as the API server has it, as far as its status is written over it. */
interface Stored {
  metadata: Required<Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'>>;
}

/**
 * Writes the status of one of our own objects over the version that it was decided on: a reconciler whose copy is old gets a
 * conflict, and forgets nothing that another one has begun. Returns the object as it is stored.
 */
export function applyStatus(
  kube: Pick<KubeApi, 'apply'>,
  kind: ResourceKind,
  over: Stored,
  status: object,
): Promise<KubeObject> {
  return applyShare(kube, { kind }, over, status);
}

/** The same of a share of the status, which has a field manager of its own: the others' shares stay as they are. */
export function applyShare(
  kube: Pick<KubeApi, 'apply'>,
  { kind, manager }: { kind: ResourceKind; manager?: string },
  { metadata: { namespace, name, uid, resourceVersion } }: Stored,
  status: object,
): Promise<KubeObject> {
  const body: KubeObject & { status: object } = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { namespace, name, uid, resourceVersion },
    status,
  };
  return kube.apply(kind, body, { subresource: 'status', ...(manager === undefined ? {} : { manager }) });
}

/** Whether a status is stored already, as JSON has it: without what is undefined. */
export function isStored(status: object, stored: object | undefined): boolean {
  return stored !== undefined && isDeepStrictEqual(plain(status), plain(stored));
}

function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
