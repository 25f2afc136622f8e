/** The target: its checkpoint and epoch, and writes that only happen while both are what we think. */
import { ETCD_KEY } from '@causeway/crds';
import type { EtcdFence, HomeRecord, ReplicationCheckpoint } from '@causeway/crds';
import type { IKeyValue, IRequestOp, ITxnResponse } from 'etcd3';
import {
  CheckpointError,
  decodeCheckpoint,
  decodeFence,
  decodeHomes,
  encodeCheckpoint,
  mergeHomes,
  RecordError,
} from '../etcd/index.ts';
import type { Change, EtcdClient } from '../etcd/index.ts';
import { nest } from './plan.ts';
import type { Limits, Nested, PlannedTransaction } from './plan.ts';

/** The target has a higher epoch: another home took over, and this source must not write any more. */
export class FencedError extends Error {
  override name = 'FencedError';
  constructor(ours: number, theirs: bigint) {
    super(`fenced: the target is at epoch ${theirs}, and this replicator's source is of epoch ${ours}`);
  }
}

/** What is in the target isn't what was there: another replicator writes, or a write that was given up on came late. */
export class ConflictError extends Error {
  override name = 'ConflictError';
}

/** What only a person can put right. The message says how. */
export class BlockedError extends Error {
  override name = 'BlockedError';
}

const CHECKPOINT = Buffer.from(ETCD_KEY.checkpoint);
const EPOCH = Buffer.from(ETCD_KEY.epoch);
const FENCE = Buffer.from(ETCD_KEY.fence);
const HOMES = Buffer.from(ETCD_KEY.homes);

/** A checkpoint and the revision of the target that wrote it, which guards the next write. */
export interface Held {
  checkpoint: ReplicationCheckpoint | undefined;
  /** Revision of the target, decimal; "0" when there is no checkpoint. */
  modRevision: string;
}

/** Writes to one target under one epoch. */
export class Target {
  readonly client: EtcdClient;
  readonly #home: { zone: string; epoch: number };

  /** `home`: the present one, whose keys are written. */
  constructor(client: EtcdClient, home: { zone: string; epoch: number }) {
    this.client = client;
    this.#home = home;
  }

