import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { whenSilent } from './redis-silence.ts';

describe('a connection to Redis', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
  afterEach(() => mock.timers.reset());

  it('is silent when no ping was answered for as long as it may, and that is said once', () => {
    const client = new EventEmitter<{ 'ping-interval': [] }>();
    const said: Error[] = [];
    whenSilent(client, 2_000, (why) => said.push(why));
    mock.timers.tick(2_000);
    client.emit('ping-interval');
    mock.timers.tick(2_000);
    assert.deepEqual(said, []);
    mock.timers.tick(500);
    assert.deepEqual(said.map(String), ['Error: Redis has not answered for 2000 ms']);
    mock.timers.tick(10_000);
    assert.equal(said.length, 1);
  });

  it('is not silent once nobody asks any more', () => {
    const said: Error[] = [];
    const end = whenSilent(new EventEmitter(), 1_000, (why) => said.push(why));
    mock.timers.tick(1_000);
    end();
    mock.timers.tick(10_000);
    assert.deepEqual(said, []);
  });
});
