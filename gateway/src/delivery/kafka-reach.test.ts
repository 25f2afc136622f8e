import assert from 'node:assert/strict';
import { connect, createServer, Socket } from 'node:net';
import type { AddressInfo, LookupFunction } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { CONNECT_MS, DETOUR_MS, GIVEN_UP_CODE, KafkaReach, REST_MS } from './kafka-reach.ts';

const PORT = 9092;
const BOOTSTRAP = 'kafka:9092';

/** Answers with these addresses. */
function named(...addresses: string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: 4 }));
  return (_name, _options, callback) => process.nextTick(callback, null, found);
}

/** A reach, its clock, and attempts that go as they are told. */
function reachAt() {
  const time = { now: 0 };
  const reach = new KafkaReach([BOOTSTRAP], () => time.now);
  /** The socket, and to which address it went; undefined: to none. */
  const attempt = async (host: string, ...addresses: string[]) => {
    let chosen: string | undefined;
    const to = { host, port: PORT, lookup: named(...addresses) };
    const socket = reach.connect(to, (lookup) => {
      lookup(host, { all: true }, (_error, found) => {
        chosen = (found as { address: string }[])[0]?.address;
      });
      return new Socket();
    });
    socket.on('error', () => undefined);
    await turn();
    return { socket, chosen };
  };
  return { reach, time, attempt };
}

/** The attempt is over, and nobody has said anything. */
function silence({ socket }: { socket: Socket }): void {
  socket.emit('error', Object.assign(new Error('connect EHOSTUNREACH'), { code: 'EHOSTUNREACH' }));
}

describe('a broker that lets nobody connect', () => {
  it('is tried by all who come before that is known', async () => {
    const { attempt } = reachAt();
    for (let i = 0; i < 3; i += 1) assert.equal((await attempt('a', '10.0.0.1')).chosen, '10.0.0.1');
  });

  it('is tried by one at a time, a while after the last, until it is reached', async () => {
    const { time, attempt } = reachAt();
    const next = async (): Promise<string | undefined> => (await attempt('a', '10.0.0.1')).chosen;
    silence(await attempt('a', '10.0.0.1'));
    time.now = REST_MS - 1;
    assert.equal(await next(), undefined, 'it has just been tried');
    time.now = REST_MS;
    const one = await attempt('a', '10.0.0.1');
    assert.equal(one.chosen, '10.0.0.1');
    time.now = 10 * REST_MS;
    assert.equal(await next(), undefined, 'one tries it');
    assert.equal((await attempt('b', '10.0.0.2')).chosen, '10.0.0.2', 'another one is another one');
    one.socket.emit('connect');
    assert.equal(await next(), '10.0.0.1');
  });

  it('is tried at each of its addresses in turn', async () => {
    const { time, attempt } = reachAt();
    const tried: (string | undefined)[] = [];
    for (let i = 0; i < 4; i += 1) {
      const one = await attempt('a', '10.0.0.1', 'fd00::1');
      tried.push(one.chosen);
      silence(one);
      time.now += REST_MS;
    }
    assert.deepEqual(tried, ['10.0.0.1', 'fd00::1', '10.0.0.1', 'fd00::1']);
  });

  it('is one that says no no longer', async () => {
    const { time, attempt } = reachAt();
    silence(await attempt('a', '10.0.0.1'));
    time.now = REST_MS;
    const { socket } = await attempt('a', '10.0.0.1');
    socket.emit('error', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    assert.equal((await attempt('a', '10.0.0.1')).chosen, '10.0.0.1');
  });

  it('stays what it was when an attempt is given up', async () => {
    const { time, attempt } = reachAt();
    silence(await attempt('a', '10.0.0.1'));
    time.now = REST_MS;
    const { socket } = await attempt('a', '10.0.0.1');
    socket.emit('error', Object.assign(new Error('given up'), { code: GIVEN_UP_CODE }));
    socket.emit('close');
    assert.equal((await attempt('a', '10.0.0.1')).chosen, '10.0.0.1', 'it is due as before');
    assert.equal((await attempt('a', '10.0.0.1')).chosen, undefined, 'and tried by one');
  });

  it('is given up after a while, which ends the socket', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { attempt } = reachAt();
    const { socket } = await attempt('a', '10.0.0.1');
    t.mock.timers.tick(CONNECT_MS - 1);
    assert.equal(socket.destroyed, false);
    t.mock.timers.tick(1);
    assert.equal(socket.destroyed, true);
    assert.equal((await attempt('a', '10.0.0.1')).chosen, undefined);
  });
});

