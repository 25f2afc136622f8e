import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { mendKafkaTimers } from './kafkajs-timers.ts';

interface Queue {
  throttleCheckTimeoutId: unknown;
  push(request: { entry: object; expectResponse: boolean; sendRequest: () => void }): void;
  fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void;
  maybeThrottle(ms: number): void;
  destroy(): void;
}

const debug = (): void => undefined;
const Constructor = RequestQueue as unknown as new (options: object) => Queue;
const queue = new Constructor({
  maxInFlightRequests: 10,
  requestTimeout: 1000,
  enforceRequestTimeout: false,
  logger: { debug, warn: debug },
});

/** Resolves when the request goes out; the answer is up to the test. */
function push(correlationId: number): Promise<void> {
  return new Promise((resolve) => {
    const entry = { correlationId, apiName: 'Test', resolve: () => undefined };
    queue.push({ entry, expectResponse: true, sendRequest: resolve });
  });
}

describe('a Kafka connection', () => {
  afterEach(() => queue.destroy());

  it('has no timer while nothing waits', async () => {
    mendKafkaTimers();
    await push(1);
    queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 });
    assert.equal(queue.throttleCheckTimeoutId, null);
  });

  it('still sends what had to wait for the end of a throttling', async () => {
    mendKafkaTimers();
    queue.maybeThrottle(20);
    const sent = push(2);
    assert.notEqual(queue.throttleCheckTimeoutId, null);
    await sent;
    queue.fulfillRequest({ correlationId: 2, payload: Buffer.alloc(0), size: 0 });
  });
});
