import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { EtcdConnectionConfig, ReplicatorConfig } from '@causeway/crds';
import { createTestPki, startEtcd } from '../../../e2e/harness/index.ts';
import type { Etcd, TestPki } from '../../../e2e/harness/index.ts';
import { freePort, waitFor } from '../../../e2e/tools/index.ts';
import { Etcd3 } from 'etcd3';
import { readInnerState } from '../mounted/index.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import { RandomWriter, checkHistory, readHistory, sameKeys, silent, startTlsProxy } from './testing/index.ts';
import type { TlsProxy } from './testing/index.ts';

const PREFIXES = ['/config/', '/tenants/'];

const config = (source: EtcdConnectionConfig, target: EtcdConnectionConfig): ReplicatorConfig => ({
  platform: 'orders',
  namespace: 'messaging',
  listen: { adminPort: 0 },
  homeZone: 'zone-a',
  zone: 'zone-b',
  epoch: 1,
  source,
  target,
  prefixes: PREFIXES,
});

const ready = (replicator: Replicator): Promise<boolean> =>
  waitFor(
    'replicator ready',
    () => {
      const missing = replicator.status.notReady();
      if (missing !== undefined) throw new Error(missing);
      return true;
    },
    { intervalMs: 20 },
  );

/** A folder as a mounted Secret, whose files are replaced like the kubelet does: all at once, as far as a test can. */
async function mount(folder: string, pki: TestPki, caFile: string): Promise<void> {
  const { certFile, keyFile } = await pki.issue('replicator', ['replicator.test']);
  for (const [from, name] of [
    [caFile, 'ca.crt'],
    [certFile, 'tls.crt'],
    [keyFile, 'tls.key'],
  ] as const) {
    copyFileSync(from, join(folder, `${name}.new`));
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
}

describe('replicate: mutual TLS', () => {
  let source: Etcd;
  let target: Etcd;
  let proxy: TlsProxy;
  let pki: TestPki;
  let other: TestPki;
  let replicator: Replicator | undefined;
  let dir: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'causeway-mounted-'));
    [source, target, pki, other] = await Promise.all([
      startEtcd(),
      startEtcd(),
      createTestPki(),
      createTestPki(),
    ]);
    proxy = await startTlsProxy(source.endpoint, {
      caFile: pki.caFile,
      ...(await pki.issue('etcd', ['localhost', '127.0.0.1'])),
    });
    await mount(dir, pki, pki.caFile);
  });
  afterEach(async () => {
    await replicator?.stop();
    replicator = undefined;
  });
  after(async () => {
    await Promise.all([source.stop(), target.stop(), proxy.close()]);
    pki.remove();
    other.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const begin = (): Replicator =>
    startReplicator(config({ endpoints: [proxy.endpoint], dir }, { endpoints: [target.endpoint] }), silent);

  it('replicates with the mounted certificates', async () => {
    replicator = begin();
    await ready(replicator);
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    await writer.run(100);
    writer.close();
    await waitFor('equal', () => sameKeys(source.endpoint, target.endpoint, PREFIXES));
  });

  it('the authority is replaced under way: the new certificates are taken without a restart, nothing is missed', async () => {
    replicator = begin();
    await ready(replicator);
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    const writing = writer.run(3000, 2);
    proxy.use({ caFile: other.caFile, ...(await other.issue('etcd', ['localhost', '127.0.0.1'])) });
    await waitFor('connection refused', () => replicator?.status.phase === 'Connecting');
    await mount(dir, other, other.caFile);
    await waitFor('following again', () => replicator?.status.phase === 'Following');
    writer.stop();
    await writing;
    writer.close();
    await waitFor('equal', () => sameKeys(source.endpoint, target.endpoint, PREFIXES));
    checkHistory(await readHistory(source.endpoint, PREFIXES), await readHistory(target.endpoint, PREFIXES));
  });

  it('a Secret that changes while all is well: the session begins again with it', async () => {
    replicator = begin();
    await ready(replicator);
    const sessions = async (): Promise<number> =>
      (await replicator?.status.metrics.sessions.get())?.values[0]?.value ?? 0;
    const begun = await sessions();
    await mount(dir, other, other.caFile);
    await waitFor('a new session', async () => (await sessions()) > begun);
    await ready(replicator);
    assert.deepEqual(replicator.status.link.inner, await readInnerState(dir), 'and it says so');
  });

  it('a certificate without its key is said, with the file', async () => {
    const broken = mkdtempSync(join(tmpdir(), 'causeway-mounted-'));
    try {
      copyFileSync(pki.caFile, join(broken, 'ca.crt'));
      writeFileSync(join(broken, 'tls.crt'), 'x');
      replicator = startReplicator(
        config({ endpoints: [proxy.endpoint], dir: broken }, { endpoints: [target.endpoint] }),
        silent,
      );
      await waitFor('blocked', () => replicator?.status.phase === 'Blocked');
      assert.match(replicator.status.notReady() ?? '', /tls\.crt and tls\.key go together/);
    } finally {
      rmSync(broken, { recursive: true, force: true });
    }
  });

  it('an endpoint that is an address is verified: a certificate for another name is refused', async () => {
    const imposter = await startTlsProxy(source.endpoint, {
      caFile: other.caFile,
      ...(await other.issue('imposter', ['elsewhere.test', '10.9.8.7'])),
    });
    try {
      replicator = startReplicator(
        config({ endpoints: [imposter.endpoint], dir }, { endpoints: [target.endpoint] }),
        silent,
      );
      await waitFor('refused', () => /does not match certificate/.test(replicator?.status.notReady() ?? ''));
    } finally {
      await imposter.close();
    }
  });

  it('a connection that goes silent without a word is given up and made again', async () => {
    replicator = begin();
    await ready(replicator);
    const resume = proxy.freeze();
    await waitFor('connection given up', () => replicator?.status.phase === 'Connecting', {
      timeoutMs: 60_000,
    });
    resume();
    await ready(replicator);
    await waitFor('equal', () => sameKeys(source.endpoint, target.endpoint, PREFIXES));
  });
});

