/** Puts the operator together from its parts. The only place that knows them all. */
import { LABEL, type MessagePlatform } from '@causeway/crds';
import { podProbe, x509Issuer, type CertificateIssuer, type PodProbe } from './certificates/index.ts';
import {
  ApiEventRecorder,
  Applier,
  Controller,
  Informer,
  KeyedLock,
  LeaderElector,
  recordWrites,
  refOf,
  systemClock,
  WriteLedger,
  type Clock,
  type ControllerOptions,
  type ElectionEnd,
  type EngineMetrics,
  type InformerSet,
  type KubeApi,
  type KubeObject,
  type Logger,
  type ObjectRef,
} from './controller/index.ts';
import {
  automaticMetrics,
  automaticReconciler,
  FAILOVER_KIND,
  failoverMetrics,
  failoverReconciler,
  isMovingHome,
  isOver,
  stateOf,
  type FailoverObject,
} from './failover/index.ts';
import { leaderPlace } from './leader-place.ts';
import {
  automaticPorts,
  etcdAdmins,
  failoverPorts,
  fencedEtcd,
  fencedKafka,
  fencedRedis,
  gatewayProbe,
  platformCache,
  platformInformers,
  KIND,
  mirrorReconciler,
  MirrorSights,
  platformReconciler,
  registerPlatformMetrics,
  replicationProbe,
  rotationMetrics,
  schedulePorts,
  SilenceMemory,
  watchPlatforms,
  type EtcdAdmins,
  type GatewayProbe,
  type Images,
  type KafkaAdmin,
  type RedisAdmin,
  type ReplicationProbe,
} from './platform/index.ts';
import {
  isDrillName,
  SCHEDULE_KIND,
  scheduleMetrics,
  scheduleReconciler,
  type ScheduleObject,
} from './schedules/index.ts';

export interface OperatorOptions {
  /** `fencedBy`: the same API, whose writes are refused once that wall time has passed. */
  api: KubeApi & { fencedBy(fence: () => number): KubeApi };
  kafka: KafkaAdmin;
  redis: RedisAdmin;
  /** Default: real etcds. */
  etcd?: EtcdAdmins;
  /** For failovers, whose looks and acts follow each other at once. Default: the two above. */
  moving?: { redis: RedisAdmin; etcd: EtcdAdmins };
  images: Images;
  /** Empty: all. */
  namespaces: readonly string[];
  /** Platforms that are reconciled at the same time. */
  concurrency: number;
  /** Time between two looks at Kafka and Redis, milliseconds. */
  resyncMs: number;
  /** Undefined: nobody else runs, and no lease is waited for. */
  lease: ObjectRef | undefined;
  /** Unique for each process that ever runs. */
  identity: string;
  /** Name of the node that it runs on. Default: not known, and then it leads wherever it is. */
  node?: string | undefined;
  log: Logger;
  metrics: EngineMetrics;
  /** Default: the machine's. */
  clock?: Clock;
  /** Default: real certificates. */
  issuer?: CertificateIssuer;
  /** Default: real TLS. */
  probe?: PodProbe;
  /** Default: real replicators. */
  replication?: ReplicationProbe;
  /** Default: the pods' admin endpoints. */
  gateways?: GatewayProbe;
}

export interface Operator {
  informers: InformerSet;
  /** Runs until `stop` aborts, the leadership is lost, or it went to a process in a better place. */
  run(stop: AbortSignal): Promise<ElectionEnd>;
}

/**
 * Of the leadership. The usual 15, 10 and 2 s are most of an outage whose zone has the leader: it is not noticed before another one
 * leads. An API server that does not answer for six seconds costs the leadership, and that costs a restart: no act is half done.
 */
const TERM = { leaseDurationMs: 8_000, renewDeadlineMs: 6_000, retryPeriodMs: 1_000 };

