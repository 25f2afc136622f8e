/** `causeway failover`: starts a ZoneFailover, follows it, pauses it, takes it back, and tells what became of it. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { API_GROUP_VERSION, type ZoneFailoverSpec } from '@causeway/crds';
import { abortable, type KubeObject } from '../controller/index.ts';
import { FAILOVER_KIND, type FailoverObject } from '../failover/index.ts';
import { KIND, type MessagePlatform } from '../platform/index.ts';
import {
  addClusterOptions,
  noSuchPlatform,
  withCluster,
  type Cluster,
  type ClusterOptions,
} from './connect.ts';
import { durationText } from './durations.ts';
import { runControl } from './failover-control.ts';
import { follow, type Session, type WatchOutput } from './failover-follow.ts';
import { HELP } from './failover-help.ts';
import { failoverNamed } from './failover-named.ts';
import { registerReport } from './failover-report.ts';
import { failoverLine } from './failover-text.ts';
import { processIo } from './io.ts';
import { untilSignal } from './signals.ts';

type Mode = ZoneFailoverSpec['mode'];

/** What `causeway failover start` is told. */
export interface StartOptions extends ClusterOptions {
  from: string;
  mode: Mode;
  toHome?: string;
  name?: string;
  hold?: string;
  timeout?: string;
  maxLag?: number;
  maxMirrorLag?: number;
  minReady?: number;
  watch: boolean;
  output: WatchOutput;
}

/** What `causeway failover watch` is told. */
export interface WatchOptions extends ClusterOptions {
  output: WatchOutput;
}

/** Adds the command `failover`. */
export function registerFailover(program: Command): void {
  const failover = program
    .command('failover')
    .description("move a zone's traffic away, as a drill, as planned, or because it is gone")
    .addHelpText('after', HELP.failover);
  registerStart(failover);
  const watch = failover
    .command('watch')
    .description('show it until its end')
    .argument('<name>', 'the ZoneFailover')
    .addHelpText('after', HELP.watch);
  addClusterOptions(watch.addOption(watchOutput())).action(async (name: string, options: WatchOptions) => {
    process.exitCode = await untilSignal((signal) => runWatch(name, options, { io: processIo(), signal }));
  });
  const pause = failover
    .command('pause')
    .description('stay where it is, wherever that is safe')
    .argument('<name>', 'the ZoneFailover')
    .option('--resume', 'go on')
    .addHelpText('after', HELP.pause);
  addClusterOptions(pause).action(async (name: string, options: ClusterOptions & { resume?: true }) => {
    await runControl(name, options, { spec: { pause: options.resume !== true }, io: processIo() });
  });
  const abort = failover
    .command('abort')
    .description('go back, from any phase that still can')
    .argument('<name>', 'the ZoneFailover')
    .addHelpText('after', HELP.abort);
  addClusterOptions(abort).action(async (name: string, options: ClusterOptions) => {
    await runControl(name, options, { spec: { abort: true }, io: processIo() });
  });
  registerReport(failover);
}

function registerStart(failover: Command): void {
  const start = failover
    .command('start')
    .description('make a ZoneFailover, and show it until its end')
    .argument('<platform>', 'the platform')
    .requiredOption('--from <zone>', 'the zone that is left')
    .addOption(
      new Option('--mode <mode>', 'what kind').choices(['Drill', 'Planned', 'Emergency']).default('Drill'),
    )
    .option('--to-home <zone>', 'who becomes home; default: the zone that holds most')
    .option('--name <name>', 'name of the ZoneFailover; default: made of platform, mode and time')
    .option('--hold <duration>', 'how long a drill is held; default: 30s', durationText('5m'))
    .option('--timeout <duration>', 'time until all must be verified; default: 5m', durationText('5m'))
    .option('--max-lag <revisions>', 'how far the next home may be behind at the start', parseWhole)
    .option(
      '--max-mirror-lag <offsets>',
      "how far MirrorMaker's copy in another Kafka may be behind",
      parseWhole,
    )
    .option('--min-ready <n>', 'gateways that each other zone must have ready', parseWhole)
    .option('--no-watch', 'only make it, and return')
    .addOption(watchOutput())
    .addHelpText('after', HELP.start);
  addClusterOptions(start).action(async (platform: string, options: StartOptions) => {
    process.exitCode = await untilSignal((signal) =>
      runStart(platform, options, { io: processIo(), signal }),
    );
  });
}

