/** The whole simulated world: the cluster, Kafka, Redis, and the operators that run in it. */
import { readFileSync } from 'node:fs';
import { ZONE_TOPOLOGY_LABEL } from '@causeway/crds';
import { parseAllDocuments } from 'yaml';
import { EngineMetrics } from '../controller/metrics.ts';
import type { KubeObject, ObjectRef } from '../controller/kube-api.ts';
import { createOperator, type Operator, type OperatorOptions } from '../operator.ts';
import { KIND } from '../platform/kinds.ts';
import type { Images, MessagePlatform } from '../platform/types.ts';
import { etcdClient, FakeEtcd } from './fake-etcd.ts';
import { fakeGateways } from './fake-gateways.ts';
import { FakeKafka, kafkaClient, type SimTopic } from './fake-kafka.ts';
import { FakeKube, type KubeSnapshot } from './fake-kube.ts';
import { fakeProbe, fakeReplication } from './fake-probe.ts';
import { FakeRedis, redisClient, type SimRedis } from './fake-redis.ts';
import { checkOwnDeletion, Invariants } from './invariants.ts';
import { kubeClient, type WatchFaults } from './kube-client.ts';
import { Kubelets } from './kubelets.ts';
import { calm, Network, type FaultPlan } from './network.ts';
import { Random } from './random.ts';
import { SimProcess } from './sim-process.ts';
import { simIssuer } from './sim-issuer.ts';
import { Trace } from './trace.ts';
import { traceLogger } from './trace-logger.ts';
import { VirtualTime } from './virtual-time.ts';
import type { WatchPipe } from './watch-pipe.ts';
import { ZoneOutage } from './zone-outage.ts';

/** Midday of a day in 2026, milliseconds since the epoch. */
const START = Date.UTC(2026, 10, 23, 12);
/** Time between two looks of the operator at Kafka and Redis, milliseconds. */
const RESYNC_MS = 60_000;
/** Time from the death of an operator to the start of the next, milliseconds. */
const RESTART_MS = 3_000;

const IMAGES: Images = {
  gatewayBun: 'causeway/gateway:bun',
  gatewayNode: 'causeway/gateway:node',
  redis: 'redis:7',
  etcd: 'etcd:3.6',
};

export const NAMESPACE = 'messaging';
/** The platform of every scenario. */
export const PLATFORM: ObjectRef = { namespace: NAMESPACE, name: 'orders' };

/** A world at rest, to begin others with. */
export interface WorldSnapshot {
  now: number;
  kube: KubeSnapshot;
  topics: ReadonlyMap<string, SimTopic>;
  redis: ReadonlyMap<string, SimRedis>;
  issued: number;
  pods: number;
}

export interface WorldOptions {
  from?: WorldSnapshot;
  seed?: number | string;
  plan?: FaultPlan;
  watches?: WatchFaults;
  /** Operators that run beside each other, and elect a leader; 1: one alone, without an election. */
  operators?: number;
  trace?: boolean;
  /** What an operator has in place of the simulation's: real servers, say. Called for each that starts. */
  instead?: (process: SimProcess) => Partial<OperatorOptions>;
}

const promptWatches: WatchFaults = { delayMs: () => 2 };

export class World {
  readonly time: VirtualTime;
  readonly kube: FakeKube;
  readonly kafka: FakeKafka;
  readonly redis: FakeRedis;
  readonly etcd: FakeEtcd;
  /** Zones that are away. */
  readonly outage: ZoneOutage;
  readonly network: Network;
  readonly trace: Trace;
  readonly invariants: Invariants;
  /** Watches that are open, and some that are not any more. */
  readonly watches = new Set<WatchPipe>();
  /** Operators that run. */
  readonly operators = new Set<SimProcess>();
  readonly #kubelets: Kubelets;
  readonly #issuer: ReturnType<typeof simIssuer>;
  readonly #random: Random;
  readonly #watchFaults: WatchFaults;
  readonly #problems: string[] = [];
  readonly #elects: boolean;
  readonly #instead: WorldOptions['instead'];
  #started = 0;

