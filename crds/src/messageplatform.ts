// Generated from crds/messageplatforms.causeway.dev.yaml by `npm run generate -w crds`. Do not edit.
/**
 * What the platform should be.
 */
export interface MessagePlatformSpec {
  /**
   * The availability zones, as the nodes' label topology.kubernetes.io/zone names them.
   */
  zones: ZoneSpec[];
  /**
   * The zone that takes etcd writes and has the Redis primary at first. A failover moves the home in status.homeZone; this field stays.
   */
  homeZone: string;
  gateway: GatewaySpec;
  kafka: KafkaSpec;
  redis: RedisSpec;
  etcd: EtcdSpec;
  tls: TlsSpec;
  failover: FailoverSpec;
}
/**
 * One zone.
 */
export interface ZoneSpec {
  /**
   * The value of the nodes' label topology.kubernetes.io/zone, such as zone-a or europe-west1-b.
   */
  name: string;
}
/**
 * The WebSocket gateways, one Deployment in each zone.
 */
export interface GatewaySpec {
  /**
   * The JavaScript runtime of the gateway. Bun needs about a fifth of the memory for each connection; with Node, TLS sessions resume on any pod.
   */
  runtime: 'Bun' | 'Node';
  /**
   * Gateway pods in each zone. Leave it out to let an autoscaler own the Deployments' replicas.
   */
  replicasPerZone?: number;
  /**
   * How the server checks that clients are alive.
   */
  heartbeat: {
    /**
     * Time between server pings, such as 25s.
     */
    interval: string;
    /**
     * Time that a client has to answer a ping, such as 10s.
     */
    timeout: string;
  };
  /**
   * Time that a new connection has to complete TLS and send a valid connect, such as 10s.
   */
  connectTimeout: string;
  /**
   * How clients prove who they are.
   */
  auth: {
    /**
     * JSON Web Tokens (RFC 7519) in the connect command. Their keys come from secretRef or from jwks.
     */
    jwt: {
      /**
       * A Secret in the platform's namespace with the key hmac (a shared secret of 32 bytes or more) or jwks.json (a JSON Web Key Set, RFC 7517).
       */
      secretRef?: SecretReference;
      /**
       * A JSON Web Key Set (RFC 7517) that an identity provider publishes. Gateways read it at their start, at an interval, and when a token names a key that they lack; while it cannot be read, the keys of before stay.
       */
      jwks?: {
        /**
         * Where the key set is, such as https://id.example.com/.well-known/jwks.json. Redirects are not followed.
         */
        url: string;
        /**
         * How often the set is read, such as 10m.
         */
        refreshInterval: string;
        /**
         * A Secret in the platform's namespace with the key ca.crt: the authority of the URL's server. Left out, the public ones.
         */
        caSecretRef?: {
          /**
           * Name of the Secret.
           */
          name: string;
        };
      };
      /**
       * If set, the token's iss claim must equal it.
       */
      issuer?: string;
      /**
       * If set, the token's aud claim must contain it.
       */
      audience?: string;
    };
  };
  /**
   * Origins that browsers may connect from, such as https://app.example.com. Empty or left out, any origin.
   *
   * Items: An origin as browsers send it (RFC 6454), scheme, host and a port that is not the scheme's own.
   */
  allowedOrigins?: string[];
  limits: LimitsSpec;
  /**
   * Methods that clients may call by rpc, each carried out by an application of yours over HTTP. causeway.publish is there always.
   *
   * Items: One method.
   */
  rpc?: {
    /**
     * Name of the method, as clients call it.
     */
    method: string;
    /**
     * Where calls are posted to, such as https://orders.shop.svc/rpc. Redirects are not followed.
     */
    url: string;
    /**
     * Time for one call, such as 3s. SDKs give up after 5s themselves if they are not told otherwise.
     */
    timeout: string;
    /**
     * Calls of this method that one pod has under way at most. What is over it is answered with error 111 at once.
     */
    concurrency: number;
    /**
     * A Secret in the platform's namespace with the key token, which is sent as a bearer token, so that the application knows that the gateway calls.
     */
    secretRef?: SecretReference;
    /**
     * A Secret in the platform's namespace with the key ca.crt: the authority of the URL's server. Left out, the public ones.
     */
    caSecretRef?: {
      /**
       * Name of the Secret.
       */
      name: string;
    };
  }[];
  resources?: ResourcesSpec;
  /**
   * The front Service that clients connect to.
   */
  service: {
    /**
     * Kind of the front Service.
     */
    type: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
    /**
     * Port of the front Service.
     */
    port: number;
    /**
     * Annotations of the front Service, for load balancers and external-dns.
     */
    annotations?: Record<string, string>;
  };
  /**
   * A weighted record through external-dns (DNSEndpoint), for a name that several clusters share. Made once external-dns' CRD is there. Left out, there is none.
   */
  dns?: {
    /**
     * Name that clients connect to, in all clusters the same, such as chat.example.com.
     */
    hostname: string;
    /**
     * Tells this cluster's record from those of the others, such as eu-central; each cluster needs one of its own.
     */
    setIdentifier: string;
    /**
     * Share of clients while all zones serve, beside those of the other clusters; 0 sends new ones elsewhere. With fewer zones in service it is less in proportion, and 0 when none serves.
     */
    weight: number;
    /**
     * What external-dns' provider calls the weight.
     */
    weightProperty: string;
    /**
     * Seconds that resolvers may keep the record.
     */
    recordTTL: number;
    /**
     * Addresses or one name of what is before the gateways. Left out, those of the front Service's load balancer.
     *
     * Items: An IPv4 address, an IPv6 address, or a name.
     */
    targets?: string[];
  };
  /**
   * OpenTelemetry traces of publications: from publish through Kafka to delivery. Left out, there are none.
   */
  tracing?: {
    /**
     * Base URL of a collector that takes OTLP over HTTP as JSON, such as http://otel-collector.observability:4318. Spans go to /v1/traces under it.
     */
    endpoint: string;
    /**
     * Publications of a million that begin a trace; 10000 is one of a hundred, 0 none. One whose record in Kafka already has a traceparent (W3C Trace Context) is traced as that says.
     */
    samplingRatePerMillion: number;
    /**
     * A Secret in the platform's namespace whose keys are names of HTTP headers to send to the collector, such as authorization, and whose values are theirs.
     */
    headersSecretRef?: {
      /**
       * Name of the Secret.
       */
      name: string;
    };
    /**
     * A Secret in the platform's namespace with the key ca.crt: the authority of the collector. Left out, the public ones.
     */
    caSecretRef?: {
      /**
       * Name of the Secret.
       */
      name: string;
    };
  };
  /**
   * Tolerations of the gateway pods, as in a Pod.
   */
  tolerations?: TolerationSpec[];
}
/**
 * Bounds on what clients may use.
 */
