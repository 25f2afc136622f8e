import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { versions } from '../binaries/index.ts';
import { nodes } from './config.ts';
import { kubectl } from './kubectl.ts';

/** Fills in `${NAME}` in a manifest; a name without a value is an error. Pure. */
export function render(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\$\{([A-Z]+)\}/g, (_all, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The manifest wants \${${name}}, which has no value`);
    return value;
  });
}

function manifest(name: string, values: Readonly<Record<string, string>>): string {
  // The head comment names the placeholders; it must not be taken for one.
  const text = readFileSync(join(import.meta.dirname, 'manifests', `${name}.yaml`), 'utf8').replaceAll(
    /^#.*\n/gm,
    '',
  );
  return render(text, values);
}

/** Everything that runs in the lab from the start: DNS, the storage class, Kafka. One YAML stream. */
export function labManifests(): string {
  const kafka = { VERSION: versions.kafka, IMAGE: `localhost/causeway/kafka:${versions.kafka}` };
  const brokers = nodes.map((node, index) =>
    manifest('kafka-broker', { ...kafka, LETTER: node.zone.slice(-1), ID: String(index + 1) }),
  );
  const dns = manifest('coredns', { IMAGE: `localhost/causeway/coredns:${versions.coredns}` });
  return [manifest('storage', {}), dns, manifest('kafka', kafka), ...brokers].join('---\n');
}

/** A Kafka of one broker in a namespace of its own, at kafka.<namespace>:9092, whose data goes with its pod. One YAML stream. */
export function smallKafka(namespace: string): string {
  const image = `localhost/causeway/kafka:${versions.kafka}`;
  return manifest('small-kafka', { NAMESPACE: namespace, IMAGE: image });
}

/** Applies {@link labManifests}. */
export async function applyManifests(): Promise<void> {
  await kubectl(['apply', '--server-side', '--field-manager', 'causeway-lab', '-f', '-'], labManifests());
}
