/**
 * One zone's etcd, for the operator: a connection for each piece of work. Over `etcd3`'s generated gRPC clients, with its
 * fault handling switched off (docs/adr/0021).
 */
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { Etcd3, IOptions } from 'etcd3';
import { Kept, type Link } from './kept.ts';

/** How to reach the etcd of one zone; PEM texts. */
export interface EtcdAccess {
  /** Client URLs, tried in order. */
  endpoints: readonly string[];
  /** What its certificate is checked for, when the URLs have addresses that are not in it. */
  serverName?: string;
  ca?: string;
  cert?: string;
  key?: string;
  username?: string;
  password?: string;
  /** Called before each request; what it throws is thrown in its place. Tests end a process with it. */
  onRequest?: () => void;
}

/** Time for one call, its connection included, milliseconds. etcd itself gives up on a write after 5 to 7 s. */
const CALL_TIMEOUT_MS = 8_000;
/** How often a write is tried that etcd refused because its users changed in that moment: then it was not done. */
const ATTEMPTS = 5;
/** Of a request that etcd checked before such a change; the second, before it asked for users at all. */
const SETTLING = /revision of auth store is old|user name is empty/;

/** Loaded when an etcd is first asked, which for most operators is never: they take 40 MB of memory. */
const load = async (): Promise<{ etcd: typeof import('etcd3'); grpc: typeof import('@grpc/grpc-js') }> => ({
  etcd: await import('etcd3'),
  grpc: await import('@grpc/grpc-js'),
});

type Packages = Awaited<ReturnType<typeof load>>;
type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** A fault policy that does nothing: etcd3's own ones fail calls for seconds after etcd is back. */
function noPolicy(onRequest: () => void): Policy {
  const policy: Pick<Policy, 'execute'> = {
    execute: async (call) => {
      onRequest();
      return call({ signal: new AbortController().signal });
    },
  };
  return policy as Policy;
}

/**
 * Calls `work` with a client, and closes it after. Where an endpoint does not answer, `work` is begun again with the
 * next: it has to be guarded so that nothing happens twice. Throws the last endpoint's error. `timeoutMs`: for each call.
 */
export async function withEtcd<T>(
  access: EtcdAccess,
  work: (client: Etcd3) => Promise<T>,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Promise<T> {
  let failure: unknown = new Error('no endpoint of it is known');
  const packages = await load();
  for (const endpoint of access.endpoints) {
    let client: Etcd3;
    try {
      client = await clientAt(endpoint, access, timeoutMs);
    } catch (error) {
      failure = error;
      continue;
    }
    try {
      return await untilUsersSettle(() => work(client));
    } catch (error) {
      if (!(error instanceof Error) || !packages.etcd.isRecoverableError(error)) throw error;
      failure = error;
    } finally {
      client.close();
    }
  }
  throw failure;
}

/** Calls `work` with a client: {@link withEtcd}, or one that keeps connections. `timeoutMs`: for each call. */
export type ConnectEtcd = <T>(
  access: EtcdAccess,
  work: (client: Etcd3) => Promise<T>,
  timeoutMs?: number,
) => Promise<T>;

/** A client, from when its connection is begun. */
interface EtcdLink extends Link {
  client: Promise<Etcd3>;
}

/**
 * For looks and acts that follow each other at once: see {@link Kept}. An etcd of several endpoints is connected to anew each
 * time, as by {@link withEtcd}.
 */
export function keptEtcd(): ConnectEtcd {
  const kept = new Kept<EtcdLink>();
  return async (access, work, timeoutMs = CALL_TIMEOUT_MS) => {
    const [endpoint, ...more] = access.endpoints;
    if (endpoint === undefined || more.length > 0) return withEtcd(access, work, timeoutMs);
    const key = [endpoint, access.serverName, access.username, timeoutMs].join(' ');
    return kept.use(
      key,
      () => link(endpoint, access, timeoutMs),
      async ({ client }) => {
        const ready = await client;
        return untilUsersSettle(() => work(ready));
      },
    );
  };
}

/** A client of an endpoint that answers; it must be closed. */
async function clientAt(endpoint: string, access: EtcdAccess, timeoutMs: number): Promise<Etcd3> {
  const packages = await load();
  await reach(endpoint, access, timeoutMs);
  return connect(packages, endpoint, { ...access, timeoutMs });
}

function link(endpoint: string, access: EtcdAccess, timeoutMs: number): EtcdLink {
  const made = clientAt(endpoint, access, timeoutMs);
  let isOpen = true;
  return {
    client: made,
    get isOpen() {
      return isOpen;
    },
    close() {
      isOpen = false;
      made.then(
        (client) => client.close(),
        // Whoever waits for the client is told.
        () => undefined,
      );
    },
  };
}

/**
 * Waits until HTTP/2 is spoken at an endpoint. Needed before gRPC tries: what it has begun with a peer that takes
 * connections and says nothing it never ends, also when its client is closed (tried with grpc-js 1.14.7): three sockets
 * for each look, for as long as the peer stays silent.
 */
async function reach(endpoint: string, access: EtcdAccess, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // A session that is destroyed while its socket connects says nothing before that has connected or failed (Node 26): with a
  // peer that is cut off, up to two minutes later.
  const socket = open(endpoint, access);
  const session = connectHttp2(endpoint, { createConnection: () => socket });
  const late = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  session.once('remoteSettings', () => resolve());
  session.on('error', reject);
  session.once('close', () => reject(new Error(`${endpoint} closed the connection`)));
  try {
    await promise;
  } finally {
    clearTimeout(late);
    session.destroy();
    socket.destroy();
  }
}

function open(endpoint: string, { ca, cert, key, serverName }: EtcdAccess): Socket {
  const { protocol, hostname, port } = new URL(endpoint);
  const at = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
  if (protocol !== 'https:') return connectTcp(at);
  const servername = serverName ?? (isIP(at.host) === 0 ? at.host : undefined);
  return connectTls({
    ...at,
    ALPNProtocols: ['h2'],
    ...(servername === undefined ? {} : { servername }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  });
}

/** etcd refuses what it checked before a change of users and would carry out after it. Not done, so done again. */
async function untilUsersSettle<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error) || !SETTLING.test(error.message) || attempt >= ATTEMPTS) throw error;
    }
  }
}