  constructor(options: WorldOptions = {}) {
    const { from } = options;
    this.time = new VirtualTime(from?.now ?? START);
    this.outage = new ZoneOutage(this.time);
    this.trace = new Trace(this.time, options.trace === true);
    this.#random = new Random(options.seed ?? 0);
    this.kube = new FakeKube(this.time, from?.kube);
    this.kafka = new FakeKafka(3, from?.topics);
    this.redis = new FakeRedis(this.time, from?.redis, this.outage);
    this.etcd = new FakeEtcd(this.kube, this.outage);
    this.network = new Network(this.time, options.plan ?? calm, this.trace);
    this.invariants = new Invariants(this);
    this.#kubelets = new Kubelets(
      this.time,
      { kube: this.kube, redis: this.redis, outage: this.outage },
      from?.pods,
    );
    this.#issuer = simIssuer(this.time, from?.issued);
    this.#watchFaults = options.watches ?? promptWatches;
    this.#elects = (options.operators ?? 1) > 1;
    this.#instead = options.instead;
  }

  snapshot(): WorldSnapshot {
    return {
      now: this.time.now,
      kube: this.kube.snapshot(),
      topics: this.kafka.snapshot(),
      redis: this.redis.snapshot(),
      issued: this.#issuer.count,
      pods: this.#kubelets.podsMade,
    };
  }

  /** Since when a gateway is told to be empty, by UID; milliseconds since the epoch. */
  toldSince(uid: string | undefined): number | undefined {
    return this.#kubelets.toldSince(uid);
  }

  /** What must not have happened, and did. */
  get violations(): string[] {
    return [...this.#problems, ...this.invariants.violations];
  }

  get platform(): MessagePlatform | undefined {
    return this.kube.get(KIND.platform, PLATFORM) as MessagePlatform | undefined;
  }

  /** Starts an operator; when it dies, or stops leading, another one is started in its place. */
  startOperator(): void {
    this.#started += 1;
    const name = `operator-${this.#started}`;
    const operatorProcess = new SimProcess(name, this.time, this.#random.fork(name));
    this.operators.add(operatorProcess);
    this.trace.add(() => `${name} starts`);
    const operator = createOperator({
      api: this.#guarded(operatorProcess),
      kafka: kafkaClient(this.kafka, this.network, operatorProcess),
      redis: redisClient(this.redis, this, operatorProcess),
      etcd: etcdClient(this.etcd, this.network, operatorProcess),
      gateways: fakeGateways(this, this.network, operatorProcess),
      probe: fakeProbe(this, this.network, operatorProcess),
      replication: fakeReplication(this, this.network, operatorProcess),
      images: IMAGES,
      namespaces: [],
      concurrency: 4,
      resyncMs: RESYNC_MS,
      lease: this.#elects ? { namespace: 'causeway-system', name: 'causeway-operator' } : undefined,
      identity: name,
      log: traceLogger(this.trace, name),
      metrics: new EngineMetrics(),
      clock: operatorProcess.clock,
      issuer: this.#issuer,
      ...this.#instead?.(operatorProcess),
    });
    void this.#live(operatorProcess, operator);
    this.#watchOver(operatorProcess);
  }

  /** Runs an operator until it ends by itself, as one does that is not the leader any more. */
  async #live(operatorProcess: SimProcess, operator: Operator): Promise<void> {
    const { name } = operatorProcess;
    try {
      const end = await operator.run(new AbortController().signal);
      this.trace.add(() => `${name} ended: ${end}`);
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#problems.push(`${name} ended with an error: ${what}`);
    }
    operatorProcess.kill();
  }

  #watchOver(operatorProcess: SimProcess): void {
    this.time.after(500, () => {
      if (operatorProcess.alive) {
        this.#watchOver(operatorProcess);
        return;
      }
      this.operators.delete(operatorProcess);
      this.time.after(RESTART_MS, () => this.startOperator());
    });
  }

  #guarded(operatorProcess: SimProcess): ReturnType<typeof kubeClient> {
    const client = kubeClient({
      kube: this.kube,
      network: this.network,
      time: this.time,
      process: operatorProcess,
      watches: this.#watchFaults,
      opened: (pipe) => {
        for (const other of this.watches) if (!other.isOpen) this.watches.delete(other);
        this.watches.add(pipe);
      },
      deleting: (target) => {
        const problem = checkOwnDeletion(target);
        if (problem !== undefined) this.#problems.push(problem);
      },
    });
    return client;
  }
}

/** The manifests that a new user begins with: the platform and its Secret, as they are in examples/. */
function example(): KubeObject[] {
  const file = new URL('../../../examples/orders.yaml', import.meta.url);
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as KubeObject);
}

const USER = { manager: 'kubectl' };

/** A cluster with a node in each of four zones and the platform's Secret, and nothing of Causeway. */
export function emptyWorld(options: WorldOptions = {}): World {
  const world = new World(options);
  for (const zone of ['zone-a', 'zone-b', 'zone-c', 'zone-d']) {
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${zone}`, labels: { [ZONE_TOPOLOGY_LABEL]: zone } },
    };
    world.kube.create(KIND.node, node, USER);
    const status = { conditions: [{ type: 'Ready', status: 'True' }] };
    world.kube.edit(KIND.node, { name: node.metadata.name }, (object) => ({ ...object, status }), {
      ...USER,
      subresource: 'status',
    });
  }
  const jwt = example().find(({ kind }) => kind === 'Secret');
  const { stringData, ...secret } = jwt as KubeObject & { stringData: Record<string, string> };
  const data = Object.fromEntries(
    Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  world.kube.create(KIND.secret, { ...secret, data } as KubeObject, USER);
  return world;
}

/** The user applies the example, changed by `change`. */
export function createPlatform(
  world: World,
  change: (spec: MessagePlatform['spec']) => void = () => undefined,
): void {
  const platform = example().find(({ kind }) => kind === 'MessagePlatform') as MessagePlatform;
  change(platform.spec);
  world.kube.create(KIND.platform, platform, USER);
}

/** The user changes the platform's spec. */
export function editPlatform(world: World, change: (spec: MessagePlatform['spec']) => void): void {
  world.kube.edit(
    KIND.platform,
    PLATFORM,
    (object) => {
      const edited = structuredClone(object);
      change(edited.spec as MessagePlatform['spec']);
      return edited;
    },
    USER,
  );
}
