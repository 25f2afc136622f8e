import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { IHeaders } from 'kafkajs';
import { Payload } from '../protocol/index.ts';
import { BackendAwayError, encodeEnvelope } from './index.ts';
import { decodeEntry, decodeEnvelope, decodeMessage, encodeEntry } from './entry.ts';
import { Lane } from './lane.ts';
import { redisKeys } from './keys.ts';
import { endSpans, traceparentIn } from './record-tracer.ts';

const info = { user: 'ann', client: 'c1' };

describe('a publication', () => {
  it('is the same after Kafka and Redis', () => {
    const payload = fc.oneof(
      fc.jsonValue().map((value) => Payload.ofJson(value)),
      fc.json().map((text) => Payload.ofBytes(Buffer.from(`${text}\n `))),
      fc.uint8Array().map((bytes) => Payload.ofBytes(Buffer.from(bytes))),
    );
    fc.assert(
      fc.property(payload, fc.nat(), fc.nat(), fc.boolean(), (data, partition, offset, replayed) => {
        const envelope = decodeEnvelope(Buffer.from(encodeEnvelope(data, info, 1_234)));
        assert.ok(envelope);
        const stored = encodeEntry(envelope, { partition, offset }, replayed);
        const message = decodeMessage(`epoch 7 ${stored}`);
        const { epoch, ...entry } = message;
        assert.equal(epoch, 'epoch');
        assert.deepEqual(entry, decodeEntry(7, stored));
        assert.deepEqual(entry.kafka, { partition, offset });
        assert.equal(entry.replayed, replayed);
        assert.equal(entry.publishedAt, 1_234);
        assert.deepEqual(JSON.parse(entry.info), info);
        assert.equal(entry.data.form, data.form);
        // JSON.parse takes -0, which is written as 0; the rest comes back as it is.
        assert.equal(
          entry.data.text,
          data.form === 'json' ? JSON.stringify(JSON.parse(data.text)) : data.text,
        );
      }),
    );
  });

  it('has its trace context in Redis only if it is traced', () => {
    const envelope = decodeEnvelope(Buffer.from('{"id":"1","t":1234,"data":{"a":1}}'));
    assert.ok(envelope);
    const place = { partition: 2, offset: 7 };
    assert.equal(encodeEntry(envelope, place, false), '2 7 0 1234 json\n\n{"a":1}');
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const traced = encodeEntry(envelope, place, false, traceparent);
    assert.equal(traced, `2 7 0 1234 ${traceparent} json\n\n{"a":1}`);
    const { tags, ...rest } = decodeEntry(1, traced);
    assert.deepEqual(tags, { traceparent });
    assert.deepEqual(rest, decodeEntry(1, encodeEntry(envelope, place, false)));
  });

  it('has the trace context of the first header in Kafka, if any', () => {
    const [a, b] = [Buffer.from('a'), Buffer.from('b')];
    for (const [headers, expected] of [
      [undefined, undefined],
      [{}, undefined],
      [{ other: a }, undefined],
      [{ traceparent: a }, 'a'],
      [{ traceparent: 'a' }, 'a'],
      [{ traceparent: [b, a] }, 'b'],
      [{ traceparent: [] }, undefined],
    ] as const) {
      assert.equal(traceparentIn(headers ? { headers: headers as IHeaders } : {}), expected);
    }
  });

  it('has a span only where it was put into Redis, and by whom', () => {
    const ended: string[] = [];
    const record = (name: string) => ({
      publication: {},
      span: { traceparent: '', end: () => void ended.push(name) },
    });
    endSpans(
      [record('carried'), record('seen'), { publication: {} }, { ...record('none'), publication: undefined }],
      ['ok', 'seen', 'ok', 'ok'],
    );
    assert.deepEqual(ended, ['carried']);
  });

  for (const [what, value] of [
    ['nothing', null],
    ['no JSON', 'x'],
    ['another form', '{"hello":1}'],
    ['no data', '{"id":"1","t":1}'],
    ['text that is no JSON', '{"id":"1","t":1,"text":"{"}'],
    ['data of no form', '{"id":"1","t":1,"bytes":5}'],
    ['a wrong sender', '{"id":"1","t":1,"data":1,"info":{"user":5}}'],
  ] as const) {
    it(`is not what somebody else wrote into the topic: ${what}`, () => {
      assert.equal(decodeEnvelope(value === null ? null : Buffer.from(value)), undefined);
    });
  }
});

describe('Redis keys', () => {
  it('are apart for each platform, and lead back to the channel', () => {
    const keys = redisKeys('ns', 'orders');
    assert.equal(keys.channelOf(keys.feed('chat:a:b')), 'chat:a:b');
    assert.notEqual(keys.stream('chat:a'), redisKeys('ns', 'other').stream('chat:a'));
  });
});

describe('a lane', () => {
  const options = { maxBatchRecords: 3, maxBatchBytes: 100, timeoutMs: 1_000 };

  it('has one batch in flight; what comes meanwhile is the next, in order', async () => {
    const sent: string[][] = [];
    const finish: (() => void)[] = [];
    const send = (records: { value: string }[]): Promise<void> => {
      sent.push(records.map(({ value }) => value));
      return new Promise((resolve) => finish.push(resolve));
    };
    const lane = new Lane(send, { ...options, now: () => 0 });
    const first = [lane.append('k', '1'), lane.append('k', '2')];
    await turn();
    const second = ['3', '4', '5', '6'].map((value) => lane.append('k', value));
    await turn();
    assert.deepEqual(sent, [['1', '2']]);
    finish.shift()?.();
    await Promise.all(first);
    await turn();
    assert.deepEqual(sent.slice(1), [['3', '4', '5']]);
    finish.shift()?.();
    await turn();
    finish.shift()?.();
    await Promise.all(second);
    assert.deepEqual(sent[2], ['6']);
    assert.equal(lane.idle, true);
  });

  it('keeps batches under the bytes that they may have', async () => {
    const sent: number[] = [];
    const lane = new Lane(async (records) => void sent.push(records.length), { ...options, now: () => 0 });
    await Promise.all([60, 60, 500, 10].map((size) => lane.append('k', 'x'.repeat(size))));
    assert.deepEqual(sent, [1, 1, 1, 1]);
  });

  it('says that a batch failed to those in it only, and goes on', async () => {
    let fail = true;
    const send = async (): Promise<void> => {
      if (fail) throw new Error('no leader');
    };
    const lane = new Lane(send, { ...options, now: () => 0 });
    await assert.rejects(lane.append('k', '1'), BackendAwayError);
    fail = false;
    await lane.append('k', '2');
  });

  it('gives up what waits too long, in flight and in the queue', async () => {
    let now = 0;
    let finish = (): void => undefined;
    const sent: string[] = [];
    const send = (records: { value: string }[]): Promise<void> => {
      sent.push(...records.map(({ value }) => value));
      return new Promise((resolve) => (finish = resolve));
    };
    const lane = new Lane(send, { ...options, now: () => now });
    const inFlight = lane.append('k', '1');
    await turn();
    const queued = lane.append('k', '2');
    now = 500;
    const later = lane.append('k', '3');
    now = 1_000;
    lane.expire();
    await assert.rejects(inFlight, BackendAwayError);
    await assert.rejects(queued, BackendAwayError);
    finish();
    await turn();
    finish();
    await later;
    assert.deepEqual(sent, ['1', '3'], 'what was given up in the queue is not sent');
  });
});
