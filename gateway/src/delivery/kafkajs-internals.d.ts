/** The parts of kafkajs's inside that we touch, as version 2.2.4 has them. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests: (this: RequestQueue) => void;
  }
}

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  import type BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
  import type { Broker } from 'kafkajs/src/cluster/index.js';
  import type { RequestKind } from 'kafkajs/src/protocol/requests/index.js';

  /** A request, and what reads its answer. */
  interface Exchange<A> {
    request: object;
    response: { decode: (payload: unknown) => Promise<A>; parse: (answer: A) => Promise<unknown> };
  }
  interface Connection {
    send<T>(call: { request: object; response: object }): Promise<T>;
  }
  /** The broker that coordinates. */
  export interface Coordinator extends Broker {
    /** By API key, what it serves; null until it is connected. */
    readonly versions: Record<number, { maxVersion: number } | undefined> | null;
    readonly connectionPool: Connection & {
      /** One of its two, connected. */
      getConnection(index: number): Promise<Connection>;
    };
    /** The newest version that both sides know. */
    lookupRequest<Q, A>(apiKey: number, kind: RequestKind<Q, A>): (asked: Q) => Exchange<A>;
  }
  /** As it is decoded, of all versions that give ids. */
  export interface JoinGroupAnswer {
    errorCode: number;
    memberId: string;
  }
  export default class ConsumerGroup {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly topicsSubscribed: readonly string[];
    readonly assigners: readonly { protocol(of: { topics: readonly string[] }): object }[];
    readonly cluster: {
      readonly brokerPool: BrokerPool;
      refreshMetadata(): Promise<void>;
      /** Asks one of the brokers who it is, and connects to it. */
      findGroupCoordinator(of: { groupId: string }): Promise<Coordinator>;
    };
    readonly logger: { debug(message: string, fields: object): void };
    readonly instrumentationEmitter: { emit(event: string, payload: object): void };
    /** As whom it joins, or is a member; null: as somebody new. */
    memberId: string | null;
    /** Whom heartbeats go to; null before the first join. */
    coordinator: Coordinator | null;
    /** When a heartbeat was answered last, epoch milliseconds. */
    readonly lastRequest: number;
    /** Since the first join. It tells its own coordinator how far the member is. */
    readonly offsetManager: { coordinator: Coordinator } | null;
    /** Asks the coordinator that the member joined at, unless it was asked less than `interval` milliseconds ago. */
    heartbeat: (this: ConsumerGroup, options: { interval: number }) => Promise<void>;
    commitOffsets: (this: ConsumerGroup, offsets?: object) => Promise<void>;
    leave: (this: ConsumerGroup) => Promise<void>;
    /** What a fetch that failed leads to; it rejects where that is more than this fetch. */
    recoverFromFetch: (this: ConsumerGroup, error: unknown) => Promise<void>;
    /** The brokers that are known now. */
    getNodeIds(): string[];
    /** Finds the coordinator, and joins there, as the member that this is already if it is one. */
    joinAndSync: (this: ConsumerGroup) => Promise<void>;
  }
}

declare module 'kafkajs/src/consumer/runner.js' {
  import type ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
  /** What was fetched of a partition. */
  export interface Batch {
    /** Where it was fetched from. */
    readonly fetchedOffset: string;
    /** Of its first record, for those who are called or listen; null: it has none. */
    firstOffset: () => string | null;
  }
  export default class Runner {
    readonly consumerGroup: ConsumerGroup;
    /** From when it has joined until it is told to stop. */
    readonly running: boolean;
    /** `stop` lets no fetcher of now fetch again, and resolves when all have ended; it never rejects. */
    readonly fetchManager: { stop(): Promise<void> };
    /** What a broker has for it, by batches; nothing, at once, while it does not run. */
    fetch: (this: Runner, nodeId: string) => Promise<unknown[]>;
    /** What is done with what was fetched. */
    handleBatch: (this: Runner, batch: Batch) => Promise<void>;
    /** Of one that is running: ends its fetches, and leaves the group. */
    stop: (this: Runner) => Promise<void>;
  }
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  import type { Coordinator, JoinGroupAnswer } from 'kafkajs/src/consumer/consumerGroup.js';
  /** All versions of a request that kafkajs knows. */
  export interface RequestKind<Q, A> {
    readonly asks?: (asked: Q) => A;
  }
  export const requests: {
    JoinGroup: RequestKind<
      {
        groupId: string;
        sessionTimeout: number;
        rebalanceTimeout: number;
        memberId: string;
        protocolType: string;
        groupProtocols: readonly object[];
      },
      JoinGroupAnswer
    >;
    LeaveGroup: RequestKind<{ groupId: string; memberId: string }, object>;
  };
  /** For a broker that serves these versions, by API key. */
  export function lookup(versions: Record<number, { maxVersion: number }>): Coordinator['lookupRequest'];
}

