/** What becomes of the gateway's links when Redis goes; on both runtimes. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { createClient } from 'redis';
import { createTestPki, startRedis } from '../../../e2e/harness/index.ts';
import type { Redis, RedisOptions, TestPki } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { bundle, LineProgram, RUNTIMES, startTcpProxy } from '../testing/index.ts';
import type { LinksCommand, LinksOptions, LinksOutcome, Runtime } from '../testing/index.ts';
import { redisKeys } from './index.ts';
import { within } from './within.ts';

/** As long as Redis may say nothing, a ping, and what a busy machine takes; milliseconds. */
const BACK_MS = 9_000;

/** The command that reads the last record that a Redis has, as one line. */
const LAST = `HGET ${redisKeys('test', 'p').positions} p.chat/0`;
const TRIES = 8;
/** Connections that are not the links' own: ours, the replicas' to each other, and attempts that are under way. */
const OTHERS = 12;

const folder = mkdtempSync(join(tmpdir(), 'causeway-links-'));
const ends: (() => void | Promise<void>)[] = [];

let pki: TestPki;

before(async () => {
  const program = join(import.meta.dirname, '..', 'testing', 'redis-links.ts');
  [pki] = await Promise.all([createTestPki(), bundle(program, folder)]);
  copyFileSync(pki.caFile, join(folder, 'ca.crt'));
});
after(() => {
  pki?.remove();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** The program in redis-links.ts. */
function startLinks(runtime: Runtime, options: LinksOptions): LineProgram<LinksCommand, LinksOutcome> {
  const links = new LineProgram<LinksCommand, LinksOutcome>(runtime, join(folder, 'main.js'), options);
  ends.push(() => links.stop());
  return links;
}

async function start(options?: RedisOptions): Promise<Redis> {
  const redis = await startRedis(options);
  ends.push(() => redis.stop());
  return redis;
}

/** Sends commands as a person does. */
async function tell(redis: Redis, ...commands: string[]): Promise<unknown> {
  const tls = redis.url.startsWith('rediss') && { tls: true as const, rejectUnauthorized: false };
  const admin = await createClient({ url: redis.url, ...(tls && { socket: tls }) }).connect();
  try {
    let answer: unknown;
    for (const command of commands) answer = await admin.sendCommand(command.split(' '));
    return answer;
  } finally {
    admin.destroy();
  }
}

/** How many connections it has had. */
async function visits(redis: Redis): Promise<number> {
  const stats = String(await tell(redis, 'INFO stats'));
  return Number(/total_connections_received:(\d+)/.exec(stats)?.[1]);
}

for (const runtime of RUNTIMES) {
  describe(`links to Redis on ${runtime}`, { timeout: 60_000 }, () => {
    it('are given up when it says nothing, while they are written to', async () => {
      const redis = await start();
      const proxy = await startTcpProxy(redis.port);
      ends.push(() => proxy.close());
      const links = startLinks(runtime, { url: `redis://127.0.0.1:${proxy.port}` });
      assert.equal((await links.do('write')).error, undefined);
      await links.do('chatter');
      proxy.lose();
      // This one waits for its answer until the connection is given up.
      await within(BACK_MS, 'the end of the connection', links.do('write'));
      assert.equal((await links.do('write')).error, undefined);
    });

    it('follow the home, whose name still leads to the old one', async () => {
      // For the name alone, as those of a platform, and not for the address that the old home tells.
      const issued = await pki.issue('redis', ['redis.test']);
      const options = { tls: { ...issued, caFile: pki.caFile }, args: ['--tls-replication', 'yes'] };
      const old = await start(options);
      const next = await start({ ...options, replicaOf: { host: old.host, port: old.port } });
      const links = startLinks(runtime, { url: `rediss://redis.test:${old.port}`, tlsDir: folder });
      assert.equal((await links.do('listen')).error, undefined);
      assert.equal((await links.do('write')).error, undefined);
      await waitFor('the other has it', async () => (await tell(next, LAST)) === '0');

      const came = await visits(old);
      await tell(old, 'CONFIG SET min-replicas-to-write 1000');
      await tell(next, 'REPLICAOF NO ONE');
      await tell(old, `REPLICAOF ${next.host} ${next.port}`, 'CONFIG SET min-replicas-to-write 0');
      assert.equal((await links.do('write')).error, undefined);
      assert.equal(await tell(next, LAST), '1', 'it took the write');

      await waitFor('the feed is there too', async () =>
        /sub=1 /.test(String(await tell(next, 'CLIENT LIST'))),
      );
      assert.equal(await visits(old), came + 3, 'nobody came there again but ourselves');
      await old.stop();
      assert.equal((await links.do('write')).error, undefined);
      await waitFor('the feed brings it', async () => (await links.do('look')).heard.includes('2'));
    });

    it('go to and fro between two replicas no more often than they try again', async () => {
      const [one, two] = [await start(), await start()];
      await tell(one, `REPLICAOF ${two.host} ${two.port}`);
      await tell(two, `REPLICAOF ${one.host} ${one.port}`);
      const atFirst = await Promise.all([visits(one), visits(two)]);
      const links = startLinks(runtime, { url: one.url });
      const failures = async (): Promise<number> => (await links.do('look')).failures;
      await waitFor('they have tried again', async () => (await failures()) >= TRIES);
      const atLast = await Promise.all([visits(one), visits(two)]);
      const tried = await failures();
      for (const [index, count] of atLast.entries()) {
        const came = count - (atFirst[index] ?? 0);
        assert.ok(came >= TRIES && came <= tried + OTHERS, `${came} visits in ${tried} tries`);
      }
    });
  });
}