function connect(
  { etcd, grpc }: Packages,
  endpoint: string,
  access: EtcdAccess & { timeoutMs: number },
): Etcd3 {
  const { ca, cert, key, username, password, onRequest = () => undefined } = access;
  const policy = noPolicy(onRequest);
  const client = new etcd.Etcd3({
    hosts: endpoint,
    // Calls go through both.
    faultHandling: { host: () => noPolicy(() => undefined), global: policy },
    defaultCallOptions: () => ({ deadline: Date.now() + access.timeoutMs }),
    grpcOptions: { 'grpc.use_local_subchannel_pool': 1 },
    ...(ca === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: Buffer.from(ca),
            ...(cert === undefined || key === undefined
              ? {}
              : { certChain: Buffer.from(cert), privateKey: Buffer.from(key) }),
          },
        }),
    ...(username === undefined || password === undefined ? {} : { auth: { username, password } }),
  });
  if (endpoint.startsWith('https:')) allowAddress(grpc, client, access);
  return client;
}

/** What etcd3 keeps to itself, of one endpoint. */
interface EtcdHost {
  /** host:port */
  host: string;
  channelCredentials: ChannelCredentials;
  channelOptions?: ChannelOptions;
}

/**
 * TLS to an address: grpc-js sends it as TLS server name, which Node refuses (grpc-node issue 1919). A placeholder is
 * sent instead, and the certificate is checked against the address, as the gateway's `etcd/ip-endpoints.ts` does.
 */
function allowAddress(
  grpc: Packages['grpc'],
  client: Etcd3,
  { ca, cert, key, serverName }: EtcdAccess,
): void {
  const { pool } = client as unknown as { pool?: { hosts?: EtcdHost[] } };
  if (!pool?.hosts) throw new Error('etcd3 keeps its hosts elsewhere than 1.1.2 does: adapt etcd-connect.ts');
  const buffer = (pem: string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));
  for (const host of pool.hosts) {
    const address = host.host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    if (isIP(address) === 0) continue;
    if (serverName !== undefined) {
      host.channelOptions = { ...host.channelOptions, 'grpc.ssl_target_name_override': serverName };
      continue;
    }
    host.channelOptions = { ...host.channelOptions, 'grpc.ssl_target_name_override': 'etcd.invalid' };
    host.channelCredentials = grpc.credentials.createSsl(buffer(ca), buffer(key), buffer(cert), {
      checkServerIdentity: (_placeholder, certificate) => checkServerIdentity(address, certificate),
    });
  }
}
