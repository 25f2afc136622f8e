import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs';
import { createLog } from '../log/index.ts';
import { GroupMember, LEAVE_MS } from './group-member.ts';

/** A consumer as kafkajs has it, as far as a member uses it; joins when it is told to. */
function fake() {
  const joining = Promise.withResolvers<void>();
  const listeners = new Map<string, (event: unknown) => void>();
  const state = { stopped: false, disconnected: false, batch: undefined as ConsumerRunConfig['eachBatch'] };
  const consumer = {
    on: (name: string, listener: (event: unknown) => void) => listeners.set(name, listener),
    connect: async () => undefined,
    subscribe: async () => undefined,
    run: ({ eachBatch }: ConsumerRunConfig) => {
      state.batch = eachBatch;
      return joining.promise;
    },
    stop: async () => void (state.stopped = true),
    disconnect: async () => void (state.disconnected = true),
  };
  const admin = { connect: async () => undefined, disconnect: async () => undefined };
  const kafka = { consumer: () => consumer, admin: () => admin } as unknown as Kafka;
  const emit = (name: string, payload: unknown): void => listeners.get(`consumer.${name}`)?.({ payload });
  return { kafka, joining, state, emit };
}

/** One that joins, and what it said. */
async function member(kafka: Kafka): Promise<{ member: GroupMember; said: string[] }> {
  const said: string[] = [];
  const made = new GroupMember({
    kafka,
    group: 'g',
    contact: undefined,
    log: createLog({ component: 'test' }),
    assigned: () => void said.push('assigned'),
    carry: async (batch) => {
      said.push('carry');
      while (batch.isRunning()) await turn();
      said.push('carried');
    },
    passed: () => void said.push('passed'),
  });
  await made.connect();
  await made.join(['t']);
  return { member: made, said };
}

const BATCH = { isRunning: () => true } as EachBatchPayload;
const MARKS = { topic: 't', partition: 0, batchSize: 0, lastOffset: '1', highWatermark: '2' };

describe('a member of the group', () => {
  it('says what it was given until it is told to leave, and nothing from then on', async () => {
    const { kafka, joining, state, emit } = fake();
    const { member: made, said } = await member(kafka);
    emit('group_join', { memberAssignment: { t: [0] } });
    emit('end_batch_process', MARKS);
    emit('end_batch_process', { ...MARKS, batchSize: 1 });
    joining.resolve();
    const batch = state.batch?.(BATCH);
    assert.deepEqual(said, ['assigned', 'passed', 'carry']);
    await made.leave();
    await batch;
    emit('group_join', { memberAssignment: { t: [0] } });
    emit('end_batch_process', MARKS);
    await state.batch?.(BATCH);
    assert.deepEqual(said, ['assigned', 'passed', 'carry', 'carried']);
  });

  it('does without the ids of topics where it cannot ask for them', async () => {
    const { kafka, joining } = fake();
    const { member: made } = await member(kafka);
    assert.deepEqual(await made.topicIds(['t']), new Map());
    joining.resolve();
    await made.leave();
  });

  for (const [how, settle] of [
    ['has joined', (joining: PromiseWithResolvers<void>) => joining.resolve()],
    ['has failed to', (joining: PromiseWithResolvers<void>) => joining.reject(new Error('no'))],
  ] as const) {
    it(`that joins is told to stop that, and is disconnected when it ${how}, not before`, async (test) => {
      test.mock.timers.enable({ apis: ['setTimeout'] });
      const { kafka, joining, state } = fake();
      const { member: made } = await member(kafka);
      const left = made.leave();
      assert.equal(state.stopped, true);
      await turn();
      assert.equal(state.disconnected, false);
      // Who waits does so for a while only; the rest is done in the background.
      test.mock.timers.tick(LEAVE_MS);
      await left;
      assert.equal(state.disconnected, false);
      settle(joining);
      await turn();
      assert.equal(state.disconnected, true);
    });
  }

  it('is over when it crashes, and when it cannot begin', async () => {
    const crashing = fake();
    const first = await member(crashing.kafka);
    crashing.joining.resolve();
    crashing.emit('crash', { error: new Error('crashed') });
    await assert.rejects(first.member.crashed, /crashed/);
    const refused = fake();
    const second = await member(refused.kafka);
    refused.joining.reject(new Error('refused'));
    await assert.rejects(second.member.crashed, /refused/);
    await Promise.all([first, second].map((each) => each.member.leave()));
  });
});
