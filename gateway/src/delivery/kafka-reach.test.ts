import assert from 'node:assert/strict';
import { connect, createServer, Socket } from 'node:net';
import type { AddressInfo, LookupFunction } from 'node:net';
import { describe, it, mock } from 'node:test';
import { connectWith, CONNECT_MS, ReachMemory, REST_MS } from './kafka-reach.ts';

const A = { address: '10.0.0.1', family: 4 };
const B = { address: '10.0.0.2', family: 4 };
const PORT = 9092;

/** A memory, its clock, and attempts that go as they are told. */
function memoryAt(): { memory: ReachMemory; time: { now: number }; attempt: (of: typeof A) => Socket } {
  const time = { now: 0 };
  const memory = new ReachMemory(() => time.now);
  const attempt = ({ address }: typeof A): Socket => {
    const socket = new Socket();
    socket.on('error', () => undefined);
    memory.follow(socket, address, PORT);
    return socket;
  };
  return { memory, time, attempt };
}

/** The attempt is over, and nobody has said anything. */
function silence(socket: Socket): void {
  socket.emit('error', Object.assign(new Error('connect EHOSTUNREACH'), { code: 'EHOSTUNREACH' }));
}

describe('a server that lets nobody connect', () => {
  it('is tried by all who come before that is known', () => {
    const { memory, attempt } = memoryAt();
    attempt(A);
    assert.equal(memory.choose([A], PORT), A);
  });

  it('is tried by one at a time, a while after the last, until it is reached', () => {
    const { memory, time, attempt } = memoryAt();
    silence(attempt(A));
    time.now = REST_MS - 1;
    assert.equal(memory.choose([A], PORT), undefined, 'it has just been tried');
    time.now = REST_MS;
    assert.equal(memory.choose([A], PORT), A);
    const socket = attempt(A);
    time.now = 10 * REST_MS;
    assert.equal(memory.choose([A], PORT), undefined, 'one tries it');
    socket.emit('connect');
    assert.equal(memory.choose([A], PORT), A);
    assert.equal(memory.choose([A], PORT + 1), A, 'another port is another server');
  });

  it('is not chosen while there is another one that is not known to be silent', () => {
    const { memory, time, attempt } = memoryAt();
    silence(attempt(A));
    time.now = 100 * REST_MS;
    assert.equal(memory.choose([A, B], PORT), B);
    silence(attempt(B));
    assert.equal(memory.choose([A, B], PORT), A, 'the one that has rested');
  });

  it('is one that says no no longer', () => {
    const { memory, attempt } = memoryAt();
    silence(attempt(A));
    attempt(A).emit('error', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    assert.equal(memory.choose([A], PORT), A);
  });

  it('stays what it was when an attempt is given up', () => {
    const { memory, time, attempt } = memoryAt();
    silence(attempt(A));
    time.now = REST_MS;
    attempt(A).emit('close');
    assert.equal(memory.choose([A], PORT), A, 'it is due as before');
    attempt(B).emit('close');
    assert.equal(memory.choose([A, B], PORT), B, 'nothing is known of it');
  });

  it('is given up after a while, which ends the socket', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { memory, attempt } = memoryAt();
    const socket = attempt(A);
    t.mock.timers.tick(CONNECT_MS - 1);
    assert.deepEqual([socket.destroyed, memory.choose([A], PORT)], [false, A]);
    t.mock.timers.tick(1);
    assert.deepEqual([socket.destroyed, memory.choose([A], PORT)], [true, undefined]);
  });
});

describe('a socket', () => {
  /** Answers with these addresses. */
  const named =
    (...found: { address: string; family: number }[]): LookupFunction =>
    (_name, _options, callback) =>
      process.nextTick(callback, null, found);
  const failed = (socket: Socket): Promise<string> =>
    new Promise((resolve) => socket.once('error', ({ message }) => resolve(message)));

  it('goes past an address of its name that is silent', async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const memory = new ReachMemory();
      const silent = new Socket();
      memory.follow(silent, '127.0.0.2', port);
      silence(silent.on('error', () => undefined));
      const lookup = named({ address: '127.0.0.2', family: 4 }, { address: '127.0.0.1', family: 4 });
      for (const autoSelectFamily of [true, false]) {
        const socket = connectWith(memory, { host: 'kafka', port, lookup }, (chosen) =>
          connect({ host: 'kafka', port, lookup: chosen, autoSelectFamily }),
        );
        await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
        assert.equal(socket.remoteAddress, '127.0.0.1');
        socket.destroy();
      }
    } finally {
      server.close();
    }
  });

  it('fails at once where all are silent, by name or by address', async () => {
    const memory = new ReachMemory(() => 0);
    const silent = new Socket();
    memory.follow(silent, '127.0.0.1', PORT);
    silence(silent.on('error', () => undefined));
    const make = mock.fn((lookup: LookupFunction) => connect({ host: 'kafka', port: PORT, lookup }));
    const lookup = named({ address: '127.0.0.1', family: 4 });
    assert.match(
      await failed(connectWith(memory, { host: 'kafka', port: PORT, lookup }, make)),
      /^kafka has just let nobody connect$/,
    );
    assert.match(
      await failed(connectWith(memory, { host: '127.0.0.1', port: PORT, lookup }, make)),
      /^127\.0\.0\.1 has just let nobody connect$/,
    );
    assert.equal(make.mock.callCount(), 1);
  });

  it('says what the name server says', async () => {
    const lookup: LookupFunction = (_name, _options, callback) =>
      process.nextTick(callback, new Error('ENOTFOUND kafka'), '');
    const socket = connectWith(new ReachMemory(), { host: 'kafka', port: PORT, lookup }, (chosen) =>
      connect({ host: 'kafka', port: PORT, lookup: chosen }),
    );
    assert.match(await failed(socket), /ENOTFOUND/);
  });
});