export interface LimitsSpec {
  /**
   * Connections that one pod takes.
   */
  connectionsPerReplica: number;
  /**
   * Publications each second that one user may send.
   */
  messagesPerSecond: number;
  /**
   * Publications that one user may send at once.
   */
  burst: number;
  /**
   * Other rates for users whose token has the claim tier.
   */
  tiers?: TierSpec[];
  /**
   * A key in the platform's etcd, such as /config/gateway-limits, under one of etcd.prefixes. Its value (JSON with any of messagesPerSecond, burst, tiers and tenant) is laid over these limits, and gateways follow it without a restart.
   */
  etcdKey?: string;
  /**
   * Rate that all users of one tenant (the token's claim tenant) share on each pod, besides their own. Left out, there is none.
   */
  tenant?: {
    /**
     * Publications each second.
     */
    messagesPerSecond: number;
    /**
     * Publications at once; left out, twice messagesPerSecond.
     */
    burst?: number;
  };
}
/**
 * One tier.
 */
export interface TierSpec {
  /**
   * Value of the tier claim.
   */
  name: string;
  /**
   * Publications each second.
   */
  messagesPerSecond: number;
  /**
   * Publications at once; left out, twice messagesPerSecond.
   */
  burst?: number;
}
/**
 * Compute resources of each gateway pod.
 */
export interface ResourcesSpec {
  /**
   * Quantities by resource name, such as cpu 100m and memory 128Mi.
   */
  requests?: Record<string, number | string>;
  /**
   * Quantities by resource name, such as cpu 100m and memory 128Mi.
   */
  limits?: Record<string, number | string>;
}
/**
 * One toleration.
 */