function watchOutput(): Option {
  return new Option('-o, --output <format>', 'text, or json: a line for each change')
    .choices(['text', 'json'])
    .default('text');
}

function parseWhole(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('It must be a whole number.');
  return number;
}

/** Makes a failover, and follows it. Resolves with the exit code. */
export async function runStart(platform: string, options: StartOptions, session: Session): Promise<number> {
  return withCluster(options, async (cluster) => {
    const { api, namespace } = cluster;
    const found = await platformFor(cluster, platform, session);
    const { io } = session;
    const wish = failoverFor(found, options, io.now());
    const made = (await api.create(FAILOVER_KIND, wish)) as FailoverObject;
    const { name } = made.metadata;
    const { output } = options;
    // Whatever comes: who reads this knows its name.
    io.out(output === 'json' ? failoverLine(made, io.now()) : `ZoneFailover ${namespace}/${name} created.\n`);
    if (!options.watch) return 0;
    return follow(cluster, { name, output, session, told: made });
  });
}

/** Whoever ends the command by now finds nothing made. */
async function platformFor(
  { api, namespace }: Cluster,
  name: string,
  { io, signal }: Session,
): Promise<MessagePlatform> {
  try {
    signal.throwIfAborted();
    const found = await abortable(api.get<MessagePlatform>(KIND.platform, { namespace, name }), signal);
    if (found === undefined) throw noSuchPlatform(name, namespace);
    return found;
  } catch (error) {
    if (signal.aborted) io.err('Ended before a ZoneFailover was made.\n');
    throw error;
  }
}

/** One that is not there would hold the platform until the operator refuses it. */
function assertZone({ metadata, spec }: MessagePlatform, zone: string): void {
  const names = spec.zones.map(({ name }) => name);
  if (names.includes(zone)) return;
  throw new Error(
    `${zone} is not a zone of ${metadata.namespace}/${metadata.name}: choose ${names.join(' or ')}.`,
  );
}

function failoverFor(
  platform: MessagePlatform,
  options: StartOptions,
  now: number,
): KubeObject & { spec: object } {
  const { metadata } = platform;
  const { from, mode, toHome, hold, timeout, maxLag, maxMirrorLag, minReady } = options;
  if (hold !== undefined && mode !== 'Drill')
    throw new Error('--hold is for a Drill: the other modes do not go back by themselves.');
  for (const zone of [from, ...(toHome === undefined ? [] : [toHome])]) assertZone(platform, zone);
  const time = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const name = options.name ?? `${metadata.name}-${mode.toLowerCase()}-${time}`;
  const limits = {
    ...(timeout === undefined ? {} : { timeout }),
    ...(maxLag === undefined ? {} : { maxReplicationLag: maxLag }),
    ...(maxMirrorLag === undefined ? {} : { maxMirrorLag }),
    ...(minReady === undefined ? {} : { minReadyPerZone: minReady }),
  };
  return {
    apiVersion: API_GROUP_VERSION,
    kind: FAILOVER_KIND.kind,
    metadata: { namespace: metadata.namespace, name },
    spec: {
      platform: metadata.name,
      fromZone: from,
      mode,
      ...(toHome === undefined ? {} : { toHome }),
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
      ...(hold === undefined ? {} : { drill: { holdFor: hold } }),
    },
  };
}

/** Follows a failover to its end. Resolves with the exit code. */
export async function runWatch(name: string, options: WatchOptions, session: Session): Promise<number> {
  return withCluster(options, async (cluster) => {
    session.signal.throwIfAborted();
    await abortable(failoverNamed(cluster, name), session.signal);
    return follow(cluster, { name, output: options.output, session });
  });
}
