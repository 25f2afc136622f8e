import { compile, type JSONSchema } from 'json-schema-to-typescript';
import type { Crd, Schema } from './crd.ts';

/** Parts that code passes around get a name of their own, by their path. */
const NAMES: Readonly<Record<string, string>> = {
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
};

/** The one shape that stands in many places. */
const SECRET_REFERENCE = 'SecretReference';

/** The TypeScript type of a node that is better written by hand than derived, if it is one. */
function handWritten(schema: Schema, path: string): string | undefined {
  if (path.endsWith('.secretRef')) return SECRET_REFERENCE;
  const values = schema.additionalProperties;
  if (values) return `Record<string, ${values['x-kubernetes-int-or-string'] ? 'number | string' : 'string'}>`;
  if (schema.type === 'object' && Object.keys(schema.properties ?? {}).length === 0) {
    return 'Record<string, never>';
  }
  return undefined;
}

/** Fields that are always there once the apiserver has stored the object: the required and the defaulted ones. */
function alwaysThere(schema: Schema): string[] {
  const defaulted = Object.entries(schema.properties ?? {})
    .filter(([, child]) => child.default !== undefined)
    .map(([name]) => name);
  return [...new Set([...(schema.required ?? []), ...defaulted])];
}

/** Turns a node of the CRD into plain JSON Schema: no Kubernetes extensions, closed objects, our names. */
function toJsonSchema(schema: Schema, path: string): JSONSchema {
  const tsType = handWritten(schema, path);
  const description = schema.description ?? '';
  if (tsType !== undefined) return { description, tsType };
  if (schema.type === 'array') {
    return { type: 'array', description, items: toJsonSchema(schema.items ?? {}, `${path}[]`) };
  }
  if (schema.type !== 'object') {
    return { type: schema.type as 'string', description, ...(schema.enum && { enum: schema.enum }) };
  }
  const properties = Object.entries(schema.properties ?? {}).map(([name, child]) => [
    name,
    toJsonSchema(child, `${path}.${name}`),
  ]);
  const title = NAMES[path];
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
  const parts = [
    compile(toJsonSchema(crd.schema.properties.spec, 'spec'), `${crd.kind}Spec`, options),
    compile(
      toJsonSchema(
        {
          type: 'object',
          description: "Names a Secret in the platform's namespace; the field that has it says which keys.",
          required: ['name'],
          properties: { name: { type: 'string', description: 'Name of the Secret.' } },
        },
        SECRET_REFERENCE,
      ),
      SECRET_REFERENCE,
      options,
    ),
    compile(toJsonSchema(crd.schema.properties.status, 'status'), `${crd.kind}Status`, options),
  ];
  return (await Promise.all(parts)).join('\n');
}
