/**
 * Whether this zone's etcd holds what the home's does: both sides read at one revision each, which belong together by the
 * checkpoint, so that writes meanwhile change nothing. Streamed, a key of each side in memory, no faster than a set rate.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ETCD_KEY } from '@causeway/crds';
import type { KeyDifference, ReplicatorConfig, Verification } from '@causeway/crds';
import {
  CompactedError,
  decodeCheckpoint,
  EtcdClient,
  isOwnKey,
  normalizePrefixes,
  prefixRange,
  readCredentials,
} from '../etcd/index.ts';
import type { KeyRange, KeyValue } from '../etcd/index.ts';
import { join } from './diff.ts';
import type { Joined } from './diff.ts';

/** Compares, one at a time: who asks while one is under way gets its result. */
export type Verify = () => Promise<Verification>;

/** Bounds of one comparison. */
export interface VerifyLimits {
  /** Bytes a second that are read from each side. */
  bytesPerSecond: number;
  /** Most differences that are told one by one; all are counted. */
  shown: number;
}

const defaultLimits: VerifyLimits = { bytesPerSecond: 32 * 1024 * 1024, shown: 100 };

/** It can't be said now. The message says why. */
export class VerifyError extends Error {
  override name = 'VerifyError';
}

/** The comparison of a replicator's two etcds. `signal` ends what is under way. */
export function verifier(
  config: ReplicatorConfig,
  signal: AbortSignal,
  limits: VerifyLimits = defaultLimits,
): Verify {
  let running: Promise<Verification> | undefined;
  return () => {
    running ??= withClients(config, (sides) => verify(config, sides, { signal, limits })).finally(() => {
      running = undefined;
    });
    return running;
  };
}

interface Sides {
  source: EtcdClient;
  target: EtcdClient;
}

async function withClients<T>(config: ReplicatorConfig, work: (sides: Sides) => Promise<T>): Promise<T> {
  const [ofSource, ofTarget] = await Promise.all([
    readCredentials(config.source),
    readCredentials(config.target),
  ]);
  const alive = (): void => undefined;
  const source = new EtcdClient(config.source, ofSource, alive);
  const target = new EtcdClient(config.target, ofTarget, alive);
  try {
    return await work({ source, target });
  } finally {
    source.close();
    target.close();
  }
}

interface Bounds {
  signal: AbortSignal;
  limits: VerifyLimits;
}

async function verify(config: ReplicatorConfig, sides: Sides, bounds: Bounds): Promise<Verification> {
  const attempt = (): Promise<Verification> => compare(config, sides, bounds);
  // Compacted while it was read, or the checkpoint is an old one: by now it has moved on, or it will not.
  return attempt()
    .catch(unlessCompacted)
    .then((result) => result ?? attempt())
    .catch((error: unknown) => {
      unlessCompacted(error);
      const { zone, homeZone } = config;
      throw new VerifyError(
        `${homeZone} no longer has the state that ${zone} holds: either ${zone} is far behind, or the history was ` +
          `compacted while it was read, twice. If ${zone} isn't behind (see /replication), ask again`,
      );
    });
}

function unlessCompacted(error: unknown): undefined {
  if (error instanceof CompactedError) return undefined;
  throw error;
}

/** Revisions of both sides that belong together. */
interface Pair {
  source: bigint;
  target: bigint;
}

async function pairOf({ homeZone, zone, epoch }: ReplicatorConfig, { target }: Sides): Promise<Pair> {
  const { header, kvs } = await target.range({ key: Buffer.from(ETCD_KEY.checkpoint) });
  const [kv] = kvs;
  if (kv === undefined) throw new VerifyError(`${zone} has not replicated anything yet`);
  const checkpoint = decodeCheckpoint(kv.value);
  if (checkpoint.snapshot !== undefined || checkpoint.partial !== undefined)
    throw new VerifyError(`${zone} is at no revision now: a snapshot or a large transaction is half written`);
  if (checkpoint.epoch !== epoch || (checkpoint.homeZone ?? homeZone) !== homeZone)
    throw new VerifyError(`${zone} has not caught up with ${homeZone}, the home of epoch ${epoch}, yet`);
  return { source: BigInt(checkpoint.revision), target: BigInt(header.revision) };
}

