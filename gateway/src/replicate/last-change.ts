/** By what a source's history is known again: the last change of it that the target has. See docs/adr/0020. */
import { hash } from 'node:crypto';
import type { LastChange, ReplicationCheckpoint } from '@causeway/crds';
import { CompactedError } from '../etcd/index.ts';
import type { Change, EtcdClient, SourceRevision } from '../etcd/index.ts';

/** Longer keys are not remembered: the checkpoint goes with every transaction. */
const LONGEST_KEY = 1024;
/** Of a value's hash so much is remembered, hexadecimal digits. */
const HASH_DIGITS = 16;

const isShort = ({ key }: Pick<Change, 'key'>): boolean => key.length <= LONGEST_KEY;
const digest = (value: Buffer): string => hash('sha256', value, 'hex').slice(0, HASH_DIGITS);

/** One change of a revision, for the checkpoint at it; nothing where all its keys are too long. */
export function lastChange({ revision, changes }: SourceRevision): Pick<ReplicationCheckpoint, 'last'> {
  const put = changes.findLast((change) => change.value !== undefined && isShort(change));
  // Of a deletion there is less to be known again.
  const change = put ?? changes.findLast(isShort);
  if (change === undefined) return {};
  const { key, value } = change;
  const last = { key: key.toString('base64'), revision: revision.toString() };
  return { last: value === undefined ? last : { ...last, sha256: digest(value) } };
}

/** The key that changed last among those of a snapshot. */
export class Newest {
  #kv: { key: Buffer; value: Buffer } | undefined;
  #revision = 0n;

  /** Passes keys on, and looks at each. */
  async *among<K extends { key: Buffer; value: Buffer; mod_revision: string }>(
    keys: AsyncIterable<K>,
  ): AsyncGenerator<K> {
    for await (const kv of keys) {
      const revision = BigInt(kv.mod_revision);
      if (revision > this.#revision && isShort(kv)) [this.#kv, this.#revision] = [kv, revision];
      yield kv;
    }
  }

  /** For the checkpoint; nothing where there was no key. */
  get last(): Pick<ReplicationCheckpoint, 'last'> {
    return this.#kv === undefined ? {} : lastChange({ revision: this.#revision, changes: [this.#kv] });
  }
}

/** The checkpoint without a last change of prefixes that are no longer asked for: their keys may change unseen. */
export function forgetOthers(
  checkpoint: ReplicationCheckpoint,
  prefixes: readonly string[],
): ReplicationCheckpoint {
  const { last, ...rest } = checkpoint;
  if (last === undefined) return checkpoint;
  const key = Buffer.from(last.key, 'base64');
  const isAsked = prefixes.some((prefix) => key.indexOf(prefix) === 0);
  return isAsked ? checkpoint : rest;
}

/**
 * Whether the source's history up to the checkpoint is the one that the target has. Clusters that were made alike have the
 * same id, and one that was restored or made anew may have been written past the checkpoint: then only what a revision
 * changed tells them apart. Compacted: the source no longer has that state.
 */
export async function recognize(
  source: EtcdClient,
  { revision, last }: ReplicationCheckpoint,
): Promise<'Same' | 'Other' | 'Compacted'> {
  if (last === undefined) return 'Same';
  try {
    const at = await read(source, last, revision);
    if (last.sha256 !== undefined) return isThat(at, last) ? 'Same' : 'Other';
    return at === undefined && (await wasThere(source, last)) ? 'Same' : 'Other';
  } catch (error) {
    if (error instanceof CompactedError) return 'Compacted';
    throw error;
  }
}

type Read = Awaited<ReturnType<EtcdClient['range']>>['kvs'][number];

async function read(source: EtcdClient, { key }: LastChange, revision: string): Promise<Read | undefined> {
  const { kvs } = await source.range({ key: Buffer.from(key, 'base64'), revision });
  return kvs[0];
}

function isThat(kv: Read | undefined, { revision, sha256 }: LastChange): boolean {
  return kv?.mod_revision === revision && digest(kv.value) === sha256;
}

/** Whether the key of a deletion was there before it, as far as that is still known. */
async function wasThere(source: EtcdClient, last: LastChange): Promise<boolean> {
  try {
    return (await read(source, last, (BigInt(last.revision) - 1n).toString())) !== undefined;
  } catch (error) {
    if (error instanceof CompactedError) return true;
    throw error;
  }
}
