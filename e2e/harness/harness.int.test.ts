import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppsV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { Etcd3 } from 'etcd3';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { SASLOptions } from 'kafkajs';
import { createClient } from 'redis';
import { waitFor } from '../tools/index.ts';
import { createTestPki, startControlPlane, startEtcd, startKafka, startRedis } from './index.ts';

test('given a control plane, a write is accepted and audited, and stop leaves nothing', async () => {
  const cluster = await startControlPlane({ audit: true, controllers: true });
  try {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const core = config.makeApiClient(CoreV1Api);
    await core.createNamespace({ body: { metadata: { name: 'messaging' } } });
    assert.match(readFileSync(cluster.auditLog ?? '', 'utf8'), /"verb":"create".*"name":"messaging"/);

    const labels = { app: 'one' };
    const apps = config.makeApiClient(AppsV1Api);
    const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } };
    const deployment = { metadata: { name: 'one' }, spec: { selector: { matchLabels: labels }, template } };
    await apps.createNamespacedDeployment({ namespace: 'messaging', body: deployment });
    await waitFor('the Deployment to get its ReplicaSet', async () => {
      const sets = await apps.listNamespacedReplicaSet({ namespace: 'messaging' });
      return sets.items.length === 1;
    });

    await cluster.apiServer.kill();
    await assert.rejects(core.listNamespace());
    await cluster.apiServer.start();
    assert.ok((await core.listNamespace()).items.some((item) => item.metadata?.name === 'messaging'));
  } finally {
    await cluster.stop();
  }
  assert.equal(existsSync(cluster.kubeconfig), false);
});

test('given an etcd that is killed and started again, its data is still there', async () => {
  const etcd = await startEtcd();
  const client = new Etcd3({ hosts: etcd.endpoint });
  try {
    await client.put('key').value('value');
    await etcd.kill();
    await etcd.start();
    await waitFor('the value again', async () => (await client.get('key').string()) === 'value');
  } finally {
    client.close();
    await etcd.stop();
  }
});

test('given a Redis with TLS and a password, only a client with both gets in', async () => {
  const pki = await createTestPki();
  const redis = await startRedis({
    tls: { ...(await pki.issue('redis', ['127.0.0.1'])), caFile: pki.caFile },
    password: 's3cret',
  });
  const socket = { tls: true as const, ca: readFileSync(pki.caFile), host: redis.host, port: redis.port };
  const good = createClient({ socket, password: 's3cret' });
  const bad = createClient({ socket: { ...socket, reconnectStrategy: false }, password: 'wrong' });
  bad.on('error', () => undefined);
  try {
    await good.connect();
    assert.equal(await good.ping(), 'PONG');
    await assert.rejects(bad.connect(), /WRONGPASS/);
  } finally {
    good.destroy();
    await redis.stop();
    pki.remove();
  }
});

test('given three Kafka brokers, racks are set, and a killed broker comes back with its id', async () => {
  const kafka = await startKafka({ brokers: 3, sasl: { username: 'lab', password: 'pw' } });
  // Anew for each client: kafkajs adds its provider, with the password in it, to the object that it is given.
  const login = (password: string): SASLOptions => ({ mechanism: 'plain', username: 'lab', password });
  const brokers = kafka.bootstrapServers.split(',');
  const client = new KafkaClient({ brokers, sasl: login('pw'), logLevel: logLevel.NOTHING });
  const admin = client.admin();
  const ids = async (): Promise<number[]> =>
    (await admin.describeCluster()).brokers.map((b) => b.nodeId).toSorted((a, b) => a - b);
  try {
    await admin.connect();
    assert.deepEqual(await ids(), [1, 2, 3]);
    const stranger = new KafkaClient({
      brokers,
      sasl: login('no'),
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    });
    await assert.rejects(stranger.admin().connect(), /[Aa]uthentication/);

    await admin.createTopics({ topics: [{ topic: 'chat', numPartitions: 3, replicationFactor: 3 }] });
    await kafka.brokers[1]?.kill();
    await waitFor('two brokers left', async () => (await ids()).length === 2);
    await kafka.brokers[1]?.start();
    await waitFor('three brokers again', async () => (await ids()).length === 3);
    assert.ok((await admin.listTopics()).includes('chat'));
  } finally {
    await admin.disconnect();
    await kafka.stop();
  }
});

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  test(`given a test process that gets ${signal}, its servers end with it`, async () => {
    const script = `
      import { startEtcd } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
      const etcd = await startEtcd();
      console.log(etcd.endpoint);
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const endpoint = String(
      await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve)),
    ).trim();
    assert.ok((await fetch(`${endpoint}/readyz`)).ok);
    const ended = new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
    child.kill(signal);
    assert.equal(await ended, signal);
    await waitFor('etcd to be gone', async () =>
      fetch(endpoint).then(
        () => false,
        () => true,
      ),
    );
  });
}
