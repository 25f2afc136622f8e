/** `causeway verify`: whether every zone's etcd holds what the home's does. Each zone's replicator compares; only reads. */
import { Option, type Command } from 'commander';
import { ADMIN_PATH, COMPONENT, LABEL, PORT, type Verification } from '@causeway/crds';
import {
  epochOf,
  homeOf,
  isServing,
  KIND,
  replicatedZones,
  type MessagePlatform,
  type Pod,
} from '../platform/index.ts';
import {
  addClusterOptions,
  noSuchPlatform,
  withCluster,
  type Cluster,
  type ClusterOptions,
} from './connect.ts';
import { durationMs } from './durations.ts';
import { processIo, styleOf, type Io } from './io.ts';
import { machineText, outputOption, type OutputFormat } from './output.ts';
import { shortDuration } from './table.ts';
import { verifyText, type VerifyView, type ZoneView } from './verify-text.ts';

/** What `causeway verify` is told. */
export interface VerifyOptions extends ClusterOptions {
  output: OutputFormat;
  /** Only these zones; undefined: all but home. */
  zone?: string[];
  /** For each zone, milliseconds. */
  timeout: number;
}

/** When every zone was compared and some differ. */
const EXIT_DIFFERS = 2;
const EXIT_FAILED = 1;

const EXAMPLES = `
Examples:
  # Every zone of orders beside its home, key by key, at one revision each
  causeway verify orders -n messaging

  # One zone, after a failover
  causeway verify orders --zone zone-a

  # For programs: the keys that differ
  causeway verify orders -o json | jq -r '.zones[] | .zone as $z | .shown[]? | [$z, .key] | @tsv'

It may be run at any time, under writes too: both sides are read at revisions that belong together. Each zone's replicator
reads both etcds, at up to 32 MiB a second. Values are never shown, only their sizes, and hashes that mean something only
within one run. It needs the right to get pods/proxy.

Exit codes: 0 every zone is equal · 2 some differ · 1 failed, or a zone could not be compared`;

/** Adds the command `verify`. */
export function registerVerify(program: Command): void {
  const command = program
    .command('verify')
    .description("compare every zone's etcd with the home's")
    .argument('<name>', 'the platform')
    .option('--zone <name...>', 'only these zones')
    .addOption(outputOption('table'))
    .addOption(
      new Option('--timeout <duration>', 'how long a zone may take')
        .argParser(durationMs('10m'))
        .default(10 * 60_000, '10m'),
    );
  addClusterOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, options: VerifyOptions) => {
      process.exitCode = await runVerify(name, options, { io: processIo() });
    });
}

/** Compares, prints, and gives the exit code. Throws when there is nothing to compare. */
export async function runVerify(
  name: string,
  options: VerifyOptions,
  { io, port = PORT.admin }: { io: Io; port?: number },
): Promise<number> {
  return withCluster(options, async (cluster) => {
    const { api, namespace } = cluster;
    const platform = await api.get<MessagePlatform>(KIND.platform, { namespace, name });
    if (platform === undefined) throw noSuchPlatform(name, namespace);
    const zones = zonesToVerify(platform, options.zone);
    const views: ZoneView[] = [];
    // One after another: each reads all of the home's keys.
    for (const [index, zone] of zones.entries()) {
      const done = saysProgress(io, `${zone} (${index + 1} of ${zones.length})`);
      try {
        views.push(await verifyZone(cluster, platform, { zone, port, timeoutMs: options.timeout }));
      } finally {
        done();
      }
    }
    const view: VerifyView = {
      namespace,
      name,
      homeZone: homeOf(platform),
      epoch: epochOf(platform),
      equal: views.every(({ equal }) => equal === true),
      zones: views,
    };
    const style = { style: styleOf(io), width: io.terminal?.columns };
    io.out(options.output === 'text' ? verifyText(view, style) : machineText(view, options.output));
    if (views.some(({ error }) => error !== undefined)) return EXIT_FAILED;
    return view.equal ? 0 : EXIT_DIFFERS;
  });
}

/** A person waits this long for a first word, milliseconds. */
const PATIENCE_MS = 2_000;

/** Says on standard error that it goes on, at first after two seconds, then each time that it has taken twice as long. */
function saysProgress(io: Io, what: string): () => void {
  const began = io.now();
  let timer: NodeJS.Timeout;
  const after = (ms: number): void => {
    timer = setTimeout(() => {
      io.err(`Comparing ${what} for ${shortDuration(io.now() - began)} …\n`);
      after(2 * ms);
    }, ms);
  };
  after(PATIENCE_MS);
  return () => clearTimeout(timer);
}

function zonesToVerify(platform: MessagePlatform, wanted: readonly string[] | undefined): string[] {
  const { namespace, name } = platform.metadata;
  const replicated = replicatedZones(platform);
  if (replicated.length === 0)
    throw new Error(`nothing of ${namespace}/${name} is replicated: spec.etcd.prefixes is empty.`);
  const wrong = wanted?.find((zone) => !replicated.includes(zone));
  if (wrong === undefined) return replicated.filter((zone) => wanted?.includes(zone) ?? true);
  throw new Error(
    `${wrong} is not a zone that follows another: choose ${replicated.join(' or ')}. The home is ${homeOf(platform)}.`,
  );
}

async function verifyZone(
  { api, namespace }: Cluster,
  platform: MessagePlatform,
  { zone, port, timeoutMs }: { zone: string; port: number; timeoutMs: number },
): Promise<ZoneView> {
  const labels = {
    [LABEL.platform]: platform.metadata.name,
    [LABEL.component]: COMPONENT.replicator,
    [LABEL.zone]: zone,
  };
  const labelSelector = Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join();
  const { items } = await api.list<Pod>(KIND.pod, { namespace, labelSelector });
  // One that isn't ready may say why.
  const pod = items.find(isServing) ?? items[0];
  if (pod === undefined) return { zone, error: 'there is no replicator pod' };
  const ref = { namespace, name: pod.metadata.name };
  try {
    const answer = await api.askPod<Verification | { error: string }>(ref, {
      port,
      path: ADMIN_PATH.verify,
      timeoutMs,
    });
    return { ...answer, zone };
  } catch (error) {
    return { zone, error: `pod ${ref.name}: ${error instanceof Error ? error.message : String(error)}` };
  }
}
