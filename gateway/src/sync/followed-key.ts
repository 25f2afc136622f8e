/** One key that the gateway follows for itself, on the watches that streams are served from. */
import type { EtcdClient, SourceRevision } from '../etcd/index.ts';

/** What is followed, and who is told. */
export interface FollowedKey {
  /** Under one of the prefixes that are watched. */
  readonly key: string;
  /**
   * The key's value at each connection to etcd and after each change of it; undefined: it is not there. `revision` of
   * this zone's etcd wrote or deleted it, as far as is known.
   */
  changed(value: Buffer | undefined, revision: bigint): void;
}

/** Reads the key when a connection begins, and takes its changes from the revisions that come after that. */
export class KeyFollower {
  readonly #followed: FollowedKey;
  readonly #key: Buffer;
  /** What is known is the state at this revision. */
  #at = 0n;

  constructor(followed: FollowedKey) {
    this.#followed = followed;
    this.#key = Buffer.from(followed.key);
  }

  /** To be called on each new connection: the key may have changed or gone, or the etcd may be another one. */
  async begin(client: EtcdClient): Promise<void> {
    const { kvs, header } = await client.range({ key: this.#key });
    this.#at = BigInt(header.revision);
    const [kv] = kvs;
    this.#followed.changed(kv?.value, kv ? BigInt(kv.mod_revision) : this.#at);
  }

  /** A revision that was watched; those that were read already change nothing. */
  take({ revision, changes }: SourceRevision): void {
    if (revision <= this.#at) return;
    this.#at = revision;
    const change = changes.findLast(({ key }) => key.equals(this.#key));
    if (change) this.#followed.changed(change.value, revision);
  }
}
