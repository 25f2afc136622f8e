/** The Kubernetes API over HTTPS: {@link KubeApi} for a real API server. */
import type { IncomingMessage } from 'node:http';
import type { KubeConfig } from '@kubernetes/client-node';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { Credentials } from './credentials.ts';
import { HttpTransport, NetworkError } from './http-transport.ts';
import type { HttpAnswer, HttpRequest } from './http-transport.ts';
import { isExpired, isNotFound } from './kube-api.ts';
import type {
  ApplyTarget,
  DeleteOptions,
  KubeApi,
  KubeError,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectRef,
  ResourceKind,
  WatchEvent,
} from './kube-api.ts';
import { refOf } from './keys.ts';
import { EngineMetrics } from './metrics.ts';
import { FIELD_MANAGER } from './needs-apply.ts';
import { collectionPath, objectPath, query, selectors } from './resource-path.ts';
import { readWatch, statusError } from './watch-stream.ts';
import type { Status } from './watch-stream.ts';

export interface HttpKubeApiOptions {
  /** Called at start, and again when the server refuses the credentials: see `loadKubeConfig`. */
  load: () => KubeConfig;
  clock?: Clock;
  metrics?: EngineMetrics;
  /** Whose fields are those that it writes. Default {@link FIELD_MANAGER}. */
  fieldManager?: string;
  /** For `User-Agent: causeway/<version>`. */
  version?: string;
  /** How long a request may take, in ms. Default 30 s. */
  timeoutMs?: number;
  /** A watch that is silent for so long is broken: bookmarks come about every minute. Default 150 s. */
  idleMs?: number;
  /** Objects in one page of a list. Default 500. */
  pageSize?: number;
  /** How often a request is tried when the server is too busy (429, 503 with Retry-After). Default 5. */
  attempts?: number;
  /**
   * Wall time (ms) past which nothing may be written: a leader's fence. Writes are refused after it, and those
   * under way are aborted. Undefined: no limit.
   */
  deadline?: () => number | undefined;
  /**
   * Query parameters of every write, such as `{ dryRun: 'All' }`: then the server checks, fills in defaults and
   * answers, and stores nothing. They win over those of the call.
   */
  writeQuery?: Readonly<Record<string, string>>;
}

interface Call extends Pick<HttpRequest, 'method' | 'path' | 'headers' | 'body'> {
  /** It may be sent twice with the outcome of once. */
  idempotent: boolean;
  /** Default: that of the API. */
  timeoutMs?: number;
  writes?: { kind: ResourceKind; verb: string };
}

interface Page<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[] | null;
}

const POD: ResourceKind = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const APPLY_TYPE = 'application/apply-patch+yaml';
const MERGE_TYPE = 'application/merge-patch+json';
const LONGEST_RETRY_S = 30;

export class HttpKubeApi implements KubeApi {
  readonly #options: HttpKubeApiOptions;
  readonly #clock: Clock;
  readonly #metrics: EngineMetrics;
  readonly #credentials: Credentials;
  readonly #transport: HttpTransport;

