import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createTestPki, type TestPki } from '../../harness/index.ts';
import { waitFor } from '../../tools/index.ts';
import { wsServer, type Contestant } from '../gateway/contestants.ts';
import { portFree } from '../gateway/server-port.ts';
import { Crowd } from './crowd.ts';

const CLIENTS = 20;
const PER_CHANNEL = 10;

let pki: TestPki;
let peer: Contestant;
let crowd: Crowd | undefined;

before(async () => {
  pki = await createTestPki();
  const secret = randomBytes(32).toString('hex');
  const { certFile, keyFile } = await pki.issue('ws', ['localhost', '127.0.0.1']);
  peer = await wsServer({ caFile: pki.caFile, certFile, keyFile, secret });
  await peer.server.start();
  const access = {
    namespace: '',
    name: '',
    ca: readFileSync(pki.caFile, 'utf8'),
    servername: 'localhost',
    hmac: Buffer.from(secret),
  };
  crowd = await Crowd.gather(access, peer.address, {
    clients: CLIENTS,
    perChannel: PER_CHANNEL,
    publishers: 2,
    perSecond: 100,
    bytes: 128,
    pingDelays: [10],
  });
});

after(async () => {
  await crowd?.leave();
  await peer?.stop();
  pki?.remove();
});

test('who hears nothing is in until its time is up, and does not receive', async () => {
  assert.ok(crowd);
  const there = crowd;
  await waitFor('all to receive', async () => (await there.look()).receiving === CLIENTS);
  const pid = peer.server.pid();
  assert.ok(pid);
  process.kill(pid, 'SIGSTOP');
  try {
    await waitFor('nobody to receive', async () => (await there.look()).receiving === 0);
    const { in: connected, losses } = await there.look();
    assert.deepEqual({ connected, losses }, { connected: CLIENTS, losses: 0 });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await waitFor('all to receive again', async () => (await there.look()).receiving === CLIENTS);
});

test('a crowd comes back when its server does, and its journal has all that it saw', async () => {
  assert.ok(crowd);
  const there = crowd;
  const isBusy = async (acknowledged: number): Promise<boolean> => {
    const look = await there.look();
    return look.in === CLIENTS && look.acknowledged >= acknowledged;
  };
  await waitFor('publications', () => isBusy(50));
  await peer.server.kill();
  await portFree(peer.port);
  await peer.server.start();
  const acknowledged = (await there.look()).acknowledged;
  await waitFor('all to be back, and publications', () => isBusy(acknowledged + 50));
  const { journal, look } = await there.stop();
  assert.ok(look.cpuSeconds > 0);
  assert.equal(look.losses, CLIENTS);
  const stories = [...journal.clients.values()].filter(({ channel }) => channel !== '');
  assert.equal(stories.length, CLIENTS);
  for (const { name, lost, subscribed, connected } of stories) {
    assert.equal(lost.length, 1, name);
    // Plain ws keeps nothing, and says so by not saying "recovered".
    assert.deepEqual(
      subscribed.map(({ recovery }) => recovery),
      ['fresh', 'lost'],
    );
    assert.ok(connected.every(({ port }) => port > 1_024));
    const [away, back] = [lost[0]?.ms ?? 0, subscribed[1]?.ms ?? 0];
    assert.ok(back - away >= 500, `${name} was back after ${back - away} ms: the SDK waits 500 ms at least`);
  }
  const [first, last] = [0, 1].map((turn) =>
    Math.max(...stories.map((one) => one.subscribed[turn]?.ms ?? 0)),
  );
  const down = Math.min(...stories.map(({ lost }) => lost[0]?.ms ?? 0));
  const whole = [...journal.acknowledged].filter(([id, ms]) => {
    const sent = journal.invoked.get(id) ?? 0;
    return (sent > (first ?? 0) && ms < down) || sent > (last ?? 0);
  });
  assert.ok(whole.length > 50, `${whole.length} publications while all were there`);
  const came = Map.groupBy(
    stories.flatMap(({ delivered }) => delivered),
    ({ id }) => id,
  );
  for (const [id] of whole) assert.equal(came.get(id)?.length, PER_CHANNEL, `publication ${id}`);
});
