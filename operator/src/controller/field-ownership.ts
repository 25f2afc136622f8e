/** Who owns which fields: reads `metadata.managedFields` (FieldsV1, KEP-555). Pure. */
import type { KubeObject } from './kube-api.ts';
import { canonicalJson, isObject, keyValue } from './merge-keys.ts';

/** A FieldsV1 tree: keys are `.`, `f:<name>`, `k:<keys as JSON>`, `v:<value as JSON>`, `i:<index>`; a leaf is `{}`. */
export type FieldTree = Record<string, unknown>;

/** What an applied object says to identify itself, and nobody owns. */
const IDENTITY = new Set(['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'managedFields']);

/** The fields that `manager` owns by server-side apply; undefined when it has never applied. */
export function appliedFields(live: KubeObject, manager: string, subresource = ''): FieldTree | undefined {
  const entry = live.metadata.managedFields?.find(
    (each) =>
      each.manager === manager && each.operation === 'Apply' && (each.subresource ?? '') === subresource,
  );
  const fields: unknown = entry?.fieldsText === undefined ? entry?.fieldsV1 : JSON.parse(entry.fieldsText);
  return fields as FieldTree | undefined;
}

/** The first field that is owned but no longer desired, as a path for people; undefined when there is none. */
export function ownedButNotDesired(fields: FieldTree, desired: unknown, path = ''): string | undefined {
  for (const [key, below] of Object.entries(fields)) {
    if (key === '.') continue;
    const step = stepInto(desired, key, path);
    if (step.value === undefined) return step.path;
    if (isObject(below)) {
      const found = ownedButNotDesired(below, step.value, step.path);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The first field that is desired but not owned, as a path for people; undefined when there is none. */
export function desiredButNotOwned(desired: KubeObject, fields: FieldTree): string | undefined {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = desired;
  const meta = Object.fromEntries(Object.entries(metadata).filter(([name]) => !IDENTITY.has(name)));
  return missing({ ...rest, ...(Object.keys(meta).length === 0 ? {} : { metadata: meta }) }, fields, '');
}

function missing(desired: unknown, fields: FieldTree, path: string): string | undefined {
  // A leaf is owned whole: a scalar, or a list or map that is atomic.
  if (Object.keys(fields).length === 0) return undefined;
  if (Array.isArray(desired)) return missingElement(desired, fields, path);
  if (!isObject(desired)) return undefined;
  for (const [name, value] of Object.entries(desired)) {
    if (isNothing(value)) continue;
    const below = fields[`f:${name}`];
    const at = joinPath(path, name);
    if (!isObject(below)) return at;
    const found = missing(value, below, at);
    if (found !== undefined) return found;
  }
  return undefined;
}

function missingElement(desired: readonly unknown[], fields: FieldTree, path: string): string | undefined {
  const keys = Object.entries(fields).filter(([key]) => key !== '.');
  for (const [index, element] of desired.entries()) {
    const at = `${path}[${index}]`;
    const owned = keys.find(([key]) => matches(element, key, index));
    if (owned === undefined) return at;
    const found = isObject(owned[1]) ? missing(element, owned[1], at) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Follows one key of a field tree into a value. */
function stepInto(value: unknown, key: string, path: string): { value: unknown; path: string } {
  if (key.startsWith('f:')) {
    const name = key.slice(2);
    const below = isObject(value) ? value[name] : undefined;
    // Null is how a field is said to be absent.
    return { value: below === null ? undefined : below, path: joinPath(path, name) };
  }
  const found = Array.isArray(value) ? value.find((each, index) => matches(each, key, index)) : undefined;
  return { value: found as unknown, path: `${path}[${key.slice(2)}]` };
}

/** True when the element of a list is what a `k:`, `v:` or `i:` key means. */
function matches(element: unknown, key: string, index: number): boolean {
  const text = key.slice(2);
  if (key.startsWith('i:')) return Number(text) === index;
  const meant: unknown = JSON.parse(text);
  if (key.startsWith('v:')) return canonicalJson(element) === canonicalJson(meant);
  return isObject(meant) && Object.entries(meant).every(([name, value]) => keyValue(element, name) === value);
}

/** An empty list or null owns nothing that could be lost. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function joinPath(path: string, name: string): string {
  if (/^[\w-]+$/.test(name)) return path === '' ? name : `${path}.${name}`;
  return `${path}["${name}"]`;
}