export interface TolerationSpec {
  /**
   * Taint key that matches.
   */
  key?: string;
  /**
   * How the value is compared; left out, Equal.
   */
  operator?: 'Exists' | 'Equal';
  /**
   * Taint value that matches.
   */
  value?: string;
  /**
   * Taint effect that matches; left out, all effects.
   */
  effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  /**
   * Seconds that a NoExecute taint is tolerated; left out, for ever.
   */
  tolerationSeconds?: number;
}
/**
 * The Kafka cluster (3.x or later) that carries publications, and the topics in it.
 */
export interface KafkaSpec {
  /**
   * Brokers to start from, host:port, separated by commas.
   */
  bootstrapServers: string;
  /**
   * What becomes of the topics when the platform or a topic's entry is deleted. Delete removes only topics that Causeway made.
   */
  deletionPolicy: 'Retain' | 'Delete';
  /**
   * TLS to the brokers. Empty, the system's authorities are trusted.
   */
  tls?: {
    /**
     * A Secret in the platform's namespace with the key ca.crt, and for client authentication tls.crt and tls.key.
     */
    secretRef?: SecretReference;
  };
  /**
   * SASL authentication to the brokers.
   */
  sasl?: {
    /**
     * SASL mechanism. PLAIN needs tls.
     */
    mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    /**
     * A Secret in the platform's namespace with the keys username and password.
     */
    secretRef: SecretReference;
  };
  /**
   * Another Kafka cluster, to which MirrorMaker 2 copies the platform's topics. Causeway does not run MirrorMaker: it tells how far the copy is behind, and a failover can ask for a limit (limits.maxMirrorLag).
   */
  mirror?: {
    /**
     * Brokers of that cluster to start from, host:port, separated by commas.
     */
    bootstrapServers: string;
    /**
     * MirrorMaker's alias of the platform's own cluster, which is before the names of the copies.
     */
    sourceAlias: string;
    /**
     * MirrorMaker's alias of that other cluster.
     */
    targetAlias: string;
    /**
     * How MirrorMaker names the copies. Default, <sourceAlias>.<topic>; Identity, the topic's own name.
     */
    replicationPolicy: 'Default' | 'Identity';
    /**
     * TLS to the brokers. Empty, the system's authorities are trusted.
     */
    tls?: {
      /**
       * A Secret in the platform's namespace with the key ca.crt, and for client authentication tls.crt and tls.key.
       */
      secretRef?: SecretReference;
    };
    /**
     * SASL authentication to the brokers.
     */
    sasl?: {
      /**
       * SASL mechanism. PLAIN needs tls.
       */
      mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      /**
       * A Secret in the platform's namespace with the keys username and password.
       */
      secretRef: SecretReference;
    };
  };
  /**
   * Topics, made as <platform>.<name>; topic chat serves the channels chat:*.
   */
  topics: TopicSpec[];
}
/**
 * One topic.
 */
export interface TopicSpec {
  /**
   * Name of the topic, and of the channel namespace that it serves.
   */
  name: string;
  /**
   * Partitions. They can grow and never shrink.
   */
  partitions: number;
  /**
   * Copies of each partition.
   */
  replicationFactor: number;
  /**
   * Topic configuration by Kafka's names, such as retention.ms: "86400000". Values are text: put numbers in quotes.
   */
  config?: Record<string, string>;
  /**
   * What the channels of this topic offer, and to whom. A change rolls the gateways.
   */
  channels: {
    /**
     * Who may subscribe, and with it ask for history and presence. Granted means only those whose token says so.
     */
    subscribe: 'Authenticated' | 'Granted';
    /**
     * Who may publish. Granted means only those whose token says so, and nobody else.
     */
    publish: 'Authenticated' | 'Subscribers' | 'Granted';
    /**
     * How much of each channel is kept in Redis. Beyond it Kafka has all that the topic's retention keeps, and clients cannot ask for that.
     */
    history: {
      /**
       * Publications, about.
       */
      size: number;
      /**
       * How long they are kept after the last one, such as 1h.
       */
      ttl: string;
    };
    /**
     * Whether clients that come back get what they missed, as far as history reaches.
     */
    recovery: boolean;
    /**
     * Whether it is known who is subscribed.
     */
    presence: boolean;
    /**
     * Whether subscribers that ask for it are told who comes and goes. In a channel of many it costs one message for each of them and each coming and going.
     */
    joinLeave: boolean;
  };
}
/**
 * Redis for channel history and fan-out. Managed (one in each zone, the primary in the home zone) unless external is set.
 */
