/** The gateways' certificate changes under load: no failed handshake, no dropped connection, no restart, and a way back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { objectName } from '@causeway/crds';
import { gatewayPods } from '../platform/index.ts';
import { run } from '../tools/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { Handshakes } from './handshakes.ts';
import { aimAtLeader, newLeader, processWith } from './operator.ts';
import { Certificates } from './rotation.ts';
import { eventually, scenario } from './support.ts';
import { exchange, Traffic } from './traffic.ts';

const NAME = 'rotate';
const lab = scenario('scenario-rotate', {
  async setUp(scene) {
    await scene.readyPlatform(NAME, (spec) => {
      spec.gateway.replicasPerZone = 2;
      const pauses = { canaryPause: '0s', pauseBetweenZones: '0s', podTimeout: '5s' };
      spec.tls = { ...spec.tls, rotation: { ...spec.tls?.rotation, ...pauses } };
    });
    await exchange(scene, NAME);
  },
});
const own = new Certificates(lab, NAME);

test('a rotation under load: no handshake fails, no connection ends, no pod restarts', async () => {
  const before = await own.status();
  const running = await own.processes();
  const held = await own.holdConnections();
  const traffic = await Traffic.start(lab, NAME);
  const handshakes = await Handshakes.start(lab, NAME);
  try {
    await traffic.flows(25);
    await own.refuseTls12();
    const rotation = own.rotate();
    await eventually('the rotation is under way', async () => (await own.status()).rotation !== undefined);
    await own.refuseTls12();
    const said = await rotation;
    lab.progress.note(said.trim());
    for (const stage of ['Verify', 'Retire', 'Completed']) assert.match(said, new RegExp(` ${stage} `));
    await traffic.flows(25);
    lab.progress.note(await traffic.check());
  } finally {
    held.close();
    await handshakes.stop();
    await traffic.stop();
  }
  lab.progress.note(`${handshakes.made} handshakes`);
  assert.ok(handshakes.made > 500, `${handshakes.made} handshakes`);
  assert.deepEqual(handshakes.failures, []);
  assert.deepEqual(held.dropped, []);
  assert.deepEqual(await own.processes(), running);
  await own.refuseTls12();

  const after = await own.status();
  assert.deepEqual([before.version, after.version], [1, 2]);
  assert.notEqual(after.fingerprint, before.fingerprint);
  assert.deepEqual(await own.shown(), new Set([after.fingerprint]));
  await eventually('the old version is gone', async () => (await own.versions()).join() === 'tls-2.crt');
});

/** Runs a command in the network of a gateway's pod. */
async function inNetworkOf(pod: string, ...command: string[]): Promise<void> {
  // A pod's host name is its own.
  const pid = processWith(`HOSTNAME=${pod}`, 'main.js');
  await run('nsenter', ['-t', String(pid), '-n', ...command]);
}

test('a pod that does not show the new certificate takes all others back, and is named', async () => {
  const before = await own.status();
  const pods = await gatewayPods(lab.kube, { namespace: lab.namespace, name: NAME });
  const stuck = pods.find(({ zone }) => zone === 'zone-c');
  assert.ok(stuck);
  // Its probes go to another port: it stays ready, and nobody can see what it serves.
  const rule = 'add table inet test; add chain inet test in { type filter hook input priority 0; }; ';
  await inNetworkOf(stuck.pod, 'nft', `${rule} add rule inet test in tcp dport 8443 drop`);
  try {
    await assert.rejects(own.rotate(), new RegExp(`Pod ${stuck.pod} in zone-c did not show version 3`));
  } finally {
    await inNetworkOf(stuck.pod, 'nft', 'delete table inet test');
  }
  const { version, fingerprint, lastRotation } = await own.status();
  assert.deepEqual([version, fingerprint], [before.version, before.fingerprint]);
  assert.deepEqual([lastRotation?.result, lastRotation?.pod], ['RolledBack', stuck.pod]);
  // Events are written after the status, and nobody waits for them.
  await eventually('an event names it', async () => {
    const line = 'jsonpath={range .items[*]}{.reason} {.message}{"\\n"}{end}';
    const events = await lab.kubectl('get', 'events', '-o', line);
    return new RegExp(`RolledBack .*${stuck.pod}`).test(events);
  });
  await eventually(
    'the version that failed is gone',
    async () => (await own.versions()).join() === 'tls-2.crt',
  );
  await eventually('all pods show the one of before', async () => {
    const shown = await own.shown();
    return shown.size === 1 && shown.has(before.fingerprint ?? '');
  });
});

