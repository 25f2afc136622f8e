import type { OwnerReference, ResourceKind } from './kube-api.ts';

/** What makes `owner` the controller of an object: the object goes with it. */
export function controllerReference(
  { apiVersion, kind }: ResourceKind,
  { name, uid }: { name: string; uid: string },
): OwnerReference {
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
