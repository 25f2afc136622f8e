/** Redis as the operator needs it: its role, and the word to change it. */
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { createClient } from 'redis';
import { PORT } from '@causeway/crds';
import { plainFingerprint } from '../certificates/index.ts';
import { Kept, type Link } from './kept.ts';
import { FENCE_REPLICAS, GUARD, reloadCommand, type RedisAction, type RedisState } from './redis.ts';

/** How to reach one Redis, with mutual TLS; PEM texts. */
export interface RedisAddress {
  /** Its name: what its certificate is checked for, and what is connected to. */
  host: string;
  /** Where it is, when that is known: a zone that goes may take the names' servers along. */
  address?: string | undefined;
  port?: number;
  tls?: { ca: string; cert: string; key: string };
}

/** The operator's view of a Redis. Both throw when it cannot be reached. */
export interface RedisAdmin {
  look(address: RedisAddress): Promise<RedisState>;
  act(address: RedisAddress, action: RedisAction): Promise<void>;
}

/** Time for a look or an act, its connection included; milliseconds. */
const TIMEOUT = 2_000;

/** Calls `work` with a connection, within {@link TIMEOUT} in all. */
type Connect = <T>(address: RedisAddress, work: (link: RedisConnection) => Promise<T>) => Promise<T>;

/** Real Redis. A connection for each look and act: looks are seconds apart, and what its certificate is must be new. */
export const redisAdmin: RedisAdmin = adminOver(connectOnce);

/** Real Redis for looks that follow each other at once: see {@link Kept}. The certificate is that of when it connected. */
export function keptRedisAdmin(): RedisAdmin {
  const kept = new Kept<RedisConnection>();
  return adminOver((address, work) =>
    kept.use(
      keyOf(address),
      () => open(address),
      (link) => inTime(link, work),
    ),
  );
}

function adminOver(connect: Connect): RedisAdmin {
  return {
    // Asked twice: one connection that a busy machine let go must not turn a platform's Ready to False.
    look: (address) => connect(address, lookOnce).catch(() => connect(address, lookOnce)),
    act: (address, action) =>
      connect(address, async ({ send }) => {
        for (const command of commandsOf(action)) await send(command);
      }),
  };
}

function keyOf({ host, address = host, port = PORT.redis }: RedisAddress): string {
  return `${host} ${address} ${port}`;
}

/** A fence is lifted after the role has changed: a replica takes no writes anyway. */
function commandsOf(action: RedisAction): string[][] {
  if (action.act === 'reload') return [reloadCommand()];
  const askFor = (replicas: number): string[] => ['CONFIG', 'SET', 'min-replicas-to-write', String(replicas)];
  if (action.act === 'fence') return [askFor(FENCE_REPLICAS)];
  if (action.act === 'guard')
    return [[...askFor(GUARD.replicas), 'min-replicas-max-lag', String(GUARD.maxLagSeconds)]];
  const role = action.act === 'promote' ? ['NO', 'ONE'] : [action.host, String(action.port)];
  return [['REPLICAOF', ...role], askFor(0)];
}

async function lookOnce({ send, shown }: RedisConnection): Promise<RedisState> {
  const [replication, setting] = await Promise.all([
    send(['INFO', 'replication']),
    send(['CONFIG', 'GET', 'min-replicas-to-write']),
  ]);
  const info = parseReplicationInfo(replication);
  const state = { ...info, ...(info.role === 'primary' ? writesOf(numberIn(setting)) : {}) };
  const certificate = shown();
  return { ...state, ...(certificate === undefined ? {} : { certificate }) };
}

/**
 * Never connected, only copied: createClient makes a class with all commands for each address that it is given, which
 * costs 35 ms of CPU each time, and a copy uses the class that there is.
 */
const template = createClient();

/** A connection, from when it is begun. */
interface RedisConnection extends Link {
  /** Rejects when it cannot be made. */
  ready: Promise<unknown>;
  send: (command: string[]) => Promise<string>;
  /** SHA-256 of the server's certificate. */
  shown: () => string | undefined;
}

