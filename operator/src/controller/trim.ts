/** What a cache need not keep of an object: most of the memory of an operator is objects that it only glances at. */
import type { KubeObject } from './kube-api.ts';
import { FIELD_MANAGER } from './needs-apply.ts';

/** The object without what says which fields others own; what {@link FIELD_MANAGER} owns is judged by, and stays. */
export function withoutForeignFields<T extends KubeObject>(object: T): T {
  const entries = object.metadata.managedFields;
  if (entries === undefined) return object;
  const own = entries.filter(({ manager }) => manager === FIELD_MANAGER);
  if (own.length === entries.length) return object;
  return { ...object, metadata: { ...object.metadata, managedFields: own } };
}
