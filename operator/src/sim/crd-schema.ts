/** The real CustomResourceDefinition: its defaults, and what its lists are. */
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

const FILE = new URL('../../../crds/messageplatforms.causeway.dev.yaml', import.meta.url);

interface Definition {
  spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
}

const schema = load();

function load(): Schema {
  const definition = parse(readFileSync(FILE, 'utf8')) as Definition;
  const found = definition.spec.versions[0]?.schema.openAPIV3Schema;
  if (found === undefined) throw new Error(`${FILE.pathname} has no version with a schema`);
  return found;
}

/** A copy of a MessagePlatform with the defaults filled in, as the API server does. */
export function withPlatformDefaults<T>(platform: T): T {
  return fill(schema, platform) as T;
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

/** What the list at that path of a MessagePlatform is. */
export function listOfPlatform(path: readonly string[]): ListShape {
  const key = path.join('/');
  const known = shapes.get(key);
  if (known !== undefined) return known;
  let at: Schema | undefined = schema;
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
