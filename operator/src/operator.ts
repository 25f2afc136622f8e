/** Puts the operator together from its parts. The only place that knows them all. */
import { podProbe, x509Issuer, type CertificateIssuer, type PodProbe } from './certificates/index.ts';
import {
  ApiEventRecorder,
  Applier,
  Controller,
  LeaderElector,
  recordWrites,
  systemClock,
  WriteLedger,
  type Clock,
  type ElectionEnd,
  type EngineMetrics,
  type InformerSet,
  type KubeApi,
  type Logger,
  type ObjectRef,
} from './controller/index.ts';
import {
  etcdAdmins,
  fencedEtcd,
  fencedKafka,
  fencedRedis,
  platformCache,
  platformInformers,
  KIND,
  platformReconciler,
  registerPlatformMetrics,
  replicationProbe,
  rotationMetrics,
  watchPlatforms,
  type EtcdAdmins,
  type Images,
  type KafkaAdmin,
  type RedisAdmin,
  type ReplicationProbe,
} from './platform/index.ts';

export interface OperatorOptions {
  /** `fencedBy`: the same API, whose writes are refused once that wall time has passed. */
  api: KubeApi & { fencedBy(fence: () => number): KubeApi };
  kafka: KafkaAdmin;
  redis: RedisAdmin;
  /** Default: real etcds. */
  etcd?: EtcdAdmins;
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
}

export interface Operator {
  informers: InformerSet;
  /** Runs until `stop` aborts or the leadership is lost. */
  run(stop: AbortSignal): Promise<ElectionEnd>;
}

/** An operator that is ready to run. It writes only while it leads. */
export function createOperator(options: OperatorOptions): Operator {
  const { api, lease, log, metrics } = options;
  const clock = options.clock ?? systemClock;
  const elector =
    lease === undefined
      ? undefined
      : new LeaderElector({ api, clock, lease, identity: options.identity, log, metrics });
  const fenced = elector === undefined ? api : api.fencedBy(() => elector.fence());
  const mayAct = (): boolean => elector?.isLeader ?? true;

  const informers = platformInformers({ api, clock, log, metrics, namespaces: options.namespaces });
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
  const controller = new Controller({
    name: 'messageplatform',
    clock,
    log,
    metrics,
    concurrency: options.concurrency,
    reconcile: platformReconciler({
      clock,
      kube,
      cache: platformCache(informers, ledger),
      applier: new Applier({ api: kube, cache: informers, events, log, metrics }),
      events,
      kafka: fencedKafka(options.kafka, mayAct),
      redis: fencedRedis(options.redis, mayAct),
      etcd: fencedEtcd(options.etcd ?? etcdAdmins, mayAct),
      issuer: options.issuer ?? x509Issuer,
      probe: rotations.counted(options.probe ?? podProbe),
      replication: options.replication ?? replicationProbe,
      rotations,
      images: options.images,
      resyncMs: options.resyncMs,
    }),
  });
  watchPlatforms(controller, informers);
  registerPlatformMetrics(metrics.registry, () => informers.find(KIND.platform)?.list() ?? []);

  return {
    informers,
    run: async (stop) => {
      const background = new AbortController();
      const running = [informers.run(background.signal), events.run(background.signal)];
      try {
        if (elector !== undefined) {
          return await elector.run(stop, (signals) => controller.run(signals.stop, signals.lost));
        }
        await controller.run(stop);
        return 'stopped';
      } finally {
        background.abort();
        await Promise.all(running);
      }
    },
  };
}