test('the leader is killed in the middle of a rotation: the next one finishes it', async () => {
  const running = await own.processes();
  const handshakes = await Handshakes.start(lab, NAME);
  try {
    await lab.waitReady(NAME);
    const target = await aimAtLeader(lab.kube);
    const rotation = own.rotate();
    await eventually('it rolls', async () => (await own.status()).rotation?.stage === 'Roll', 60_000);
    target.kill();
    await newLeader(lab.kube, target.identity);
    lab.progress.note((await rotation).trim());
  } finally {
    await handshakes.stop();
  }
  assert.deepEqual(handshakes.failures, []);
  assert.deepEqual(await own.processes(), running);
  const { version, fingerprint } = await own.status();
  assert.equal(version, 4, 'the number of the rotation that failed is not used again');
  assert.deepEqual(await own.shown(), new Set([fingerprint]));
});

test('a new authority under load: clients that know the old one, both, or only the new one are served', async () => {
  const running = await own.processes();
  const old = await own.secret(objectName.authority(NAME));
  const oldInner = await own.innerShown();
  const held = await own.holdConnections();
  const etcd = await EtcdClient.start(lab, NAME, 'zone-a');
  const traffic = await Traffic.start(lab, NAME);
  const all: Handshakes[] = [await Handshakes.start(lab, NAME)];
  try {
    await traffic.flows(25);
    const rotation = own.rotate('--authority');
    await eventually('both are trusted', async () => {
      return (await own.secret(objectName.tls(NAME)))['ca.crt']?.match(/BEGIN CERTIFICATE/g)?.length === 2;
    });
    all.push(await Handshakes.start(lab, NAME));
    const written = await writeUntil(rotation, etcd);
    lab.progress.note((await rotation).trim());
    all.push(await Handshakes.start(lab, NAME));
    await traffic.flows(25);
    lab.progress.note(await traffic.check());
    await eventually('what was written to etcd is in the last zone', async () => {
      return (await etcd.get('zone-c', '/config/rotation')) === String(written);
    });
    lab.progress.note(`${written} writes to etcd`);
  } finally {
    held.close();
    await Promise.all(all.map((handshakes) => handshakes.stop()));
    await traffic.stop();
  }
  lab.progress.note(
    `${all.map(({ made }) => made).join(', ')} handshakes by clients of the old, both, and the new authority`,
  );
  assert.deepEqual(
    all.map(({ failures }) => failures),
    [[], [], []],
  );
  assert.deepEqual(held.dropped, []);
  assert.deepEqual(await own.processes(), running, 'nothing restarted, etcd and Redis neither');

  const authority = await own.secret(objectName.authority(NAME));
  assert.notEqual(authority['ca.crt'], old['ca.crt']);
  for (const name of ['ca', 'internal', 'client', 'tls'].map((part) => `${NAME}-${part}`)) {
    const kept = Object.values(await own.secret(name)).join();
    assert.ok(!kept.includes(old['ca.key'] ?? 'no key'), `${name} still has the old key`);
  }
  assert.equal(
    (await own.secret(objectName.tls(NAME)))['ca.crt'],
    authority['ca.crt'],
    'only the new one is trusted',
  );
  const inner = await own.innerShown();
  assert.equal(new Set(inner.values()).size, 1);
  for (const [host, fingerprint] of oldInner) assert.notEqual(inner.get(host), fingerprint, host);
});

/** Writes to the home zone's etcd until `rotation` ended. Resolves with how often; rejects when a write fails. */
async function writeUntil(rotation: Promise<unknown>, etcd: EtcdClient): Promise<number> {
  const end = Promise.withResolvers<'ended'>();
  rotation.finally(() => end.resolve('ended')).catch(() => undefined);
  for (let written = 1; ; written += 1) {
    await etcd.put('zone-a', '/config/rotation', String(written));
    if ((await Promise.race([end.promise, delay(100)])) === 'ended') return written;
  }
}
