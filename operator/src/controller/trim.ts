/** What a cache need not keep of an object: most of the memory of an operator is objects that it only glances at. */
import type { KubeObject, ManagedFieldsEntry } from './kube-api.ts';
import { FIELD_MANAGER } from './needs-apply.ts';

/**
 * The object without what says which fields others own. What {@link FIELD_MANAGER} owns is judged by, and stays, as
 * text: as a tree it takes many times the memory, and it is looked at only when the object has changed.
 */
export function withoutForeignFields<T extends KubeObject>(object: T): T {
  const entries = object.metadata.managedFields;
  if (entries === undefined) return object;
  const own = entries.filter(({ manager }) => manager === FIELD_MANAGER).map(asText);
  return { ...object, metadata: { ...object.metadata, managedFields: own } };
}

function asText({ fieldsV1, ...entry }: ManagedFieldsEntry): ManagedFieldsEntry {
  return fieldsV1 === undefined ? entry : { ...entry, fieldsText: JSON.stringify(fieldsV1) };
}
