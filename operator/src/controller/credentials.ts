/** Where the API server is and who we are to it: a KubeConfig, read again when it may have changed. */
import { existsSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';

/** What a request needs: the server's URL, and options with headers, certificates and perhaps a proxy's agent. */
export interface Endpoint {
  server: URL;
  options: RequestOptions;
  /** True when `options.agent` leads through a proxy, and must be used. */
  proxied: boolean;
}

export interface KubeConfigOptions {
  /** Default: `KUBECONFIG`, then `~/.kube/config`, then the pod's service account. */
  path?: string;
  /** Default: the current context of the file. */
  context?: string;
}

/** A token or a certificate that was rotated on disk is used at most this much later. */
const KEEP_MS = 10_000;

/** Loads a KubeConfig; throws when there is none, or when it names no cluster. */
export function loadKubeConfig(options: KubeConfigOptions = {}): KubeConfig {
  const config = new KubeConfig();
  if (options.path !== undefined) {
    if (!existsSync(options.path)) throw new Error(`kubeconfig ${options.path}: no such file`);
    config.loadFromFile(options.path);
  } else if (hasDefaultConfig()) {
    config.loadFromDefault();
  } else {
    throw new Error(
      'no cluster to talk to: set KUBECONFIG, or make ~/.kube/config, or run in a pod with a service account',
    );
  }
  if (options.context !== undefined) config.setCurrentContext(options.context);
  if (config.getCurrentCluster() === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw new Error(
      `kubeconfig: context "${config.getCurrentContext()}" names no cluster; there are: ${known.join(', ') || 'none'}`,
    );
  }
  return config;
}

/** Keeps what a KubeConfig says for some seconds, so that a request doesn't read files. */
export class Credentials {
  readonly #load: () => KubeConfig;
  #config: KubeConfig;
  #kept: { endpoint: Endpoint; until: number } | undefined;

  /** @param load called at once, and again after the server has refused the credentials */
  constructor(load: () => KubeConfig) {
    this.#load = load;
    this.#config = load();
  }

  /** The address of the API server, such as `10.0.0.1:6443`. */
  get host(): string {
    return this.#server().host;
  }

  async endpoint(): Promise<Endpoint> {
    // Monotonic: how long something is kept has nothing to do with the time of day.
    const now = performance.now();
    if (this.#kept !== undefined && now < this.#kept.until) return this.#kept.endpoint;
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const proxied = this.#config.getCurrentCluster()?.proxyUrl !== undefined;
    const endpoint = { server: this.#server(), options, proxied };
    this.#kept = { endpoint, until: now + KEEP_MS };
    return endpoint;
  }

  /** The server refused them: read everything anew. */
  refresh(): void {
    this.#config = this.#load();
    this.#kept = undefined;
  }

  #server(): URL {
    const server = this.#config.getCurrentCluster()?.server;
    if (server === undefined) throw new Error('kubeconfig: its current context names no cluster');
    return new URL(server);
  }
}

/** Without any of these, the package would silently try http://localhost:8080. */
function hasDefaultConfig(): boolean {
  if (process.env.KUBECONFIG !== undefined && process.env.KUBECONFIG !== '') return true;
  if (existsSync(join(homedir(), '.kube', 'config'))) return true;
  return existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token');
}