export interface RedisSpec {
  /**
   * Size of the volume in each zone, such as 1Gi. Left out, 1Gi. It cannot be changed later.
   */
  storage?: string;
  /**
   * A Redis (6.2 or later) that somebody else runs, reached from all zones.
   */
  external?: {
    /**
     * redis://host:port, or rediss://host:port for TLS; a database number may follow, as in redis://host:6379/1.
     */
    url: string;
    /**
     * A Secret in the platform's namespace with any of the keys username, password, ca.crt, tls.crt and tls.key.
     */
    secretRef?: SecretReference;
  };
}
/**
 * etcd for configuration that applications read in each zone. Managed (one in each zone, written in the home zone and replicated) unless external is set.
 */
export interface EtcdSpec {
  /**
   * Size of the volume in each zone, such as 1Gi. Left out, 1Gi. It cannot be changed later.
   */
  storage?: string;
  /**
   * What becomes of the etcd volumes when the platform is deleted. Retained volumes are taken up again by a platform of the same name.
   */
  deletionPolicy: 'Retain' | 'Delete';
  /**
   * Key prefixes that are replicated from the home zone to the others. Left out, none is.
   *
   * Items: A key prefix that starts and ends with a slash, such as /config/.
   */
  prefixes?: string[];
  /**
   * etcd clusters (3.6 or later) that somebody else runs, one for each zone.
   */
  external?: {
    /**
     * Endpoints by zone.
     *
     * Items: The etcd of one zone.
     */
    zones: {
      /**
       * Name of the zone, one of spec.zones.
       */
      zone: string;
      /**
       * Client URLs of this zone's etcd.
       *
       * Items: A client URL, such as https://etcd-a.example.com:2379.
       */
      endpoints: string[];
    }[];
    /**
     * A Secret in the platform's namespace with the key ca.crt, and tls.crt and tls.key or username and password.
     */
    secretRef?: SecretReference;
  };
}
/**
 * The certificate that gateways serve. TLS 1.3 only.
 */
export interface TlsSpec {
  /**
   * Who issues the certificate. Left out, the platform's own authority does.
   */
  issuer?: {
    /**
     * An authority of the platform's own. It has no fields; write {}.
     */
    selfManaged?: Record<string, never>;
    /**
     * A Secret in the platform's namespace of type kubernetes.io/tls (tls.crt, tls.key, and ca.crt if clients need it), which cert-manager or any other writes and renews.
     */
    secretRef?: SecretReference;
  };
  /**
   * Names that clients connect to, besides those of the Services.
   *
   * Items: A DNS name; the leftmost label may be an asterisk.
   */
  dnsNames?: string[];
  /**
   * Lifetime of a certificate, such as 2160h (90 days).
   */
  duration: string;
  /**
   * How long before its end a certificate is renewed, such as 720h; up to a tenth earlier, so that platforms that were made together do not renew together.
   */
  renewBefore: string;
  /**
   * The platform's own authority. It signs the certificates between the parts, and those of the gateways unless issuer.secretRef does. It is replaced by a rotation; the old one and the new one are trusted while both are in use.
   */
  authority: {
    /**
     * Lifetime of an authority, such as 87600h (10 years). No certificate outlives the authority that signed it.
     */
    duration: string;
    /**
     * How long before its end an authority is replaced, such as 8760h. Until then clients that were given the old one must have been given the new one too.
     */
    renewBefore: string;
  };
  /**
   * How long gateways use a key for session tickets, such as 24h. With the next key clients make one whole handshake; whoever steals a key can read what was resumed with its tickets.
   */
  ticketKeyLifetime: string;
  /**
   * How carefully gateways change to a new certificate. No pod restarts for it.
   */
  rotation: {
    /**
     * Pods that may at a time be told a new certificate without having shown it in a TLS handshake.
     */
    maxUnverified: number;
    /**
     * How long the first pod serves the new certificate before others follow, such as 10s.
     */
    canaryPause: string;
    /**
     * How long one zone serves the new certificate before the next follows, such as 10s.
     */
    pauseBetweenZones: string;
    /**
     * How long a ready pod may take to show the new certificate, such as 60s. Then all pods go back.
     */
    podTimeout: string;
    /**
     * What to do about a zone none of whose gateway pods is ready: Wait for it, or Skip it; skipped pods get the new certificate when they are back.
     */
    unavailableZone: 'Wait' | 'Skip';
  };
}
/**
 * How traffic leaves a zone.
 */
