import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ETCD_KEY, objectName, type ReplicationCheckpoint } from '@causeway/crds';
import type { Etcd3 } from 'etcd3';
import { createTestPki, startEtcd, type Etcd, type TestPki } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { x509Issuer } from '../certificates/index.ts';
import { etcdAdmin, etcdAdmins, type EtcdAdmin } from './etcd-admin.ts';
import { withEtcd, type EtcdAccess } from './etcd-connect.ts';
import { applicationUser } from './etcd-roles.ts';
import { certificatesOf } from './reconcile.ts';
import { ordersPlatform } from './testing/orders.ts';

/** Real etcds with mutual TLS, as the operator runs them: clients are known by the name in their certificate. */
let pki: TestPki;
let zones: Record<string, Etcd> = {};
let certificates: Record<'operator' | 'application', { ca: string; cert: string; key: string }>;
let admin: EtcdAdmin;
const NOW = Date.parse('2026-11-25T10:00:00Z');
const AT = '2026-11-25T10:00:00.000Z';

async function certificate(name: string): Promise<{ ca: string; cert: string; key: string }> {
  const { certFile, keyFile } = await pki.issue(name, ['localhost']);
  const text = (file: string): string => readFileSync(file, 'utf8');
  return { ca: text(pki.caFile), cert: text(certFile), key: text(keyFile) };
}

const access = (zone: string, who: keyof typeof certificates = 'operator'): EtcdAccess => ({
  endpoints: [zones[zone]?.endpoint ?? 'https://127.0.0.1:1'],
  ...certificates[who],
});
const as = <T>(
  who: keyof typeof certificates,
  zone: string,
  work: (client: Etcd3) => Promise<T>,
): Promise<T> => withEtcd(access(zone, who), work);
const put = (client: Etcd3, key: string, value: string, lease?: string): Promise<string> =>
  client.kv
    .put({ key: Buffer.from(key), value: Buffer.from(value), ...(lease === undefined ? {} : { lease }) })
    .then(({ header }) => header.revision);
const get = async (client: Etcd3, key: string): Promise<string | undefined> =>
  (await client.kv.range({ key: Buffer.from(key) })).kvs[0]?.value.toString();

/** What an application may do. Each of these is a request of its own to a real etcd. */
async function attempts(zone: string): Promise<Record<string, string>> {
  const key = Buffer.from('/config/a');
  return as('application', zone, async (client) => {
    const tries: Record<string, () => Promise<unknown>> = {
      put: () => put(client, '/config/a', 'of the application'),
      'put elsewhere': () => put(client, '/mine/a', 'of the application'),
      delete: () => client.kv.deleteRange({ key }),
      'put in a transaction': () =>
        client.kv.txn({ compare: [], success: [{ request_put: { key, value: key } }], failure: [] }),
      'delete in a transaction': () =>
        client.kv.txn({ compare: [], success: [{ request_delete_range: { key } }], failure: [] }),
      'put the epoch': () => put(client, ETCD_KEY.epoch, '1'),
      'end a lease with keys': () => client.leaseClient.leaseRevoke({ ID: leases[zone] ?? '0' }),
      'give itself rights': () => client.auth.userGrantRole({ user: 'orders client', role: 'root' }),
      'switch users off': () => client.auth.authDisable(),
      read: () => client.kv.range({ key }),
    };
    const results: Record<string, string> = {};
    for (const [name, attempt] of Object.entries(tries))
      results[name] = await attempt().then(
        () => 'done',
        (error: Error) => error.message,
      );
    return results;
  });
}

const leases: Record<string, string> = {};

/** A key with a lease that an application made. */
async function leaseKey(zone: string): Promise<void> {
  await as('operator', zone, async (client) => {
    leases[zone] = (await client.leaseClient.leaseGrant({ TTL: 600 })).ID;
    await put(client, '/config/leased', 'v', leases[zone]);
  });
}

function assertReadOnly(results: Record<string, string>): void {
  const { read, ...writes } = results;
  assert.equal(read, 'done');
  for (const [name, result] of Object.entries(writes)) assert.match(result, /permission denied/, name);
}

const checkpoint = (changes: Partial<ReplicationCheckpoint> = {}): string =>
  JSON.stringify({
    sourceClusterId: '7',
    homeZone: 'zone-a',
    revision: '40',
    epoch: 1,
    prefixes: ['/config/'],
    ...changes,
  });

