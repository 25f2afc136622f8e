/** Server-side apply (KEP-555), and what any other write does to the owners of fields. Pure. */
import { findByKeys } from '../controller/merge-keys.ts';
import { copy, isRecord, sameJson, type Json } from './json.ts';
import {
  hasAtomicElements,
  into,
  isAtomicMap,
  isElement,
  leavesOf,
  listShape,
  removeLeaves,
  type At,
  type Ownership,
} from './fields.ts';

/** An object and who owns its fields. */
export interface Owned {
  object: Json;
  owners: readonly Ownership[];
}

/** Applies `wanted` over `live` (undefined: not there yet), forced. The result still lacks the server's own fields. */
export function applyOver(
  live: Owned | undefined,
  wanted: Json,
  { manager, subresource }: { manager: string; subresource?: 'status' },
): Owned {
  const before = live ?? { object: { ...wanted, metadata: identityOf(wanted) }, owners: [] };
  const desired = leavesOf(wanted, subresource);
  const isOurs = (one: Ownership): boolean =>
    one.manager === manager && one.operation === 'Apply' && one.subresource === subresource;
  const ours = before.owners.find(isOurs);
  const others = before.owners.filter((one) => !isOurs(one));

  const object = copy(
    merge(before.object, onlyPart(wanted, subresource), { kind: String(wanted.kind), path: [] }),
  ) as Json;
  const dropped = [...(ours?.paths ?? [])].filter(
    (path) => !desired.has(path) && !others.some((other) => needs(other, path)),
  );
  removeLeaves(object, dropped);

  const old = leavesOf(before.object, subresource);
  const conflicting = [...desired]
    .filter(([path, value]) => !sameJson(old.get(path), value))
    .map(([path]) => path);
  const owner: Ownership = {
    manager,
    operation: 'Apply',
    ...(subresource === undefined ? {} : { subresource }),
    paths: new Set(desired.keys()),
  };
  const kept = without(others, conflicting);
  return { object, owners: owner.paths.size === 0 ? kept : [...kept, owner] };
}

/** The owners after `manager` wrote `after` over `before` by update or patch. */
export function ownersAfterUpdate(
  before: Owned | undefined,
  after: Json,
  { manager, subresource }: { manager: string; subresource?: 'status' },
): Ownership[] {
  const old = before === undefined ? new Map<string, unknown>() : leavesOf(before.object, subresource);
  const now = leavesOf(after, subresource);
  const gone = [...old.keys()].filter((path) => !now.has(path));
  const changed = [...now].filter(([path, value]) => !sameJson(old.get(path), value)).map(([path]) => path);
  const isOurs = (one: Ownership): boolean =>
    one.manager === manager && one.operation === 'Update' && one.subresource === subresource;
  const owners = before?.owners ?? [];
  const mine = new Set(owners.find(isOurs)?.paths);
  for (const path of gone) mine.delete(path);
  for (const path of changed) mine.add(path);
  const rest = without(
    owners.filter((one) => !isOurs(one)),
    [...gone, ...changed],
  );
  if (mine.size === 0) return rest;
  return [
    ...rest,
    { manager, operation: 'Update', ...(subresource === undefined ? {} : { subresource }), paths: mine },
  ];
}

/** True when the owner has that field, or any field of that list element. */
function needs({ paths }: Ownership, path: string): boolean {
  if (paths.has(path)) return true;
  const element = isElement(path) ? path.slice(0, -1) : undefined;
  return element !== undefined && [...paths].some((each) => each.startsWith(element));
}

function without(owners: readonly Ownership[], paths: readonly string[]): Ownership[] {
  if (paths.length === 0) return [...owners];
  const lost = new Set(paths);
  return owners
    .map((owner) => ({ ...owner, paths: new Set([...owner.paths].filter((path) => !lost.has(path))) }))
    .filter((owner) => owner.paths.size > 0);
}

function identityOf(object: Json): Json {
  const { name, namespace } = object.metadata as Json;
  return { name, ...(namespace === undefined ? {} : { namespace }) };
}

/** An apply of status changes nothing else, and an apply of the rest never changes status. */
function onlyPart(wanted: Json, subresource?: 'status'): Json {
  if (subresource === 'status') return { status: wanted.status };
  const { status: _status, metadata, ...rest } = wanted;
  const { labels, annotations, finalizers, ownerReferences } = metadata as Json;
  return { ...rest, metadata: withoutUndefined({ labels, annotations, finalizers, ownerReferences }) };
}

function withoutUndefined(value: Json): Json {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined));
}

function merge(live: unknown, wanted: unknown, at: At): unknown {
  if (Array.isArray(wanted)) return mergeList(live, wanted, at);
  if (!isRecord(wanted) || isAtomicMap(at) || !isRecord(live)) return wanted;
  const result: Json = { ...live };
  for (const [name, value] of Object.entries(wanted)) result[name] = merge(live[name], value, into(at, name));
  return result;
}

function mergeList(live: unknown, wanted: readonly unknown[], at: At): unknown {
  const shape = listShape(at);
  const list: readonly unknown[] = Array.isArray(live) ? live : [];
  if (shape.is === 'atomic') return wanted;
  if (shape.is === 'set') return [...new Set([...list, ...wanted])];
  const { keys } = shape;
  const kept = list.map((element) => {
    const counterpart = findByKeys(wanted, element, keys);
    if (counterpart === undefined) return element;
    return hasAtomicElements(at) ? counterpart : merge(element, counterpart, at);
  });
  return [...kept, ...wanted.filter((element) => findByKeys(list, element, keys) === undefined)];
}
