/** A platform in a few numbers, for tests of the state machine: it does what it is told, unless it is made not to. */
import type { DrainState } from '@causeway/crds';
import type {
  Act,
  FailoverWish,
  GatewaySight,
  KafkaSight,
  Observed,
  PartitionSight,
  ZoneSight,
} from '../observed.ts';

interface ModelZone {
  name: string;
  /** Its nodes run, and it can be reached. */
  alive: boolean;
  /** It runs and does what it is told, and its stores' answers are lost. */
  silent: boolean;
  /** Its etcd answers, and takes no promotion. */
  stubborn: boolean;
  ready: number;
  pods: ModelPod[];
  etcd: { epoch: number; fenced: boolean; writable: boolean; revision: number };
  redis: {
    primary: boolean;
    fenced: boolean;
    guarded?: boolean;
    follows: string | undefined;
    offset: number;
  };
}

interface ModelPod {
  name: string;
  outBy?: string | undefined;
  told?: number | undefined;
  toldAt?: number | undefined;
  /** So many words to it are lost. */
  deaf?: number;
  /** The last one was; what it heard before that. */
  lost?: { told: number | undefined } | undefined;
  connections: number;
  sent: number;
}

/** A Drill of zone-a, changed by `spec`. */
export function wishFor(spec: Partial<FailoverWish['spec']> = {}): FailoverWish {
  const limits = { timeout: '60s', maxReplicationLag: 100, minReadyPerZone: 1 };
  return {
    name: 'drill',
    spec: { platform: 'orders', fromZone: 'zone-a', mode: 'Drill', limits, ...spec },
    deleted: false,
    automatic: false,
  };
}

/** Three zones with two gateways each; zone-a is home. */
export class Model {
  now = 1_000_000;
  readonly zones: ModelZone[];
  home = 'zone-a';
  epoch = 1;
  claim: string | undefined;
  away: { zone: string; failover: string; replicas?: number | undefined }[] = [];
  services = { redis: 'zone-a', etcd: 'zone-a' };
  replicas = 2;
  /** Broker n is in the n-th zone. */
  partitions: PartitionSight[] = [0, 1, 2, 3].map((partition) => {
    const replicas = [0, 1, 2].map((n) => 1 + ((partition + n) % 3));
    return {
      topic: 'orders.chat',
      partition,
      leader: replicas[0] ?? -1,
      replicas,
      isr: [1, 2, 3],
      settled: true,
    };
  });
  /** What must never be, and was. */
  readonly violations: string[] = [];
  /** All that was done, in order. */
  readonly done: Act[] = [];
  /** What is observed otherwise than the model has it. */
  change: Partial<Observed> = {};
  readonly #homes = new Map<number, string>();

  constructor() {
    this.zones = ['zone-a', 'zone-b', 'zone-c'].map((name) => {
      const isHome = name === this.home;
      return {
        name,
        alive: true,
        silent: false,
        stubborn: false,
        ready: 2,
        pods: [1, 2].map((n) => ({ name: `${name}-${n}`, connections: 100, sent: 0 })),
        etcd: { epoch: 1, fenced: false, writable: isHome, revision: 50 },
        redis: { primary: isHome, fenced: false, follows: isHome ? undefined : this.home, offset: 500 },
      };
    });
  }

