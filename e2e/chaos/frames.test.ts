import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MalformedFrameError, JSON_CODEC, PROTOBUF_CODEC } from '../../gateway/src/protocol/index.ts';
import { connectFrame, fuzzFrames, garbage } from './frames.ts';

describe('frames that strangers send', () => {
  for (const [form, codec] of [
    ['json', JSON_CODEC],
    ['protobuf', PROTOBUF_CODEC],
  ] as const) {
    it(`are read, or refused in one way, in ${form}`, () => {
      const outcomes = { read: 0, refused: 0 };
      for (const frame of fuzzFrames(form, 1, 2_000)) {
        try {
          codec.decode(Buffer.from(frame));
          outcomes.read += 1;
        } catch (error) {
          assert.ok(error instanceof MalformedFrameError, String(error));
          outcomes.refused += 1;
        }
      }
      assert.ok(outcomes.read > 200 && outcomes.refused > 200, JSON.stringify(outcomes));
    });

    it(`are the same for the same seed, in ${form}`, () => {
      assert.deepEqual(fuzzFrames(form, 3, 20), fuzzFrames(form, 3, 20));
      assert.deepEqual(codec.decode(Buffer.from(connectFrame(form, 't')))[0]?.method, 'connect');
    });
  }

  it('may be anything', () => {
    assert.deepEqual(garbage(5), garbage(5));
    assert.notDeepEqual(garbage(5), garbage(6));
  });
});
