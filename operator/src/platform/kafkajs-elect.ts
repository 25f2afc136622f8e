/**
 * ElectLeaders (Kafka's API key 43), which kafkajs 2.2.4 lacks: its own encoder, over a connection of its own cluster
 * object. https://kafka.apache.org/protocol#The_Messages_ElectLeaders
 */
import type { Kafka } from 'kafkajs';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import type { PartitionName } from '../failover/index.ts';
import { byTopic } from './kafka-reorder.ts';
import { withCluster } from './kafkajs-cluster.ts';

/** Since Kafka 2.4, as the reassignments are; the last version without tagged fields. */
const VERSION = 1;
const API_KEY = 43;
/** The election is of the preferred leader: never of one that is not in sync. */
const PREFERRED = 0;
/** It leads already. */
const ELECTION_NOT_NEEDED = 84;

/** What became of one partition's election. */
export interface ElectionResult extends PartitionName {
  /** 0: none. */
  errorCode: number;
}

/**
 * Lets the first replica of each partition lead it. `timeout`: milliseconds. Throws when Kafka refuses any of them, with
 * the first reason; the others are done.
 */
export async function electPreferred(
  client: Kafka,
  partitions: readonly PartitionName[],
  timeout: number,
): Promise<void> {
  await withCluster(client, async (cluster) => {
    await cluster.refreshMetadata();
    const broker = await cluster.findControllerBroker();
    const served = broker.versions[API_KEY];
    if (served === undefined || served.minVersion > VERSION || served.maxVersion < VERSION)
      throw new Error(`Kafka does not serve version ${VERSION} of ElectLeaders`);
    const results = await broker.connectionPool.send<ElectionResult[]>({
      request: electRequest(partitions, timeout),
      response: { decode: decodeElection, parse: (result: Election) => resultsOf(result) },
    });
    failOnRefusal(results);
  });
}

/** ElectLeaders Request (Version: 1) => election_type [topic [partition]] timeout_ms */
export function electRequest(
  partitions: readonly PartitionName[],
  timeout: number,
): { apiKey: number; apiVersion: number; apiName: string; encode: () => Promise<Encoder> } {
  const topics = byTopic(partitions).map(([topic, of]) =>
    new Encoder().writeString(topic).writeArray(of.map(({ partition }) => partition)),
  );
  const encode = async (): Promise<Encoder> =>
    new Encoder().writeInt8(PREFERRED).writeArray(topics).writeInt32(timeout);
  return { apiKey: API_KEY, apiVersion: VERSION, apiName: 'ElectLeaders', encode };
}

interface Election {
  errorCode: number;
  results: ElectionResult[];
}

/** ElectLeaders Response (Version: 1) => throttle_time_ms error_code [topic [partition error_code error_message]] */
export async function decodeElection(payload: Buffer): Promise<Election> {
  const decoder = new Decoder(payload);
  decoder.readInt32();
  const errorCode = decoder.readInt16();
  const topics = decoder.readArray(() => {
    const topic = decoder.readString() ?? '';
    return decoder.readArray(() => {
      const result = { topic, partition: decoder.readInt32(), errorCode: decoder.readInt16() };
      decoder.readString();
      return result;
    });
  });
  return { errorCode, results: topics.flat() };
}

function resultsOf({ errorCode, results }: Election): ElectionResult[] {
  if (errorCode !== 0) throw createErrorFromCode(errorCode);
  return results;
}

function failOnRefusal(results: readonly ElectionResult[]): void {
  const refused = results.filter(({ errorCode }) => errorCode !== 0 && errorCode !== ELECTION_NOT_NEEDED);
  const [first] = refused;
  if (first === undefined) return;
  const error = createErrorFromCode(first.errorCode);
  error.message = `${first.topic}/${first.partition} and ${refused.length - 1} more: ${error.message}`;
  throw error;
}
