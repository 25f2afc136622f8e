/** `causeway rotate`: asks for a certificate rotation, follows it, and pauses, resumes or takes back one. */
import { Option, type Command } from 'commander';
import { ANNOTATION, AUTHORITY_REQUEST } from '@causeway/crds';
import { abortable, Informer, systemClock } from '../controller/index.ts';
import { KIND, WAITING_FOR_FAILOVER, type MessagePlatform } from '../platform/index.ts';
import {
  addClusterOptions,
  noSuchPlatform,
  withCluster,
  type Cluster,
  type ClusterOptions,
} from './connect.ts';
import { durationMs } from './durations.ts';
import { processIo, styleOf, type Io } from './io.ts';
import { untilSignal } from './signals.ts';

/** What `causeway rotate` is told. */
export interface RotateOptions extends ClusterOptions {
  pause?: true;
  resume?: true;
  abort?: true;
  /** A new authority too. */
  authority?: true;
  wait: boolean;
  /** Milliseconds. */
  timeout: number;
}

const EXAMPLES = `
Examples:
  # A new certificate for the gateways of orders, pod by pod; shows each stage until it is done
  causeway rotate orders -n messaging

  # A new authority too: it is trusted everywhere before anything that it signed is served, and the old key is destroyed
  causeway rotate orders --authority

  # The same in a pipeline that does not wait
  causeway rotate orders --no-wait

  # Stop where it is, go on, or take all pods back
  causeway rotate orders --pause
  causeway rotate orders --resume
  causeway rotate orders --abort

No pod restarts and no connection ends. While it goes on, "causeway status orders --watch" shows the rest of the platform.
Ctrl-C ends the following, not the rotation.

Exit codes: 0 done, or asked for with --no-wait · 1 failed, took too long, or all pods went back · 130 Ctrl-C, 143 SIGTERM: it goes on`;

/** Adds the command `rotate`. */
export function registerRotate(program: Command): void {
  const command = program
    .command('rotate')
    .description('give the gateways a new certificate, as a rollout')
    .argument('<name>', 'the platform')
    .option('--authority', "replace the platform's own authority too")
    .option('--pause', 'stop the rotation where it is')
    .option('--resume', 'go on with it')
    .option('--abort', 'take all pods back to the certificate of before')
    .option('--no-wait', 'only ask, and return')
    .addOption(
      new Option('--timeout <duration>', 'how long to follow it')
        .argParser(durationMs('30m'))
        .default(30 * 60_000, '30m'),
    );
  addClusterOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, options: RotateOptions) => {
      process.exitCode = await untilSignal(async (signal) => {
        await runRotate(name, options, { io: processIo(), signal });
        return 0;
      });
    });
}

interface Session {
  io: Io;
  /** Ends the command: before anything is asked for, or while it is followed. */
  signal: AbortSignal;
}

/** Asks, and follows what comes of it. Throws when it fails, with what the status says. */
export async function runRotate(name: string, options: RotateOptions, session: Session): Promise<void> {
  const words = (['pause', 'resume', 'abort'] as const).filter((word) => options[word] === true);
  if (words.length > 1)
    throw new Error(
      `choose one of ${words.map((word) => `--${word}`).join(' and ')}: they exclude each other.`,
    );
  const [word] = words;
  if (word !== undefined && options.authority === true)
    throw new Error(`--authority is for a new rotation, and --${word} for the one under way: choose one.`);
  await withCluster(options, async (cluster) => {
    session.signal.throwIfAborted();
    const platform = await abortable(platformNamed(cluster, name), session.signal);
    if (word !== undefined) await control(cluster, platform, { word, io: session.io });
    else await request(cluster, platform, { options, session });
  });
}

async function platformNamed({ api, namespace }: Cluster, name: string): Promise<MessagePlatform> {
  const platform = await api.get<MessagePlatform>(KIND.platform, { namespace, name });
  if (platform === undefined) throw noSuchPlatform(name, namespace);
  return platform;
}

