import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ReplicatorConfig } from '@causeway/crds';
import { createTestPki, startEtcd } from '../../../e2e/harness/index.ts';
import type { Etcd, TestPki } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { etcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import type { EtcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import { EtcdClient, prefixRange } from '../etcd/index.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import { verifier } from './verify.ts';
import { silent } from './testing/index.ts';

/**
 * Planned moves there and back, as a failover makes them, between etcds with mutual TLS, while applications write all the
 * time to whichever zone lets them.
 */
type Name = 'zone-a' | 'zone-b';

describe('replicate: planned moves under writes', () => {
  let pki: TestPki;
  let dir: string;
  let etcds: Record<Name, Etcd>;
  let admin: EtcdAdmin;
  let applications: Record<Name, EtcdClient>;
  let running: Replicator | undefined;
  const ending = new AbortController();

  before(async () => {
    pki = await createTestPki();
    dir = mkdtempSync(join(tmpdir(), 'causeway-mounted-'));
    const server = await pki.issue('etcd', ['127.0.0.1']);
    const start = (): Promise<Etcd> => startEtcd({ tls: { caFile: pki.caFile, ...server } });
    const [a, b] = await Promise.all([start(), start()]);
    etcds = { 'zone-a': a, 'zone-b': b };
    const inner = await pki.issue('orders inner', ['localhost']);
    for (const [from, to] of [
      [pki.caFile, 'ca.crt'],
      [inner.certFile, 'tls.crt'],
      [inner.keyFile, 'tls.key'],
    ] as const)
      copyFileSync(from, join(dir, to));
    const text = (file: string): string => readFileSync(join(dir, file), 'utf8');
    const pem = { ca: text('ca.crt'), cert: text('tls.crt'), key: text('tls.key') };
    admin = etcdAdmin({
      access: (zone) => ({ endpoints: [etcds[zone as Name].endpoint], ...pem }),
      applications: 'orders client',
    });
    const client = await pki.issue('orders client', ['localhost']);
    const credentials = {
      ca: readFileSync(pki.caFile),
      cert: readFileSync(client.certFile),
      key: readFileSync(client.keyFile),
    };
    const connect = (zone: Name): EtcdClient =>
      new EtcdClient({ endpoints: [etcds[zone].endpoint] }, credentials, () => undefined);
    applications = { 'zone-a': connect('zone-a'), 'zone-b': connect('zone-b') };
  });
  after(async () => {
    ending.abort();
    await running?.stop();
    for (const client of Object.values(applications)) client.close();
    await Promise.all(Object.values(etcds).map((etcd) => etcd.stop()));
    pki.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const config = (homeZone: Name, zone: Name, epoch: number): ReplicatorConfig => ({
    platform: 'orders',
    namespace: 'messaging',
    listen: { adminPort: 0 },
    homeZone,
    zone,
    epoch,
    source: { endpoints: [etcds[homeZone].endpoint], dir },
    target: { endpoints: [etcds[zone].endpoint], dir },
    prefixes: ['/config/'],
  });
  const follow = async (homeZone: Name, zone: Name, epoch: number): Promise<void> => {
    await running?.stop();
    const replicator = startReplicator(config(homeZone, zone, epoch), silent);
    running = replicator;
    await waitFor(
      `${zone} follows ${homeZone}`,
      () => {
        const missing = replicator.status.notReady();
        if (missing !== undefined) throw new Error(missing);
        return true;
      },
      { intervalMs: 20 },
    );
  };

  /** Writes keys of its own, each once, to the zone that takes it. */
  class Application {
    readonly acknowledged = new Set<string>();
    #stopped = false;

    async run(id: number): Promise<void> {
      let zone: Name = 'zone-a';
      for (let n = 0; !this.#stopped; n++) {
        const name = `/config/${id}-${n}`;
        const request_put = { key: Buffer.from(name), value: Buffer.from(String(n)) };
        try {
          await applications[zone].transact({ compare: [], success: [{ request_put }], failure: [] });
          this.acknowledged.add(name);
        } catch (error) {
          assert.match((error as Error).message, /permission denied|user name is empty/);
          zone = zone === 'zone-a' ? 'zone-b' : 'zone-a';
        }
      }
    }

    stop(): void {
      this.#stopped = true;
    }
  }

  it('nothing that was acknowledged is lost, each zone refuses what is not its time, and both end equal', async () => {
    await follow('zone-a', 'zone-b', 1);
    // From the first move on only one zone can be written; before it, nobody is told to write to the other one.
    await admin.fence('zone-b', 1);
    const application = new Application();
    const writing = Promise.all([1, 2, 3, 4].map((id) => application.run(id)));
    let [home, other]: [Name, Name] = ['zone-a', 'zone-b'];
    try {
      for (let epoch = 2; epoch < 6; epoch++) {
        const enough = application.acknowledged.size + 200;
        await waitFor('writes', () => application.acknowledged.size > enough, { intervalMs: 10 });
        const { revision } = await admin.fence(home, epoch);
        await waitFor(
          `${other} has all of ${home}`,
          async () => BigInt((await admin.state(other)).checkpoint?.revision ?? '0') >= BigInt(revision),
          { intervalMs: 5 },
        );
        await admin.promote(other, epoch, home, { atLeast: revision });
        [home, other] = [other, home];
        await follow(home, other, epoch);
        assert.equal(running?.status.state().orphans, undefined);
      }
    } finally {
      application.stop();
      await writing;
    }
    const keys = new Set<string>();
    for await (const { key } of applications[home].keys(prefixRange('/config/'))) keys.add(key.toString());
    const lost = [...application.acknowledged].filter((key) => !keys.has(key));
    assert.deepEqual(lost, []);
    assert.ok(application.acknowledged.size > 800);
    const { equal, differences } = await waitFor('a comparison', () =>
      verifier(config(home, other, 5), ending.signal)(),
    );
    assert.deepEqual({ equal, differences }, { equal: true, differences: 0 });
  });
});