  zone(name: string): ModelZone {
    const found = this.zones.find((zone) => zone.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  observe(): Observed {
    return {
      now: this.now,
      counted: true,
      zones: this.zones.map((zone) => this.#sight(zone)),
      home: this.home,
      epoch: this.epoch,
      claim: this.claim,
      away: this.away,
      ahead: undefined,
      emergency: undefined,
      emergencyZones: [],
      rotation: false,
      platformPaused: false,
      replicasPerZone: this.replicas,
      drainPerSecond: 100,
      connectionsPerReplica: 1_000,
      moves: { redis: true, etcd: true },
      services: this.services,
      kafka: this.#kafka(),
      ...this.change,
    };
  }

  /** As a failover of zone-a sees it. */
  #kafka(): KafkaSight {
    const racks = new Map(this.zones.map(({ name }, index) => [index + 1, name]));
    return {
      racks,
      partitions: this.partitions,
      atRisk: [],
      led: this.partitions.filter((one) => one.leader === 1).length,
    };
  }

  /** Time passes: what was told takes effect, followers catch up, clients come to those who serve. */
  tick(ms = 200): void {
    this.now += ms;
    for (const zone of this.zones) {
      if (!zone.alive) continue;
      zone.ready = zone.pods.filter((pod) => heardBy(pod) === undefined).length;
      for (const pod of zone.pods) {
        const gone = Math.min(pod.connections, Math.ceil(((heardBy(pod) ?? 0) * ms) / 1_000));
        pod.connections -= gone;
        pod.sent += gone;
      }
      this.#follow(zone);
      this.#scale(zone);
    }
  }

  /** Does each, in order, up to the first whose zone does not answer. One that is silent does it all the same. */
  performAll(acts: readonly Act[]): void {
    for (const act of acts) {
      const stores: readonly Act['act'][] = [
        'fenceEtcd',
        'promoteEtcd',
        'fenceRedis',
        'promoteRedis',
        'followRedis',
        'guardRedis',
      ];
      const told = 'zone' in act && stores.includes(act.act) ? this.zone(act.zone) : undefined;
      if (told?.alive === false || (act.act === 'promoteEtcd' && told?.stubborn === true)) return;
      this.#perform(act);
      if (told?.silent === true) return;
    }
  }

  #perform(act: Act): void {
    this.done.push(act);
    switch (act.act) {
      case 'claim':
        this.claim ??= 'drill';
        return;
      case 'takeOut':
        this.away = [{ zone: act.zone, failover: 'drill', replicas: act.replicas }];
        return;
      case 'takeIn':
        this.away = [];
        return;
      case 'moveHome':
        this.#moveHome(act.zone, act.epoch);
        return;
      case 'shift':
        this.services = { redis: this.home, etcd: this.home };
        return;
      case 'outOfService':
        for (const { name } of act.pods) this.#pod(name).outBy = 'drill';
        return;
      case 'drain':
        for (const { pod, perSecond } of act.pods) this.#tellPod(this.#pod(pod.name), perSecond);
        return;
      case 'intoService':
        for (const { name } of act.pods) {
          const pod = this.#pod(name);
          pod.outBy = undefined;
          this.#tellPod(pod, undefined);
        }
        return;
      case 'orderReplicas':
      case 'electLeaders':
        this.#tellKafka(act);
        return;
      default:
        this.#tellStore(act);
    }
  }

  /** It goes, and with it all that nobody else has. */
  kill(name: string): void {
    const zone = this.zone(name);
    zone.alive = false;
    zone.ready = 0;
  }

  revive(name: string): void {
    Object.assign(this.zone(name), { alive: true, silent: false });
  }

  silence(name: string): void {
    this.zone(name).silent = true;
  }

  /** Zones that take writes, of those that answer. */
  writers(): string[] {
    return this.zones.filter(({ alive, etcd }) => alive && etcd.writable).map(({ name }) => name);
  }

  #pod(name: string): ModelPod {
    const pod = this.zones.flatMap(({ pods }) => pods).find((one) => one.name === name);
    if (pod === undefined) throw new Error(`there is no pod ${name}`);
    return pod;
  }

