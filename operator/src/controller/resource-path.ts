/** The URL paths of the Kubernetes API. Pure. */
import type { ListOptions, ObjectRef, ResourceKind } from './kube-api.ts';

/** `/apis/apps/v1/namespaces/a/deployments`; without a namespace over all of them. */
export function collectionPath(kind: ResourceKind, namespace?: string): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`;
  const scope =
    kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${kind.plural}`;
}

/** The path of one object. Throws when a namespaced kind has no namespace, or the name is empty. */
export function objectPath(kind: ResourceKind, ref: ObjectRef, subresource?: string): string {
  if (ref.name === '') throw new Error(`${kind.kind}: the name is empty`);
  if (kind.namespaced && (ref.namespace === undefined || ref.namespace === '')) {
    throw new Error(`${kind.kind} ${ref.name}: it needs a namespace`);
  }
  const tail = subresource === undefined ? '' : `/${subresource}`;
  return `${collectionPath(kind, ref.namespace)}/${encodeURIComponent(ref.name)}${tail}`;
}

/** A query string of what is defined, with its question mark; empty when nothing is. */
export function query(parameters: Record<string, string | number | boolean | undefined>): string {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  if (entries.length === 0) return '';
  return `?${new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString()}`;
}

/** The selectors of a list or a watch. */
export function selectors(options: ListOptions): Record<string, string | undefined> {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}
