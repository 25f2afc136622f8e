/** The parts of kafkajs's inside that we touch, as version 2.2.4 has them. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests: (this: RequestQueue) => void;
  }
}

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  /** A broker, of which nothing is used here. */
  type Coordinator = object;
  export default class ConsumerGroup {
    readonly groupId: string;
    readonly cluster: {
      refreshMetadata(): Promise<void>;
      /** Asks one of the brokers who it is, and connects to it. */
      findGroupCoordinator(of: { groupId: string }): Promise<Coordinator>;
    };
    /** Whom heartbeats go to. */
    coordinator: Coordinator;
    /** Since the first join. It tells its own coordinator how far the member is. */
    readonly offsetManager: { coordinator: Coordinator } | null;
    /** Asks the coordinator that the member joined at, unless it was asked less than `interval` milliseconds ago. */
    heartbeat: (this: ConsumerGroup, options: { interval: number }) => Promise<void>;
    commitOffsets: (this: ConsumerGroup, offsets?: object) => Promise<void>;
    leave: (this: ConsumerGroup) => Promise<void>;
    /** What a fetch that failed leads to; it rejects where that is more than this fetch. */
    recoverFromFetch: (this: ConsumerGroup, error: unknown) => Promise<void>;
    /** Finds the coordinator, and joins there, as the member that this is already if it is one. */
    joinAndSync: (this: ConsumerGroup) => Promise<void>;
  }
}

declare module 'kafkajs/src/consumer/runner.js' {
  export default class Runner {
    /** From when it has joined until it is told to stop. */
    readonly running: boolean;
    /** `stop` lets no fetcher of now fetch again, and resolves when all have ended; it never rejects. */
    readonly fetchManager: { stop(): Promise<void> };
    /** What a broker has for it, by batches; nothing, at once, while it does not run. */
    fetch: (this: Runner, nodeId: string) => Promise<unknown[]>;
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  export function createErrorFromCode(code: number): Error & { type: string };
}
