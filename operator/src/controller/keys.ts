/** Names for objects and kinds, and the order of resource versions. Pure. */
import type { KubeObject, ObjectRef, ResourceKind } from './kube-api.ts';

/** Namespace and name of an object. */
export function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

/** `namespace/name`, or `name` for what has no namespace; {@link parseKey} is its inverse. */
export function keyOf(ref: ObjectRef): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

export function parseKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `apps/v1/Deployment`: tells kinds apart. */
export function kindKey(kind: Pick<ResourceKind, 'apiVersion' | 'kind'>): string {
  return `${kind.apiVersion}/${kind.kind}`;
}

/** One name for one object among all kinds. */
export function objectKey(kind: ResourceKind, ref: ObjectRef): string {
  return `${kindKey(kind)}/${kind.namespaced ? `${ref.namespace ?? ''}/` : ''}${ref.name}`;
}

/**
 * Orders two resource versions: negative when `a` is older. They are decimal numbers of any length
 * (KEP-5504), so the longer one is newer.
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The newer of two resource versions. */
export function newerResourceVersion(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareResourceVersions(a, b) >= 0 ? a : b;
}