  #tellPod(pod: ModelPod, told: number | undefined): void {
    const { deaf = 0 } = pod;
    pod.lost = deaf > 0 ? { told: heardBy(pod) } : undefined;
    Object.assign(pod, { told, toldAt: this.now, deaf: Math.max(0, deaf - 1) });
  }

  #moveHome(zone: string, epoch: number): void {
    if (epoch < this.epoch) this.violations.push(`the epoch fell from ${this.epoch} to ${epoch}`);
    if (epoch <= this.epoch && zone !== this.home)
      this.violations.push(`${zone} became home in the epoch of ${this.home}`);
    this.home = zone;
    this.epoch = epoch;
  }

  #tellKafka(act: Extract<Act, { act: 'orderReplicas' | 'electLeaders' }>): void {
    const names = act.act === 'orderReplicas' ? act.orders : act.partitions;
    this.partitions = this.partitions.map((one) => {
      if (!names.some(({ partition }) => partition === one.partition)) return one;
      if (act.act === 'electLeaders') return { ...one, leader: one.replicas[0] ?? -1 };
      const { replicas = [] } = act.orders.find(({ partition }) => partition === one.partition) ?? {};
      if (sorted(replicas) !== sorted(one.replicas))
        this.violations.push(`partition ${one.partition} was to move to ${replicas.join()}`);
      return { ...one, replicas };
    });
  }

  #tellStore(act: Extract<Act, { zone: string }>): void {
    const zone = this.zone(act.zone);
    if (act.act === 'fenceEtcd') {
      zone.etcd = {
        ...zone.etcd,
        epoch: Math.max(zone.etcd.epoch, act.epoch),
        fenced: true,
        writable: false,
      };
    } else if (act.act === 'promoteEtcd') this.#promote(zone, act.epoch);
    else if (act.act === 'fenceRedis') zone.redis.fenced = true;
    else if (act.act === 'guardRedis') zone.redis.guarded = true;
    else if (act.act === 'promoteRedis') this.#promoteRedis(zone);
    else if (act.act === 'followRedis')
      zone.redis = { ...zone.redis, primary: false, fenced: false, guarded: false, follows: act.home };
  }

  #promote(zone: ModelZone, epoch: number): void {
    const other = this.writers().find((name) => name !== zone.name);
    if (other !== undefined) this.violations.push(`${zone.name} was promoted while ${other} took writes`);
    const before = this.#homes.get(epoch) ?? zone.name;
    if (before !== zone.name)
      this.violations.push(`${zone.name} was promoted in epoch ${epoch}, as ${before} was`);
    this.#homes.set(epoch, zone.name);
    zone.etcd = { ...zone.etcd, epoch: Math.max(zone.etcd.epoch, epoch), fenced: false, writable: true };
  }

  #promoteRedis(zone: ModelZone): void {
    const other = this.zones.find(
      ({ name, alive, redis }) => name !== zone.name && alive && redis.primary && !redis.fenced,
    );
    if (other !== undefined)
      this.violations.push(`the Redis of ${zone.name} was promoted while that of ${other.name} took writes`);
    zone.redis = { ...zone.redis, primary: true, fenced: false, guarded: false, follows: undefined };
  }

  #follow(zone: ModelZone): void {
    const home = this.zone(this.home);
    if (zone === home || !home.alive) return;
    zone.etcd.revision = home.etcd.revision;
    // A fence stays until the zone is promoted again.
    zone.etcd.epoch = Math.max(zone.etcd.epoch, this.epoch);
    if (!zone.redis.primary) zone.redis.offset = home.redis.offset;
  }

  #isHeard(name: string): boolean {
    return this.zones.some(({ alive, redis }) => alive && !redis.primary && redis.follows === name);
  }

  #scale(zone: ModelZone): void {
    const wanted = Math.max(
      this.replicas,
      ...this.away.filter((one) => one.zone !== zone.name).map(({ replicas }) => replicas ?? 0),
    );
    while (zone.pods.length < wanted)
      zone.pods.push({ name: `${zone.name}-${zone.pods.length + 1}`, connections: 0, sent: 0 });
    zone.pods.length = Math.min(zone.pods.length, wanted);
  }

  #sight(zone: ModelZone): ZoneSight {
    const { name, alive, ready, pods, etcd, redis } = zone;
    const sight = {
      name,
      nodes: alive ? 1 : 0,
      ready,
      desired: this.replicas,
      pods: pods.map((pod) => podSight(pod, zone)),
      etcdRuns: alive,
    };
    if (!alive || zone.silent) return { ...sight, etcd: undefined, redis: undefined };
    const home = this.zone(this.home);
    const isFollower = name !== this.home;
    return {
      ...sight,
      etcd: {
        epoch: etcd.epoch,
        fenced: etcd.fenced,
        behind: isFollower && home.alive ? home.etcd.revision - etcd.revision : undefined,
        holds: isFollower ? { epoch: etcd.epoch, revision: etcd.revision } : undefined,
      },
      redis: {
        role: redis.primary ? 'primary' : 'replica',
        fenced: redis.fenced,
        unguarded: redis.primary && !redis.fenced && redis.guarded !== true && this.#isHeard(name),
        inSync: !redis.primary && redis.follows === this.home && home.alive,
        follows: redis.follows,
        offset: redis.offset,
      },
    };
  }
}

/** What it was told, as far as that came to it. */
function heardBy({ told, lost }: ModelPod): number | undefined {
  return lost === undefined ? told : lost.told;
}

function podSight(pod: ModelPod, { alive }: ModelZone): GatewaySight {
  const { name, outBy, told, toldAt, connections, sent } = pod;
  const isServing = heardBy(pod) === undefined;
  const phase: DrainState['phase'] = isServing ? 'Serving' : connections > 0 ? 'Draining' : 'Drained';
  return {
    name,
    uid: name,
    ready: alive && isServing,
    outBy,
    told,
    toldAt,
    drain: alive ? { phase, connections, sent } : undefined,
  };
}

function sorted(ids: readonly number[]): string {
  return ids.toSorted((a, b) => a - b).join();
}
