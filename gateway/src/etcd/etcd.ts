/**
 * One etcd over `etcd3`'s own gRPC clients. Its fault handling is switched off, and its watcher isn't used: see
 * docs/adr/0021 for what was found. Every call has a deadline, and is tried once at each endpoint.
 */
import type { EtcdConnectionConfig } from '@causeway/crds';
import { Etcd3, isRecoverableError } from 'etcd3';
import type { IKeyValue, IOptions, IRangeRequest, IRangeResponse, ITxnRequest, ITxnResponse } from 'etcd3';
import type { KeyRange, KeyValue } from './changes.ts';
import type { Credentials } from './credentials.ts';
import { names as ownNames } from '../names/index.ts';
import type { Names } from '../names/index.ts';
import { allowIpEndpoints } from './ip-endpoints.ts';
import { askedOf, grpcTarget } from './named-endpoints.ts';
import { openWatch } from './watch.ts';
import type { Watch, WatchHandlers, WatchRequest } from './watch.ts';

/** Where an etcd is: the cluster that answers, and its revision. */
export interface SourceHead {
  clusterId: string;
  revision: bigint;
}

/** The revision that was asked for is compacted: only a snapshot helps. */
export class CompactedError extends Error {
  override name = 'CompactedError';
}

/** The request is more than this etcd takes. */
export class RefusedError extends Error {
  override name = 'RefusedError';
  readonly why: 'bytes' | 'ops';
  constructor(why: 'bytes' | 'ops', cause: Error) {
    super(cause.message, { cause });
    this.why = why;
  }
}

/** Milliseconds for one call. etcd itself gives up on a proposal after 5 to 7 s. */
const CALL_TIMEOUT_MS = 10_000;
/** Bytes of one page of a range read that are aimed at. */
const PAGE_BYTES = 2 * 1024 * 1024;
const FIRST_PAGE = 64;
/** How often a call is made again because etcd's users changed meanwhile. */
const SETTLING_TRIES = 5;
/** Of a request that etcd checked before such a change; the second, before it asked for users at all. */
const SETTLING = /revision of auth store is old|user name is empty/;
const LARGEST_PAGE = 2000;

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** A fault policy that does nothing: etcd3's own ones fail calls for seconds after etcd is back. */
const noPolicy: Pick<Policy, 'execute'> = {
  // Asynchronous, so that what the call throws is a rejection: etcd3 reports broken streams through it.
  execute: async (call) => call({ signal: new AbortController().signal }),
};

const grpcOptions = {
  // A page or a fragment may be as large as the server's limit on requests, which isn't ours to know.
  'grpc.max_receive_message_length': -1,
  // gRPC's own waits between connection attempts go up to two minutes.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  // A peer that is gone without a word is noticed. etcd refuses pings more often than every 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  // Channels are closed with their owner, and a new certificate needs a new connection.
  'grpc.use_local_subchannel_pool': 1,
};

/**
 * A connection to one etcd cluster. One endpoint is used until it fails; then the next, and so on, within the call.
 * (etcd3 itself picks one at random for each call, and with its fault handling off fails as often as one is away.)
 */
export class EtcdClient {
  readonly #clients: Etcd3[];
  readonly #onReply: () => void;
  #current: number;

  /** `onReply` is called after each answer: a sign of life. `names`: where the endpoints are. */
  constructor(
    { endpoints }: EtcdConnectionConfig,
    credentials: Credentials,
    onReply: () => void,
    names: Names = ownNames,
  ) {
    this.#onReply = onReply;
    this.#clients = endpoints.map((endpoint) => connectTo(endpoint, credentials, names));
    this.#current = Math.floor(Math.random() * endpoints.length);
  }

  /** A linearizable range read. Throws {@link CompactedError}. */
  async range(request: IRangeRequest): Promise<IRangeResponse> {
    return this.#call(({ kv }) => kv.range(request));
  }

  /**
   * A transaction. Throws {@link RefusedError} when it is too large. It may be sent twice, when an endpoint fails without
   * an answer: it must be guarded so that it can't happen twice.
   */
  async transact(request: ITxnRequest): Promise<ITxnResponse> {
    return this.#call(({ kv }) => kv.txn(request));
  }

