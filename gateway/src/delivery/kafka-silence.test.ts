import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import createRequest from 'kafkajs/src/protocol/request.js';
import { lookup, requests } from 'kafkajs/src/protocol/requests/index.js';
import { breakWhenSilent } from './kafka-silence.ts';

const LIMITS = { answerMs: 60, knownMs: 20, fetchMs: 45, groupMs: 300, beatMs: 30 };
const [PRODUCE, FETCH, METADATA, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT] = [0, 1, 3, 10, 11, 12];

const ANSWER = Buffer.from([0, 0, 0, 2, 1, 2]);

/** The begin of a request, which is all that is looked at. */
function request(apiKey: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeInt32BE(4);
  bytes.writeInt16BE(apiKey, 4);
  return bytes;
}

/** As kafkajs writes it. */
async function joinGroup(memberId: string): Promise<Buffer> {
  const asked = {
    groupId: 'p-gateways',
    sessionTimeout: 6_000,
    rebalanceTimeout: 10_000,
    memberId,
    protocolType: 'consumer',
    groupProtocols: [],
  };
  const newest = lookup({ [JOIN_GROUP]: { maxVersion: 9 } })(JOIN_GROUP, requests.JoinGroup)(asked);
  const of = { clientId: 'p-0', correlationId: 7, request: newest.request };
  return (await createRequest(of)).buffer;
}

describe('a connection to Kafka', { timeout: 10_000 }, () => {
  let server: Server;
  let answers = true;
  const accepted = new Set<Socket>();

  before(async () => {
    server = createServer((socket) => {
      accepted.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => accepted.delete(socket));
      socket.on('data', () => answers && socket.write(ANSWER));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => server.close());

  /** `ended`: milliseconds until it broke. */
  const open = async (): Promise<{ socket: Socket; ended: Promise<[number, string]> }> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    breakWhenSilent(socket, LIMITS);
    socket.resume();
    await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
    const began = performance.now();
    const ended = once(socket, 'error').then(([error]): [number, string] => [
      performance.now() - began,
      (error as Error).message,
    ]);
    return { socket, ended };
  };

  it('breaks when an answer is overdue', async () => {
    answers = false;
    const { socket, ended } = await open();
    socket.write(request(PRODUCE));
    const [ms, why] = await ended;
    assert.ok(ms < LIMITS.groupMs, `after ${ms} ms`);
    assert.equal(why, 'Kafka has not answered for 60 ms');
  });

  it('waits longer for an answer that waits for others', async () => {
    answers = false;
    const { socket, ended } = await open();
    socket.write(request(JOIN_GROUP));
    const [ms, why] = await ended;
    assert.ok(ms >= LIMITS.groupMs - 5, `after ${ms} ms`);
    assert.equal(why, 'Kafka has not answered for 300 ms');
  });

  it('does not wait longer for an id, which is given at once', async () => {
    answers = false;
    for (const [memberId, ms] of [
      ['', LIMITS.answerMs],
      ['m-1', LIMITS.groupMs],
    ] as const) {
      const { socket, ended } = await open();
      socket.write(await joinGroup(memberId));
      assert.equal((await ended)[1], `Kafka has not answered for ${ms} ms`);
    }
  });

  it('does not wait as long for what a broker knows: who leads, who coordinates', async () => {
    answers = false;
    for (const apiKey of [METADATA, FIND_COORDINATOR]) {
      const { socket, ended } = await open();
      socket.write(request(apiKey));
      assert.equal((await ended)[1], 'Kafka has not answered for 20 ms');
    }
  });

  it('does not wait as long for an answer to a fetch', async () => {
    answers = false;
    const { socket, ended } = await open();
    socket.write(request(FETCH));
    assert.equal((await ended)[1], 'Kafka has not answered for 45 ms');
  });

  it('does not wait as long for an answer to a heartbeat, unless that stands behind something else', async () => {
    answers = false;
    const alone = await open();
    alone.socket.write(request(HEARTBEAT));
    assert.equal((await alone.ended)[1], 'Kafka has not answered for 30 ms');
    const behind = await open();
    behind.socket.write(request(PRODUCE));
    behind.socket.write(request(HEARTBEAT));
    assert.equal((await behind.ended)[1], 'Kafka has not answered for 60 ms');
  });

  it('waits for each as long as it may take, from when what it stands behind was answered', async () => {
    answers = false;
    const { socket, ended } = await open();
    for (const apiKey of [HEARTBEAT, JOIN_GROUP]) socket.write(request(apiKey));
    const [peer] = [...accepted].slice(-1);
    peer?.write(ANSWER);
    await once(socket, 'data');
    socket.write(request(METADATA));
    assert.equal((await ended)[1], 'Kafka has not answered for 300 ms');
  });

  it('counts answers, however they come: in pieces, or many at once', async () => {
    answers = false;
    const { socket, ended } = await open();
    for (const apiKey of [PRODUCE, PRODUCE, JOIN_GROUP, METADATA]) socket.write(request(apiKey));
    const [peer] = [...accepted].slice(-1);
    for (const piece of [ANSWER.subarray(0, 3), Buffer.concat([ANSWER.subarray(3), ANSWER, ANSWER])]) {
      peer?.write(piece);
      await once(socket, 'data');
    }
    assert.equal((await ended)[1], 'Kafka has not answered for 20 ms');
  });

  it('says so when a request came too late: when the other side had closed it, or it was closed', async () => {
    for (const event of ['end', 'close']) {
      const { socket, ended } = await open();
      socket.once(event, () => socket.write(request(PRODUCE)));
      for (const one of accepted) one.end();
      const [ms, why] = await ended;
      assert.ok(ms < LIMITS.answerMs, `after ${ms} ms`);
      assert.equal(why, 'closed before Kafka answered', event);
    }
  });

  it('stays while all is answered, and while nothing is asked', async () => {
    answers = true;
    const { socket, ended } = await open();
    const broken = Promise.race([ended, delay(5 * LIMITS.answerMs, 'whole')]);
    for (let i = 0; i < 3; i += 1) {
      socket.write(request(PRODUCE));
      await once(socket, 'data');
    }
    assert.equal(await broken, 'whole');
    socket.destroy();
  });
});
