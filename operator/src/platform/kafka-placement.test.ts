import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kafkaSight, type KafkaPlacement } from './kafka-placement.ts';

const racks = new Map([
  [1, 'zone-a'],
  [2, 'zone-b'],
  [3, 'zone-c'],
]);
const partition = (isr: number[], minInSync: number, leader = 1): KafkaPlacement['partitions'][number] => ({
  topic: 'orders.chat',
  partition: 0,
  leader,
  replicas: isr,
  isr,
  settled: true,
  minInSync,
});

describe('without a zone', () => {
  it('a partition stays as long as enough of its in-sync replicas do', () => {
    const placed = { racks, partitions: [partition([1, 2, 3], 2), partition([2, 3], 2, 2)] };
    assert.deepEqual(kafkaSight(placed, 'zone-a'), { ...placed, atRisk: [], led: 1 });
  });

  it('one is at risk whose other replicas are not in sync, or that has none', () => {
    const placed = { racks, partitions: [{ ...partition([1, 2], 2), partition: 4 }, partition([1], 1)] };
    assert.deepEqual(kafkaSight(placed, 'zone-a').atRisk, ['orders.chat/0', 'orders.chat/4']);
    assert.deepEqual(kafkaSight(placed, 'zone-c').atRisk, []);
  });

  it('one is at risk whose replicas are with brokers of which some do not say where they are', () => {
    const some = new Map([...racks, [3, undefined], [4, undefined]]);
    const placed = {
      racks: some,
      partitions: [partition([1, 2, 3], 2), { ...partition([1, 2, 3], 1), partition: 1 }],
    };
    assert.deepEqual(kafkaSight(placed, 'zone-a'), { ...placed, atRisk: ['orders.chat/0'], led: 2 });
    assert.deepEqual(kafkaSight(placed, 'zone-c').atRisk, []);
  });

  it('nothing is said where brokers do not say where they are', () => {
    const nowhere = new Map([[1, undefined]]);
    const placed = { racks: nowhere, partitions: [partition([1], 1)] };
    assert.deepEqual(kafkaSight(placed, 'zone-a'), {
      ...placed,
      atRisk: undefined,
      led: undefined,
    });
  });
});