describe('a bootstrap server', () => {
  it('is tried by all, though it was silent: others may be behind the same address', async () => {
    const { attempt } = reachAt();
    silence(await attempt('kafka', '10.0.0.9'));
    for (let i = 0; i < 2; i += 1) assert.equal((await attempt('kafka', '10.0.0.9')).chosen, '10.0.0.9');
  });

  it('with several addresses leads to one that is not known to be silent', async () => {
    const { attempt } = reachAt();
    silence(await attempt('kafka', '10.0.0.1', '10.0.0.2'));
    assert.equal((await attempt('kafka', '10.0.0.1', '10.0.0.2')).chosen, '10.0.0.2');
  });

  it('leads to each of its addresses in turn when all were silent: one of them may be back', async () => {
    const { time, attempt } = reachAt();
    const tried: (string | undefined)[] = [];
    for (time.now = 0; time.now < 6; time.now += 1) {
      const one = await attempt('kafka', '10.0.0.1', '10.0.0.2', '10.0.0.3');
      tried.push(one.chosen);
      silence(one);
    }
    const each = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    assert.deepEqual(tried, [...each, ...each]);
  });

  it('comes after the brokers that were met, for a while after it was silent', async () => {
    const { reach, time, attempt } = reachAt();
    for (const [host, address] of [
      ['a', '10.0.0.1'],
      ['b', '10.0.0.2'],
      ['c', '10.0.0.3'],
      ['a', '10.0.0.1'],
      ['kafka', '10.0.0.9'],
    ] as const)
      (await attempt(host, address)).socket.emit('connect');
    assert.deepEqual(reach.servers(), [BOOTSTRAP]);
    silence(await attempt('kafka', '10.0.0.9'));
    assert.deepEqual(reach.servers(), ['a:9092', 'c:9092', 'b:9092', BOOTSTRAP]);
    silence(await attempt('c', '10.0.0.3'));
    assert.deepEqual(reach.servers(), ['a:9092', 'b:9092', BOOTSTRAP]);
    time.now = DETOUR_MS;
    assert.deepEqual(reach.servers(), [BOOTSTRAP]);
  });
});

describe('a socket to Kafka', () => {
  const failed = (socket: Socket): Promise<string> =>
    new Promise((resolve) => socket.once('error', ({ message }) => resolve(message)));

  it('goes past an address of its name that is silent', async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const reach = new KafkaReach([]);
      silence({
        socket: reach
          .connect({ host: '127.0.0.2', port, lookup: named() }, () => new Socket())
          .on('error', () => undefined),
      });
      const lookup = named('127.0.0.2', '127.0.0.1');
      for (const autoSelectFamily of [true, false]) {
        const socket = reach.connect({ host: 'a', port, lookup }, (chosen) =>
          connect({ host: 'a', port, lookup: chosen, autoSelectFamily }),
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
    const reach = new KafkaReach([], () => 0);
    let made = 0;
    const to = (host: string): Promise<string> =>
      failed(
        reach.connect({ host, port: PORT, lookup: named('127.0.0.1') }, (lookup) => {
          made += 1;
          return connect({ host, port: PORT, lookup });
        }),
      );
    silence({
      socket: reach
        .connect({ host: '127.0.0.1', port: PORT, lookup: named() }, () => new Socket())
        .on('error', () => undefined),
    });
    assert.equal(await to('a'), 'a:9092 has just let nobody connect');
    assert.equal(await to('127.0.0.1'), '127.0.0.1:9092 has just let nobody connect');
    assert.equal(made, 1);
  });

  it('says what the name server says', async () => {
    const lookup: LookupFunction = (_name, _options, callback) =>
      process.nextTick(callback, new Error('ENOTFOUND a'), '');
    const socket = new KafkaReach([]).connect({ host: 'a', port: PORT, lookup }, (chosen) =>
      connect({ host: 'a', port: PORT, lookup: chosen }),
    );
    assert.match(await failed(socket), /ENOTFOUND/);
  });
});
