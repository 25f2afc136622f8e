/** Writes whose answers say under which home they were taken, to clients of etcd and Redis of whatever kind. */
import { ETCD_KEY } from '@causeway/crds';
import type { Write } from './history.ts';

/** What became of a write. */
export type Answer = Pick<Write, 'result' | 'reign' | 'revision' | 'note'>;

/** As much of an etcd client as is needed; see etcd's `Txn`. */
interface Etcd {
  transact(request: {
    compare: [];
    success: [{ request_put: { key: Buffer; value: Buffer } }, { request_range: { key: Buffer } }];
    failure: [];
  }): Promise<{
    header: { revision: string };
    responses: readonly { response_range?: { kvs: readonly { value: Buffer }[] } }[];
  }>;
}

/** As much of a Redis client as is needed. */
interface Redis {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** Writes, and tells in the same step which data set has it. */
const SET_AND_TELL = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('INFO', 'replication')";

/**
 * What etcd and Redis say when a write is not done. The second of etcd: its users changed between check and execution,
 * and it is the check that counts.
 */
const REFUSALS =
  /permission denied|revision of auth store is old|user name is empty|READONLY|NOREPLICAS|MASTERDOWN|LOADING/;

/** Rejects as the client does; see {@link refusalOf}. */
export async function writeEtcd(client: Etcd, key: string, value: string): Promise<Answer> {
  // The epoch is read in the same transaction: it says under which home the write was taken.
  const { header, responses } = await client.transact({
    compare: [],
    success: [
      { request_put: { key: Buffer.from(key), value: Buffer.from(value) } },
      { request_range: { key: Buffer.from(ETCD_KEY.epoch) } },
    ],
    failure: [],
  });
  const reign = responses[1]?.response_range?.kvs[0]?.value.toString() ?? '1';
  return { result: 'acknowledged', reign, revision: BigInt(header.revision) };
}

/** Rejects as the client does; see {@link refusalOf}. */
export async function writeRedis(client: Redis, key: string, value: string): Promise<Answer> {
  const info = String(await client.eval(SET_AND_TELL, { keys: [key], arguments: [value] }));
  const reign = /^master_replid:(\w+)/m.exec(info)?.[1] ?? '';
  const revision = BigInt(/^master_repl_offset:(\d+)/m.exec(info)?.[1] ?? '0');
  return { result: 'acknowledged', reign, revision };
}

/** What an error of a write says: it was refused, or nobody knows. */
export function refusalOf(error: unknown): Answer {
  const note = error instanceof Error ? error.message : String(error);
  return { result: REFUSALS.test(note) ? 'refused' : 'unknown', note };
}
