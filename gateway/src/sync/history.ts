/** What this zone's etcd did lately, and where it is: what all streams of a gateway read from. */
import type { SourceRevision } from '../etcd/index.ts';
import { SyncFailure } from './failure.ts';
import { wholeAt } from './position.ts';
import type { Mark, Position } from './position.ts';
import { Ring } from './ring.ts';
import type { Kept } from './ring.ts';
import { epochIn, toTransaction } from './transaction.ts';
import type { Role } from './transaction.ts';

/** Bytes of the transactions that are kept. */
const RING_BYTES = 8 * 1024 * 1024;

/** Where a history begins. */
export interface HistoryStart {
  role: Role;
  clusterId: string;
  /** Revision of this zone's etcd; what comes after it is told. */
  after: bigint;
  /** The last checkpoint at `after`. */
  mark: Mark | undefined;
}

/** One unbroken history of one etcd in one role. When it breaks it has failed, and another one begins. */
export class History {
  readonly clusterId: string;
  #role: Role;
  readonly #ring: Ring;
  #frontier: bigint;
  #mark: Mark | undefined;
  #failure: SyncFailure | undefined;

  constructor({ role, clusterId, after, mark }: HistoryStart) {
    this.#role = role;
    this.clusterId = clusterId;
    this.#ring = new Ring(after, RING_BYTES);
    this.#frontier = after;
    this.#mark = mark;
  }

  get role(): Role {
    return this.#role;
  }

  /** The same history under another home, for a zone that is filled before and after. False: it has failed. */
  goOn(role: Role): boolean {
    if (this.#failure) return false;
    this.#role = role;
    return true;
  }

  /** All up to this revision of this zone's etcd is known. */
  get frontier(): bigint {
    return this.#frontier;
  }

  /** Everything after this revision is here. */
  get base(): bigint {
    return this.#ring.base;
  }

  /** The last checkpoint. */
  get mark(): Mark | undefined {
    return this.#mark;
  }

  /** Where the zone is; undefined while a transaction of the home, or a snapshot, is half written. */
  get position(): Position | undefined {
    const { home, epoch } = this.role;
    if (home && (this.#mark === undefined || this.#frontier > this.#mark.at)) {
      return { epoch, revision: this.#frontier };
    }
    return this.#mark && wholeAt(this.#mark);
  }

  /** Why streams must end. */
  get failure(): SyncFailure | undefined {
    return this.#failure;
  }

  fail(failure: SyncFailure): void {
    this.#failure ??= failure;
  }

  /** Takes the next revision. Throws {@link SyncFailure} when it says that another zone is home; CheckpointError. */
  add(revision: SourceRevision): void {
    const epoch = epochIn(revision.changes);
    if (epoch !== undefined) checkEpoch(epoch, this.role);
    const transaction = toTransaction(revision, this.role, this.position);
    if (transaction.mark) this.#mark = transaction.mark;
    this.#ring.add(transaction);
  }

  /** All up to here has been added. */
  reached(revision: bigint): void {
    if (revision > this.#frontier) this.#frontier = revision;
  }

  /** The first transaction after a revision, if there is one. The revision must not be before {@link base}. */
  after(revision: bigint): Kept | undefined {
    const next = this.#ring.after(revision);
    return next && next.transaction.at <= this.#frontier ? next : undefined;
  }

  /** The checkpoints of late, in order and without gaps up to {@link mark}. */
  get marks(): Mark[] {
    return this.#ring.marks;
  }
}

/** Throws {@link SyncFailure} when etcd knows of a later home than we do. */
export function checkEpoch(epoch: number, role: Role): void {
  if (epoch <= role.epoch) return;
  throw new SyncFailure('home-moved', 'another zone becomes home: come back, with the same position');
}
