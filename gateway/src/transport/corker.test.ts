import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { Corker } from './corker.ts';

/** A clock that stands still, and what is to run on it. Each write to a socket takes `writeMs` of it. */
class World {
  now = 1_000;
  writeMs = 0.005;
  readonly waiting: { run: () => void; afterMs: number }[] = [];
  readonly corker = new Corker({
    now: () => this.now,
    later: (run, afterMs) => void this.waiting.push({ run, afterMs }),
  });
  /** What went out, each piece as it did. */
  readonly sent: string[][] = [];

  socket(): Duplex {
    const send = (chunks: Buffer[]): void => {
      this.now += this.writeMs;
      this.sent.push(chunks.map(String));
    };
    return new Writable({
      write: (chunk: Buffer, _, done) => {
        send([chunk]);
        done();
      },
      writev: (chunks, done) => {
        send(chunks.map(({ chunk }) => chunk as Buffer));
        done();
      },
    }) as unknown as Duplex;
  }

  write(socket: Duplex, text: string): void {
    this.corker.cork(socket);
    socket.write(text);
  }

  /** Runs what waits; returns how long it waited. */
  flush(): number {
    const [{ run, afterMs } = { run: () => undefined, afterMs: -1 }] = this.waiting.splice(0);
    this.now += Math.max(0, afterMs);
    run();
    return afterMs;
  }
}

describe('corked sockets', () => {
  it('send what was written in one turn in one piece, at its end', () => {
    const world = new World();
    const socket = world.socket();
    world.write(socket, 'a');
    world.write(socket, 'b');
    assert.deepEqual(world.sent, []);
    assert.equal(world.flush(), 0);
    assert.deepEqual(world.sent, [['a', 'b']]);
    world.write(socket, 'c');
    assert.equal(world.flush(), 0);
  });

  it('wait a little after a large fan-out, and send what came meanwhile together', () => {
    const world = new World();
    const sockets = Array.from({ length: 500 }, () => world.socket());
    for (const socket of sockets) world.write(socket, 'a');
    assert.equal(world.flush(), 0);
    assert.equal(world.sent.length, 500);
    world.now += 4;
    for (const socket of sockets) world.write(socket, 'b');
    for (const socket of sockets) world.write(socket, 'c');
    const waited = world.flush();
    assert.ok(waited > 5.9 && waited < 6.1, `waited ${waited} ms`);
    assert.deepEqual(
      world.sent.slice(500),
      Array.from({ length: 500 }, () => ['b', 'c']),
    );
  });

  it('do not wait after a pause, nor after a small fan-out', () => {
    const world = new World();
    const sockets = Array.from({ length: 500 }, () => world.socket());
    for (const socket of sockets) world.write(socket, 'a');
    world.flush();
    world.now += 10;
    world.write(sockets[0] as Duplex, 'b');
    assert.equal(world.flush(), 0);
    world.write(sockets[0] as Duplex, 'c');
    assert.equal(world.flush(), 0);
  });
});