describe('replicate: several endpoints', () => {
  it('given one that never answers and one that goes away under writes, it goes on with the others', async () => {
    const [source, target, pki] = await Promise.all([startEtcd(), startEtcd(), createTestPki()]);
    const dir = mkdtempSync(join(tmpdir(), 'causeway-mounted-'));
    await mount(dir, pki, pki.caFile);
    const serve = async (): Promise<TlsProxy> =>
      startTlsProxy(source.endpoint, {
        caFile: pki.caFile,
        ...(await pki.issue('etcd', ['localhost', '127.0.0.1'])),
      });
    const [first, second] = [await serve(), await serve()];
    const nobody = `https://127.0.0.1:${await freePort()}`;
    const replicator = startReplicator(
      config({ endpoints: [nobody, first.endpoint, second.endpoint], dir }, { endpoints: [target.endpoint] }),
      silent,
    );
    const writer = new RandomWriter(source.endpoint, PREFIXES);
    try {
      await ready(replicator);
      const writing = writer.run(300);
      await first.close();
      await writing;
      await waitFor('equal', () => sameKeys(source.endpoint, target.endpoint, PREFIXES));
      await ready(replicator);
      await second.close();
      await waitFor('none left', () => replicator.status.phase === 'Connecting');
    } finally {
      writer.close();
      await replicator.stop();
      await Promise.all([source.stop(), target.stop(), first.close(), second.close()]);
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('replicate: etcd with users', () => {
  let source: Etcd;
  let target: Etcd;
  let replicator: Replicator | undefined;
  let dir: string;

  before(async () => {
    [source, target] = await Promise.all([startEtcd({ args: ['--auth-token-ttl', '2'] }), startEtcd()]);
    dir = mkdtempSync(join(tmpdir(), 'causeway-mounted-'));
    writeFileSync(join(dir, 'username'), 'root\n');
    writeFileSync(join(dir, 'password'), 'secret\n');
    const client = new Etcd3({ hosts: source.endpoint });
    const root = await client.role('root').create();
    const user = await client.user('root').create('secret');
    await user.addRole(root);
    await client.auth.authEnable();
    client.close();
  });
  after(async () => {
    await replicator?.stop();
    await Promise.all([source.stop(), target.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });

  it('replicates with user and password, also after the token has expired', async () => {
    replicator = startReplicator(
      config({ endpoints: [source.endpoint], dir }, { endpoints: [target.endpoint] }),
      silent,
    );
    await ready(replicator);
    const put = async (key: string): Promise<void> => {
      const client = new Etcd3({ hosts: source.endpoint, auth: { username: 'root', password: 'secret' } });
      await client.put(key).value('v');
      client.close();
    };
    const arrived = (key: string): Promise<boolean> => {
      const client = new Etcd3({ hosts: target.endpoint });
      return waitFor(key, async () => (await client.get(key).string()) === 'v').finally(() => client.close());
    };
    await put('/config/1');
    await arrived('/config/1');
    const since = Date.now();
    await waitFor('expiry of the token', () => Date.now() - since > 5000);
    await put('/config/2');
    await arrived('/config/2');
    await ready(replicator);
  });

  it('a wrong password is said, and no secret is in the reason', async () => {
    await replicator?.stop();
    writeFileSync(join(dir, 'password'), 'hunter2');
    replicator = startReplicator(
      config({ endpoints: [source.endpoint], dir }, { endpoints: [target.endpoint] }),
      silent,
    );
    await waitFor('refused', () => /authentication failed/.test(replicator?.status.notReady() ?? ''));
    assert.doesNotMatch(JSON.stringify(replicator.status.state()), /hunter2/);
  });
});
