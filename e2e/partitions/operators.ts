/**
 * The whole operator on a simulated cluster, in real time, with real etcds and Redis: its controllers, its state machine
 * and its admin code are the ones that run in a cluster.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { COMPONENT, LABEL, objectName } from '@causeway/crds';
import type { ReplicationState } from '@causeway/crds';
import { FAILOVER_KIND, isOver } from '../../operator/src/failover/index.ts';
import type { FailoverObject } from '../../operator/src/failover/index.ts';
import type { Phase } from '../../operator/src/failover/state.ts';
import { etcdAdmin } from '../../operator/src/platform/etcd-admin.ts';
import type { EtcdAdmins } from '../../operator/src/platform/etcd-admin.ts';
import { applicationUser } from '../../operator/src/platform/etcd-roles.ts';
import { KIND } from '../../operator/src/platform/kinds.ts';
import type { RedisState } from '../../operator/src/platform/redis.ts';
import { redisAdmin } from '../../operator/src/platform/redis-admin.ts';
import type { RedisAdmin } from '../../operator/src/platform/redis-admin.ts';
import { homeOf } from '../../operator/src/platform/types.ts';
import type { MessagePlatform } from '../../operator/src/platform/types.ts';
import { fakeGateways } from '../../operator/src/sim/fake-gateways.ts';
import { isReady } from '../../operator/src/sim/scenarios.ts';
import type { SimProcess } from '../../operator/src/sim/sim-process.ts';
import { onceIn } from '../../operator/src/sim/turns.ts';
import { createPlatform, emptyWorld, NAMESPACE, PLATFORM, World } from '../../operator/src/sim/world.ts';
import type { WorldOptions, WorldSnapshot } from '../../operator/src/sim/world.ts';
import { addressIn, ZONES } from './network.ts';
import type { Network, Zone } from './network.ts';
import type { Stores } from './stores.ts';

type Instead = ReturnType<NonNullable<WorldOptions['instead']>>;

/** As the command line has it by default, milliseconds. */
const RESYNC_MS = 10_000;
/** How often simulated time catches up with real time, milliseconds. */
const TICK_MS = 5;
/** Simulated, in a platform's begin: no write for so long, and at most so long altogether; milliseconds. */
const QUIET_MS = 8_000;
const PATIENCE_MS = 20 * 60_000;

let base: Promise<WorldSnapshot> | undefined;

/** A cluster with a platform that is ready, made in simulated time, once. */
async function makeBase(): Promise<WorldSnapshot> {
  const world = emptyWorld();
  createPlatform(world);
  world.startOperator();
  const rests = (): boolean => isReady(world) && world.time.now - world.network.lastWrite >= QUIET_MS;
  if (!(await world.time.run(rests, world.time.now + PATIENCE_MS)))
    throw new Error('the platform to begin with is not ready');
  return world.snapshot();
}

interface Parts {
  stores: Stores;
  network: Network;
  /** What the replicator of a zone says; undefined: there is none. */
  replication: (zone: Zone) => ReplicationState | undefined;
}

export class Cluster {
  readonly #world: World;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;

  private constructor(world: World) {
    this.#world = world;
    this.#running = this.#run();
    this.#running.catch(() => undefined);
    world.startOperator();
  }

  static async start(parts: Parts): Promise<Cluster> {
    base ??= makeBase();
    let started = 0;
    const world: World = new World({
      from: await base,
      trace: true,
      instead: (process) => insteadOf(parts, world, { process, n: (started += 1) }),
    });
    return new Cluster(world);
  }

