// Generated from crds/messageplatforms.causeway.dev.yaml by `npm run generate -w crds`. Do not edit.
/**
 * What the platform should be.
 */
export interface MessagePlatformSpec {
  /**
   * The availability zones, as the nodes' label topology.kubernetes.io/zone names them.
   *
   * Items: One zone.
   */
  zones: {
    /**
     * The value of the nodes' label topology.kubernetes.io/zone, such as zone-a or europe-west1-b.
     */
    name: string;
  }[];
  /**
   * The zone that takes etcd writes and has the Redis primary at first. A failover moves the home in status.homeZone; this field stays.
   */
  homeZone: string;
  /**
   * The WebSocket gateways, one Deployment in each zone.
   */
  gateway: {
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
       * JSON Web Tokens (RFC 7519) in the connect command.
       */
      jwt: {
        /**
         * A Secret in the platform's namespace. For a JWT: the key hmac (a shared secret of 32 bytes or more) or jwks.json (a JSON Web Key Set, RFC 7517).
         */
        secretRef: {
          /**
           * Name of the Secret.
           */
          name: string;
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
     * Items: An origin (RFC 6454), scheme and host without a path.
     */
    allowedOrigins?: string[];
    /**
     * Bounds on what clients may use.
     */
    limits: {
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
       *
       * Items: One tier.
       */
      tiers?: {
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
      }[];
    };
    /**
     * Compute resources of each gateway pod.
     */
    resources?: {
      /**
       * Quantities by resource name, such as cpu 100m and memory 128Mi.
       */
      requests?: {
        [k: string]: number | string;
      };
      /**
       * Quantities by resource name, such as cpu 100m and memory 128Mi.
       */
      limits?: {
        [k: string]: number | string;
      };
    };
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
      annotations?: {
        [k: string]: string;
      };
    };
    /**
     * Tolerations of the gateway pods, as in a Pod.
     *
     * Items: One toleration.
     */
    tolerations?: {
      /**
       * Taint key that matches.
       */
      key?: string;
      /**
       * How the value is compared.
       */
      operator?: 'Exists' | 'Equal';
      /**
       * Taint value that matches.
       */
      value?: string;
      /**
       * Taint effect that matches.
       */
      effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
      /**
       * Seconds that a NoExecute taint is tolerated.
       */
      tolerationSeconds?: number;
    }[];
  };
  /**
   * The Kafka cluster (3.x or later) that carries publications, and the topics in it.
   */
  kafka: {
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
       * A Secret in the platform's namespace. For a JWT: the key hmac (a shared secret of 32 bytes or more) or jwks.json (a JSON Web Key Set, RFC 7517).
       */
      secretRef?: {
        /**
         * Name of the Secret.
         */
        name: string;
      };
    };
    /**
     * SASL authentication to the brokers.
     */
    sasl?: {
      /**
       * SASL mechanism.
       */
      mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      /**
       * A Secret in the platform's namespace. For a JWT: the key hmac (a shared secret of 32 bytes or more) or jwks.json (a JSON Web Key Set, RFC 7517).
       */
      secretRef: {
        /**
         * Name of the Secret.
         */
        name: string;
      };
    };
    /**
     * Topics, made as <platform>.<name>; topic chat serves the channels chat:*.
     *
     * Items: One topic.
     */
    topics: {
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
       * Topic configuration by Kafka's names, such as retention.ms: "86400000".
       */
      config?: {
        [k: string]: string;
      };
    }[];
  };
  /**
   * Redis for channel history and fan-out. Managed (one in each zone, the primary in the home zone) unless external is set.
   */
  redis: {
    /**
     * Size of the volume in each zone, such as 1Gi. Left out, 1Gi.
     */
    storage?: string;
    /**
     * A Redis (6.2 or later) that somebody else runs, reached from all zones.
     */
    external?: {
      /**
       * redis://host:port or rediss://host:port.
       */
      url: string;
      /**
       * A Secret in the platform's namespace. For a JWT: the key hmac (a shared secret of 32 bytes or more) or jwks.json (a JSON Web Key Set, RFC 7517).
       */
      secretRef?: {
        /**
         * Name of the Secret.
         */
        name: string;
      };
    };
  };
  /**
   * etcd for configuration that applications read in each zone. Managed (one in each zone, written in the home zone and replicated) unless external is set.
   */
  etcd: {
    /**
     * Size of the volume in each zone, such as 1Gi. Left out, 1Gi.
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
         * Name of the zone.
         */
        zone: string;
        /**
         * Client URLs.
         *
         * Items: A client URL, such as https://etcd-a.example.com:2379.
         */
        endpoints: string[];
      }[];
      /**
       * A Secret in the platform's namespace. For a JWT: the key hmac (a shared secret of 32 bytes or more) or jwks.json (a JSON Web Key Set, RFC 7517).
       */
      secretRef?: {
        /**
         * Name of the Secret.
         */
        name: string;
      };
    };
  };
  /**
   * The certificate that gateways serve. TLS 1.3 only.
   */
  tls: {
    /**
     * Who issues the certificate.
     */
    issuer: {
      /**
       * An authority of the platform's own.
       */
      selfManaged?: {};
      /**
       * A Secret in the platform's namespace. For a JWT: the key hmac (a shared secret of 32 bytes or more) or jwks.json (a JSON Web Key Set, RFC 7517).
       */
      secretRef?: {
        /**
         * Name of the Secret.
         */
        name: string;
      };
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
     * How long before its end a certificate is renewed, such as 720h.
     */
    renewBefore: string;
  };
  /**
   * How traffic leaves a zone.
   */
  failover: {
    /**
     * Start an emergency failover when a zone is gone.
     */
    automatic: boolean;
    /**
     * How long a zone must be gone, such as 10s.
     */
    unhealthyAfter: string;
    /**
     * Clients that a draining zone sends away each second.
     */
    drainPerSecond: number;
  };
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
   * Ready, Reconciling and Stalled (kstatus), and one for each part.
   *
   * Items: One condition, as in metav1.Condition.
   */
  conditions?: {
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
  }[];
  /**
   * Gateway pods over all zones.
   */
  gateways?: {
    /**
     * Ready pods.
     */
    ready?: number;
    /**
     * Pods asked for.
     */
    desired?: number;
    /**
     * ready/desired.
     */
    summary?: string;
  };
  /**
   * Parts by zone.
   *
   * Items: The parts in one zone.
   */
  zones?: {
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
  }[];
  /**
   * Kafka topics.
   *
   * Items: One topic.
   */
  topics?: {
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
  }[];
  /**
   * Topics in their wanted form / topics asked for.
   */
  topicsSummary?: string;
  /**
   * The certificate that gateways serve.
   */
  certificates?: {
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
     * When its authority ends (RFC 3339).
     */
    authorityNotAfter?: string;
  };
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
