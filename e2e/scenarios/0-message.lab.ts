/** A platform comes up, and a message that is published in any zone is received in every other; etcd is the same everywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { getStatus, zones } from '../lab/index.ts';
import {
  connect,
  gatewayPods,
  platformAccess,
  sdkClient,
  subscribe,
  type GatewayAddress,
} from '../platform/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { eventually, scenario } from './support.ts';

const lab = scenario('scenario-message');
const NAME = 'message';

async function gatewayIn(zone: string): Promise<GatewayAddress> {
  const access = { namespace: lab.namespace, name: NAME };
  const pod = (await gatewayPods(lab.kube, access)).find((one) => one.zone === zone);
  assert.ok(pod, `a ready gateway in ${zone}`);
  return pod;
}

test('an applied platform becomes Ready, as kubectl wait and kubectl get say', async () => {
  await lab.progress.step('kubectl wait --for=condition=Ready', async () => {
    await lab.applyPlatform(NAME, (spec) => (spec.gateway.runtime = 'Bun'));
    await lab.kubectl('wait', '--for=condition=Ready', `mp/${NAME}`, '--timeout=300s');
  });
  const [header = '', row = ''] = (await lab.kubectl('get', 'mp')).split('\n');
  assert.match(header, /^NAME +READY +HOME +GATEWAYS +TOPICS +CERT-EXPIRES +AGE/);
  assert.match(row, /^message +True +zone-a +3\/3 +1\/1 +\d{4}-\d\d-\d\dT[\d:]+Z +\d+\w/);
  assert.match(await lab.kubectl('explain', 'mp.spec.kafka'), /DESCRIPTION:\s+\S+/);
});

test('a message published in each zone is received in every zone, and a late subscriber recovers it', async () => {
  const access = await platformAccess(lab.kube, lab.namespace, NAME);
  const addresses = new Map(
    await Promise.all(zones.map(async (zone) => [zone, await gatewayIn(zone)] as const)),
  );
  const open = [];
  const received = new Map<string, Set<string>>(zones.map((zone) => [zone, new Set()]));
  try {
    for (const zone of zones) {
      const client = await connect(await sdkClient(access, () => addresses.get(zone)!, { user: zone }));
      open.push(client);
      await subscribe(client, 'chat:lobby', (data) =>
        received.get(zone)!.add((data as { from: string }).from),
      );
    }
    for (const [index, zone] of zones.entries()) await open[index]!.publish('chat:lobby', { from: zone });
    for (const zone of zones)
      await eventually(
        `${zone} to receive from all zones`,
        async () => received.get(zone)!.size === 3,
        30_000,
      );

    const late = await connect(await sdkClient(access, () => addresses.get('zone-b')!, { user: 'late' }));
    open.push(late);
    const seen: unknown[] = [];
    const first = await late.history('chat:lobby', { limit: 0 });
    const subscription = late.newSubscription('chat:lobby', { since: { epoch: first.epoch, offset: 0 } });
    subscription.on('publication', ({ data }) => seen.push((data as { from: string }).from));
    subscription.subscribe();
    await subscription.ready(30_000);
    await eventually('the late subscriber to have all', async () => seen.length >= 3, 30_000);
    assert.deepEqual(seen, [...zones]);
  } finally {
    for (const client of open) client.disconnect();
  }
});

test('a gateway speaks TLS 1.3 only', async () => {
  const { ca, servername } = await platformAccess(lab.kube, lab.namespace, NAME);
  const { host, port } = await gatewayIn('zone-a');
  const handshake = (maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = tlsConnect(
        { host, port, ca, servername, minVersion: 'TLSv1.2', maxVersion },
        () => {
          resolve(socket.getProtocol());
          socket.destroy();
        },
      );
      socket.once('error', reject);
    });
  assert.equal(await handshake('TLSv1.3'), 'TLSv1.3');
  await assert.rejects(handshake('TLSv1.2'), /protocol version|ECONNRESET/i);
});

test('what an application writes to etcd in the home zone is read in the others, and what it deletes is gone there', async () => {
  const etcd = await EtcdClient.start(lab, NAME);
  await etcd.put('zone-a', '/config/limit', '42');
  await etcd.put('zone-a', '/elsewhere/x', 'not replicated');
  for (const zone of ['zone-b', 'zone-c']) {
    await eventually(
      `${zone} to have it`,
      async () => (await etcd.get(zone, '/config/limit')) === '42',
      60_000,
    );
    assert.equal(await etcd.get(zone, '/elsewhere/x'), '', 'only the prefixes of the spec are replicated');
  }
  await etcd.delete('zone-a', '/config/limit');
  for (const zone of ['zone-b', 'zone-c'])
    await eventually(
      `${zone} to have lost it`,
      async () => (await etcd.get(zone, '/config/limit')) === '',
      60_000,
    );
  assert.equal((await getStatus()).up, true);
});
