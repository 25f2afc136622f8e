import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** A rule in CEL, as in apiextensions.k8s.io/v1 ValidationRule. */
export interface Rule {
  rule: string;
  message: string;
  /** Path of the field that an error names, relative to the schema that has the rule, such as `.burst`. */
  fieldPath?: string;
}

/** One node of a structural schema (apiextensions.k8s.io/v1 JSONSchemaProps), as far as we use it. */
export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: Rule[];
}

/** A CustomResourceDefinition with one version. */
export interface Crd {
  kind: string;
  group: string;
  version: string;
  shortNames: string[];
  /** Schema of the whole object; always has spec and status. */
  schema: Schema & { properties: { spec: Schema; status: Schema } };
}

interface CrdManifest {
  spec: {
    group: string;
    names: { kind: string; shortNames: string[] };
    versions: { name: string; schema: { openAPIV3Schema: Crd['schema'] } }[];
  };
}

/** The repository's root, with a slash at its end. */
export const root = new URL('../..', import.meta.url).pathname;
/** The plural names of our kinds; each has a CRD file. */
export type Plural = 'messageplatforms' | 'zonefailovers' | 'drillschedules';

/** The source of all that is generated for a kind. */
export function crdFile(plural: Plural): string {
  return `${root}crds/${plural}.causeway.dev.yaml`;
}

/** Reads a CRD. Throws when it has no version. */
export function readCrd(plural: Plural = 'messageplatforms'): Crd {
  const file = crdFile(plural);
  const { spec } = parse(readFileSync(file, 'utf8'), { maxAliasCount: -1 }) as CrdManifest;
  const version = spec.versions[0];
  if (version === undefined) throw new Error(`${file}: spec.versions is empty, give it one version`);
  return {
    kind: spec.names.kind,
    group: spec.group,
    version: version.name,
    shortNames: spec.names.shortNames,
    schema: version.schema.openAPIV3Schema,
  };
}

/** The fields of a schema or, for a list, of its items. */
export function propertiesOf(schema: Schema): [string, Schema][] {
  return Object.entries(schema.properties ?? schema.items?.properties ?? {});
}

/** Walks a schema from the root; a list's items have the path `zones[]`, a map's values `config[*]`. */
export function* walk(schema: Schema, path: string): Generator<{ path: string; schema: Schema }> {
  yield { path, schema };
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* walk(child, `${path}.${name}`);
  if (schema.items) yield* walk(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* walk(schema.additionalProperties, `${path}[*]`);
}