declare module 'kafkajs/src/protocol/request.js' {
  /** A request as it is written. */
  export default function createRequest(of: {
    clientId: string;
    correlationId: number;
    request: object;
  }): Promise<{ buffer: Buffer }>;
}

declare module 'kafkajs/src/cluster/brokerPool.js' {
  import type { Broker } from 'kafkajs/src/cluster/index.js';
  import type { Metadata } from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
  export default class BrokerPool {
    /** By id: those of the metadata that it read last. */
    readonly brokers: Readonly<Record<string, Broker>>;
    /** What it was told last; null: nothing yet. */
    readonly metadata: Metadata | null;
    /** From when on that is too old, epoch milliseconds. */
    metadataExpireAt: number | null;
    /** Asks for the metadata of these topics, or of all for none. */
    refreshMetadata: (this: BrokerPool, topics: readonly string[]) => Promise<void>;
    /** Connects to it. */
    findBroker(of: { nodeId: string }): Promise<Broker>;
    /** One that is connected, or the first of the others that can be. */
    findConnectedBroker: (this: BrokerPool) => Promise<Broker>;
  }
}

declare module 'kafkajs/src/cluster/index.js' {
  import type BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
  import type { Metadata } from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
  export interface Broker {
    isConnected(): boolean;
    /** Who coordinates, as this one knows. */
    findGroupCoordinator(of: {
      groupId: string;
      coordinatorType: number;
    }): Promise<{ coordinator: { nodeId: number } }>;
  }
  export interface Sought {
    groupId: string;
    /** 0, a consumer group's, if it is left out. */
    coordinatorType?: number;
  }
  /** Of which partitions it is asked where their logs begin, end, or are at a time. */
  export interface OffsetsAsked {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number }[];
  }
  export default class Cluster {
    readonly brokerPool: BrokerPool;
    /** As it was told last. */
    findTopicPartitionMetadata(topic: string): Metadata['topicMetadata'][number]['partitionMetadata'];
    fetchTopicsOffset: (
      this: Cluster,
      topics: readonly OffsetsAsked[],
    ) => Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
    /** As that of the pool; reads the metadata where that fails. */
    findBroker(of: { nodeId: string }): Promise<Broker>;
    refreshMetadata(): Promise<void>;
    findGroupCoordinator: (this: Cluster, of: Sought) => Promise<Broker>;
  }
}

declare module 'kafkajs/src/protocol/requests/metadata/v6/response.js' {
  export interface Metadata {
    readonly brokers: readonly object[];
    readonly topicMetadata: readonly {
      readonly topic: string;
      readonly topicErrorCode: number;
      readonly partitionMetadata: readonly {
        readonly partitionErrorCode: number;
        readonly partitionId: number;
        /** Its id; -1: none. */
        readonly leader: number;
      }[];
    }[];
  }
  const response: {
    /** Rejects where the answer is an error. */
    parse: (answer: Metadata) => Promise<Metadata>;
  };
  export default response;
}

declare module 'kafkajs/src/errors.js' {
  export class KafkaJSConnectionError extends Error {}
}

declare module 'kafkajs/src/protocol/error.js' {
  export function createErrorFromCode(code: number): Error & { type: string };
}
