/** The operator against a real API server and real etcds: once the home has moved, no other zone is left unfenced. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ETCD_KEY, type EtcdFence } from '@causeway/crds';
import { startEtcd, type Etcd } from '../../../e2e/harness/index.ts';
import {
  NAMESPACE,
  platformYaml,
  startTestCluster,
  ZONES,
  type TestCluster,
} from '../cli/testing/cluster.ts';
import { withEtcd } from './etcd-connect.ts';

let cluster: TestCluster;
let etcds: Map<string, Etcd>;

before(async () => {
  const [started, ...servers] = await Promise.all([startTestCluster(), ...ZONES.map(() => startEtcd())]);
  cluster = started;
  etcds = new Map(ZONES.map((zone, index) => [zone, servers[index] as Etcd]));
});
after(async () => {
  await cluster?.stop();
  await Promise.all([...(etcds?.values() ?? [])].map((etcd) => etcd.stop()));
});

/** What is under a key, and the revision that wrote it. */
async function read(zone: string, key: string): Promise<[string, string] | undefined> {
  const endpoints = [etcds.get(zone)?.endpoint ?? ''];
  const { kvs } = await withEtcd({ endpoints }, (client) => client.kv.range({ key: Buffer.from(key) }));
  return kvs[0] && [kvs[0].value.toString(), kvs[0].mod_revision];
}
const fenceOf = async (zone: string): Promise<EtcdFence | undefined> => {
  const [text] = (await read(zone, ETCD_KEY.fence)) ?? [];
  return text === undefined ? undefined : (JSON.parse(text) as EtcdFence);
};
const patch = async (what: object, ...how: string[]): Promise<void> => {
  const args = ['patch', 'mp', 'orders', '--type=merge', '-p', JSON.stringify(what), ...how];
  await cluster.kubectl(['-n', NAMESPACE, ...args]);
};

describe('fences of an operator that runs', () => {
  it('nothing before the first move; then each zone but home, once, and one that comes back later too', async () => {
    const zones = ZONES.map((zone) => ({ zone, endpoints: [etcds.get(zone)?.endpoint] }));
    const etcd = JSON.stringify({ external: { zones }, prefixes: ['/config/'] });
    await cluster.kubectl(['create', '-f', '-'], `${platformYaml('127.0.0.1:1')}  etcd: ${etcd}\n`);
    const observed = async (): Promise<{
      conditions?: { type: string; reason: string; message: string }[];
    }> => {
      const text = await cluster.kubectl(['-n', NAMESPACE, 'get', 'mp', 'orders', '-o', 'json']);
      return (JSON.parse(text) as { status?: object }).status ?? {};
    };
    await cluster.operate(async () => (await observed()).conditions !== undefined);
    for (const zone of ZONES) assert.equal(await fenceOf(zone), undefined);

    await etcds.get('zone-a')?.kill();
    await patch({ status: { homeZone: 'zone-b', epoch: 2 } }, '--subresource=status');
    await cluster.operate(async () => {
      const problem = (await observed()).conditions?.find(({ type }) => type === 'EtcdReady');
      return (await fenceOf('zone-c'))?.epoch === 2 && problem?.reason === 'EtcdUnreachable';
    });
    assert.equal(await fenceOf('zone-b'), undefined, 'the home is left alone');

    await etcds.get('zone-a')?.start();
    await cluster.operate(async () => (await fenceOf('zone-a'))?.epoch === 2);
    assert.equal((await read('zone-a', ETCD_KEY.epoch))?.[0], '2');
    assert.equal((await fenceOf('zone-a'))?.applications, 'Unmanaged', 'somebody else runs these etcds');

    const written = await read('zone-c', ETCD_KEY.fence);
    let looks = 0;
    await cluster.operate(async () => ++looks > 20);
    assert.deepEqual(await read('zone-c', ETCD_KEY.fence), written, 'what is so is not written again');
  });
});