  get #epoch(): number {
    return this.#home.epoch;
  }

  /** Whether a checkpoint says of this home and its epoch what it says. */
  isOurs({ epoch, homeZone }: ReplicationCheckpoint): boolean {
    return epoch === this.#home.epoch && homeZone === this.#home.zone;
  }

  /**
   * Makes the target's epoch ours when it is missing or lower. Throws {@link FencedError} when it is higher, and
   * {@link ConflictError} when it changes meanwhile.
   */
  async claimEpoch(): Promise<void> {
    const { kvs } = await this.client.range({ key: EPOCH });
    const held = kvs[0];
    const epoch = readEpoch(held);
    if (epoch !== undefined && epoch > BigInt(this.#epoch)) throw new FencedError(this.#epoch, epoch);
    if (epoch === BigInt(this.#epoch)) return;
    const { succeeded } = await this.client.transact({
      compare: [{ key: EPOCH, result: 'Equal', target: 'Mod', mod_revision: held?.mod_revision ?? '0' }],
      success: [{ request_put: { key: EPOCH, value: Buffer.from(String(this.#epoch)) } }],
      failure: [],
    });
    if (!succeeded) throw new ConflictError('the epoch in the target changed while it was being raised');
  }

  /** The checkpoint that is there. Throws {@link BlockedError} when it can't be read. */
  async held(): Promise<Held> {
    const { kvs } = await this.client.range({ key: CHECKPOINT });
    const [kv] = kvs;
    if (kv === undefined) return { checkpoint: undefined, modRevision: '0' };
    try {
      return { checkpoint: decodeCheckpoint(kv.value), modRevision: kv.mod_revision };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      throw new BlockedError(
        `the checkpoint ${ETCD_KEY.checkpoint} in the target can't be used: ${error.message}; delete the key, and a snapshot makes the target equal to the source`,
        { cause: error },
      );
    }
  }

  /**
   * Writes a transaction, unless the checkpoint or the epoch in the target isn't what it should be: then throws
   * {@link FencedError} or {@link ConflictError}, and nothing is written.
   */
  async commit({ changes, checkpoint }: PlannedTransaction, held: Held, limits: Limits): Promise<Held> {
    const stamped = { ...checkpoint, epoch: this.#epoch, homeZone: this.#home.zone };
    const reply = await this.client.transact({
      compare: [
        { key: CHECKPOINT, result: 'Equal', target: 'Mod', mod_revision: held.modRevision },
        { key: EPOCH, result: 'Equal', target: 'Value', value: Buffer.from(String(this.#epoch)) },
      ],
      success: [
        ...nest(changes, limits).map(toOperation),
        { request_put: { key: CHECKPOINT, value: encodeCheckpoint(stamped) } },
      ],
      failure: [{ request_range: { key: EPOCH } }, { request_range: { key: CHECKPOINT } }],
    });
    if (reply.succeeded) return { checkpoint: stamped, modRevision: reply.header.revision };
    return this.#refused(reply);
  }

  /** The fence, and the revision that wrote it; undefined when the zone was never fenced. Throws {@link BlockedError}. */
  async fence(): Promise<(EtcdFence & { revision: bigint }) | undefined> {
    const { kvs } = await this.client.range({ key: FENCE });
    const [kv] = kvs;
    if (kv === undefined) return undefined;
    return { ...decoded(ETCD_KEY.fence, () => decodeFence(kv.value)), revision: BigInt(kv.mod_revision) };
  }

  /** Remembers the homes that the source knows of: this zone may have to tell of them, as home or to an old one. */
  async carryHomes(homes: readonly HomeRecord[]): Promise<void> {
    const { kvs } = await this.client.range({ key: HOMES });
    const [kv] = kvs;
    const known = decoded(ETCD_KEY.homes, () => decodeHomes(kv?.value));
    const merged = Buffer.from(JSON.stringify(mergeHomes(known, homes)));
    if (homes.length === 0 || kv?.value.equals(merged)) return;
    await this.writeOwn([{ request_put: { key: HOMES, value: merged } }]);
  }

  /** Writes keys of Causeway's own, under the same guard of the epoch. Throws as {@link commit}. */
  async writeOwn(success: IRequestOp[]): Promise<void> {
    const reply = await this.client.transact({
      compare: [{ key: EPOCH, result: 'Equal', target: 'Value', value: Buffer.from(String(this.#epoch)) }],
      success,
      failure: [{ request_range: { key: EPOCH } }],
    });
    if (!reply.succeeded) this.#refused(reply);
  }

  #refused({ responses }: ITxnResponse): never {
    const epoch = readEpoch(responses[0]?.response_range?.kvs[0]);
    if (epoch !== undefined && epoch > BigInt(this.#epoch)) throw new FencedError(this.#epoch, epoch);
    if (epoch !== BigInt(this.#epoch))
      throw new ConflictError('the epoch in the target was lowered or deleted');
    throw new ConflictError(
      'the checkpoint in the target was changed by somebody else, or by an earlier write of ours',
    );
  }
}

/** The homes that an etcd knows of. Throws {@link BlockedError}. */
export async function readHomes(client: EtcdClient): Promise<HomeRecord[]> {
  const { kvs } = await client.range({ key: HOMES });
  return decoded(ETCD_KEY.homes, () => decodeHomes(kvs[0]?.value));
}

/** What tells one cluster from another that was made alike: when Causeway's own keys were made and changed there. */
export async function marks(client: EtcdClient): Promise<string> {
  const keys = [EPOCH, CHECKPOINT, FENCE, HOMES];
  const { responses } = await client.transact({
    compare: [],
    success: keys.map((key) => ({ request_range: { key } })),
    failure: [],
  });
  return responses
    .map(({ response_range: range }) => range?.kvs[0])
    .map((kv) => (kv === undefined ? 'none' : `${kv.create_revision}/${kv.mod_revision}/${kv.version}`))
    .join(' ');
}

function decoded<T>(key: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw new BlockedError(`${key} can't be used: ${error.message}; find out who wrote it, and restore it`, {
      cause: error,
    });
  }
}

/** The epoch that a key holds. Throws {@link BlockedError} when it isn't a decimal number. */
function readEpoch(kv: Pick<IKeyValue, 'value'> | undefined): bigint | undefined {
  if (kv === undefined) return undefined;
  const text = kv.value.toString();
  if (/^[0-9]{1,19}$/.test(text)) return BigInt(text);
  throw new BlockedError(
    `the epoch ${ETCD_KEY.epoch} in the target is not a decimal number: set it to the epoch of the present home`,
  );
}

function toOperation(nested: Nested): IRequestOp {
  if (Array.isArray(nested))
    return { request_txn: { compare: [], success: nested.map(toOperation), failure: [] } };
  return toRequest(nested);
}

function toRequest({ key, value }: Change): IRequestOp {
  return value === undefined ? { request_delete_range: { key } } : { request_put: { key, value } };
}
