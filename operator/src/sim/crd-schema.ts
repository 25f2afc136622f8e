/** The real CustomResourceDefinitions: their defaults, and what their lists are. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { isRecord, type Json } from './json.ts';

/** What a list is: a map by keys, a set, or one value. */
export type ListShape = { is: 'map'; keys: readonly string[] } | { is: 'set' } | { is: 'atomic' };

interface Schema {
  default?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
}

interface Definition {
  spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
}

const PLURALS = {
  MessagePlatform: 'messageplatforms',
  ZoneFailover: 'zonefailovers',
  DrillSchedule: 'drillschedules',
} as const;
type Kind = keyof typeof PLURALS;

const schemas: Record<Kind, Schema> = {
  MessagePlatform: load('MessagePlatform'),
  ZoneFailover: load('ZoneFailover'),
  DrillSchedule: load('DrillSchedule'),
};

function load(kind: Kind): Schema {
  const file = new URL(`../../../crds/${PLURALS[kind]}.causeway.dev.yaml`, import.meta.url);
  const definition = parse(readFileSync(file, 'utf8')) as Definition;
  const found = definition.spec.versions[0]?.schema.openAPIV3Schema;
  if (found === undefined) throw new Error(`${file.pathname} has no version with a schema`);
  return found;
}

/** True for a kind of ours. */
export function isOurKind(kind: string): kind is Kind {
  return kind in PLURALS;
}

/** A copy of an object of ours with the defaults filled in, as the API server does. */
export function withCrdDefaults<T>(kind: Kind, object: T): T {
  return fill(schemas[kind], object) as T;
}

function fill(at: Schema, value: unknown): unknown {
  if (Array.isArray(value))
    return at.items === undefined ? value : value.map((each) => fill(at.items ?? {}, each));
  if (!isRecord(value)) return value;
  const result: Json = { ...value };
  for (const [name, below] of Object.entries(at.properties ?? {})) {
    if (result[name] === undefined && below.default !== undefined)
      result[name] = structuredClone(below.default);
    if (result[name] !== undefined) result[name] = fill(below, result[name]);
  }
  return result;
}

const shapes = new Map<string, ListShape>();

/** What the list at that path of an object of ours is. */
export function listOfCrd(kind: Kind, path: readonly string[]): ListShape {
  const key = [kind, ...path].join('/');
  const known = shapes.get(key);
  if (known !== undefined) return known;
  let at: Schema | undefined = schemas[kind];
  for (const name of path) at = (at?.items ?? at)?.properties?.[name];
  const shape = shapeOf(at);
  shapes.set(key, shape);
  return shape;
}

function shapeOf(at: Schema | undefined): ListShape {
  const type = at?.['x-kubernetes-list-type'];
  if (type === 'map') return { is: 'map', keys: at?.['x-kubernetes-list-map-keys'] ?? [] };
  return type === 'set' ? { is: 'set' } : { is: 'atomic' };
}
