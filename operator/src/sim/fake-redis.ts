/** Every Redis of the simulation: one for each host, with its role; a restarted one is what its redis.conf says. */
import type { RedisAction, RedisState } from '../platform/redis.ts';
import type { RedisAdmin } from '../platform/redis-admin.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';

/** One Redis that runs. */
export interface SimRedis {
  /** Host that it follows; undefined: it is a primary. */
  follows: string | undefined;
  /** When it began to follow, milliseconds since the epoch. */
  since: number;
}

/** Time that a replica needs for its first synchronization, milliseconds. */
const SYNC_MS = 400;

export class FakeRedis {
  readonly #time: VirtualTime;
  readonly #running: Map<string, SimRedis>;
  readonly #listeners: ((host: string, action: 'promote' | 'follow') => void)[] = [];

  constructor(time: VirtualTime, running: ReadonlyMap<string, SimRedis> = new Map()) {
    this.#time = time;
    this.#running = new Map(running);
  }

  snapshot(): ReadonlyMap<string, SimRedis> {
    return new Map(this.#running);
  }

  /** Called before each command of the operator takes effect. */
  onCommand(listener: (host: string, action: 'promote' | 'follow') => void): void {
    this.#listeners.push(listener);
  }

  /** A pod starts with that redis.conf. */
  start(host: string, conf: string): void {
    const follows = /^replicaof (\S+)/m.exec(conf)?.[1];
    this.#running.set(host, { follows, since: this.#time.now });
  }

  stop(host: string): void {
    this.#running.delete(host);
  }

  /** Hosts whose Redis runs as a primary. */
  primaries(): string[] {
    return [...this.#running].filter(([, { follows }]) => follows === undefined).map(([host]) => host);
  }

  /** `REPLICAOF`, from anybody. */
  command(host: string, follows: string | undefined): void {
    const redis = this.#find(host);
    if (redis.follows !== follows) this.#running.set(host, { follows, since: this.#time.now });
  }

  look(host: string): RedisState {
    const { follows, since } = this.#find(host);
    if (follows === undefined) return { role: 'primary' };
    const primary = this.#running.get(follows);
    const inSync =
      primary !== undefined &&
      primary.follows === undefined &&
      this.#time.now >= Math.max(since, primary.since) + SYNC_MS;
    return { role: 'replica', primaryHost: follows, inSync };
  }

  act(host: string, action: RedisAction): void {
    for (const listener of this.#listeners) listener(host, action.act);
    this.command(host, action.act === 'promote' ? undefined : action.host);
  }

  #find(host: string): SimRedis {
    const redis = this.#running.get(host);
    if (redis === undefined) throw new Error(`connect ECONNREFUSED ${host}`);
    return redis;
  }
}

/** Redis as one process sees it. */
export function redisClient(redis: FakeRedis, network: Network, process: SimProcess): RedisAdmin {
  return {
    look: ({ host }) =>
      network.call({ process, target: 'redis', verb: 'look', what: host, mutates: false }, () =>
        redis.look(host),
      ),
    act: ({ host }, action) =>
      network.call({ process, target: 'redis', verb: action.act, what: host, mutates: true }, () =>
        redis.act(host, action),
      ),
  };
}
