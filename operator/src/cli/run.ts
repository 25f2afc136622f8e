/** `causeway run`: the operator itself. Reads its settings, puts the parts together, runs until it is stopped. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  createLogger,
  createMetrics,
  HttpKubeApi,
  loadKubeConfig,
  logLevels,
  startHealthServer,
  stopOnSignals,
  type LogLevel,
} from '../controller/index.ts';
import { createOperator } from '../operator.ts';
import { KafkaJsAdmin, keptEtcdAdmins, keptRedisAdmin, redisAdmin } from '../platform/index.ts';
import { beginAgain } from './begin-again.ts';
import { exitSoon } from './exit.ts';
import { addImageOptions, imagesOf, parseList, type ImageOptions } from './image-options.ts';

/** The settings of `causeway run`, as commander gives them. */
interface RunOptions extends ImageOptions {
  kubeconfig?: string;
  context?: string;
  watchNamespaces: string[];
  leaderElect: boolean;
  leaseNamespace: string;
  leaseName: string;
  healthPort: number;
  concurrency: number;
  resync: number;
  logLevel: LogLevel;
  logFormat: 'json' | 'human' | 'auto';
}

/** The API server has said nothing of a kind for so long: something is stuck, and a restart may help; milliseconds. */
const STALE_AFTER_MS = 5 * 60_000;

const EXAMPLES = `
Examples:
  # In the cluster the chart runs it like this
  causeway run --lease-namespace causeway-system

  # On your machine, against the cluster of your kubeconfig, for one namespace
  causeway run --watch-namespaces messaging --no-leader-elect --log-format human

Exit codes: 0 stopped as asked · 1 failed, wrong settings, or lost the leadership`;

function env(flags: string, description: string, variable: string, fallback: string): Option {
  return new Option(flags, description).env(variable).default(fallback);
}

/** Adds the command `run`. */
export function registerRun(program: Command): void {
  const command = program
    .command('run')
    .description('run the operator until it is stopped')
    .option(
      '--kubeconfig <file>',
      'kubeconfig; default: KUBECONFIG, ~/.kube/config, or the pod’s service account',
    )
    .option('--context <name>', 'context of the kubeconfig')
    .addOption(
      new Option('--watch-namespaces <names>', 'namespaces to work in, separated by commas; default: all')
        .env('WATCH_NAMESPACES')
        .argParser(parseList)
        .default([], 'all'),
    )
    .option('--no-leader-elect', 'do not wait for the lease; only when nobody else runs')
    .addOption(env('--lease-namespace <name>', 'namespace of the lease', 'POD_NAMESPACE', 'default'))
    .option('--lease-name <name>', 'name of the lease', 'causeway-operator')
    .option('--health-port <port>', 'port of /healthz, /readyz and /metrics', parseWhole, 8081)
    .option('--concurrency <n>', 'platforms that are reconciled at the same time', parseWhole, 8)
    .option('--resync <seconds>', 'time between two looks at Kafka and Redis', parseWhole, 10)
    .addOption(new Option('--log-level <level>', 'what to log').choices(logLevels).default('info'))
    .addOption(
      new Option('--log-format <format>', 'how to log').choices(['json', 'human', 'auto']).default('auto'),
    );
  addImageOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (options: RunOptions) => {
      const outcome = await runOperator(options);
      exitSoon(outcome === 'again' ? becomeStandby(options) : outcome);
    });
}

function parseWhole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return number;
}

/**
 * Runs the operator; resolves once it has stopped, with the exit code, or with 'again' when it handed the leadership over and is
 * to go on as a standby.
 */
async function runOperator(options: RunOptions): Promise<number | 'again'> {
  const log = createLogger({ level: options.logLevel, format: options.logFormat });
  const metrics = createMetrics();
  const stop = stopOnSignals({ log });
  const api = new HttpKubeApi({ load: () => loadKubeConfig(kubeConfigOptions(options)), metrics });
  const kafka = new KafkaJsAdmin();
  const operator = createOperator({
    api,
    kafka,
    redis: redisAdmin,
    moving: { redis: keptRedisAdmin(), etcd: keptEtcdAdmins() },
    images: imagesOf(options),
    namespaces: options.watchNamespaces,
    concurrency: options.concurrency,
    resyncMs: options.resync * 1000,
    lease: options.leaderElect ? { namespace: options.leaseNamespace, name: options.leaseName } : undefined,
    // Unique for each process that ever runs, also when a pod's container restarts under the same name.
    identity: `${process.env['POD_NAME'] ?? hostname()}_${randomBytes(4).toString('hex')}`,
    node: process.env['NODE_NAME'],
    log,
    metrics,
  });
  const health = await startHealthServer({
    port: options.healthPort,
    live: { cache: () => operator.informers.staleProblem(STALE_AFTER_MS) },
    ready: { cache: () => operator.informers.syncProblem() },
    registry: metrics.registry,
    beforeMetrics: () => operator.informers.measure(metrics),
    log,
  });
  log.info('operator started', {
    namespaces: options.watchNamespaces,
    leaderElect: options.leaderElect,
    healthPort: health.port,
  });
  try {
    const end = await operator.run(stop.signal);
    if (end === 'lost') log.error('the leadership is lost: this process ends, and another one goes on');
    if (end !== 'yielded') return end === 'lost' ? 1 : 0;
    log.info('handed the leadership over, out of a zone that is home of more platforms');
    return stop.signal.aborted ? 0 : 'again';
  } finally {
    await Promise.all([kafka.close(), health.stop()]);
    api.close();
    stop.dispose();
    log.info('operator stopped');
  }
}

/** Returns an exit code only where that fails: then whoever started the process starts it again. */
function becomeStandby({ logLevel, logFormat }: RunOptions): number {
  try {
    return beginAgain();
  } catch (error) {
    const log = createLogger({ level: logLevel, format: logFormat });
    log.warn('the process cannot begin again in its place: it ends, to be started again', { error });
    return 0;
  }
}

function kubeConfigOptions({ kubeconfig, context }: RunOptions): { path?: string; context?: string } {
  return {
    ...(kubeconfig === undefined ? {} : { path: kubeconfig }),
    ...(context === undefined ? {} : { context }),
  };
}