describe('fence and promote', () => {
  before(async () => {
    pki = await createTestPki();
    certificates = {
      operator: await certificate('orders inner'),
      application: await certificate('orders client'),
    };
  });
  beforeEach(async () => {
    const server = await pki.issue('etcd', ['127.0.0.1']);
    const [a, b] = await Promise.all(
      ['zone-a', 'zone-b'].map(() => startEtcd({ tls: { caFile: pki.caFile, ...server } })),
    );
    assert.ok(a && b);
    zones = { 'zone-a': a, 'zone-b': b };
    admin = etcdAdmin({ access: (zone) => access(zone), applications: 'orders client' }, { now: () => NOW });
  });
  afterEach(() => Promise.all(Object.values(zones).map((etcd) => etcd.stop())));
  after(() => pki.remove());

  it('a new etcd is not fenced, and everybody may write', async () => {
    const fresh = { reachable: true, revision: '1', fenced: false, homes: [], applications: 'NotAsked' };
    assert.deepEqual(await admin.state('zone-a'), fresh);
    await leaseKey('zone-a');
    assert.equal((await attempts('zone-a'))['put'], 'done');
  });

  it('a fenced one refuses every write of applications, on open connections and after a restart; reads go on', async () => {
    await leaseKey('zone-a');
    await as('application', 'zone-a', async (open) => {
      await put(open, '/config/a', 'before');
      const { revision, ...fence } = await admin.fence('zone-a', 2);
      assert.deepEqual(fence, { epoch: 2, applications: 'Refused', at: AT });
      await assert.rejects(put(open, '/config/a', 'after'), /permission denied/);
      const state = await admin.state('zone-a');
      const rest = { reachable: true, revision, fencedAt: revision, epoch: 2, homes: [] };
      assert.deepEqual(state, { ...rest, fenced: true, fence, applications: 'MayRead' });
    });
    assertReadOnly(await attempts('zone-a'));
    await zones['zone-a']?.kill();
    await zones['zone-a']?.start();
    assertReadOnly(await attempts('zone-a'));
    assert.equal(await as('application', 'zone-a', (client) => get(client, '/config/a')), 'before');
    await as('operator', 'zone-a', (client) => put(client, '/config/a', 'of a replicator'));
  });

  it('under a load of writes none is acknowledged that is later than the fence', async () => {
    const seen = { last: 0n, acknowledged: 0, fence: 0n };
    const refused = new Set<string>();
    await as('application', 'zone-a', async (client) => {
      const write = async (): Promise<void> => {
        try {
          const revision = BigInt(await put(client, `/config/${seen.acknowledged % 50}`, 'v'));
          seen.acknowledged += 1;
          if (revision > seen.last) seen.last = revision;
        } catch (error) {
          refused.add((error as Error).message);
          if (seen.fence > 0n) return;
        }
        return write();
      };
      const writers = Array.from({ length: 16 }, write);
      await waitFor('some writes', () => seen.acknowledged > 500, { intervalMs: 5 });
      seen.fence = BigInt((await admin.fence('zone-a', 2)).revision);
      await Promise.all(writers);
    });
    assert.ok(seen.last < seen.fence, `acknowledged at ${seen.last}, fenced at ${seen.fence}`);
    for (const message of refused)
      assert.match(message, /permission denied|revision of auth store is old|user name is empty/);
    assert.equal(
      (await admin.state('zone-a')).revision,
      seen.fence.toString(),
      'nothing came after the fence',
    );
  });

  it('a fence that is repeated stays the same, and one that comes too late changes nothing', async () => {
    const first = await admin.fence('zone-a', 3);
    assert.deepEqual(await admin.fence('zone-a', 3), first);
    await assert.rejects(admin.fence('zone-a', 2), /is at epoch 3, and epoch 2 was asked for/);
    assert.equal((await admin.state('zone-a')).epoch, 3);
    await admin.promote('zone-a', 4, 'zone-a');
    await assert.rejects(admin.fence('zone-a', 4), /is the home of epoch 4/);
    assert.equal((await attempts('zone-a'))['put'], 'done', 'the home was left alone');
  });

  it('a promotion ends the replicator, records how far it had come, and lets applications write', async () => {
    await admin.fence('zone-b', 1);
    await as('operator', 'zone-b', (client) => put(client, ETCD_KEY.checkpoint, checkpoint()));
    assertReadOnly({ read: 'done', put: (await attempts('zone-b'))['put'] ?? '' });
    const record = await admin.promote('zone-b', 2, 'zone-a', { atLeast: '40' });
    const expected = { epoch: 2, zone: 'zone-b', at: AT, from: { zone: 'zone-a', revision: '40', epoch: 1 } };
    assert.deepEqual(record, expected);
    const state = await admin.state('zone-b');
    assert.equal(state.epoch, 2);
    assert.equal(state.fenced, false);
    assert.deepEqual(state.homes, [expected]);
    await leaseKey('zone-b');
    const results = await attempts('zone-b');
    assert.equal(results['put'], 'done');
    assert.equal(results['delete'], 'done');
    assert.equal(results['end a lease with keys'], 'done');
    assert.match(results['put the epoch'] ?? '', /permission denied/, 'Causeway’s own keys stay its own');
    assert.match(results['give itself rights'] ?? '', /permission denied/);
    assert.match(results['switch users off'] ?? '', /permission denied/);
    assert.deepEqual(await admin.promote('zone-b', 2, 'zone-a'), expected, 'repeated, it is the same');
    await assert.rejects(admin.promote('zone-b', 1, 'zone-a'), /is at epoch 2/);
  });

  it('a promotion whose checkpoint moves on under its hands records what is there in the end', async () => {
    const seen = { revision: 40 };
    await as('operator', 'zone-b', async (client) => {
      await put(client, ETCD_KEY.epoch, '1');
      const key = Buffer.from(ETCD_KEY.epoch);
      const compare = [{ key, result: 'Equal' as const, target: 'Value' as const, value: Buffer.from('1') }];
      // As a replicator writes: under its epoch only.
      const replicate = async (): Promise<void> => {
        const value = Buffer.from(checkpoint({ revision: String(seen.revision + 1) }));
        const request_put = { key: Buffer.from(ETCD_KEY.checkpoint), value };
        const { succeeded } = await client.kv.txn({ compare, success: [{ request_put }], failure: [] });
        if (!succeeded || seen.revision > 100_000) return;
        seen.revision += 1;
        return replicate();
      };
      const replicating = replicate();
      await waitFor('some writes', () => seen.revision > 200, { intervalMs: 5 });
      const record = await admin.promote('zone-b', 2, 'zone-a');
      await replicating;
      assert.equal(record.from?.revision, String(seen.revision), 'all that was acknowledged, and no more');
    });
  });

  it('what does not hold the home’s keys is not promoted, and stays as it was', async () => {
    const bad: [string | undefined, RegExp][] = [
      [undefined, /never held all keys of zone-a/],
      [checkpoint({ revision: '0', snapshot: { revision: '40' } }), /a snapshot of zone-a is half written/],
      [checkpoint({ homeZone: 'zone-c' }), /holds the keys of zone-c/],
      [checkpoint({ epoch: 0 }), /as of epoch 0, and zone-c became home in epoch 1/],
      [checkpoint({ revision: '39' }), /up to revision 39, and 40 is asked for/],
    ];
    await as('operator', 'zone-b', (client) =>
      put(client, ETCD_KEY.homes, JSON.stringify([{ epoch: 1, zone: 'zone-c', at: AT }])),
    );
    for (const [value, message] of bad) {
      if (value !== undefined)
        await as('operator', 'zone-b', (client) => put(client, ETCD_KEY.checkpoint, value));
      await assert.rejects(admin.promote('zone-b', 2, 'zone-a', { atLeast: '40' }), message);
      assert.equal((await admin.state('zone-b')).epoch, undefined);
    }
  });

  it('a home that was fenced can be given back, and go on under the next epoch', async () => {
    const { revision } = await admin.fence('zone-a', 2);
    assert.deepEqual(await admin.promote('zone-a', 2, 'zone-a'), { epoch: 2, zone: 'zone-a', at: AT });
    assert.equal((await admin.state('zone-a')).fenced, false);
    assert.equal((await attempts('zone-a'))['put'], 'done');
    await leaseKey('zone-a');
    const again = await admin.fence('zone-a', 3);
    assert.ok(BigInt(again.revision) > BigInt(revision));
    assertReadOnly(await attempts('zone-a'));
  });

  it('a fence and a promotion at once leave a home that can be written, or a later epoch', async () => {
    await as('operator', 'zone-b', (client) => put(client, ETCD_KEY.checkpoint, checkpoint()));
    for (let epoch = 2; epoch < 8; epoch += 1) {
      // No move of these came about: zone-a is the home all the time.
      const promote = () => admin.promote('zone-b', epoch, 'zone-a', { settled: 1 });
      const order = [() => admin.fence('zone-b', epoch - 1), promote];
      if (epoch % 2 === 0) order.reverse();
      await Promise.allSettled(order.map((act) => act()));
      assert.equal((await admin.state('zone-b')).fenced, false);
      assert.equal((await attempts('zone-b'))['put'], 'done');
    }
  });

  it('one that is away, or holds what is not ours, says so and does not throw', async () => {
    await as('operator', 'zone-b', (client) => put(client, ETCD_KEY.homes, '{'));
    const broken = await admin.state('zone-b');
    assert.equal(broken.reachable, false);
    assert.match(broken.trouble ?? '', /homes in it is not Causeway's/);
    await zones['zone-b']?.kill();
    const away = await admin.state('zone-b');
    assert.equal(away.reachable, false);
    // A connection that was still open ends by a reset.
    assert.match(away.trouble ?? '', /ECONN(REFUSED|RESET)/);
    await assert.rejects(admin.fence('zone-b', 2), /ECONN(REFUSED|RESET)/);
    await zones['zone-b']?.start();
  });

  for (const scheme of ['http', 'https']) {
    it(`one that takes connections and says nothing is given up, and no connection stays (${scheme})`, async () => {
      const open = new Set<Socket>();
      const silent = createServer((socket) => {
        open.add(socket.resume());
        socket.on('close', () => open.delete(socket)).on('error', () => undefined);
      }).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const endpoints = [`${scheme}://127.0.0.1:${(silent.address() as AddressInfo).port}`];
      const silence = etcdAdmin({
        access: () => ({ ...certificates.operator, endpoints }),
        applications: undefined,
      });
      try {
        const state = await silence.state('zone-a');
        assert.match(state.trouble ?? '', /no answer within 2 s/);
        await waitFor('no connection', () => open.size === 0);
      } finally {
        for (const socket of open) socket.destroy();
        silent.close();
      }
    });
  }

  for (const scheme of ['http', 'https']) {
    it(`one that no connection comes about with is given up as soon (${scheme})`, async () => {
      const peer = await fullQueue();
      const silence = etcdAdmin({
        access: () => ({ ...certificates.operator, endpoints: [`${scheme}://127.0.0.1:${peer.port}`] }),
        applications: undefined,
      });
      try {
        const state = await Promise.race([silence.state('zone-a'), delay(10_000, undefined)]);
        assert.match(state?.trouble ?? 'nothing was said', /no answer within 2 s/);
      } finally {
        peer.close();
      }
    });
  }

  it('the etcds of a platform are found by its spec, with the Secret that goes with them', async () => {
    const platform = ordersPlatform((one) => {
      const external = Object.entries(zones).map(([zone, { endpoint }]) => ({ zone, endpoints: [endpoint] }));
      one.spec.etcd = { ...one.spec.etcd, external: { zones: external } };
    });
    const { ca, cert, key } = certificates.operator;
    const found = etcdAdmins(platform, { 'ca.crt': ca, 'tls.crt': cert, 'tls.key': key });
    assert.equal((await found.fence('zone-b', 2)).applications, 'Unmanaged');
    assert.equal((await found.state('zone-b')).epoch, 2);
    assert.match((await etcdAdmins(platform, undefined).state('zone-b')).trouble ?? '', /./);
    assert.match((await found.state('zone-c')).trouble ?? '', /no endpoint of it is known/);
  });

  it('an etcd that somebody else runs gets the fence, but no users', async () => {
    const external = etcdAdmin(
      { access: (zone) => access(zone), applications: undefined },
      { now: () => NOW },
    );
    const { applications } = await external.fence('zone-a', 2);
    assert.equal(applications, 'Unmanaged');
    assert.equal((await external.state('zone-a')).fenced, true);
    assert.equal((await attempts('zone-a'))['put'], 'done');
  });

  for (let step = 1; step <= 16; step += 1) {
    it(`given a crash after request ${step} of a fence, or of a promotion, the next one completes it`, async () => {
      await as('operator', 'zone-b', (client) => put(client, ETCD_KEY.checkpoint, checkpoint()));
      for (const act of [
        (one: EtcdAdmin) => one.fence('zone-b', 1),
        (one: EtcdAdmin) => one.promote('zone-b', 2, 'zone-a'),
      ]) {
        await crashing(step, act).catch((error: Error) => assert.match(error.message, /crashed/));
        await act(admin);
      }
      const state = await admin.state('zone-b');
      assert.equal(state.fenced, false);
      assert.equal(state.epoch, 2);
      assert.equal(state.homes?.length, 1);
      assert.equal((await attempts('zone-b'))['put'], 'done');
      await admin.fence('zone-b', 3);
      assertReadOnly(
        await attempts('zone-b').then(({ put: one, read }) => ({ put: one ?? '', read: read ?? '' })),
      );
    });
  }
});

/** An admin whose process ends after so many requests. */
async function crashing(requests: number, act: (admin: EtcdAdmin) => Promise<unknown>): Promise<void> {
  let left = requests;
  const count = (): void => {
    if (left === 0) throw new Error('crashed');
    left -= 1;
  };
  const counted = etcdAdmin(
    {
      access: (zone) => ({ ...access(zone), onRequest: count }),
      applications: 'orders client',
    },
    { now: () => NOW },
  );
  await act(counted);
}

describe('with the certificates that the operator issues', () => {
  it('applications are refused, and the platform’s own parts are not', async () => {
    const clock = { now: () => Date.now(), random: () => 0.5, sleep: () => Promise.resolve() };
    const nothing = {
      get: () => undefined,
      ofPlatform: () => [],
      all: () => [],
      hasSeenOurWrites: () => true,
    };
    const world = { cache: nothing, kube: { get: async () => undefined }, clock, issuer: x509Issuer };
    const platform = ordersPlatform();
    const { issued } = await certificatesOf(world, platform, { secrets: new Map(), problems: [] });
    const folder = mkdtempSync(join(tmpdir(), 'causeway-etcd-'));
    const file = (name: string, text: string | undefined): string => {
      writeFileSync(join(folder, name), text ?? '');
      return join(folder, name);
    };
    const { inner, client } = issued;
    const etcd = await startEtcd({
      tls: {
        caFile: file('ca.crt', inner['ca.crt']),
        certFile: file('tls.crt', inner['tls.crt']),
        keyFile: file('tls.key', inner['tls.key']),
      },
    });
    try {
      const endpoints = [etcd.endpoint.replace('127.0.0.1', 'localhost')];
      const of = (secret: typeof inner): EtcdAccess => ({
        endpoints,
        ca: secret['ca.crt'] ?? '',
        cert: secret['tls.crt'] ?? '',
        key: secret['tls.key'] ?? '',
      });
      const applications = applicationUser(platform.metadata.name);
      const own = etcdAdmin({ access: () => of(inner), applications });
      await withEtcd(of(client), (one) => put(one, '/config/a', '1'));
      await own.fence('zone-a', 2);
      await assert.rejects(
        withEtcd(of(client), (one) => put(one, '/config/a', '2')),
        /permission denied/,
      );
      await withEtcd(of(inner), (one) => put(one, '/config/a', '3'));
      assert.equal(await withEtcd(of(client), (one) => get(one, '/config/a')), '3');
      // By its pod's address, which is not in the certificate.
      const serverName = `${objectName.zoneEtcd('orders', 'zone-a')}.messaging.svc`;
      const byAddress = etcdAdmin({
        access: () => ({ ...of(inner), endpoints: [etcd.endpoint], serverName }),
        applications,
      });
      assert.equal((await byAddress.state('zone-a')).trouble, undefined);
      await byAddress.promote('zone-a', 3, 'zone-a');
      const wrong = etcdAdmin({
        access: () => ({ ...of(inner), endpoints: [etcd.endpoint], serverName: 'elsewhere.test' }),
        applications,
      });
      assert.match(
        (await wrong.state('zone-a')).trouble ?? '',
        /elsewhere\.test\. is not in the cert's altnames/,
      );
      await withEtcd(of(client), (one) => put(one, '/config/a', '4'));
    } finally {
      await etcd.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/**
 * A port of loopback that drops who wants to connect, as a zone that is cut off does: of a process that stands still, with as
 * many connections waiting as the system lets.
 */
async function fullQueue(): Promise<{ port: number; close(): void }> {
  const script = `const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  const port = Number(said.toString());
  const waiting = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  // Those that wait are connected, as far as they know: one more than the backlog.
  await waitFor('the end of the queue', () => waiting.filter(({ connecting }) => !connecting).length >= 2);
  return {
    port,
    close: () => {
      for (const socket of waiting) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
