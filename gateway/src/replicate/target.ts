/** The target: its checkpoint and epoch, and writes that only happen while both are what we think. */
import { ETCD_KEY } from '@causeway/crds';
import type { ReplicationCheckpoint } from '@causeway/crds';
import type { IKeyValue, IRequestOp, ITxnResponse } from 'etcd3';
import { CheckpointError, decodeCheckpoint, encodeCheckpoint } from '../etcd/index.ts';
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

/** A checkpoint and the revision of the target that wrote it, which guards the next write. */
export interface Held {
  checkpoint: ReplicationCheckpoint | undefined;
  /** Revision of the target, decimal; "0" when there is no checkpoint. */
  modRevision: string;
}

/** Writes to one target under one epoch. */
export class Target {
  readonly client: EtcdClient;
  readonly #epoch: number;

  constructor(client: EtcdClient, epoch: number) {
    this.client = client;
    this.#epoch = epoch;
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
    const stamped = { ...checkpoint, epoch: this.#epoch };
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

  /** What tells one cluster's epoch key from another's: when it was made and changed there. */
  async epochMark(client: EtcdClient): Promise<string> {
    const { kvs } = await client.range({ key: EPOCH });
    const [kv] = kvs;
    return kv === undefined
      ? 'none'
      : `${kv.create_revision}/${kv.mod_revision}/${kv.version}/${kv.value.toString()}`;
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