/** An operator that is ready to run. It writes only while it leads. */
export function createOperator(options: OperatorOptions): Operator {
  const { api, log, metrics, namespaces } = options;
  const clock = options.clock ?? systemClock;
  const informers = platformInformers({ api, clock, log, metrics, namespaces });
  const failovers = informers.add(
    new Informer<FailoverObject>({ api, clock, log, metrics, kind: FAILOVER_KIND, namespaces }),
  );
  const schedules = informers.add(
    new Informer<ScheduleObject>({ api, clock, log, metrics, kind: SCHEDULE_KIND, namespaces }),
  );
  const elector = electorOf(options, informers, failovers);
  const fenced = elector === undefined ? api : api.fencedBy(() => elector.fence());
  const mayAct = (): boolean => elector?.isLeader ?? true;
  const ledger = new WriteLedger(informers);
  const kube = recordWrites(fenced, ledger);
  const events = new ApiEventRecorder({
    api: fenced,
    clock,
    controller: 'causeway.dev/operator',
    instance: options.identity,
    log,
    metrics,
  });
  const rotations = rotationMetrics(metrics.registry);
  const world = {
    clock,
    kube,
    cache: platformCache(informers, ledger),
    applier: new Applier({ api: kube, cache: informers, events, log, metrics }),
    events,
    kafka: fencedKafka(options.kafka, mayAct),
    redis: fencedRedis(options.redis, mayAct),
    etcd: fencedEtcd(options.etcd ?? etcdAdmins, mayAct),
    homes: new KeyedLock(),
    isMoving: movedBy(failovers, clock),
    issuer: options.issuer ?? x509Issuer,
    probe: rotations.counted(options.probe ?? podProbe),
    replication: options.replication ?? replicationProbe,
    gateways: options.gateways ?? gatewayProbe,
    rotations,
    images: options.images,
    resyncMs: options.resyncMs,
  };
  const engine = { clock, log, metrics, concurrency: options.concurrency };
  const platforms = new Controller({
    ...engine,
    name: 'messageplatform',
    reconcile: platformReconciler(world),
  });
  watchPlatforms(platforms, informers);
  registerPlatformMetrics(metrics.registry, () => informers.find(KIND.platform)?.list() ?? []);
  const moving = { ...world, ...storesOfMoves(options, mayAct) };
  const beside = controllersBeside({ world, moving }, { engine, informers, ledger, failovers, schedules });

  const runAll = async (end: AbortSignal, lost?: AbortSignal): Promise<boolean> => {
    const ended = await Promise.all([platforms, ...beside].map((controller) => controller.run(end, lost)));
    return ended.every(Boolean);
  };

  return {
    informers,
    run: async (stop) => {
      const background = new AbortController();
      const running = [informers.run(background.signal), events.run(background.signal)];
      try {
        if (elector !== undefined) {
          return await elector.run(stop, (signals) => runAll(signals.stop, signals.lost));
        }
        await runAll(stop);
        return 'stopped';
      } finally {
        background.abort();
        await Promise.all(running);
      }
    },
  };
}

function electorOf(
  { api, clock = systemClock, lease, identity, node, log, metrics }: OperatorOptions,
  informers: InformerSet,
  failovers: Informer<FailoverObject>,
): LeaderElector | undefined {
  if (lease === undefined) return undefined;
  const place = leaderPlace({
    hasSynced: () => informers.hasSynced,
    node: () => (node === undefined ? undefined : informers.get(KIND.node, { name: node })),
    platforms: () => (informers.find(KIND.platform)?.list() ?? []) as MessagePlatform[],
    failovers: () => failovers.list(),
  });
  return new LeaderElector({ api, clock, lease, identity, place, log, metrics, ...TERM });
}

function storesOfMoves(
  { moving, redis, etcd = etcdAdmins }: OperatorOptions,
  mayAct: () => boolean,
): Pick<FailoverPlatformWorld, 'redis' | 'etcd'> {
  return {
    redis: fencedRedis(moving?.redis ?? redis, mayAct),
    etcd: fencedEtcd(moving?.etcd ?? etcd, mayAct),
  };
}

