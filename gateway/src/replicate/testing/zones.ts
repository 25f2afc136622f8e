/** Zones with an etcd each, made alike as the operator makes them: all with the same cluster id. */
import { startEtcd } from '../../../../e2e/harness/index.ts';
import type { Etcd } from '../../../../e2e/harness/index.ts';
import type { Etcd3 } from 'etcd3';
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

  /** `more`: flags of etcd. */
  static async start(name: string, ...more: string[]): Promise<Zone> {
    const args = [`--initial-advertise-peer-urls=${PEER}`, `--initial-cluster=test=${PEER}`, ...more];
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

  /** Puts keys under a new lease. Returns what ends it before its time, with the keys. */
  async putLeased(seconds: number, ...pairs: [string, string][]): Promise<() => Promise<void>> {
    const lease = await this.#etcd3(({ leaseClient }) => leaseClient.leaseGrant({ TTL: seconds }));
    for (const [key, value] of pairs) {
      const request_put = { key: Buffer.from(key), value: Buffer.from(value), lease: lease.ID };
      await this.client.transact({ compare: [], success: [{ request_put }], failure: [] });
    }
    return async () => void (await this.#etcd3(({ leaseClient }) => leaseClient.leaseRevoke(lease)));
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
    const { revision } = await this.client.head();
    await this.#etcd3(({ kv }) => kv.compact({ revision: revision.toString(), physical: true }));
  }

  /** What the gateway itself never asks for. */
  async #etcd3<T>(ask: (client: Etcd3) => Promise<T>): Promise<T> {
    const { Etcd3 } = await import('etcd3');
    const client = new Etcd3({ hosts: this.etcd.endpoint });
    try {
      return await ask(client);
    } finally {
      client.close();
    }
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.etcd.stop();
  }
}
