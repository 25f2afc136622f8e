import { propertiesOf } from './crd.ts';
import type { Crd, Rule, Schema } from './crd.ts';

/** The rule that makes text a duration; the page explains it once. */
const DURATION = /^a duration is /;

function isDuration(schema: Schema): boolean {
  return schema['x-kubernetes-validations']?.some((rule) => DURATION.test(rule.message)) ?? false;
}

/** `{ name }`, which the page explains once. */
function isSecretReference(schema: Schema): boolean {
  const names = Object.keys(schema.properties ?? {});
  return names.length === 1 && names[0] === 'name' && (schema.description ?? '').startsWith('A Secret ');
}

/** A type as a reader thinks of it, such as `integer, 1 to 200` or `list of text, 1 to 9`. */
function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (isSecretReference(schema)) return '[Secret](#types)';
  if (isDuration(schema)) return '[duration](#types)';
  if (schema['x-kubernetes-int-or-string']) return '[quantity](#types)';
  if (schema.type === 'array') return `list of ${listItem(schema)}${range(schema.minItems, schema.maxItems)}`;
  if (schema.additionalProperties) return `map of text to ${typeOf({ ...schema.additionalProperties })}`;
  if (schema.type === 'string') {
    if (schema.format === 'date-time') return 'time (RFC 3339)';
    return schema.maxLength === undefined ? 'text' : `text, up to ${schema.maxLength} characters`;
  }
  return `${schema.type ?? ''}${range(schema.minimum, schema.maximum)}`;
}

function listItem(schema: Schema): string {
  const { type, properties } = schema.items ?? {};
  if (properties) return 'objects';
  return type === 'string' ? 'text' : `${type ?? ''}s`;
}

function range(from: number | undefined, to: number | undefined): string {
  if (from !== undefined && to !== undefined) return `, ${from} to ${to}`;
  if (from !== undefined) return `, at least ${from}`;
  return to === undefined ? '' : `, up to ${to}`;
}

/** Text for one cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('<', '&lt;');
}

/** A default of `{}` only lets the fields inside have theirs, which says nothing to a reader. */
function defaultOf(schema: Schema): string {
  const value = schema.default;
  if (value === undefined || typeof value === 'object') return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function anchor(path: string): string {
  return path.replaceAll('[]', '').replaceAll('.', '').toLowerCase();
}

/** Sections are the objects and the lists of objects. */
function isSection(schema: Schema): boolean {
  return propertiesOf(schema).length > 0 && !isSecretReference(schema);
}

function table(schema: Schema, path: string, kind: 'spec' | 'status'): string {
  const required = new Set((schema.items ?? schema).required);
  const rows = propertiesOf(schema).map(([name, child]) => {
    const shown = isSection(child) ? `[\`${name}\`](#${anchor(`${path}.${name}`)})` : `\`${name}\``;
    const cells = [shown, cell(typeOf(child))];
    if (kind === 'spec') cells.push(required.has(name) ? '**required**' : defaultOf(child));
    return `| ${[...cells, cell(child.description ?? '')].join(' | ')} |`;
  });
  const head = kind === 'spec' ? '| field | type | default | what it is |' : '| field | type | what it is |';
  return [head, head.replaceAll(/[^|]+/g, ' --- '), ...rows].join('\n');
}

/** A rule with the field that it is about. */
interface FieldRule {
  field: string;
  message: string;
}

function ownRules(field: string, schema: Schema | undefined): FieldRule[] {
  return (schema?.['x-kubernetes-validations'] ?? []).map((rule: Rule) => ({
    field: field || (rule.fieldPath ?? '').replace(/^\./, ''),
    message: rule.message,
  }));
}

/** The rules of an object itself, its items, and its fields that have no section of their own. */
function rulesOf(schema: Schema): FieldRule[] {
  const fields = propertiesOf(schema).filter(([, child]) => !isSection(child));
  return [
    ...ownRules('', schema),
    ...ownRules('', schema.items),
    ...fields.flatMap(([name, child]) =>
      [child, child.items, child.additionalProperties].flatMap((node) => ownRules(name, node)),
    ),
  ];
}

/** A rule as a line: its message, after the field where the message does not name that. */
function line({ field, message }: FieldRule): string {
  const last = field.split('.').at(-1) ?? '';
  const named = new RegExp(`\\b${last}\\b`).test(message.split(':')[0] ?? '');
  return `- ${named ? '' : `\`${field}\`: `}${cell(message)}.`;
}

function keysOf(schema: Schema): string[] {
  const keys = schema['x-kubernetes-list-map-keys'];
  return keys ? [`- Each \`${keys.join('`, `')}\` stands once.`] : [];
}

function rules(schema: Schema): string {
  const lines = rulesOf(schema)
    .filter(({ message }) => !DURATION.test(message))
    .map(line);
  const all = [...keysOf(schema), ...new Set(lines)];
  return all.length === 0 ? '' : `\n\nRules:\n\n${all.join('\n')}`;
}

function* sections(schema: Schema, path: string, kind: 'spec' | 'status'): Generator<string> {
  const list = schema.type === 'array' ? '[]' : '';
  yield `## ${path}${list}\n\n${cell(schema.description ?? '')}\n\n${table(schema, path, kind)}${rules(schema)}`;
  for (const [name, child] of propertiesOf(schema)) {
    if (isSection(child)) yield* sections(child, `${path}.${name}`, kind);
  }
}

const TYPES = `- **duration**: whole numbers of at most six digits with the units ms, s, m or h, such as \`500ms\`, \`25s\` or \`1h30m\`.
- **quantity**: as in a Pod, such as \`100m\` for cpu and \`128Mi\` for memory. A fraction needs quotes: \`"0.5"\`.
- **Secret**: \`{ name: … }\`, the name of a Secret in the platform's namespace.
- **text** that looks like a number or a boolean needs quotes, as ever in YAML.`;

/** The reference of a CRD as Markdown: a table of fields and a list of rules for each object. */
export function renderReference(crd: Crd): string {
  const { spec, status } = crd.schema.properties;
  const whole = rulesOf({ ...crd.schema, properties: {} })
    .map(line)
    .join('\n');
  return [
    `# The ${crd.kind} API`,
    `\`${crd.group}/${crd.version}\`, kind \`${crd.kind}\`, short name \`${crd.shortNames.join('`, `')}\`, namespaced. ` +
      (crd.schema.description ?? ''),
    `Examples to start from are in [examples/](../examples/). On a cluster, \`kubectl explain ${crd.shortNames[0]}.spec\` says ` +
      'the same as this page, and `kubectl apply --dry-run=server -f FILE` tries an object against all rules.',
    'The API server refuses an object that breaks a rule, and says which field and what to do. What only the world ' +
      'can tell, such as a Secret that is not there or a broker that does not answer, becomes a condition in the status.',
    `## Types\n\n${TYPES}`,
    ...(whole === '' ? [] : [`## Rules for the whole object\n\n${whole}`]),
    [...sections(spec, 'spec', 'spec')].join('\n\n'),
    [...sections(status, 'status', 'status')].join('\n\n'),
  ].join('\n\n');
}