  /** Which cluster this is and where it stands, linearizable. */
  async head(): Promise<SourceHead> {
    const { header } = await this.range({ key: Buffer.from('\0'), keys_only: true, limit: 1 });
    return { clusterId: header.cluster_id, revision: BigInt(header.revision) };
  }

  /** How many keys are in the range, at `revision` or now. */
  async count({ start, end }: KeyRange, revision?: bigint): Promise<number> {
    const { count } = await this.range({ key: start, range_end: end, count_only: true, ...at(revision) });
    return Number(count);
  }

  /** All keys of a range in order, at `revision` or, page by page, now. Pages are kept near 2 MiB. */
  async *keys(range: KeyRange, revision?: bigint): AsyncGenerator<KeyValue> {
    for await (const { key, value } of this.entries(range, revision)) yield { key, value };
  }

  /** As {@link keys}, with all that etcd says of each. `keysOnly`: values are empty. */
  async *entries({ start, end }: KeyRange, revision?: bigint, keysOnly = false): AsyncGenerator<IKeyValue> {
    let from = start;
    let limit = FIRST_PAGE;
    for (;;) {
      const request = { key: from, range_end: end, limit, keys_only: keysOnly, ...at(revision) };
      const { kvs, more } = await this.range(request);
      let bytes = 0;
      for (const kv of kvs) {
        bytes += kv.key.length + kv.value.length;
        yield kv;
      }
      const last = kvs.at(-1);
      if (!more || last === undefined) return;
      from = Buffer.concat([last.key, Buffer.from([0])]);
      const fitting = Math.floor((PAGE_BYTES * kvs.length) / Math.max(1, bytes));
      limit = Math.max(1, Math.min(fitting, limit * 4, LARGEST_PAGE));
    }
  }

  /** Opens a watch; see {@link openWatch}. */
  async watch(request: WatchRequest, handlers: WatchHandlers): Promise<Watch> {
    return openWatch(await this.#client().watchClient.watch(), request, handlers);
  }

  /** Ends all connections. */
  close(): void {
    for (const client of this.#clients) client.close();
  }

  #client(): Etcd3 {
    const client = this.#clients[this.#current % this.#clients.length];
    if (client === undefined) throw new RangeError('an etcd has no endpoints');
    return client;
  }

  async #call<T>(send: (client: Etcd3) => Promise<T>): Promise<T> {
    let settling = 0;
    for (let tried = 1; ; tried++) {
      try {
        const answer = await send(this.#client());
        this.#onReply();
        return answer;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        // Checked before a change of etcd's users, and to be carried out after it: it was not done. A fence does that.
        if (SETTLING.test(error.message) && ++settling <= SETTLING_TRIES) continue;
        const elsewhere = isRecoverableError(error) && tried < this.#clients.length;
        if (!elsewhere) throw classify(error);
        this.#current += 1;
      }
    }
  }
}

function connectTo(endpoint: string, credentials: Credentials, names: Names): Etcd3 {
  const { ca, cert, key, username, password } = credentials;
  const policy = noPolicy as Policy;
  const client = new Etcd3({
    hosts: grpcTarget(endpoint),
    grpcOptions: { ...grpcOptions, ...askedOf(names) },
    faultHandling: { host: () => policy, global: policy },
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + CALL_TIMEOUT_MS }),
    ...(ca && {
      credentials: { rootCertificate: ca, ...(cert && key && { certChain: cert, privateKey: key }) },
    }),
    ...(username !== undefined && password !== undefined && { auth: { username, password } }),
  });
  if (endpoint.startsWith('https:')) allowIpEndpoints(client, credentials);
  return client;
}

function at(revision: bigint | undefined): { revision?: string } {
  return revision === undefined ? {} : { revision: revision.toString() };
}

/** etcd's errors by their text: `etcd3` drops the gRPC code (server/v3/etcdserver/api/v3rpc/rpctypes/error.go). */
function classify(error: Error): Error {
  const { message } = error;
  if (message.includes('required revision has been compacted')) {
    return new CompactedError('the revision is compacted', { cause: error });
  }
  if (message.includes('too many operations in txn request')) return new RefusedError('ops', error);
  if (message.includes('request is too large') || message.includes('received message larger than max')) {
    return new RefusedError('bytes', error);
  }
  return error;
}
