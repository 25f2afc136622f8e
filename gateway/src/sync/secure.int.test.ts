import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { createTestPki, startEtcd } from '../../../e2e/harness/index.ts';
import type { TestPki } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { EtcdClient } from '../etcd/index.ts';
import { silent, startTlsProxy } from '../replicate/testing/index.ts';
import { mountSecret } from '../testing/index.ts';
import { Feed } from './feed.ts';
import { Follower } from './testing/index.ts';

it('mutual TLS to etcd: other certificates are taken up, streams go on, and a link that is cut is noticed', async () => {
  const etcd = await startEtcd();
  const pkis: TestPki[] = [await createTestPki(), await createTestPki()];
  const [old, next] = await Promise.all(
    pkis.map(async (pki) => ({
      pki,
      server: await pki.issue('etcd', ['127.0.0.1']),
      client: await pki.issue('gateway', ['gateway.test']),
    })),
  );
  assert.ok(old && next);
  const files = ({ pki, client }: typeof old): Record<string, Buffer> => ({
    'ca.crt': readFileSync(pki.caFile),
    'tls.crt': readFileSync(client.certFile),
    'tls.key': readFileSync(client.keyFile),
  });
  const proxy = await startTlsProxy(etcd.endpoint, { ...old.server, caFile: old.pki.caFile });
  const secret = mountSecret(files(old));
  const writer = new EtcdClient({ endpoints: [etcd.endpoint] }, {}, () => undefined);
  const feed = new Feed({
    etcd: { endpoints: [proxy.endpoint], dir: secret.dir },
    prefixes: ['/config/'],
    role: { home: true, epoch: 1 },
    log: silent,
    failed: () => undefined,
  });
  const client = new Follower();
  const sees = async (value: string): Promise<void> => {
    const success = [{ request_put: { key: Buffer.from('/config/a'), value: Buffer.from(value) } }];
    await writer.transact({ compare: [], success, failure: [] });
    await waitFor(`the client sees ${value}`, async () => client.state.get('/config/a') === value, {
      timeoutMs: 60_000,
    });
  };
  try {
    feed.start();
    client.follow(feed, { limits: { awayMs: 60_000 } });
    await sees('over mutual TLS');
    proxy.use({ ...next.server, caFile: next.pki.caFile });
    await waitFor('away', async () => feed.away > 0);
    secret.write(files(next));
    await sees('with the next certificates');
    const thaw = proxy.freeze();
    await waitFor('the silence is noticed', async () => feed.away > 0, { timeoutMs: 30_000 });
    thaw();
    await sees('after the silence');
    assert.equal(client.count('KIND_SNAPSHOT'), 1, 'the stream never ended');
  } finally {
    await client.leave();
    await feed.stop();
    writer.close();
    await proxy.close();
    secret.remove();
    for (const pki of pkis) pki.remove();
    await etcd.stop();
  }
});