  get home(): Zone {
    return homeOf(this.#platform) as Zone;
  }

  /** What the operators did, line by line. */
  get trace(): readonly string[] {
    return this.#world.trace.lines;
  }

  /** What the simulated cluster saw that must not be. */
  get violations(): readonly string[] {
    return this.#world.violations;
  }

  configMap(name: string): string | undefined {
    const map = this.#world.kube.get(KIND.configMap, { namespace: NAMESPACE, name });
    return (map as { data?: Record<string, string> } | undefined)?.data?.['replicator.json'];
  }

  /** Somebody asks for a failover. */
  ask(name: string, spec: Omit<FailoverObject['spec'], 'platform'>): void {
    const { apiVersion, kind } = FAILOVER_KIND;
    const failover = {
      apiVersion,
      kind,
      metadata: { namespace: NAMESPACE, name },
      spec: { platform: PLATFORM.name, ...spec },
    };
    this.#world.kube.create(FAILOVER_KIND, failover, { manager: 'kubectl' });
  }

  /** Somebody changes what a failover is asked for. */
  change(name: string, spec: Pick<FailoverObject['spec'], 'pause' | 'abort'>): void {
    this.#world.kube.patch(FAILOVER_KIND, { namespace: NAMESPACE, name }, { spec }, { manager: 'kubectl' });
  }

  /** Calls `act` once, when a failover enters that phase. */
  onceIn(phase: Phase, act: () => void): void {
    onceIn(this.#world, phase, act);
  }

  failover(name: string): FailoverObject['status'] {
    const found = this.#world.kube.get(FAILOVER_KIND, { namespace: NAMESPACE, name });
    return (found as FailoverObject | undefined)?.status;
  }

  /** Why it is not at rest; undefined: no failover is under way, nothing is held, and the platform is ready. */
  unrest(): string | undefined {
    const open = this.#world.kube
      .all(FAILOVER_KIND)
      .map(({ object }) => object as FailoverObject)
      .find(({ status }) => status?.phase === undefined || !isOver(status.phase) || status.holds === true);
    if (open !== undefined)
      return `${open.metadata.name} is in ${open.status?.phase}: ${open.status?.message ?? ''}`;
    if (this.#platform.status?.failover !== undefined) return 'the platform is claimed';
    if (isReady(this.#world)) return undefined;
    const ready = this.#platform.status?.conditions?.find(({ type }) => type === 'Ready');
    return `the platform is not ready: ${ready?.message ?? 'it does not say why'}`;
  }

  /** The operator dies wherever it is, and another one starts a few seconds later. */
  kill(): void {
    this.#world.trace.add(() => 'the operator dies');
    for (const operator of this.#world.operators) operator.kill();
  }

  async stop(): Promise<void> {
    this.kill();
    this.#ending.abort();
    await this.#running;
  }

  get #platform(): MessagePlatform {
    const { platform } = this.#world;
    if (platform === undefined) throw new Error('the platform is gone');
    return platform;
  }

  /** Lets simulated time pass as real time does. */
  async #run(): Promise<void> {
    const { time } = this.#world;
    const [start, began] = [time.now, performance.now()];
    while (!this.#ending.signal.aborted) {
      await time.run(() => false, start + Math.floor(performance.now() - began));
      await delay(TICK_MS);
    }
  }
}

/** What an operator has in place of the simulation's. */
function insteadOf(
  { stores, network, replication }: Parts,
  world: World,
  { process, n }: { process: SimProcess; n: number },
): Instead {
  const zoneAt = (component: string, address: string): Zone | undefined => {
    const pod = world.kube.all(KIND.pod).find(({ object }) => {
      const { status, metadata } = object as typeof object & { status?: { podIP?: string } };
      return status?.podIP === address && metadata.labels?.[LABEL.component] === component;
    });
    return pod?.object.metadata.labels?.[LABEL.zone] as Zone | undefined;
  };
  const replicated: NonNullable<Instead['replication']> = (host) =>
    through(process, async () => {
      const zone = zoneAt(COMPONENT.replicator, host);
      const state = zone === undefined || network.isHidden(zone) ? undefined : replication(zone);
      if (state === undefined) throw new Error(`connect ETIMEDOUT replicator of ${zone ?? host}`);
      return state;
    });
  const gateways = fakeGateways(world, world.network, process);
  return {
    etcd: etcdsOf(stores, network, { process, n }),
    redis: redisOf(network, (address) => zoneAt(COMPONENT.redis, address), { process, n }),
    replication: replicated,
    gateways: { ...gateways, replication: (host) => replicated(host) },
    resyncMs: RESYNC_MS,
  };
}

/** A call to a real server. A process that is dead, or stands still, does not hear of the answer. */
function through<T>(process: SimProcess, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!process.alive) return;
    work().then(
      (value) => process.deliver(() => resolve(value)),
      (error: Error) => process.deliver(() => reject(error)),
    );
  });
}

function etcdsOf(
  stores: Stores,
  network: Network,
  { process, n }: { process: SimProcess; n: number },
): EtcdAdmins {
  const admin = etcdAdmin({
    access: (zone) => ({
      endpoints: [`https://127.0.0.1:${network.operatorPort(n, zone as Zone, 'etcd')}`],
      ...stores.pem('orders inner'),
      onRequest: () => {
        // What it had begun ends with it, between any two requests.
        if (!process.alive) throw new Error('this operator is dead');
      },
    }),
    applications: applicationUser(PLATFORM.name),
  });
  return () => ({
    state: (zone) => through(process, () => admin.state(zone)),
    fence: (...order) => through(process, () => admin.fence(...order)),
    promote: (...order) => through(process, () => admin.promote(...order)),
  });
}

const REDIS_HOSTS = new Map(
  ZONES.map((zone) => [`${objectName.zoneRedis(PLATFORM.name, zone)}.${NAMESPACE}.svc`, zone]),
);

/** A Redis is known by its name, or by its pod's address. */
function redisOf(
  network: Network,
  zoneAt: (address: string) => Zone | undefined,
  { process, n }: { process: SimProcess; n: number },
): RedisAdmin {
  const zoneOfRedis = (host: string): Zone => {
    const zone = REDIS_HOSTS.get(host) ?? zoneAt(host);
    if (zone === undefined) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
    return zone;
  };
  const at = (host: string): { host: string; port: number } => ({
    host: '127.0.0.1',
    port: network.operatorPort(n, zoneOfRedis(host), 'redis'),
  });
  return {
    look: ({ host }) => through(process, async () => byName(await redisAdmin.look(at(host)))),
    act: ({ host }, action) =>
      through(process, () => {
        if (action.act !== 'follow') return redisAdmin.act(at(host), action);
        const [from, to] = [zoneOfRedis(host), zoneOfRedis(action.host)];
        const way = { host: addressIn(to), port: network.zonePort(from, to, 'redis') };
        return redisAdmin.act(at(host), { ...action, ...way });
      }),
  };
}

/** Whom it follows, by the name that the operator knows. */
function byName(state: RedisState): RedisState {
  const [name] = [...REDIS_HOSTS].find(([, zone]) => addressIn(zone) === state.primaryHost) ?? [];
  return name === undefined ? state : { ...state, primaryHost: name };
}
