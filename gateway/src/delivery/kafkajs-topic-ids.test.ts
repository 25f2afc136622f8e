import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Kafka } from 'kafkajs';
import { decodeTopicIds, metadataRequest, TopicIds } from './kafkajs-topic-ids.ts';

const hex = (...parts: string[]): Buffer => Buffer.from(parts.join('').replaceAll(' ', ''), 'hex');

const NO_ID = '00'.repeat(16);
const ID = '000102030405060708090a0b0c0d0eff';
/** As kafka-topics.sh writes it. */
const ID_TEXT = 'AAECAwQFBgcICQoLDA0O_w';
/** error_code 0, partition 1, leader 2, leader_epoch 3, replicas 2 and 3, in sync 2, none offline. */
const PARTITION = '0000 00000001 00000002 00000003 03 00000002 00000003 02 00000002 01 00';
/** Header, throttle_time_ms, one broker without a rack and one with one and a tagged field, cluster_id, controller_id. */
const HEAD = [
  '00 00000000',
  '03 00000001 0a 3132372e302e302e31 00002384 00 00',
  '00000002 02 62 00002385 02 7a 01 05 02 ffff',
  '05 61626364 00000001',
];

describe('the ids of topics', () => {
  it('are asked for in version 10 of Metadata, which makes no topic', async () => {
    const request = metadataRequest(['a.chat', 'b']);
    assert.deepEqual([request.apiKey, request.apiVersion], [3, 10]);
    const { buffer, buf } = await request.encode();
    const asked = hex('00', '03', NO_ID, '07 612e63686174 00', NO_ID, '02 62 00', '00 00 00', '00');
    assert.deepEqual([buffer, buf], [asked, asked]);
    const long = await metadataRequest(['x'.repeat(200)]).encode();
    assert.deepEqual(long.buffer.subarray(0, 21), hex('00', '02', NO_ID, 'c901 78'));
  });

  it('are read from the answer', async () => {
    const answer = hex(
      ...HEAD,
      '05',
      `0000 07 612e63686174 ${ID} 00 03 ${PARTITION} ${PARTITION} 80000000 00`,
      `0003 02 62 ${ID} 00 01 80000000 00`,
      `0000 02 63 ${NO_ID} 00 02 ${PARTITION} 80000000 00`,
      `0000 02 64 ${'ff'.repeat(16)} 00 02 ${PARTITION} 80000000 02 00 01 aa 8101 00`,
      '80000000 00',
    );
    assert.deepEqual(
      (await decodeTopicIds(answer)).ids,
      new Map([
        ['a.chat', ID_TEXT],
        ['d', '_'.repeat(21) + 'w'],
      ]),
    );
  });

  it('are refused in an answer that ends too early, wherever', async () => {
    const answer = hex(...HEAD, '02', `0000 07 612e63686174 ${ID} 00 02 ${PARTITION} 80000000 00`);
    assert.equal((await decodeTopicIds(answer)).ids.size, 1);
    for (let length = 0; length < answer.length; length += 1)
      await assert.rejects(decodeTopicIds(answer.subarray(0, length)), /too short/);
    await assert.rejects(decodeTopicIds(hex('ffffffffffff')), /more than five bytes/);
  });

  /** A client of kafkajs whose broker serves these versions of Metadata, and what happened to its one cluster. */
  const fake = (versions: object) => {
    const happened: string[] = [];
    const connecting = Promise.withResolvers<void>();
    const cluster = {
      disconnect: async () => void happened.push('disconnect'),
      brokerPool: {
        findConnectedBroker: async () => {
          happened.push('connect');
          await connecting.promise;
          return { versions, connectionPool: { send: async () => (happened.push('send'), new Map()) } };
        },
      },
    };
    const create = (): object => (happened.push('create'), cluster);
    const kafka = { [Symbol('private:Kafka:createCluster')]: create } as unknown as Kafka;
    return { kafka, happened, connecting };
  };

  it('are asked for over one cluster', async () => {
    const { kafka, happened, connecting } = fake({ 3: { minVersion: 0, maxVersion: 13 } });
    connecting.resolve();
    const ids = new TopicIds(kafka);
    await ids.of(['a']);
    await ids.of(['a']);
    await ids.close();
    assert.deepEqual(happened, ['create', 'connect', 'send', 'connect', 'send', 'disconnect']);
    await assert.rejects(ids.of(['a']), /closed/);
  });

  it('are not asked for where Kafka has none', async () => {
    for (const versions of [
      {},
      { 3: { minVersion: 0, maxVersion: 9 } },
      { 3: { minVersion: 11, maxVersion: 13 } },
    ]) {
      const { kafka, happened, connecting } = fake(versions);
      connecting.resolve();
      await assert.rejects(new TopicIds(kafka).of(['a']), /does not serve version 10/);
      assert.ok(!happened.includes('send'));
    }
    await assert.rejects(new TopicIds({} as Kafka).of(['a']), /no cluster that we know/);
  });

  it('leave no connection that came about after they were closed', async () => {
    const { kafka, happened, connecting } = fake({ 3: { minVersion: 0, maxVersion: 13 } });
    const ids = new TopicIds(kafka);
    const asked = ids.of(['a']);
    await ids.close();
    connecting.resolve();
    await assert.rejects(asked, /closed/);
    assert.deepEqual(happened, ['create', 'connect', 'disconnect', 'disconnect']);
  });
});