async function compare(config: ReplicatorConfig, sides: Sides, bounds: Bounds): Promise<Verification> {
  const began = performance.now();
  const pair = await pairOf(config, sides);
  const tally = new Tally(bounds.limits.shown);
  for (const prefix of normalizePrefixes(config.prefixes)) {
    const range = prefixRange(prefix);
    const left = read(sides.source, range, pair.source, bounds);
    const right = read(sides.target, range, pair.target, bounds);
    for await (const joined of join(left, right)) tally.add(joined);
  }
  const { zone, homeZone, epoch } = config;
  const revisions = { revision: pair.source.toString(), zoneRevision: pair.target.toString() };
  return {
    zone,
    homeZone,
    epoch,
    ...revisions,
    ...tally.result(),
    ms: Math.round(performance.now() - began),
  };
}

/** Keys of a range at a revision, no faster than the rate. */
async function* read(
  client: EtcdClient,
  range: KeyRange,
  revision: bigint,
  { signal, limits }: Bounds,
): AsyncGenerator<KeyValue> {
  const began = performance.now();
  let bytes = 0;
  for await (const kv of client.keys(range, revision)) {
    if (isOwnKey(kv.key)) continue;
    bytes += kv.key.length + kv.value.length;
    const early = (bytes / limits.bytesPerSecond) * 1000 - (performance.now() - began);
    if (early > PACE_MS) await delay(early, undefined, { signal });
    signal.throwIfAborted();
    yield kv;
  }
}

/** Shorter waits than this are saved up, milliseconds. */
const PACE_MS = 20;
/** Of a value's hash so much is told, hexadecimal digits. */
const HASH_DIGITS = 16;

/** Counts and hashes both sides. */
class Tally {
  /** Of one run: whoever sees the hashes of values can't try out which value it was. */
  readonly #secret = randomBytes(32);
  readonly #shown: number;
  readonly #hash = { home: createHash('sha256'), zone: createHash('sha256') };
  readonly #keys = { home: 0, zone: 0 };
  readonly #differences: KeyDifference[] = [];
  #count = 0;

  constructor(shown: number) {
    this.#shown = shown;
  }

  add({ key, left, right }: Joined<KeyValue, KeyValue>): void {
    if (left !== undefined) this.#side('home', left);
    if (right !== undefined) this.#side('zone', right);
    if (left !== undefined && right?.value.equals(left.value)) return;
    this.#count += 1;
    if (this.#differences.length >= this.#shown) return;
    this.#differences.push({
      key: key.toString(),
      ...(Buffer.from(key.toString()).equals(key) ? {} : { keyBase64: key.toString('base64') }),
      ...(left === undefined ? {} : { home: this.#about(left.value) }),
      ...(right === undefined ? {} : { zone: this.#about(right.value) }),
    });
  }

  #side(side: 'home' | 'zone', { key, value }: KeyValue): void {
    this.#keys[side] += 1;
    addLengthAnd(this.#hash[side], key);
    addLengthAnd(this.#hash[side], value);
  }

  #about(value: Buffer): { bytes: number; hash: string } {
    const hash = createHmac('sha256', this.#secret).update(value).digest('hex');
    return { bytes: value.length, hash: hash.slice(0, HASH_DIGITS) };
  }

  result(): Pick<Verification, 'equal' | 'keys' | 'sha256' | 'differences' | 'shown'> {
    const sha256 = { home: this.#hash.home.digest('hex'), zone: this.#hash.zone.digest('hex') };
    return {
      equal: this.#count === 0,
      keys: { ...this.#keys },
      sha256,
      differences: this.#count,
      shown: [...this.#differences],
    };
  }
}

function addLengthAnd(hash: Hash, bytes: Buffer): void {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  hash.update(length).update(bytes);
}