async function control(
  { api }: Cluster,
  platform: MessagePlatform,
  { word, io }: { word: 'pause' | 'resume' | 'abort'; io: Io },
): Promise<void> {
  const { namespace, name } = platform.metadata;
  const rotation = platform.status?.certificates?.rotation;
  if (rotation === undefined && word !== 'resume')
    throw new Error(`no rotation of ${namespace}/${name} is under way: there is nothing to ${word}.`);
  if (word === 'abort' && (rotation?.stage === 'Retire' || rotation?.stage === 'RollBack'))
    throw new Error(
      `the rotation to version ${rotation.to} is in ${rotation.stage}: it is too late to take it back.`,
    );
  const value = { pause: 'pause', resume: null, abort: `abort-${rotation?.to}` }[word];
  await annotate(api, platform, { [ANNOTATION.rotation]: value });
  const said = { pause: 'paused', resume: 'resumed', abort: 'asked to go back' }[word];
  io.out(`MessagePlatform ${namespace}/${name}: rotation ${said}.\n`);
}

async function request(
  { api }: Cluster,
  platform: MessagePlatform,
  { options, session }: { options: RotateOptions; session: Session },
): Promise<void> {
  const { namespace, name } = platform.metadata;
  if (platform.status?.certificates === undefined)
    throw new Error(
      `${namespace}/${name} has no certificate yet: "causeway status ${name} -n ${namespace}" says what it waits for.`,
    );
  const time = new Date(session.io.now()).toISOString();
  const value = options.authority === true ? `${AUTHORITY_REQUEST} ${time}` : time;
  await annotate(api, platform, { [ANNOTATION.rotate]: value });
  session.io.out(`MessagePlatform ${namespace}/${name}: rotation requested.\n`);
  if (options.wait) await follow(api, platform, { value, timeout: options.timeout, session });
}

async function annotate(
  api: Cluster['api'],
  { metadata: { namespace, name } }: MessagePlatform,
  annotations: Record<string, string | null>,
): Promise<void> {
  await api.mergePatch(KIND.platform, { namespace, name }, { metadata: { annotations } });
}

/** What came of a request, as far as status says. */
type Progress = { state: 'waiting' | 'done'; line: string } | { state: 'failed'; line: string; why: string };

/** Reads off the status how far the request `value` is; undefined while the operator has not seen it. */
function progressOf({ status }: MessagePlatform, value: string): Progress | undefined {
  const { observedRotate, rotation, lastRotation } = status?.certificates ?? {};
  const condition = status?.conditions?.find(({ type }) => type === 'Rotating');
  const waiting = { state: 'waiting', line: lineOf(condition) } as const;
  if (observedRotate !== value) return condition?.reason === WAITING_FOR_FAILOVER ? waiting : undefined;
  if (rotation !== undefined) return waiting;
  if (lastRotation?.result === 'Completed') return { state: 'done', line: waiting.line };
  const why = lastRotation?.message ?? 'another certificate had to be issued at once; see causeway status';
  return { state: 'failed', line: waiting.line, why };
}

function lineOf(condition: { reason: string; message: string } | undefined): string {
  return condition === undefined ? '' : `${condition.reason.padEnd(10)} ${condition.message}`;
}

/** Shows each change of the condition Rotating until the request is answered. */
async function follow(
  api: Cluster['api'],
  { metadata: { namespace, name, uid } }: MessagePlatform,
  { value, timeout, session }: { value: string; timeout: number; session: Session },
): Promise<void> {
  const { io, signal } = session;
  signal.throwIfAborted();
  const began = io.now();
  const watched = { api, clock: systemClock, namespaces: [namespace], kind: KIND.platform };
  const platforms = new Informer<MessagePlatform>(watched);
  const ended = Promise.withResolvers<void>();
  let shown = '';
  const look = (): void => {
    const platform = platforms.get({ namespace, name });
    if (platform === undefined || platform.metadata.uid !== uid) {
      ended.reject(new Error(`MessagePlatform ${namespace}/${name} is gone.`));
      return;
    }
    const progress = progressOf(platform, value);
    if (progress === undefined) return;
    if (progress.line !== shown) io.out(`${styleOf(io).dim(seconds(io.now() - began))}  ${progress.line}\n`);
    shown = progress.line;
    if (progress.state === 'done') ended.resolve();
    if (progress.state === 'failed') ended.reject(new Error(progress.why));
  };
  const late = setTimeout(() => {
    const where = `"causeway status ${name} -n ${namespace}" shows it`;
    ended.reject(new Error(`not done after ${timeout / 1000} s; it goes on: ${where}.`));
  }, timeout);
  platforms.onChange({ add: look, update: look, delete: look });
  const stop = new AbortController();
  const running = platforms.run(stop.signal);
  try {
    await abortable(ended.promise, signal);
  } finally {
    clearTimeout(late);
    stop.abort();
    await running;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8);
}