type FailoverPlatformWorld = Parameters<typeof failoverPorts>[0];

/** What the controllers beside that of the platforms are made of. */
interface FailoverParts {
  engine: Pick<ControllerOptions, 'clock' | 'concurrency'> & { log: Logger; metrics: EngineMetrics };
  informers: InformerSet;
  ledger: WriteLedger;
  failovers: Informer<FailoverObject>;
}

/** `silence`: what looks for either kind of controller know. */
type OutageParts = FailoverParts & { silence: SilenceMemory };

function controllersBeside(
  { world, moving }: Record<'world' | 'moving', FailoverPlatformWorld>,
  parts: FailoverParts & { schedules: Informer<ScheduleObject> },
): Controller[] {
  const outage = { ...parts, silence: new SilenceMemory() };
  return [
    failoverController(moving, outage),
    automaticController(world, outage),
    scheduleController(world, parts),
    mirrorController(world, parts),
  ];
}

/** The controller that looks at the mirrors of platforms, over the same world. */
function mirrorController(
  world: FailoverPlatformWorld,
  { engine, informers }: Pick<FailoverParts, 'engine' | 'informers'>,
): Controller {
  const platforms = informers.find(KIND.platform);
  if (platforms === undefined) throw new Error('platforms must be followed');
  const sights = new MirrorSights(engine.metrics.registry, () => platforms.list() as MessagePlatform[]);
  const controller = new Controller({
    ...engine,
    name: 'mirror',
    reconcile: mirrorReconciler(world, sights),
  });
  return controller.watches(platforms, (platform) =>
    (platform as MessagePlatform).spec.kafka.mirror === undefined ? [] : [refOf(platform)],
  );
}

/** The controller of ZoneFailovers, over the same world. */
function failoverController(
  world: FailoverPlatformWorld,
  { engine, informers, ledger, failovers, silence }: OutageParts,
): Controller {
  const { clock, kube, events } = world;
  const controller = new Controller({
    ...engine,
    name: 'zonefailover',
    reconcile: failoverReconciler({
      clock,
      kube,
      events,
      cache: {
        get: (ref) => failovers.get(ref),
        all: inNamespace(failovers),
        hasSeenOurWrites: (ref) => ledger.cacheHasSeen(FAILOVER_KIND, ref),
      },
      ports: failoverPorts(world, silence),
      metrics: failoverMetrics(engine.metrics.registry, () => underWay(failovers.list())),
    }),
  });
  watchFailovers(controller, failovers, informers);
  return controller;
}

/** The controller of Emergencies that platforms make by themselves, over the same world. */
function automaticController(
  world: FailoverPlatformWorld,
  { engine, informers, ledger, failovers, silence }: OutageParts,
): Controller {
  const { clock, kube, events } = world;
  const platforms = informers.find(KIND.platform);
  if (platforms === undefined) throw new Error('platforms must be followed');
  const controller = new Controller({
    ...engine,
    name: 'automaticfailover',
    reconcile: automaticReconciler({
      clock,
      kube,
      events,
      cache: {
        all: inNamespace(failovers),
        hasSeenOurWrites: (ref) => ledger.cacheHasSeen(FAILOVER_KIND, ref),
      },
      ports: automaticPorts(world, silence),
      metrics: automaticMetrics(engine.metrics.registry, () => platforms.list() as MessagePlatform[]),
    }),
  });
  return controller.watches(platforms, (platform) => [refOf(platform)]);
}

/** Whether one of `failovers` moves a platform's home just now, as far as their informer has seen. */
function movedBy(failovers: Informer<FailoverObject>, clock: Clock): (platform: ObjectRef) => boolean {
  const ofNamespace = inNamespace(failovers);
  return ({ namespace = '', name }) =>
    ofNamespace(namespace).some(
      (one) => one.spec.platform === name && isMovingHome(stateOf(one), clock.now()),
    );
}

