import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import Runner from 'kafkajs/src/consumer/runner.js';
import { mendKafkaRunners } from './kafkajs-runner.ts';

/** More looks than any consumer that is told to stop takes: without an end they would keep the test from telling. */
const TOO_OFTEN = 1_000;

interface Started extends Runner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** kafkajs's own runner and fetchers, of a consumer in whose group nothing happens but fetches, which end when they are told to. */
function consumer() {
  const seen = { brokers: ['1', '2'], left: false, idle: 0, crashes: [] as unknown[] };
  const fetches = new Map<string, () => void>();
  const consumerGroup = {
    connect: async () => undefined,
    joinAndSync: async () => undefined,
    heartbeat: async () => undefined,
    leave: async () => void (seen.left = true),
    getNodeIds: () => seen.brokers,
    fetch: (nodeId: string) => new Promise<unknown[]>((resolve) => fetches.set(nodeId, () => resolve([]))),
  };
  const silent = (): void => undefined;
  const debug = (message: string): void => {
    if (message !== 'consumer not running, exiting') return;
    seen.idle += 1;
    if (seen.idle > TOO_OFTEN) throw new Error('it fetches for ever');
  };
  const logger = { namespace: () => logger, debug, info: silent, warn: silent, error: silent };
  const Constructor = Runner as unknown as new (options: object) => Started;
  const runner = new Constructor({
    logger,
    consumerGroup,
    instrumentationEmitter: { emit: silent },
    concurrency: 1,
    onCrash: (error: unknown) => void seen.crashes.push(error),
  });
  const answer = async (nodeId: string): Promise<void> => {
    fetches.get(nodeId)?.();
    await turn();
  };
  return { runner, seen, fetches, answer };
}

describe('a consumer that exchanges its fetchers', () => {
  mendKafkaRunners();
  mendKafkaRunners();

  it('ends when it is told to meanwhile', { timeout: 10_000 }, async () => {
    const { runner, seen, answer } = consumer();
    await runner.start();
    seen.brokers = ['1'];
    // This one sees it, and the other one is waited for.
    await answer('1');
    const stopped = runner.stop();
    await answer('2');
    await stopped;
    assert.equal(seen.left, true);
    assert.ok(seen.idle < 5, `${seen.idle} fetches`);
    assert.deepEqual(seen.crashes, []);
  });

  it('goes on with the brokers of now when it is not', async () => {
    const { runner, seen, fetches, answer } = consumer();
    await runner.start();
    seen.brokers = ['1', '3'];
    await answer('1');
    await answer('2');
    assert.deepEqual([...fetches.keys()], ['1', '2', '3']);
    const stopped = runner.stop();
    await Promise.all([answer('1'), answer('3')]);
    await stopped;
    assert.equal(seen.left, true);
    assert.deepEqual(seen.crashes, []);
  });
});