export interface FailoverSpec {
  /**
   * Make an Emergency when a zone is gone: when gateways of at least two other zones, and the operator, have not reached it for unhealthyAfter. At most three in an hour, and never beside another failover, unless that is a drill or a planned move that brought the home there. Needs at least 3 zones.
   */
  automatic: boolean;
  /**
   * How long a zone must be gone without a break, such as 10s. Less than 10s may take a rollout of all its gateways for an outage.
   */
  unhealthyAfter: string;
  /**
   * Clients that a draining zone sends away each second.
   */
  drainPerSecond: number;
}

/**
 * Names a Secret in the platform's namespace; the field that has it says which keys.
 */
export interface SecretReference {
  /**
   * Name of the Secret.
   */
  name: string;
}

/**
 * What the platform is, as last seen.
 */
export interface MessagePlatformStatus {
  /**
   * The generation of the spec that this status is about.
   */
  observedGeneration?: number;
  /**
   * The zone that takes etcd writes and has the Redis primary now.
   */
  homeZone?: string;
  /**
   * Grows by one with each change of home; fences an old home.
   */
  epoch?: number;
  /**
   * The ZoneFailover that is under way. A certificate rotation waits until it is over.
   */
  failover?: {
    /**
     * Name of the ZoneFailover, in the platform's namespace.
     */
    name: string;
  };
  /**
   * Zones that failovers have taken out of service, until they are given back.
   *
   * Items: One zone.
   */
  away?: {
    /**
     * Name of the zone.
     */
    zone: string;
    /**
     * Name of the ZoneFailover.
     */
    failover: string;
    /**
     * Gateway pods that each of the other zones has meanwhile; absent when an autoscaler decides.
     */
    replicas?: number;
  }[];
  /**
   * What spec.failover.automatic sees and does; absent while it is off.
   */
  automaticFailover?: {
    /**
     * Why it does something, or nothing, as a CamelCase word for programs. The condition AutomaticFailover has it too.
     */
    reason: string;
    /**
     * The same for people.
     */
    message: string;
    /**
     * The zones as gateways of the other zones see them.
     *
     * Items: One zone.
     */
    zones?: {
      /**
       * Name of the zone.
       */
      zone: string;
      /**
       * Zones most of whose gateways reach it.
       *
       * Items: Name of a zone.
       */
      seenBy?: string[];
      /**
       * Zones most of whose gateways have not reached it for three seconds.
       *
       * Items: Name of a zone.
       */
      missedBy?: string[];
      /**
       * Since when most of the other zones, and at least two, miss it.
       */
      unreachableSince?: string;
    }[];
    /**
     * The Emergencies that it made last, the newest at the end. What is older than an hour does not count any more.
     *
     * Items: One Emergency.
     */
    emergencies?: {
      /**
       * The zone that was gone.
       */
      zone: string;
      /**
       * Name of the ZoneFailover.
       */
      failover: string;
      /**
       * When it was decided.
       */
      time: string;
      /**
       * UID of the ZoneFailover; absent until it is known to be there.
       */
      uid?: string;
    }[];
  };
  /**
   * Ready, Reconciling and Stalled (kstatus), and one for each part.
   */
  conditions?: Condition[];
  gateways?: GatewaysStatus;
  /**
   * Parts by zone.
   */
  zones?: ZoneStatus[];
  /**
   * Kafka topics.
   */
  topics?: TopicStatus[];
  /**
   * Topics in their wanted form / topics asked for.
   */
  topicsSummary?: string;
  certificates?: CertificatesStatus;
  /**
   * Where to connect.
   */
  endpoints?: {
    /**
     * URL for clients, such as wss://orders-gateway.messaging.svc/connection/websocket.
     */
    gateway?: string;
    /**
     * URL of the home zone's etcd.
     */
    etcd?: string;
  };
}
/**
 * One condition, as in metav1.Condition.
 */
export interface Condition {
  /**
   * Kind of the condition.
   */
  type: string;
  /**
   * Whether it holds.
   */
  status: 'True' | 'False' | 'Unknown';
  /**
   * Generation that the condition is about.
   */
  observedGeneration?: number;
  /**
   * When status last changed.
   */
  lastTransitionTime: string;
  /**
   * CamelCase word for programs.
   */
  reason: string;
  /**
   * What a person should know, and do.
   */
  message: string;
}
/**
 * Gateway pods over all zones.
 */
