/** The part of an object that is ours, as text: what a diff compares. A Secret's values are never in it. Pure. */
import { createHash } from 'node:crypto';
import { SECRET_KEY } from '@causeway/crds';
import {
  appliedFields,
  FIELD_MANAGER,
  findByKeys,
  isObject,
  isQuantity,
  keyValue,
  mergeKeysOf,
  normalizeDesired,
  sameQuantity,
  type KubeObject,
} from '../controller/index.ts';
import { yamlText } from './output.ts';

/** In place of what will be made only when the plan is carried out, such as a private key. */
export const TO_BE_ISSUED = 'causeway-plan/to-be-issued';
/** What is shown for it. */
const ISSUED_LATER = '<to be issued>';

/** The wanted object as YAML. */
export function desiredText(desired: KubeObject): string {
  return yamlText(masked(shown(normalizeDesired(desired))), { sorted: true });
}

/** Of the object that is there: the fields that we want, and those that we own, as YAML. */
export function liveText(live: KubeObject, desired: KubeObject): string {
  const wanted = normalizeDesired(desired);
  const ours = view(shown(live), shown(wanted), {
    kind: desired.kind,
    path: [],
    fields: appliedFields(live, FIELD_MANAGER),
  });
  return yamlText(masked({ apiVersion: live.apiVersion, kind: live.kind, ...(ours as object) }), {
    sorted: true,
  });
}

/** The wanted object as it may be shown to people. */
export function shownObject(desired: KubeObject): object {
  return masked(shown(normalizeDesired(desired)));
}

interface At {
  kind: string;
  path: readonly string[];
  /** Tree of the fields that we own here (KEP-555); undefined: none is known. */
  fields: unknown;
}

/** Without what the server keeps in metadata. */
function shown(object: KubeObject): Record<string, unknown> {
  const { name, namespace, labels, annotations, ownerReferences, finalizers } = object.metadata;
  const metadata = { name, namespace, labels, annotations, ownerReferences, finalizers };
  return {
    ...object,
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)),
  };
}

function view(live: unknown, desired: unknown, at: At): unknown {
  if (Array.isArray(live)) return viewList(live, desired, at);
  if (isObject(live)) return viewMap(live, desired, at);
  const same = isQuantity(at.path) && desired !== undefined && sameQuantity(desired, live);
  return same ? desired : live;
}

function viewMap(live: Record<string, unknown>, desired: unknown, at: At): unknown {
  const fields = isObject(at.fields) ? at.fields : {};
  const ownedWhole = isObject(at.fields) && Object.keys(fields).length === 0;
  if (!isObject(desired) && (ownedWhole || at.fields === undefined)) return live;
  const entries = Object.entries(live).flatMap(([name, value]): [string, unknown][] => {
    const wanted = isObject(desired) ? desired[name] : undefined;
    const owned = fields[`f:${name}`];
    // Name and namespace belong to nobody, and say what this is.
    const identifies = at.path.length === 1 && at.path[0] === 'metadata' && wanted !== undefined;
    if (wanted === undefined && owned === undefined && !identifies) return [];
    return [[name, view(value, wanted, { kind: at.kind, path: [...at.path, name], fields: owned })]];
  });
  return Object.fromEntries(entries);
}

function viewList(live: readonly unknown[], desired: unknown, at: At): unknown {
  const wanted: readonly unknown[] = Array.isArray(desired) ? desired : [];
  const keys = mergeKeysOf(at.kind, at.path);
  if (keys === undefined) {
    if (wanted.length !== live.length) return live;
    return live.map((each, index) => view(each, wanted[index], { ...at, fields: undefined }));
  }
  const inOrder = wanted.flatMap((each) => {
    const there = findByKeys(live, each, keys);
    return there === undefined ? [] : [view(there, each, { ...at, fields: fieldsOf(there, at.fields) })];
  });
  const leftOver = live.filter(
    (each) => findByKeys(wanted, each, keys) === undefined && fieldsOf(each, at.fields) !== undefined,
  );
  return [
    ...inOrder,
    ...leftOver.map((each) => view(each, undefined, { ...at, fields: fieldsOf(each, at.fields) })),
  ];
}

/** The fields that we own of one element of a list with keys. */
function fieldsOf(element: unknown, fields: unknown): unknown {
  if (!isObject(fields)) return undefined;
  return Object.entries(fields).find(([key]) => {
    if (!key.startsWith('k:')) return false;
    const meant: unknown = JSON.parse(key.slice(2));
    return (
      isObject(meant) && Object.entries(meant).every(([name, value]) => keyValue(element, name) === value)
    );
  })?.[1];
}

function masked(object: Record<string, unknown>): Record<string, unknown> {
  if (object['kind'] !== 'Secret' || !isObject(object['data'])) return object;
  const texts = Object.entries(object['data']).map(
    ([key, value]) => [key, maskedValue(String(value))] as const,
  );
  // The time of a key that is not there yet is when the plan is carried out.
  const isNew = texts.some(([key, text]) => key === SECRET_KEY.ticketKey && text === ISSUED_LATER);
  const data = texts.map(([key, text]) => [
    key,
    isNew && key === SECRET_KEY.ticketMade ? ISSUED_LATER : text,
  ]);
  return { ...object, data: Object.fromEntries(data) };
}

/** Enough to see that a value changed, and not enough to learn it: what we keep in Secrets is long and random. */
function maskedValue(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.includes(TO_BE_ISSUED)) return ISSUED_LATER;
  return `<${bytes.length} ${bytes.length === 1 ? 'byte' : 'bytes'}, sha256 ${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}>`;
}