/** Begins to connect. */
function open(address: RedisAddress): RedisConnection {
  const base = {
    host: address.address ?? address.host,
    port: address.port ?? PORT.redis,
    connectTimeout: TIMEOUT,
    reconnectStrategy: false,
  } as const;
  let fingerprint: string | undefined;
  // The library does not give its socket away; this is asked once, with what the server showed.
  const tls = {
    tls: true as const,
    servername: address.host,
    checkServerIdentity: (host: string, certificate: PeerCertificate) => {
      fingerprint = plainFingerprint(certificate.fingerprint256);
      return checkServerIdentity(host, certificate);
    },
  };
  const socket = address.tls === undefined ? base : { ...base, ...tls, ...address.tls };
  const client = template.duplicate({ socket });
  // Each failure is also thrown to whoever waits; without a listener the event alone would end the process.
  client.on('error', () => undefined);
  const ready = client.connect();
  ready.catch(() => undefined);
  return {
    ready,
    send: (command) => client.sendCommand<string>(command),
    shown: () => fingerprint,
    get isOpen() {
      return client.isOpen;
    },
    close() {
      if (client.isOpen) client.destroy();
    },
  };
}

async function connectOnce<T>(
  address: RedisAddress,
  work: (link: RedisConnection) => Promise<T>,
): Promise<T> {
  const link = open(address);
  try {
    return await inTime(link, work);
  } finally {
    link.close();
  }
}

/** The library's own time-outs end where a command is sent: a Redis that is stopped would be waited for forever. */
async function inTime<T>(link: RedisConnection, work: (link: RedisConnection) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(`no answer within ${TIMEOUT / 1000} s`)), TIMEOUT);
  const used = async (): Promise<T> => {
    await link.ready;
    return work(link);
  };
  try {
    return await Promise.race([used(), rejectOnAbort(late.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** What a primary that asks for so many replicas does with writes. */
function writesOf(replicas: number): Pick<RedisState, 'fenced' | 'guarded'> {
  if (replicas >= FENCE_REPLICAS) return { fenced: true };
  return replicas > 0 ? { guarded: true } : {};
}

/** The number in the answer of `CONFIG GET` of one setting, whichever form the protocol gives it; 0: none. */
function numberIn(answer: unknown): number {
  const found = /(\d+)\D*$/.exec(JSON.stringify(answer instanceof Map ? [...answer.values()] : answer));
  return Number(found?.[1] ?? 0);
}

/** Reads the answer of `INFO replication`. */
export function parseReplicationInfo(text: string): RedisState {
  const fields = new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(':');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
  if (fields.get('role') === 'master') {
    return { role: 'primary', ...offsetOf(fields.get('master_repl_offset')), ...heardIn(fields) };
  }
  const primaryHost = fields.get('master_host');
  return {
    role: 'replica',
    ...(primaryHost === undefined ? {} : { primaryHost }),
    inSync: fields.get('master_link_status') === 'up' && fields.get('master_sync_in_progress') === '0',
    ...offsetOf(fields.get('slave_repl_offset')),
  };
}

/** Counts as `min-replicas-to-write` does, which a primary says itself only once that is set. */
function heardIn(fields: ReadonlyMap<string, string>): Pick<RedisState, 'heard'> {
  const heard = [...fields].filter(([name, text]) => {
    const lag = Number(/,lag=(\d+)/.exec(text)?.[1] ?? NaN);
    return /^slave\d+$/.test(name) && text.includes(',state=online,') && lag <= GUARD.maxLagSeconds;
  }).length;
  return heard === 0 ? {} : { heard };
}

function offsetOf(text: string | undefined): Pick<RedisState, 'offset'> {
  const offset = Number(text);
  return Number.isSafeInteger(offset) ? { offset } : {};
}
