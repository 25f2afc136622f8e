/**
 * Generates src/messageplatform.ts from the CRD, and the chart's copy of the CRD.
 * `--check` writes nothing and fails when a generated file is stale.
 */
import { readFileSync, writeFileSync, mkdirSync, existsSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { parse } from 'yaml';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { format, resolveConfig } from 'prettier';

type Schema = JSONSchema & Record<string, unknown>;
interface Crd {
  spec: { names: { kind: string }; versions: { schema: { openAPIV3Schema: Schema } }[] };
}

const root = new URL('../..', import.meta.url).pathname;
const source = `${root}crds/messageplatforms.causeway.dev.yaml`;

/** Turns an OpenAPI v3 node into plain JSON Schema: no Kubernetes extensions, closed objects. */
function toJsonSchema(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (typeof node !== 'object' || node === null) return node;
  const kept = Object.entries(node).filter(
    ([key]) => !key.startsWith('x-kubernetes-') && !['minItems', 'maxItems', 'default'].includes(key),
  );
  const schema = Object.fromEntries(kept.map(([key, value]) => [key, toJsonSchema(value)]));
  if (schema['type'] === 'object' && !('additionalProperties' in schema))
    schema['additionalProperties'] = false;
  return schema;
}

/** A field with a default is always there once the apiserver has stored the object. */
function requireDefaulted(node: unknown): void {
  if (typeof node !== 'object' || node === null) return;
  for (const child of Object.values(node)) requireDefaulted(child);
  const { properties, required } = node as { properties?: Record<string, Schema>; required?: string[] };
  if (properties === undefined || Array.isArray(properties)) return;
  const defaulted = Object.keys(properties).filter((name) => properties[name]?.['default'] !== undefined);
  if (defaulted.length > 0)
    (node as { required?: string[] }).required = [...new Set([...(required ?? []), ...defaulted])];
}

async function types(crd: Crd): Promise<string> {
  const version = crd.spec.versions[0];
  if (version === undefined) throw new Error(`${source}: spec.versions is empty`);
  const schema = structuredClone(version.schema.openAPIV3Schema) as Schema & {
    properties: Record<string, Schema>;
  };
  requireDefaulted(schema.properties['spec']);
  const kind = crd.spec.names.kind;
  const parts = await Promise.all(
    ['spec', 'status'].map((part) =>
      compile(
        toJsonSchema(schema.properties[part]) as JSONSchema,
        `${kind}${part === 'spec' ? 'Spec' : 'Status'}`,
        {
          bannerComment: '',
          format: false,
        },
      ),
    ),
  );
  const header = `// Generated from crds/messageplatforms.causeway.dev.yaml by \`npm run generate -w crds\`. Do not edit.\n`;
  const file = `${root}crds/src/messageplatform.ts`;
  return format(header + parts.join('\n'), { ...(await resolveConfig(file)), filepath: file });
}

const text = readFileSync(source, 'utf8');
const outputs = new Map([
  [`${root}crds/src/messageplatform.ts`, await types(parse(text, { maxAliasCount: -1 }) as Crd)],
  [`${root}charts/causeway/crds/messageplatforms.causeway.dev.yaml`, text],
]);
const stale: string[] = [];
for (const [file, content] of outputs) {
  if (existsSync(file) && readFileSync(file, 'utf8') === content) continue;
  stale.push(relative(root, file));
  if (process.argv.includes('--check')) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}. Run: npm run generate -w crds`);
  process.exitCode = 1;
} else if (stale.length > 0) {
  console.log(`wrote ${stale.join(', ')}`);
}