export interface GatewaysStatus {
  /**
   * Ready pods.
   */
  ready?: number;
  /**
   * Pods asked for.
   */
  desired?: number;
  /**
   * Both, as ready/desired.
   */
  summary?: string;
}
/**
 * The parts in one zone.
 */
export interface ZoneStatus {
  /**
   * Name of the zone.
   */
  name: string;
  /**
   * Whether it is the home zone now.
   */
  home?: boolean;
  /**
   * Ready nodes with this zone's label.
   */
  nodes?: number;
  /**
   * Ready gateway pods.
   */
  gatewaysReady?: number;
  /**
   * Gateway pods asked for.
   */
  gatewaysDesired?: number;
  /**
   * Primary, Replica, Syncing, NotReady or External.
   */
  redis?: string;
  /**
   * Ready, NotReady or External.
   */
  etcd?: string;
  /**
   * Ready, NotReady, or None in the home zone.
   */
  replicator?: string;
}
/**
 * One topic.
 */
export interface TopicStatus {
  /**
   * Name of the topic in Kafka.
   */
  name: string;
  /**
   * Creating, Ready, Refused, Deleting or Unknown.
   */
  state?: string;
  /**
   * Whether Causeway made it; only then may it be deleted.
   */
  owned?: boolean;
  /**
   * Partitions in Kafka.
   */
  partitions?: number;
  /**
   * Copies of each partition in Kafka.
   */
  replicationFactor?: number;
  /**
   * What could not be done and what to do about it.
   */
  message?: string;
  /**
   * Settings that Causeway has set; one that is no longer asked for goes back to the broker's default.
   *
   * Items: A Kafka topic setting.
   */
  configKeys?: string[];
}
/**
 * The certificate that gateways serve.
 */
export interface CertificatesStatus {
  /**
   * Number of the version, as in tls-<n>.crt.
   */
  version?: number;
  /**
   * SHA-256 of the certificate in DER.
   */
  fingerprint?: string;
  /**
   * When it ends (RFC 3339).
   */
  notAfter?: string;
  /**
   * When the certificate of the links between the parts ends (RFC 3339).
   */
  innerNotAfter?: string;
  /**
   * When its authority ends (RFC 3339).
   */
  authorityNotAfter?: string;
  /**
   * The value of the annotation causeway.dev/rotate that was answered last.
   */
  observedRotate?: string;
  /**
   * The rotation that is under way.
   */
  rotation?: {
    /**
     * Version before.
     */
    from: number;
    /**
     * Version after.
     */
    to: number;
    /**
     * Why it began, such as Requested, Expiring, NamesChanged or SuppliedChanged.
     */
    reason: string;
    /**
     * The authority is replaced too.
     */
    authority?: boolean;
    /**
     * Issue, Trust, Canary, Roll, Verify, Retire; or RollBack while the pods that moved go back.
     */
    stage: 'Issue' | 'Trust' | 'Canary' | 'Roll' | 'Verify' | 'Retire' | 'RollBack';
    /**
     * When it began (RFC 3339).
     */
    startedAt: string;
    /**
     * When the stage began (RFC 3339).
     */
    stageSince: string;
    /**
     * Why it goes back.
     */
    message?: string;
    /**
     * The pod that made it go back.
     */
    pod?: string;
  };
  /**
   * The rotation that ended last.
   */
  lastRotation?: {
    /**
     * Version before.
     */
    from: number;
    /**
     * Version after.
     */
    to: number;
    /**
     * Why it began, such as Requested, Expiring, NamesChanged or SuppliedChanged.
     */
    reason: string;
    /**
     * The authority is replaced too.
     */
    authority?: boolean;
    /**
     * How it ended; Replaced means that another certificate had to be issued at once.
     */
    result: 'Completed' | 'RolledBack' | 'Replaced';
    /**
     * When it began (RFC 3339).
     */
    startedAt: string;
    /**
     * When it ended (RFC 3339).
     */
    finishedAt: string;
    /**
     * Why it goes back.
     */
    message?: string;
    /**
     * The pod that made it go back.
     */
    pod?: string;
  };
}
