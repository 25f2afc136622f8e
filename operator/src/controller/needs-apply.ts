/** Decides whether an object must be applied, so that what is as it should be is never written. Pure. */
import { createHash } from 'node:crypto';
import { appliedFields, desiredButNotOwned, ownedButNotDesired } from './field-ownership.ts';
import { compareResourceVersions } from './keys.ts';
import type { KubeObject } from './kube-api.ts';
import { canonicalJson, findByKeys, isObject, mergeKeysOf } from './merge-keys.ts';
import type { FieldNames } from './merge-keys.ts';
import { sameQuantity } from './quantity.ts';

/** The field manager of the operator. */
export const FIELD_MANAGER = 'causeway';

/**
 * What is known of an object that was as it should be: after an apply, or when it was found so. It keeps what
 * the server makes of our fields (defaults, canonical forms, webhooks) from looking like drift for ever.
 * Hashes only: a Secret's content isn't kept.
 */
export interface Remembered {
  /** Of what was wanted then. */
  desired: string;
  /** Of the server's values at the paths of what was wanted. */
  projection: string;
  /** Of the fields that we owned. */
  owned: string;
  /** The resource version at which it was so. */
  resourceVersion: string;
}

export interface NeedsApplyOptions {
  remembered?: Remembered | undefined;
  /** Default {@link FIELD_MANAGER}. */
  manager?: string;
  subresource?: 'status' | undefined;
}

/** Fields of metadata that the server or the URL sets. */
const NOT_COMPARED = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
]);

/** Parents of quantities. Elsewhere "1000m" and "1" are just two texts. */
const QUANTITY_PARENTS = new Set(['requests', 'limits', 'capacity', 'hard', 'defaultRequest', 'max', 'min']);
const QUANTITY_FIELDS = new Set(['sizeLimit', 'divisor', 'storage']);

/** True when {@link whyApply} has a reason. */
export function needsApply(
  desired: KubeObject,
  live: KubeObject | undefined,
  options: NeedsApplyOptions = {},
): boolean {
  return whyApply(desired, live, options) !== undefined;
}

/**
 * Why `desired` must be applied over `live`, for people; undefined when it need not be: `live` has every desired
 * value, and our field manager owns just those fields. `desired` is what {@link normalizeDesired} gives.
 */
export function whyApply(
  desired: KubeObject,
  live: KubeObject | undefined,
  options: NeedsApplyOptions = {},
): string | undefined {
  if (live === undefined) return 'it is not there';
  const manager = options.manager ?? FIELD_MANAGER;
  const remembered = options.remembered;
  if (remembered !== undefined && wantsTheSame(desired, remembered)) {
    return whyChanged(desired, live, remembered, { manager, subresource: options.subresource });
  }
  const path = firstDifference(desired, live);
  if (path !== undefined) return `${path} differs`;
  const fields = appliedFields(live, manager, options.subresource);
  if (fields === undefined) return `${manager} does not own its fields yet`;
  const extra = ownedButNotDesired(fields, desired);
  if (extra !== undefined) return `${extra} is no longer wanted`;
  const lost = desiredButNotOwned(desired, fields);
  return lost === undefined ? undefined : `${lost} is owned by another`;
}

/** What to remember of `live`, which is as `desired` wants it: the answer to an apply, or what was found so. */
export function remember(
  desired: KubeObject,
  live: KubeObject,
  options: Pick<NeedsApplyOptions, 'manager' | 'subresource'> = {},
): Remembered {
  return {
    desired: hashDesired(desired),
    projection: hash(canonicalJson(projection(desired, live))),
    owned: hash(
      canonicalJson(appliedFields(live, options.manager ?? FIELD_MANAGER, options.subresource) ?? null),
    ),
    resourceVersion: live.metadata.resourceVersion ?? '',
  };
}

/** True when `desired` is what was wanted when `remembered` was made. */
export function wantsTheSame(desired: KubeObject, remembered: Remembered): boolean {
  return remembered.desired === hashDesired(desired);
}

/** Forms and hashes of desired objects that are asked for again and again: callers pass the same object each time. */
const normalized = new WeakMap<KubeObject, KubeObject>();
const hashes = new WeakMap<KubeObject, string>();

/**
 * `desired` in the form that the server keeps: a Secret's `stringData` is moved into `data`, and what is undefined
 * is left out. A desired object must not change afterwards: the answer for the same object is kept.
 */
export function normalizeDesired<T extends KubeObject>(desired: T): T {
  const known = normalized.get(desired) as T | undefined;
  if (known !== undefined) return known;
  const form = normalForm(desired);
  normalized.set(desired, form);
  return form;
}

function normalForm<T extends KubeObject>(desired: T): T {
  const plain = withoutUndefined(desired) as T;
  if (plain.kind !== 'Secret' || plain.apiVersion !== 'v1' || !('stringData' in plain)) return plain;
  const { stringData, ...rest } = plain as T & { stringData?: Record<string, string>; data?: object };
  const encoded = Object.entries(stringData ?? {}).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  return { ...rest, data: { ...rest.data, ...Object.fromEntries(encoded) } } as unknown as T;
}