  /** @param options see there @param shared another one, whose connections and credentials are used */
  constructor(options: HttpKubeApiOptions, shared?: HttpKubeApi) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    if (shared !== undefined) {
      this.#metrics = shared.#metrics;
      this.#credentials = shared.#credentials;
      this.#transport = shared.#transport;
      return;
    }
    this.#metrics = options.metrics ?? new EngineMetrics();
    this.#credentials = new Credentials(options.load);
    this.#transport = new HttpTransport({
      credentials: this.#credentials,
      clock: this.#clock,
      metrics: this.#metrics,
      userAgent: `causeway/${options.version ?? 'dev'}`,
    });
  }

  /** The same API and connections, but nothing is written past `deadline()`. */
  fencedBy(deadline: () => number | undefined): HttpKubeApi {
    return new HttpKubeApi({ ...this.#options, deadline }, this);
  }

  /** Ends the connections that are kept alive. */
  close(): void {
    this.#transport.close();
  }

  async list<T extends KubeObject>(kind: ResourceKind, options: ListOptions = {}): Promise<KubeList<T>> {
    try {
      return await this.#listPages<T>(kind, options);
    } catch (error) {
      // The list's revision was compacted between two pages: once more from the start.
      if (!isExpired(error)) throw error;
      return this.#listPages<T>(kind, options);
    }
  }

  async *watch<T extends KubeObject>(
    kind: ResourceKind,
    options: ListOptions & { resourceVersion: string },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    if (signal.aborted) return;
    // As client-go: between 5 and 10 minutes, so that not all watches end together.
    const timeoutSeconds = Math.round(300 * (1 + this.#clock.random()));
    const path =
      collectionPath(kind, options.namespace) +
      query({
        ...selectors(options),
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: options.resourceVersion,
        timeoutSeconds,
      });
    let response: IncomingMessage | undefined;
    const abort = (): void => void response?.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      response = await this.#openWatch(path, signal);
      // It may have aborted as the answer began: then nothing has destroyed the answer yet.
      signal.throwIfAborted();
      yield* readWatch<T>(response);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      response?.destroy();
    }
  }

  async get<T extends KubeObject>(kind: ResourceKind, ref: ObjectRef): Promise<T | undefined> {
    try {
      const path = objectPath(kind, ref);
      return complete(kind, await this.#call<T>({ method: 'GET', path, idempotent: true }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * Asks a pod's HTTP port for JSON, by way of the API server: needs the right to get `pods/proxy`. Throws
   * {@link KubeError} for an answer that is not a success, whether it is the API server's or the pod's.
   */
  async askPod<T>(
    ref: ObjectRef,
    { port, path, timeoutMs }: { port: number; path: string; timeoutMs?: number },
  ): Promise<T> {
    const name = `${ref.name}:${port}`;
    return this.#call<T>({
      method: 'GET',
      path: `${objectPath(POD, { ...ref, name }, 'proxy')}${path}`,
      idempotent: true,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  async create<T extends KubeObject>(kind: ResourceKind, object: T): Promise<T> {
    const path =
      collectionPath(kind, this.#namespaceOf(kind, object)) + query({ fieldManager: this.#fieldManager });
    const body = JSON.stringify(object);
    const writes = { kind, verb: 'create' };
    return complete(kind, await this.#call<T>({ method: 'POST', path, body, idempotent: false, writes }));
  }

  async update<T extends KubeObject>(kind: ResourceKind, object: T): Promise<T> {
    const path = objectPath(kind, refOf(object)) + query({ fieldManager: this.#fieldManager });
    const body = JSON.stringify(object);
    const writes = { kind, verb: 'update' };
    return complete(kind, await this.#call<T>({ method: 'PUT', path, body, idempotent: false, writes }));
  }

  async apply<T extends KubeObject>(kind: ResourceKind, object: T, options: ApplyTarget = {}): Promise<T> {
    const path =
      objectPath(kind, refOf(object), options.subresource) +
      query({ fieldManager: options.manager ?? this.#fieldManager, force: true });
    const headers = { 'content-type': APPLY_TYPE };
    // JSON is YAML.
    const body = JSON.stringify(object);
    const writes = {
      kind,
      verb: options.subresource === undefined ? 'apply' : `apply_${options.subresource}`,
    };
    return complete(
      kind,
      await this.#call<T>({ method: 'PATCH', path, headers, body, idempotent: true, writes }),
    );
  }

  async mergePatch<T extends KubeObject>(kind: ResourceKind, ref: ObjectRef, patch: object): Promise<T> {
    const path = objectPath(kind, ref) + query({ fieldManager: this.#fieldManager });
    const headers = { 'content-type': MERGE_TYPE };
    const body = JSON.stringify(patch);
    const writes = { kind, verb: 'patch' };
    return complete(
      kind,
      await this.#call<T>({ method: 'PATCH', path, headers, body, idempotent: false, writes }),
    );
  }

  async delete(kind: ResourceKind, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy } = options;
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      ...(uid === undefined && resourceVersion === undefined
        ? {}
        : { preconditions: { uid, resourceVersion } }),
    });
    // Without a UID, a second try might hit a successor of the same name.
    const call: Call = {
      method: 'DELETE',
      path: objectPath(kind, ref),
      body,
      idempotent: uid !== undefined,
      writes: { kind, verb: 'delete' },
    };
    try {
      await this.#call(call);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #listPages<T extends KubeObject>(kind: ResourceKind, options: ListOptions): Promise<KubeList<T>> {
    const items: T[] = [];
    let token: string | undefined;
    for (;;) {
      const parameters = { ...selectors(options), limit: this.#options.pageSize ?? 500, continue: token };
      const path = collectionPath(kind, options.namespace) + query(parameters);
      const page = await this.#call<Page<T>>({ method: 'GET', path, idempotent: true });
      for (const item of page.items ?? []) items.push(complete(kind, item));
      token = page.metadata.continue;
      if (token === undefined || token === '')
        return { resourceVersion: page.metadata.resourceVersion, items };
    }
  }

  async #openWatch(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const request: HttpRequest = { method: 'GET', path, timeoutMs: this.#timeoutMs, signal };
    const response = await this.#transport.stream(request, this.#options.idleMs ?? 150_000);
    if (response.statusCode === 200) return response;
    let body = '';
    response.setEncoding('utf8');
    for await (const chunk of response) body += chunk as string;
    if (response.statusCode === 401) this.#credentials.refresh();
    throw toError({ status: response.statusCode ?? 0, headers: response.headers, body }, `GET ${path}`);
  }

  /** Sends a call, again where that is safe and the server asks for it, and parses the answer. */
  async #call<T>(call: Call): Promise<T> {
    const attempts = this.#options.attempts ?? 5;
    let refreshed = false;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt(call);
      if ('value' in outcome) return outcome.value as T;
      const { failure } = outcome;
      if (failure instanceof NetworkError) {
        if (!failure.stale || !call.idempotent || attempt >= attempts) throw failure;
        continue;
      }
      if (failure.code === 401 && !refreshed) {
        refreshed = true;
        this.#credentials.refresh();
        continue;
      }
      const waitMs = attempt < attempts ? this.#retryIn(failure, call) : undefined;
      if (waitMs === undefined) throw failure;
      await this.#clock.sleep(waitMs);
    }
  }

  async #attempt(call: Call): Promise<{ value: unknown } | { failure: KubeError | NetworkError }> {
    const request = this.#bounded(call);
    try {
      const answer = await this.#transport.send(request);
      if (answer.status < 200 || answer.status > 299) {
        return { failure: toError(answer, `${call.method} ${call.path}`) };
      }
      if (call.writes !== undefined) {
        this.#metrics.apiWrites.inc({ kind: call.writes.kind.kind, verb: call.writes.verb });
      }
      return { value: parseBody(answer, call) };
    } catch (error) {
      if (error instanceof NetworkError) return { failure: error };
      throw error;
    }
  }

  /** A write is bounded by the fence here, and at the server, which must not carry it out much later either. */
  #bounded(call: Call): HttpRequest {
    const { method, path, headers, body } = call;
    const request: HttpRequest = { method, path, timeoutMs: call.timeoutMs ?? this.#timeoutMs };
    if (headers !== undefined) request.headers = headers;
    if (body !== undefined) {
      request.body = body;
      request.headers = { 'content-type': 'application/json', ...headers };
    }
    if (call.writes !== undefined) request.path = withQuery(path, this.#options.writeQuery);
    const deadline = this.#options.deadline;
    if (call.writes === undefined || deadline === undefined) return request;
    request.deadline = deadline;
    const until = deadline();
    if (until === undefined) return request;
    const left = Math.min(this.#timeoutMs, Math.max(1, Math.floor(until - this.#clock.now())));
    request.path = withQuery(request.path, { timeout: `${left}ms` });
    return request;
  }

  /** Milliseconds to wait, or undefined when it must not be tried again. */
  #retryIn(error: KubeError, call: Call): number | undefined {
    // 429: turned away before anything was done. 503: it may have been done.
    const safe = error.code === 429 || (error.code === 503 && call.idempotent);
    if (!safe || error.retryAfter === undefined) return undefined;
    return Math.min(error.retryAfter, LONGEST_RETRY_S) * 1000 * (1 + 0.1 * this.#clock.random());
  }

  get #fieldManager(): string {
    return this.#options.fieldManager ?? FIELD_MANAGER;
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? 30_000;
  }

  #namespaceOf(kind: ResourceKind, object: KubeObject): string | undefined {
    const { namespace, name } = object.metadata;
    if (kind.namespaced && namespace === undefined)
      throw new Error(`${kind.kind} ${name}: it needs a namespace`);
    return namespace;
  }
}

function withQuery(path: string, parameters: Readonly<Record<string, string>> = {}): string {
  const [bare = '', before = ''] = path.split('?');
  const all = new URLSearchParams(before);
  for (const [name, value] of Object.entries(parameters)) all.set(name, value);
  return all.size === 0 ? bare : `${bare}?${all.toString()}`;
}

/** The items of a list of a built-in kind don't say what they are. */
function complete<T extends KubeObject>(kind: ResourceKind, object: T): T {
  object.apiVersion ??= kind.apiVersion;
  object.kind ??= kind.kind;
  return object;
}

function parseBody(answer: HttpAnswer, call: Call): unknown {
  try {
    return JSON.parse(answer.body) as unknown;
  } catch (error) {
    throw new Error(`${call.method} ${call.path}: the answer (${answer.status}) is not JSON`, {
      cause: error,
    });
  }
}

/** An answer that is not a success. It may come from a proxy, and then it isn't a Status. */
function toError(answer: HttpAnswer, what: string): KubeError {
  const header = Number(answer.headers['retry-after']);
  const fallback = {
    code: answer.status,
    request: what,
    message: `${what}: HTTP ${answer.status}: ${answer.body.slice(0, 200)}`,
    ...(Number.isFinite(header) ? { retryAfter: header } : {}),
  };
  let status: Status & { kind?: string } = {};
  try {
    status = JSON.parse(answer.body) as typeof status;
  } catch {
    return statusError({}, fallback);
  }
  return statusError(status.kind === 'Status' ? status : {}, fallback);
}
