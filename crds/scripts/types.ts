import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { walk, type Crd, type Schema } from './crd.ts';

/** Parts that code passes around get a name of their own, by their kind and their path. */
const NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  MessagePlatform: {
    'spec.zones[]': 'ZoneSpec',
    'spec.gateway': 'GatewaySpec',
    'spec.gateway.limits': 'LimitsSpec',
    'spec.gateway.limits.tiers[]': 'TierSpec',
    'spec.gateway.resources': 'ResourcesSpec',
    'spec.gateway.tolerations[]': 'TolerationSpec',
    'spec.kafka': 'KafkaSpec',
    'spec.kafka.topics[]': 'TopicSpec',
    'spec.redis': 'RedisSpec',
    'spec.etcd': 'EtcdSpec',
    'spec.tls': 'TlsSpec',
    'spec.failover': 'FailoverSpec',
    'status.conditions[]': 'Condition',
    'status.gateways': 'GatewaysStatus',
    'status.zones[]': 'ZoneStatus',
    'status.topics[]': 'TopicStatus',
    'status.certificates': 'CertificatesStatus',
  },
  ZoneFailover: {
    'status.phases[]': 'FailoverPhaseStatus',
    'status.figures': 'FailoverFigures',
    'status.timeline': 'FailoverTimeline',
    'status.timeline.samples[]': 'FailoverSample',
  },
};

/** The one shape that stands in many places. */
const SECRET_REFERENCE = 'SecretReference';

const secretReference: Schema = {
  type: 'object',
  description: "Names a Secret in the platform's namespace; the field that has it says which keys.",
  required: ['name'],
  properties: { name: { type: 'string', description: 'Name of the Secret.' } },
};

/** The TypeScript type of a node that is better written by hand than derived, if it is one. */
function handWritten(schema: Schema, path: string): string | undefined {
  if (path.endsWith('.secretRef')) return SECRET_REFERENCE;
  const values = schema.additionalProperties;
  if (values) return `Record<string, ${valueType(values)}>`;
  if (schema.type === 'object' && Object.keys(schema.properties ?? {}).length === 0) {
    return 'Record<string, never>';
  }
  return undefined;
}

function valueType(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string']) return 'number | string';
  return schema.type === 'integer' ? 'number' : 'string';
}

/** Fields that are always there once the apiserver has stored the object: the required and the defaulted ones. */
function alwaysThere(schema: Schema): string[] {
  const defaulted = Object.entries(schema.properties ?? {})
    .filter(([, child]) => child.default !== undefined)
    .map(([name]) => name);
  return [...new Set([...(schema.required ?? []), ...defaulted])];
}

/** Turns a node of the CRD into plain JSON Schema: no Kubernetes extensions, closed objects, our names. */
function toJsonSchema(schema: Schema, path: string, kind: string): JSONSchema {
  const tsType = handWritten(schema, path);
  const description = schema.description ?? '';
  if (tsType !== undefined) return { description, tsType };
  if (schema.type === 'array') {
    return { type: 'array', description, items: toJsonSchema(schema.items ?? {}, `${path}[]`, kind) };
  }
  if (schema.type !== 'object') {
    return { type: schema.type as 'string', description, ...(schema.enum && { enum: schema.enum }) };
  }
  const properties = Object.entries(schema.properties ?? {}).map(([name, child]) => [
    name,
    toJsonSchema(child, `${path}.${name}`, kind),
  ]);
  const title = NAMES[kind]?.[path];
  return {
    type: 'object',
    description,
    ...(title !== undefined && { title }),
    required: alwaysThere(schema),
    properties: Object.fromEntries(properties) as Record<string, JSONSchema>,
    additionalProperties: false,
  };
}

/** The TypeScript types `<Kind>Spec` and `<Kind>Status` of a CRD, and those of their named parts. */
export async function renderTypes(crd: Crd): Promise<string> {
  const options = { bannerComment: '', format: false };
  const { spec, status } = crd.schema.properties;
  const part = (schema: Schema, path: string, name: string): Promise<string> =>
    compile(toJsonSchema(schema, path, crd.kind), name, options);
  const parts = [part(spec, 'spec', `${crd.kind}Spec`)];
  if ([...walk(spec, 'spec')].some(({ path }) => path.endsWith('.secretRef'))) {
    parts.push(part(secretReference, SECRET_REFERENCE, SECRET_REFERENCE));
  }
  parts.push(part(status, 'status', `${crd.kind}Status`));
  return (await Promise.all(parts)).join('\n');
}
