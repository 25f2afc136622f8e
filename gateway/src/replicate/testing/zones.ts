/** Zones with an etcd each, made alike as the operator makes them: all with the same cluster id. */
import { startEtcd } from '../../../../e2e/harness/index.ts';
import type { Etcd } from '../../../../e2e/harness/index.ts';
import { EtcdClient } from '../../etcd/index.ts';

/** Every member is told that its peers would find it there; of one member nobody asks. */
const PEER = 'http://127.0.0.1:2380';

/** One zone's etcd, and a client of it. */
export class Zone {
  readonly name: string;
  readonly etcd: Etcd;
  readonly client: EtcdClient;

  private constructor(name: string, etcd: Etcd) {
    this.name = name;
    this.etcd = etcd;
    this.client = new EtcdClient({ endpoints: [etcd.endpoint] }, {}, () => undefined);
  }

  static async start(name: string): Promise<Zone> {
    const args = [`--initial-advertise-peer-urls=${PEER}`, `--initial-cluster=test=${PEER}`];
    return new Zone(name, await startEtcd({ args }));
  }

  /** Writes all pairs in one transaction. Returns its revision. */
  async put(...pairs: [string, string | Buffer][]): Promise<bigint> {
    const success = pairs.map(([key, value]) => ({
      request_put: { key: Buffer.from(key), value: Buffer.from(value) },
    }));
    const { header } = await this.client.transact({ compare: [], success, failure: [] });
    return BigInt(header.revision);
  }

  async remove(...keys: string[]): Promise<void> {
    const success = keys.map((key) => ({ request_delete_range: { key: Buffer.from(key) } }));
    await this.client.transact({ compare: [], success, failure: [] });
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.client.range({ key: Buffer.from(key) })).kvs[0]?.value.toString();
  }

  async modRevision(key: string): Promise<string | undefined> {
    return (await this.client.range({ key: Buffer.from(key) })).kvs[0]?.mod_revision;
  }

  async compact(): Promise<void> {
    const { Etcd3 } = await import('etcd3');
    const client = new Etcd3({ hosts: this.etcd.endpoint });
    const { revision } = await this.client.head();
    await client.kv.compact({ revision: revision.toString(), physical: true });
    client.close();
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.etcd.stop();
  }
}
