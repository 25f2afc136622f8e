import { readFileSync } from 'node:fs';
import { connect, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaConfig, LogEntry, SASLOptions } from 'kafkajs';
import { SECRET_KEY } from '@causeway/crds';
import type { KafkaConnectionConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { names as ownNames } from '../names/index.ts';
import type { Names } from '../names/index.ts';
import { CONNECT_MS, GIVEN_UP_CODE, KafkaReach } from './kafka-reach.ts';
import { breakWhenSilent } from './kafka-silence.ts';
import { mendKafkaCoordinators } from './kafkajs-coordinator.ts';
import { mendKafkaJoins } from './kafkajs-joins.ts';
import { mendKafkaLeaders } from './kafkajs-leaders.ts';
import { mendKafkaMetadata } from './kafkajs-metadata.ts';
import { mendKafkaRunners } from './kafkajs-runner.ts';
import { mendKafkaSeeks } from './kafkajs-seek.ts';
import { mendKafkaTimers } from './kafkajs-timers.ts';

/** What a Kafka client is made from. */
export interface KafkaClientOptions {
  connection: KafkaConnectionConfig;
  clientId: string;
  log: Log;
  /** Where servers are; without it, the process' own. */
  names?: Names;
  /** For calls that are worth nothing later, and are tried again by who makes them. */
  hasty?: boolean;
  /** Breaks all its connections, and lets it make no more: kafkajs connects again for what it still tries, also when it was disconnected. */
  over?: AbortSignal;
}

/**
 * How long a client waits. Connections are given up before kafkajs does so (kafka-reach.ts), which takes one that it gave up for one that is
 * there for as long as it ends, and asks on it.
 */
const PATIENCE = {
  connectionTimeout: 2_000,
  authenticationTimeout: 5_000,
  requestTimeout: 8_000,
  retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
};
/** The same for one that is hasty: what it does may take three seconds, and the first server that it comes to may be gone. */
const HASTE = {
  connectionTimeout: CONNECT_MS + 100,
  authenticationTimeout: 2_000,
  requestTimeout: 2_000,
  retry: { initialRetryTime: 50, maxRetryTime: 100, retries: 2 },
};

/** A kafkajs client that takes its credentials from the mounted files, at each connection anew. */
export function createKafka(options: KafkaClientOptions): Kafka {
  const { connection, clientId, log, names, hasty, over } = options;
  mendKafkaTimers();
  mendKafkaCoordinators();
  mendKafkaJoins();
  mendKafkaLeaders();
  mendKafkaMetadata();
  mendKafkaRunners();
  mendKafkaSeeks();
  const sasl = loginWith(connection.sasl);
  const reach = reachFrom(connection.brokers);
  return new Kafka({
    clientId,
    brokers: () => reach.servers(),
    ...(connection.tls && { ssl: true }),
    ...(sasl && { sasl }),
    socketFactory: socketsWith(connection.tls?.dir, {
      ...(names && { names }),
      ...(over && { over }),
      reach,
    }),
    ...(hasty ? HASTE : PATIENCE),
    enforceRequestTimeout: true,
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => forward(log, entry),
  });
}

/** kafkajs calls much an error that it repairs itself; what matters comes back to us as a rejection. */
function forward(log: Log, { namespace, log: { message, ...fields } }: LogEntry): void {
  const { error, broker, groupId, retryCount } = fields as Record<string, unknown>;
  log.debug(message, { from: `kafkajs ${namespace}`, error, broker, groupId, retryCount });
}

type SocketFactory = NonNullable<KafkaConfig['socketFactory']>;

/**
 * Sockets as kafkajs makes them itself, but each with the certificates that the mounted files have when it is made: a
 * client lives for as long as its connections go well, and it connects to further brokers all the time. A dead
 * connection is broken, which kafkajs would not do, and a server that is silent is not waited for by each client.
 */
export function socketsWith(
  dir: string | undefined,
  {
    names: { lookup: ask } = ownNames,
    reach = new KafkaReach([]),
    over,
  }: { names?: Names; reach?: KafkaReach; over?: AbortSignal } = {},
): SocketFactory {
  return ({ host, port, ssl, onConnect }) => {
    if (over?.aborted) throw endedError();
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = reach.connect({ host, port, lookup: ask }, (lookup) =>
      // Typed as always there; without TLS it is not.
      (ssl as typeof ssl | undefined)
        ? connectTls({ host, port, lookup, ...name, ...ssl, ...certificatesIn(dir) }, onConnect)
        : connect({ host, port, lookup }, onConnect),
    );
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    breakWhenSilent(socket);
    letGoOnce(socket);
    if (over) endWith(socket, over);
    return socket;
  };
}

function endWith(socket: Socket, over: AbortSignal): void {
  const end = (): void => void socket.destroy(endedError());
  over.addEventListener('abort', end);
  socket.once('close', () => over.removeEventListener('abort', end));
}

function endedError(): Error {
  return Object.assign(new Error('this client is over'), { code: GIVEN_UP_CODE });
}

/** kafkajs lets go of a connection for each who fails with it. Node and Bun add a listener each time to a socket that is closed. */
function letGoOnce(socket: Socket): void {
  const unref = socket.unref.bind(socket);
  socket.unref = () => (socket.destroyed ? socket : unref());
}

/** Of all clients of this process that begin with the same servers: they meet the same brokers. */
const reaches = new Map<string, KafkaReach>();

function reachFrom(bootstrap: readonly string[]): KafkaReach {
  const key = bootstrap.join();
  const reach = reaches.get(key) ?? new KafkaReach(bootstrap);
  reaches.set(key, reach);
  return reach;
}

/** As kafkajs does. */
const KEEP_ALIVE_MS = 60_000;

function certificatesIn(dir: string | undefined): { ca?: string; cert?: string; key?: string } {
  if (dir === undefined) return {};
  const [ca, cert, key] = [SECRET_KEY.ca, SECRET_KEY.cert, SECRET_KEY.key].map((name) => optional(dir, name));
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

/** Who logs in: kafkajs asks for name and password at each login, and is told what the mounted files have then. */
export function loginWith(config: KafkaConnectionConfig['sasl']): SASLOptions | undefined {
  if (!config) return undefined;
  const read = (name: string): string => readFileSync(join(config.dir, name), 'utf8').trim();
  return {
    // kafkajs' type has one member for each mechanism; here it is one of them.
    mechanism: config.mechanism.toLowerCase() as 'plain',
    get username() {
      return read(SECRET_KEY.username);
    },
    get password() {
      return read(SECRET_KEY.password);
    },
  };
}

function optional(dir: string, key: string): string | undefined {
  try {
    return readFileSync(join(dir, key), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
