/** Real Redis, Kafka and etcd that are known by names, and name servers that fall silent; on both runtimes. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import { createTestPki, startEtcd, startKafka, startRedis } from '../../../e2e/harness/index.ts';
import type { Etcd, Kafka, Redis, TestPki } from '../../../e2e/harness/index.ts';
import { freePort } from '../../../e2e/tools/index.ts';
import { startTlsProxy } from '../replicate/testing/index.ts';
import type { TlsProxy } from '../replicate/testing/index.ts';
import { bundle, LineProgram, RUNTIMES } from '../testing/index.ts';
import type { NamedCommand, NamedOutcome, NamedServers, Runtime } from '../testing/index.ts';

const TOPIC = 'named';
/** A connection that is made anew, and used, must be there by then, milliseconds. */
const BACK_MS = 2_000;

const folder = mkdtempSync(join(tmpdir(), 'causeway-names-'));
let pki: TestPki;
let redis: Redis;
let kafka: Kafka;
let etcd: Etcd;
let proxy: TlsProxy;
let servers: NamedServers;

before(async () => {
  const port = await freePort();
  const listener = {
    name: 'NAMED',
    brokers: [{ port, advertisedPort: port, advertisedHost: 'broker.test' }],
  };
  [pki, redis, kafka, etcd] = await Promise.all([
    createTestPki(),
    startRedis(),
    startKafka({ listeners: [listener] }),
    startEtcd(),
    bundle(join(import.meta.dirname, '..', 'testing', 'named-clients.ts'), folder),
  ]);
  const admin = new KafkaClient({ brokers: [kafka.bootstrapServers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic: TOPIC }] });
  await admin.disconnect();
  const issued = await pki.issue('etcd', ['etcd.test']);
  proxy = await startTlsProxy(etcd.endpoint, { ...issued, caFile: pki.caFile });
  copyFileSync(pki.caFile, join(folder, 'ca.crt'));
  copyFileSync(issued.certFile, join(folder, 'tls.crt'));
  copyFileSync(issued.keyFile, join(folder, 'tls.key'));
  servers = {
    redisUrl: `redis://redis.test:${redis.port}`,
    broker: `kafka.test:${port}`,
    topic: TOPIC,
    etcd: { endpoints: [proxy.endpoint.replace('127.0.0.1', 'etcd.test')], dir: folder },
  };
});

after(async () => {
  await Promise.all([redis?.stop(), kafka?.stop(), proxy?.close()]);
  await etcd?.stop();
  pki?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** The program in named-clients.ts. */
class Clients extends LineProgram<NamedCommand, NamedOutcome> {
  constructor(runtime: Runtime) {
    super(runtime, join(folder, 'main.js'), servers);
  }

  async succeeds(...all: NamedCommand[]): Promise<void> {
    for (const command of all) {
      const { tookMs, error } = await this.do(command);
      assert.equal(error, undefined, command);
      assert.ok(tookMs < BACK_MS, `${command} took ${tookMs} ms`);
    }
  }
}

for (const runtime of RUNTIMES) {
  describe(`the clients of a gateway on ${runtime}, with name servers that are silent`, () => {
    let clients: Clients;
    before(async () => {
      clients = new Clients(runtime);
      for (const command of ['redis', 'kafka', 'etcd'] as const)
        assert.equal((await clients.do(command)).error, undefined, command);
      await clients.succeeds('silence', 'later');
    });
    after(() => clients?.stop());

    it('cannot find a server that they never knew', async () => {
      assert.match((await clients.do('lookup')).error ?? '', /no answer/);
    });

    it('connect anew to Kafka, and to the brokers that it names', async () => {
      await clients.succeeds('kafka');
    });

    it('connect anew to etcd, whose certificate is for its name', async () => {
      await clients.succeeds('etcd');
    });

    it('come back to a Redis that was restarted', async () => {
      await clients.succeeds('redis', 'later');
      await redis.kill();
      await redis.start();
      await clients.succeeds('redis');
    });

    it('ask again once somebody answers', async () => {
      await clients.succeeds('speak', 'later', 'lookup');
    });
  });
}
