/** The parts of kafkajs's inside that we touch, as version 2.2.4 has them. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests: (this: RequestQueue) => void;
  }
}

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  export default class ConsumerGroup {
    readonly cluster: { refreshMetadata(): Promise<void> };
    /** Asks the coordinator that the member joined at, unless it was asked less than `interval` milliseconds ago. */
    heartbeat: (this: ConsumerGroup, options: { interval: number }) => Promise<void>;
    /** Finds the coordinator, and joins there, as the member that this is already if it is one. */
    joinAndSync: (this: ConsumerGroup) => Promise<void>;
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  export function createErrorFromCode(code: number): Error & { type: string };
}
