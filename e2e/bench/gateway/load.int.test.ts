import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { createTestPki, type TestPki } from '../../harness/index.ts';
import { check } from './books.ts';
import { tokenOf, wsServer, type Contestant } from './contestants.ts';
import { keptUp } from './kept-up.ts';
import { Load } from './load.ts';
import { portFree } from './server-port.ts';

/** The load generator against the plainest server that there is: what it counts must be what happened. */
describe('the load generator', () => {
  let pki: TestPki;
  let peer: Contestant;
  let load: Load;
  const concurrency = 8;

  before(async () => {
    pki = await createTestPki();
    const secret = randomBytes(32).toString('hex');
    const { certFile, keyFile } = await pki.issue('ws', ['localhost', '127.0.0.1']);
    peer = await wsServer({ caFile: pki.caFile, certFile, keyFile, secret });
    await peer.server.start();
    load = await Load.start({ caFile: pki.caFile, token: await tokenOf(secret) });
  });

  after(async () => {
    await load?.stop();
    await peer?.stop();
    pki?.remove();
  });

  it('counts each delivery of a fan-out once', async () => {
    const { address } = peer;
    const subscribers = { group: 'subscribers', address, count: 30, concurrency, channel: 'chat:fan' };
    const opened = await load.run('connect', subscribers);
    assert.deepEqual([opened.result.made, opened.result.failed], [30, 0]);
    await load.run('connect', { group: 'publishers', address, count: 2, concurrency });
    const order = { group: 'publishers', channel: 'chat:fan', perSecond: 40, seconds: 1, bytes: 128 };
    const { result, cpuSeconds } = await load.run('publish', order);
    assert.equal(result.sent, 40);
    assert.equal(result.acknowledged, 40);
    assert.equal(result.deliveries, 1200);
    assert.equal(
      result.pushTimes.reduce((sum, [, count]) => sum + count, 0),
      1200,
    );
    assert.equal(keptUp(result), true);
    assert.ok(cpuSeconds > 0);
    const closed = await load.run('close', { group: 'subscribers' });
    assert.deepEqual(closed.result, { closed: 30, ended: 0 });
  });

  it('tells what a server did not take', async () => {
    const { address } = peer;
    await load.run('connect', { group: 'narrow', address, count: 1, concurrency, channel: 'chat:narrow' });
    // One message at a time from one connection, a hundred thousand a second: most find it busy.
    const order = { group: 'narrow', perSecond: 100_000, seconds: 1, bytes: 128, inFlight: 1 };
    const { result } = await load.run('publish', order);
    assert.ok(result.skipped > 0);
    assert.equal(result.sent + result.skipped, 100_000);
    assert.equal(keptUp(result), false);
  });

  it('gets back what each connection sends', async () => {
    const { address } = peer;
    await load.run('connect', { group: 'own', address, count: 12, concurrency, channel: 'chat:own-%d' });
    const { result } = await load.run('echo', { group: 'own', rounds: 5, bytes: 2048, concurrency });
    assert.deepEqual([result.made, result.failed], [60, 0]);
  });

  it('resumes TLS sessions when it is to, and only then', async () => {
    const order = { address: peer.address, seconds: 1, concurrency: 2 };
    const full = (await load.run('handshakes', { ...order, resumed: false })).result;
    const resumed = (await load.run('handshakes', { ...order, resumed: true })).result;
    assert.ok(full.made > 0 && resumed.made > 0);
    assert.equal(full.resumed, 0);
    assert.equal(resumed.resumed, resumed.made);
  });

  it('keeps books of what followers get, in which what one missed is missing', async () => {
    const { address } = peer;
    const followers = { address, concurrency, channel: 'chat:book-%d', perChannel: 3, recover: true };
    await load.run('connect', { ...followers, group: 'followers', count: 6 });
    const feed = { group: 'own', perSecond: 200, bytes: 128, channel: 'chat:book-%d', channels: 2 };
    await load.run('feed', { ...feed, seconds: 60 });
    // Some of what is published comes before these are there.
    await load.run('books', { group: 'followers', seconds: 10, count: 60 });
    await load.run('connect', { ...followers, group: 'late', count: 6 });
    const { result: fed } = await load.run('feed-stop', {});
    assert.ok(fed.acknowledged >= 20);
    assert.deepEqual([fed.failed, fed.acknowledged], [0, fed.sent]);
    const count = 3 * fed.acknowledged;
    const { result: books } = await load.run('books', { group: 'followers', seconds: 10, count });
    const all = { lost: 0, doubled: 0, outOfOrder: 0, received: count, subscribers: 0 };
    assert.deepEqual(check(books, fed.channels), all);
    const { result: late } = await load.run('books', { group: 'late', seconds: 1, count: 0 });
    const faults = check(late, fed.channels);
    assert.ok(faults.lost >= 60, `${faults.lost} lost`);
    assert.equal(faults.lost + faults.received, count);
  });

  it('comes back to a server that was restarted, and counts that nothing was recovered', async () => {
    await peer.server.kill();
    await portFree(peer.port);
    await peer.server.start();
    const { result } = await load.run('await-back', { group: 'followers', seconds: 20 });
    // Plain ws keeps nothing, and says so by not saying "recovered".
    assert.deepEqual([result.lost, result.back, result.unrecovered], [6, 6, 6]);
    assert.ok(result.attempts >= 6 && result.seconds > 0);
  });

  it('says what broke when its server is gone, and that nobody comes back to nothing', async () => {
    const { address } = peer;
    await peer.server.kill();
    const { result } = await load.run('handshakes', { address, seconds: 1, concurrency: 1, resumed: false });
    assert.equal(result.made, 0);
    assert.ok(result.failed > 0);
    assert.match(Object.keys(result.errors).join(), /refused/);
    await assert.rejects(
      load.run('feed', { group: 'none', perSecond: 1, seconds: 1, bytes: 128, channel: 'a', channels: 1 }),
      /group/,
    );
    const ended = await load.run('close', { group: 'own' });
    assert.deepEqual(ended.result, { closed: 12, ended: 12 });
    const { result: back } = await load.run('await-back', { group: 'followers', seconds: 1 });
    assert.deepEqual([back.lost, back.back], [6, 0]);
  });
});
