/** The fields of an object as server-side apply counts them (FieldsV1, KEP-555): paths, one for each leaf. */
import { findByKeys, keyValue, mergeKeysOf } from '../controller/merge-keys.ts';
import type { ManagedFieldsEntry } from '../controller/kube-api.ts';
import { isOurKind, listOfCrd, type ListShape } from './crd-schema.ts';
import { isRecord, type Json } from './json.ts';

/** Where in which kind a value is; list elements have no entry of their own. */
export interface At {
  kind: string;
  path: readonly string[];
}

/** Maps that the API counts as one value. */
const ATOMIC_MAPS = new Set([
  'selector',
  'labelSelector',
  'podSelector',
  'namespaceSelector',
  'requiredDuringSchedulingIgnoredDuringExecution',
  'fieldRef',
]);

/** Lists whose elements are found by a key, and each of which is one value. */
const ATOMIC_ELEMENTS = new Set(['ownerReferences', 'imagePullSecrets']);

/** Of metadata, only these are fields that somebody owns. */
const OWNED_METADATA = new Set(['labels', 'annotations', 'finalizers', 'ownerReferences']);

/** Joins the steps of a path: no step has it, since JSON escapes it. */
const JOIN = '\n';

export function listShape({ kind, path }: At): ListShape {
  if (isOurKind(kind) && path[0] !== 'metadata') return listOfCrd(kind, path);
  if (path.at(-1) === 'finalizers') return { is: 'set' };
  const keys = mergeKeysOf(kind, path);
  return keys === undefined ? { is: 'atomic' } : { is: 'map', keys };
}

export function isAtomicMap({ kind, path }: At): boolean {
  return !isOurKind(kind) && ATOMIC_MAPS.has(path.at(-1) ?? '');
}

/** True for the path of a list element as such, not of one of its fields. */
export function isElement(path: string): boolean {
  return path.endsWith(`${JOIN}.`);
}

/** True for a list whose elements are replaced whole. */
export function hasAtomicElements({ path }: At): boolean {
  return ATOMIC_ELEMENTS.has(path.at(-1) ?? '');
}

/** Goes one field deeper. */
export function into(at: At, name: string): At {
  return { kind: at.kind, path: [...at.path, name] };
}

/** Every leaf of the object that can be owned: path → value. With `subresource` only `status`, else all but it. */
export function leavesOf(object: Json, subresource?: 'status'): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const kind = String(object.kind);
  for (const [name, value] of Object.entries(object)) {
    if (name === 'apiVersion' || name === 'kind' || value === undefined) continue;
    if ((name === 'status') !== (subresource === 'status')) continue;
    if (name !== 'metadata') collect(value, `f:${name}`, { kind, path: [name] }, found);
    else if (isRecord(value)) {
      const owned = Object.entries(value).filter(([key]) => OWNED_METADATA.has(key));
      for (const [key, inner] of owned) {
        collect(inner, `f:metadata${JOIN}f:${key}`, { kind, path: ['metadata', key] }, found);
      }
    }
  }
  return found;
}

function collect(value: unknown, prefix: string, at: At, found: Map<string, unknown>): void {
  if (Array.isArray(value)) {
    const shape = listShape(at);
    if (shape.is === 'atomic') found.set(prefix, value);
    for (const element of value) {
      if (shape.is === 'set') found.set(`${prefix}${JOIN}v:${JSON.stringify(element)}`, element);
      if (shape.is === 'map') collectElement(element, prefix, { at, keys: shape.keys }, found);
    }
    return;
  }
  if (!isRecord(value) || isAtomicMap(at) || Object.keys(value).length === 0) {
    found.set(prefix, value);
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    if (inner !== undefined) collect(inner, `${prefix}${JOIN}f:${name}`, into(at, name), found);
  }
}

function collectElement(
  element: unknown,
  prefix: string,
  { at, keys }: { at: At; keys: readonly string[] },
  found: Map<string, unknown>,
): void {
  const name = JSON.stringify(Object.fromEntries(keys.map((key) => [key, keyValue(element, key)])));
  const path = `${prefix}${JOIN}k:${name}`;
  if (hasAtomicElements(at)) {
    found.set(path, element);
    return;
  }
  found.set(`${path}${JOIN}.`, true);
  for (const [field, inner] of Object.entries(element as Json)) {
    if (inner !== undefined) collect(inner, `${path}${JOIN}f:${field}`, into(at, field), found);
  }
}

/** Takes the given leaves out of `object`, in place; maps of labels and such that end up empty go as well. */
export function removeLeaves(object: Json, leaves: Iterable<string>): void {
  const kind = String(object.kind);
  // An element's own "." sorts before its fields and takes it out whole.
  for (const leaf of [...leaves].sort()) removeLeaf(object, leaf.split(JOIN), { kind, path: [] });
}

function removeLeaf(value: unknown, [step = '', ...rest]: readonly string[], at: At): void {
  if (Array.isArray(value)) {
    const index = value.findIndex((element) => isStep(element, step));
    if (index < 0) return;
    if (rest.length === 0 || rest[0] === '.') value.splice(index, 1);
    else removeLeaf(value[index], rest, at);
    return;
  }
  if (!isRecord(value)) return;
  const name = step.slice(2);
  const inner = value[name];
  if (rest.length === 0) {
    delete value[name];
    return;
  }
  removeLeaf(inner, rest, into(at, name));
  const isEmpty = Array.isArray(inner)
    ? inner.length === 0
    : isRecord(inner) && Object.keys(inner).length === 0;
  if (isEmpty) delete value[name];
}

function isStep(element: unknown, step: string): boolean {
  const meant: unknown = JSON.parse(step.slice(2));
  if (step.startsWith('v:')) return element === meant;
  const keys = Object.keys(meant as Json);
  return findByKeys([element], meant, keys) !== undefined;
}

const trees = new WeakMap<ReadonlySet<string>, Json>();

/** Paths as the tree that `managedFields` shows; made once for each set. */
function toFieldsV1(paths: ReadonlySet<string>): Json {
  const known = trees.get(paths) ?? makeTree(paths);
  trees.set(paths, known);
  return known;
}

function makeTree(paths: ReadonlySet<string>): Json {
  const tree: Json = {};
  for (const path of paths) {
    let node = tree;
    for (const step of path.split(JOIN)) node = (node[step] ??= {}) as Json;
  }
  return tree;
}

/** One manager and what it owns. */
export interface Ownership {
  manager: string;
  operation: 'Apply' | 'Update';
  subresource?: 'status';
  paths: ReadonlySet<string>;
}

export function toManagedFields(owners: readonly Ownership[]): ManagedFieldsEntry[] {
  return owners.map(({ manager, operation, subresource, paths }) => ({
    manager,
    operation,
    ...(subresource === undefined ? {} : { subresource }),
    fieldsV1: toFieldsV1(paths),
  }));
}
