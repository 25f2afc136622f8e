/** Which cluster and which namespace a command is about, as kubectl decides it, and its errors in words. */
import type { KubeConfig } from '@kubernetes/client-node';
import type { Command } from 'commander';
import {
  HttpKubeApi,
  KubeError,
  loadKubeConfig,
  NetworkError,
  type ResourceKind,
} from '../controller/index.ts';

/** The options that every command for people has. */
export interface ClusterOptions {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
}

/** A cluster to ask. */
export interface Cluster {
  api: HttpKubeApi;
  /** `-n`, or else that of the context, or else `default`. */
  namespace: string;
  /**
   * The same cluster, where every write is only tried: nothing is stored. Unknown fields are refused.
   * `manager`: as whom; the default is the operator.
   */
  dryRun: (manager?: string) => HttpKubeApi;
}

/** Time that a person waits for an answer, milliseconds. */
const TIMEOUT_MS = 15_000;

/** Adds --kubeconfig, --context and --namespace. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'namespace; default: that of the context')
    .option('--context <name>', 'context of the kubeconfig; default: its current one')
    .option('--kubeconfig <file>', 'kubeconfig; default: KUBECONFIG, then ~/.kube/config');
}

/** Calls `work` with the cluster that the options name, and closes its connections after it. */
export async function withCluster<T>(
  options: ClusterOptions,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const load = (): KubeConfig =>
    loadKubeConfig({
      ...(options.kubeconfig === undefined ? {} : { path: options.kubeconfig }),
      ...(options.context === undefined ? {} : { context: options.context }),
    });
  const config = load();
  const settings = { load, timeoutMs: TIMEOUT_MS, version: 'cli' };
  const api = new HttpKubeApi(settings);
  const dryRun = (manager?: string): HttpKubeApi => {
    const writeQuery = {
      dryRun: 'All',
      fieldValidation: 'Strict',
      ...(manager === undefined ? {} : { fieldManager: manager }),
    };
    return new HttpKubeApi({ ...settings, writeQuery }, api);
  };
  const namespace = options.namespace ?? contextNamespace(config) ?? 'default';
  try {
    return await work({ api, namespace, dryRun });
  } catch (error) {
    throw explain(error, config);
  } finally {
    api.close();
  }
}

function contextNamespace(config: KubeConfig): string | undefined {
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  return namespace === '' ? undefined : namespace;
}

/** An error in one line that says what to do. The API server's own words stay as they are. */
function explain(error: unknown, config: KubeConfig): unknown {
  const where = `${config.getCurrentCluster()?.server ?? 'the cluster'} (context "${config.getCurrentContext()}")`;
  if (error instanceof NetworkError) {
    const cause = error.cause instanceof Error ? error.cause.message : error.message;
    return new Error(
      `the API server at ${where} cannot be reached: ${cause}. Check that the cluster runs, or choose another one with --context or --kubeconfig.`,
      { cause: error },
    );
  }
  if (!(error instanceof KubeError)) return error;
  if (error.code === 401) {
    return new Error(
      `the API server at ${where} does not accept the credentials of the kubeconfig: log in again, or choose another context with --context.`,
      { cause: error },
    );
  }
  return isUnknownKind(error) ? unknownKind(error, where) : error;
}

/** Kinds that a version of Causeway may have brought after the first. */
const LATER_KINDS: Readonly<Record<string, string>> = {
  zonefailovers: 'ZoneFailovers',
  drillschedules: 'DrillSchedules',
};

function unknownKind(error: KubeError, where: string): Error {
  const [plural = ''] = Object.keys(LATER_KINDS).filter((one) => error.request?.includes(`/${one}`));
  const later = LATER_KINDS[plural];
  const words =
    later === undefined
      ? 'MessagePlatforms. Install Causeway with its Helm chart, which brings the CRDs'
      : `${later}. Helm installs CRDs, and never upgrades them: kubectl apply --server-side -f charts/causeway/crds (of the version that you run) does`;
  return new Error(
    `the API server at ${where} does not know ${words}, or choose another cluster with --context or --kubeconfig.`,
    { cause: error },
  );
}

/**
 * An error when the server does not serve the kind: of one object of such a kind it only says that it is not there. Whoever may not
 * list is not told.
 */
export async function assertServed({ api, namespace }: Cluster, kind: ResourceKind): Promise<void> {
  try {
    await api.list(kind, { namespace });
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
}

/** True when the server does not serve the kind at all: its CRD is not there. */
export function isUnknownKind(error: unknown): error is KubeError {
  return (
    error instanceof KubeError &&
    error.code === 404 &&
    (error.message.startsWith('the server could not find the requested resource') ||
      error.message.includes('404 page not found'))
  );
}

/** What to say of a platform that is not there. */
export function noSuchPlatform(name: string, namespace: string | undefined): Error {
  return new Error(
    `there is no MessagePlatform ${name} in namespace ${namespace}. "causeway status -A" lists those that there are.`,
  );
}

/** True when we may not do it. */
export function isForbidden(error: unknown): boolean {
  return error instanceof KubeError && error.code === 403;
}

/** True for an error that every other question to this cluster would meet as well. */
export function concernsWholeCluster(error: unknown): boolean {
  return (
    error instanceof NetworkError ||
    isUnknownKind(error) ||
    (error instanceof KubeError && error.code === 401)
  );
}
