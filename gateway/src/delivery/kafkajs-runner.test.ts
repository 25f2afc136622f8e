import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import Runner from 'kafkajs/src/consumer/runner.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { waitFor } from '../../../e2e/tools/index.ts';
import { mendKafkaRunners } from './kafkajs-runner.ts';

/** More looks than any consumer that is told to stop takes: without an end they would keep the test from telling. */
const TOO_OFTEN = 1_000;

const zero = (): string => '0';
/** A batch with nothing in it. */
const EMPTY = {
  topic: 't',
  partition: 0,
  highWatermark: '0',
  messages: [],
  offsetLag: zero,
  offsetLagLow: zero,
  fetchedOffset: '0',
  firstOffset: zero as () => string | null,
  lastOffset: zero,
  isEmpty: () => true,
  isEmptyDueToFiltering: () => false,
};
/** REBALANCE_IN_PROGRESS in Kafka's protocol guide. */
const rebalancing = (): Error => createErrorFromCode(27);

interface Started extends Runner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** kafkajs's own runner and fetchers, of a consumer in whose group nothing happens but fetches, which end when they are told to. */
function consumer() {
  const seen = {
    brokers: ['1', '2'],
    left: false,
    idle: 0,
    joins: 0,
    beats: 0,
    beat: async (): Promise<void> => undefined,
    crashes: [] as unknown[],
  };
  const fetches = new Map<string, (batches?: object[]) => void>();
  const consumerGroup = {
    connect: async () => undefined,
    joinAndSync: async () => void (seen.joins += 1),
    heartbeat: () => {
      seen.beats += 1;
      return seen.beat();
    },
    leave: async () => void (seen.left = true),
    getNodeIds: () => seen.brokers,
    fetch: (nodeId: string) =>
      new Promise<unknown[]>((resolve) => fetches.set(nodeId, (batches = []) => resolve(batches))),
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
    autoCommit: false,
    retry: { initialRetryTime: 1 },
    onCrash: (error: unknown) => void seen.crashes.push(error),
  });
  const answer = async (nodeId: string): Promise<void> => {
    fetches.get(nodeId)?.();
    await turn();
  };
  return { runner, seen, fetches, answer };
}

describe('a consumer one of whose brokers does not answer', () => {
  mendKafkaRunners();

  it('joins again when another one tells it to, and waits for nothing', { timeout: 10_000 }, async () => {
    const { runner, seen, fetches, answer } = consumer();
    await runner.start();
    const first = fetches.get('2');
    seen.beat = () => Promise.reject(rebalancing());
    await answer('1');
    seen.beat = async () => undefined;
    await waitFor('it joins again', () => seen.joins === 2);
    await waitFor('it fetches anew', () => fetches.get('2') !== first);
    const stopped = runner.stop();
    await stopped;
    assert.equal(seen.left, true);
    assert.deepEqual(seen.crashes, []);
  });

  it('joins again when that is told while it handles what it fetched', { timeout: 10_000 }, async () => {
    const { runner, seen, fetches } = consumer();
    await runner.start();
    seen.beat = () => Promise.reject(rebalancing());
    fetches.get('1')?.([EMPTY]);
    await waitFor('it is told', () => seen.beats > 0);
    seen.beat = async () => undefined;
    await waitFor('it joins again', () => seen.joins === 2);
    await runner.stop();
    assert.equal(seen.left, true);
  });

  it('goes on with those that are left when it is one no more', { timeout: 10_000 }, async () => {
    const { runner, seen, fetches, answer } = consumer();
    await runner.start();
    seen.brokers = ['1'];
    fetches.delete('2');
    await answer('1');
    const again = fetches.get('1');
    await answer('1');
    await waitFor('it fetches on', () => fetches.get('1') !== again);
    assert.deepEqual([...fetches.keys(), seen.joins], ['1', 1]);
    await runner.stop();
    assert.equal(seen.left, true);
    assert.deepEqual(seen.crashes, []);
  });

  it('leaves at once', { timeout: 10_000 }, async () => {
    const { runner, seen } = consumer();
    await runner.start();
    await runner.stop();
    assert.equal(seen.left, true);
  });
});

describe('a batch', () => {
  mendKafkaRunners();

  it('begins where it was fetched from, to those who are told of it', async () => {
    const { runner } = consumer();
    await runner.start();
    // Its first records were compacted away.
    const batch = { ...EMPTY, fetchedOffset: '4', firstOffset: () => '6' };
    await runner.handleBatch(batch);
    assert.equal(batch.firstOffset(), '4');
    await runner.stop();
  });
});

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
