import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaConfig, LogEntry, SASLOptions } from 'kafkajs';
import { SECRET_KEY } from '@causeway/crds';
import type { KafkaConnectionConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { mendKafkaTimers } from './kafkajs-timers.ts';

/** What a Kafka client is made from. */
export interface KafkaClientOptions {
  connection: KafkaConnectionConfig;
  clientId: string;
  log: Log;
}

/** A kafkajs client with the credentials that the mounted files have now. */
export async function createKafka({ connection, clientId, log }: KafkaClientOptions): Promise<Kafka> {
  mendKafkaTimers();
  const ssl = await tls(connection.tls);
  const sasl = await credentials(connection.sasl);
  return new Kafka({
    clientId,
    brokers: connection.brokers,
    ...(ssl && { ssl }),
    ...(sasl && { sasl }),
    connectionTimeout: 2_000,
    authenticationTimeout: 5_000,
    requestTimeout: 8_000,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => forward(log, entry),
  });
}

/** kafkajs calls much an error that it repairs itself; what matters comes back to us as a rejection. */
function forward(log: Log, { namespace, log: { message, ...fields } }: LogEntry): void {
  const { error, broker, groupId, retryCount } = fields as Record<string, unknown>;
  log.debug(message, { from: `kafkajs ${namespace}`, error, broker, groupId, retryCount });
}

async function tls(config: KafkaConnectionConfig['tls']): Promise<KafkaConfig['ssl']> {
  if (!config) return undefined;
  const { dir } = config;
  if (!dir) return true;
  const [ca, cert, key] = await Promise.all([
    optional(dir, SECRET_KEY.ca),
    optional(dir, SECRET_KEY.cert),
    optional(dir, SECRET_KEY.key),
  ]);
  return { ...(ca && { ca: [ca] }), ...(cert && { cert }), ...(key && { key }) };
}

async function credentials(config: KafkaConnectionConfig['sasl']): Promise<SASLOptions | undefined> {
  if (!config) return undefined;
  const [username, password] = await Promise.all([
    readFile(join(config.dir, SECRET_KEY.username), 'utf8'),
    readFile(join(config.dir, SECRET_KEY.password), 'utf8'),
  ]);
  // kafkajs' type has one member for each mechanism; here it is one of them.
  const mechanism = config.mechanism.toLowerCase() as 'plain';
  return { mechanism, username: username.trim(), password: password.trim() };
}

async function optional(dir: string, key: string): Promise<string | undefined> {
  try {
    return await readFile(join(dir, key), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
