/** Every Redis of the simulation: one for each host, with its role; a restarted one is what its redis.conf says. */
import { inspectCertificate } from '../certificates/index.ts';
import type { RedisAction, RedisState } from '../platform/redis.ts';
import type { RedisAdmin } from '../platform/redis-admin.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { ZoneOutage } from './zone-outage.ts';

/** One Redis that runs. */
export interface SimRedis {
  /** Host that it follows; undefined: it is a primary. */
  follows: string | undefined;
  /** Of its pod. */
  address?: string;
  /** When it began to follow, milliseconds since the epoch. */
  since: number;
  /** SHA-256 of the certificate that it has loaded. */
  certificate: string | undefined;
  /** A primary that takes no writes. */
  fenced?: boolean;
  /** It takes no writes alone. */
  guarded?: boolean;
}

/** Time that a replica needs for its first synchronization, milliseconds. */
const SYNC_MS = 400;

export class FakeRedis {
  readonly #time: VirtualTime;
  readonly #running: Map<string, SimRedis>;
  readonly #outage: Pick<ZoneOutage, 'isDown'>;
  readonly #listeners: ((host: string, action: RedisAction['act']) => void)[] = [];

  constructor(
    time: VirtualTime,
    running: ReadonlyMap<string, SimRedis> = new Map(),
    outage: Pick<ZoneOutage, 'isDown'> = { isDown: () => false },
  ) {
    this.#time = time;
    this.#outage = outage;
    this.#running = new Map(running);
  }

  snapshot(): ReadonlyMap<string, SimRedis> {
    return new Map(this.#running);
  }

  /** Called before each command of the operator takes effect. */
  onCommand(listener: (host: string, action: RedisAction['act']) => void): void {
    this.#listeners.push(listener);
  }

  /** A pod starts at an address, with that redis.conf, and with that certificate (SHA-256). */
  start(
    host: string,
    conf: string,
    { certificate, address }: Pick<SimRedis, 'certificate' | 'address'>,
  ): void {
    const follows = /^replicaof (\S+)/m.exec(conf)?.[1];
    this.#running.set(host, {
      follows,
      since: this.#time.now,
      certificate,
      ...(address !== undefined && { address }),
    });
  }

  stop(host: string): void {
    this.#running.delete(host);
  }

  /** Hosts whose Redis runs as a primary that takes writes. */
  writers(): string[] {
    return [...this.#running]
      .filter(([, { follows, fenced }]) => follows === undefined && fenced !== true)
      .map(([host]) => host);
  }

  /** `REPLICAOF`, from anybody. Who is told an address is shown to follow the name: runs differ in addresses. */
  command(host: string, primary: string | undefined): void {
    const redis = this.#find(host);
    const follows = this.#named(primary);
    const { fenced: _fenced, guarded: _guarded, ...rest } = redis;
    const since = redis.follows === follows ? redis.since : this.#time.now;
    this.#running.set(host, { ...rest, follows, since });
  }

  look(host: string): RedisState {
    const { since, certificate, fenced, guarded, ...redis } = this.#find(host);
    const follows = this.#named(redis.follows);
    // Nobody writes here: whoever follows has all.
    const shown = { offset: 0, ...(certificate === undefined ? {} : { certificate }) };
    if (follows === undefined)
      return {
        role: 'primary',
        ...(fenced === true ? { fenced } : {}),
        ...(guarded === true ? { guarded } : {}),
        ...this.#heardBy(host),
        ...shown,
      };
    return { role: 'replica', primaryHost: follows, inSync: this.#isInSync({ follows, since }), ...shown };
  }

  /** By its name, if one runs at that address by now: it may have been told before that one had started. */
  #named(primary: string | undefined): string | undefined {
    const found = [...this.#running].find(([, { address }]) => address !== undefined && address === primary);
    return found?.[0] ?? primary;
  }

  #isInSync({ follows: told, since }: Pick<SimRedis, 'follows' | 'since'>): boolean {
    const follows = this.#named(told);
    const primary = follows === undefined ? undefined : this.#running.get(follows);
    return (
      primary !== undefined &&
      primary.follows === undefined &&
      this.#time.now >= Math.max(since, primary.since) + SYNC_MS
    );
  }

  #heardBy(host: string): Pick<RedisState, 'heard'> {
    const replicas = [...this.#running].filter(
      ([name, redis]) =>
        this.#named(redis.follows) === host && !this.#outage.isDown(zoneAt(name)) && this.#isInSync(redis),
    );
    return replicas.length === 0 ? {} : { heard: replicas.length };
  }

  /** `given`: SHA-256 of the certificate that its pod's Secret has. */
  act(host: string, action: RedisAction, given: string | undefined): void {
    for (const listener of this.#listeners) listener(host, action.act);
    if (action.act === 'reload') this.#running.set(host, { ...this.#find(host), certificate: given });
    else if (action.act === 'fence') this.#running.set(host, { ...this.#find(host), fenced: true });
    else if (action.act === 'guard') this.#running.set(host, { ...this.#find(host), guarded: true });
    else this.command(host, action.act === 'promote' ? undefined : action.host);
  }

  #find(host: string): SimRedis {
    const redis = this.#running.get(host);
    if (redis === undefined) throw new Error(`connect ECONNREFUSED ${host}`);
    return redis;
  }
}

/** The zone of a Redis, by its host name. */
function zoneAt(host: string): string | undefined {
  return /-redis-([a-z0-9-]+)\./.exec(host)?.[1];
}

/** Redis as one process sees it. */
export function redisClient(
  redis: FakeRedis,
  { network, outage }: { network: Network; outage: ZoneOutage },
  process: SimProcess,
): RedisAdmin {
  const reach = (host: string): string => {
    if (outage.isDown(zoneAt(host))) throw new Error(`connect ETIMEDOUT ${host}`);
    return host;
  };
  return {
    look: ({ host }) =>
      network.call({ process, target: 'redis', verb: 'look', what: host, mutates: false }, () =>
        redis.look(reach(host)),
      ),
    act: ({ host, tls }, action) =>
      network.call({ process, target: 'redis', verb: action.act, what: host, mutates: true }, () =>
        redis.act(reach(host), action, inspectCertificate(tls?.cert)?.fingerprint),
      ),
  };
}