/** For an object that was as it should be: whether it still is. */
function whyChanged(
  desired: KubeObject,
  live: KubeObject,
  remembered: Remembered,
  options: { manager: string; subresource: 'status' | undefined },
): string | undefined {
  const version = live.metadata.resourceVersion ?? '';
  if (version === remembered.resourceVersion) return undefined;
  // The cache hasn't seen our own write yet: judge again when it has.
  if (compareResourceVersions(version, remembered.resourceVersion) < 0) return undefined;
  const now = remember(desired, live, options);
  if (now.projection !== remembered.projection) {
    return `${firstDifference(desired, live) ?? 'a field'} was changed by another`;
  }
  if (now.owned === remembered.owned) return undefined;
  return 'another has taken one of its fields';
}

/** The path of the first desired value that `live` doesn't have; undefined when it has all. */
export function firstDifference(desired: KubeObject, live: KubeObject): string | undefined {
  return differs(comparable(desired), live, { kind: desired.kind, path: [] });
}

interface At {
  kind: string;
  path: FieldNames;
}

function differs(desired: unknown, live: unknown, at: At): string | undefined {
  if (desired === undefined || desired === null) return undefined;
  if (Array.isArray(desired)) return listDiffers(desired, live, at);
  if (isObject(desired)) {
    if (!isObject(live))
      return isEmptyMap(desired, at.path) && live === undefined ? undefined : showPath(at.path);
    for (const [name, value] of Object.entries(desired)) {
      const found = differs(value, live[name], { kind: at.kind, path: [...at.path, name] });
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (desired === live || (isQuantity(at.path) && sameQuantity(desired, live))) return undefined;
  return showPath(at.path);
}

function listDiffers(desired: readonly unknown[], live: unknown, at: At): string | undefined {
  // The server drops empty lists.
  const list: readonly unknown[] | undefined =
    live === undefined ? [] : Array.isArray(live) ? live : undefined;
  if (list === undefined) return showPath(at.path);
  const keys = mergeKeysOf(at.kind, at.path);
  if (at.path.at(-1) === 'finalizers') {
    return desired.every((each) => list.includes(each)) ? undefined : showPath(at.path);
  }
  if (keys === undefined && desired.length !== list.length) return showPath(at.path);
  for (const [index, element] of desired.entries()) {
    const counterpart = keys === undefined ? list[index] : findByKeys(list, element, keys);
    const found = differs(element, counterpart, at);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What `live` has at the paths of `desired`; a list without keys whole. */
function projection(desired: KubeObject, live: KubeObject): unknown {
  return project(comparable(desired), live, { kind: desired.kind, path: [] });
}

function project(desired: unknown, live: unknown, at: At): unknown {
  if (Array.isArray(desired) && Array.isArray(live)) {
    const keys = mergeKeysOf(at.kind, at.path);
    if (keys !== undefined)
      return desired.map((each) => project(each, findByKeys(live, each, keys), at) ?? null);
    if (at.path.at(-1) === 'finalizers') return live.filter((each) => desired.includes(each));
    return live;
  }
  if (isObject(desired) && isObject(live)) {
    return Object.fromEntries(
      Object.entries(desired).map(([name, value]) => [
        name,
        project(value, live[name], { kind: at.kind, path: [...at.path, name] }) ?? null,
      ]),
    );
  }
  return live;
}

/** `desired` without what the server or the URL decides. */
function comparable(desired: KubeObject): Record<string, unknown> {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = desired;
  const kept = Object.entries(metadata).filter(([name]) => !NOT_COMPARED.has(name));
  return { ...rest, metadata: Object.fromEntries(kept) };
}

/** True for the path of a quantity, such as `spec.resources.requests.cpu`. */
export function isQuantity(path: FieldNames): boolean {
  if (path[0] === 'metadata') return false;
  return QUANTITY_PARENTS.has(path.at(-2) ?? '') || QUANTITY_FIELDS.has(path.at(-1) ?? '');
}

/** No labels at all is the same as an empty map of them; elsewhere `{}` says something (`emptyDir: {}`). */
function isEmptyMap(desired: Record<string, unknown>, path: FieldNames): boolean {
  const name = path.at(-1) ?? '';
  return (
    Object.keys(desired).length === 0 && ['labels', 'annotations', 'data', 'nodeSelector'].includes(name)
  );
}

/** For people: `spec.template.metadata.labels.app`. A Secret's values are never in it, only their names. */
function showPath(path: FieldNames): string {
  return path.join('.');
}

/** Key order counts here: it is the same for the same decision, and if it weren't we would only look twice. */
function hashDesired(desired: KubeObject): string {
  const known = hashes.get(desired);
  if (known !== undefined) return known;
  const digest = hash(JSON.stringify(desired));
  hashes.set(desired, digest);
  return digest;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutUndefined(each));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined && inner !== null)
      .map(([name, inner]) => [name, withoutUndefined(inner)]),
  );
}