/** Objects of one namespace, as the informer has them. */
function inNamespace<T extends KubeObject>(informer: Informer<T>): (namespace: string) => T[] {
  return (namespace) => informer.list().filter(({ metadata }) => metadata.namespace === namespace);
}

/** The controller of DrillSchedules, over the same world. */
export function scheduleController(
  {
    clock,
    kube,
    events,
    cache,
  }: Pick<Parameters<typeof failoverPorts>[0], 'clock' | 'kube' | 'events' | 'cache'>,
  {
    engine,
    informers,
    ledger,
    failovers,
    schedules,
  }: FailoverParts & { schedules: Informer<ScheduleObject> },
): Controller {
  const controller = new Controller({
    ...engine,
    name: 'drillschedule',
    reconcile: scheduleReconciler({
      clock,
      kube,
      events,
      cache: {
        get: (ref) => schedules.get(ref),
        schedules: inNamespace(schedules),
        failovers: inNamespace(failovers),
        hasSeenOurWrites: (ref) => ledger.cacheHasSeen(SCHEDULE_KIND, ref),
        hasSeenFailover: (ref) => ledger.cacheHasSeen(FAILOVER_KIND, ref),
      },
      ports: schedulePorts(cache),
      metrics: scheduleMetrics(engine.metrics.registry, () => schedules.list()),
    }),
  });
  const of = (namespace: string | undefined, platform: string, failover?: string): ObjectRef[] =>
    schedules
      .list()
      .filter(({ metadata }) => metadata.namespace === namespace)
      // One of another platform may have the name that a drill waits for.
      .filter(
        ({ metadata: { name }, spec }) =>
          spec.platform === platform || (failover !== undefined && isDrillName(name, failover)),
      )
      .map(refOf);
  // A change of one may be the turn of another one of its platform.
  controller.watches(schedules, (schedule) => {
    const own = refOf(schedule);
    const all = of(own.namespace, schedule.spec.platform);
    return [own, ...all.filter(({ name }) => name !== own.name)];
  });
  controller.watches(failovers, ({ metadata: { namespace, name }, spec }) =>
    of(namespace, spec.platform, name),
  );
  const platforms = informers.find(KIND.platform);
  if (platforms === undefined) throw new Error('platforms must be followed');
  return controller.watches(platforms, ({ metadata }) => of(metadata.namespace, metadata.name));
}

/** Kinds whose changes a failover waits for. */
const WAITED_FOR = [KIND.platform, KIND.pod, KIND.deployment, KIND.service, KIND.node];

/** A change of one failover may be the turn of another one; and what changes in a platform, one may wait for. */
function watchFailovers(
  controller: Controller,
  failovers: Informer<FailoverObject>,
  informers: InformerSet,
): void {
  const concerned = (namespace: string | undefined, platform: string | undefined): ObjectRef[] =>
    failovers
      .list()
      .filter(
        ({ metadata, spec }) =>
          namespace === undefined || (metadata.namespace === namespace && spec.platform === platform),
      )
      .filter((one) => !isOver(stateOf(one).phase) || stateOf(one).holds)
      .map(({ metadata: { namespace: at, name } }) => ({ namespace: at, name }));
  controller.watches(failovers, ({ metadata, spec }) => {
    const { namespace, name } = metadata;
    const others = concerned(namespace, spec.platform).filter((one) => one.name !== name);
    return [{ namespace, name }, ...others];
  });
  for (const kind of WAITED_FOR) {
    const informer = informers.find(kind);
    if (informer === undefined) throw new Error(`no informer follows ${kind.kind}`);
    controller.watches(informer, ({ metadata: { namespace, name, labels } }) =>
      concerned(namespace, kind === KIND.platform ? name : labels?.[LABEL.platform]),
    );
  }
}

function underWay(failovers: readonly FailoverObject[]): number {
  const phases = failovers.map((failover) => stateOf(failover).phase);
  return phases.filter((phase) => phase !== 'Queued' && !isOver(phase)).length;
}
