import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { createTestPki, startRedis } from '../../../e2e/harness/index.ts';
import type { Redis, TestPki } from '../../../e2e/harness/index.ts';
import { freePort, run, waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  certificateFiles,
  rawClient,
  RUNTIMES,
  startGateway,
  testTopic,
  token,
} from '../testing/index.ts';
import type { GatewayProcess, Platform } from '../testing/index.ts';

const EACH = { timeout: 60_000 };

/** openssl as a stranger: it verifies, and says by an alert what it refuses. Resolves with what it prints. */
async function opensslClient(port: number, caFile: string): Promise<string> {
  const to = ['-connect', `127.0.0.1:${port}`, '-servername', 'localhost', '-verify_hostname', 'localhost'];
  const words = ['s_client', ...to, '-CAfile', caFile, '-verify_return_error', '-tls1_3'];
  return (await run('openssl', words, { input: '', timeoutMs: 20_000 })).stdout;
}

for (const runtime of RUNTIMES) {
  describe(`certificates of a gateway on ${runtime}`, { timeout: 600_000 }, () => {
    let redis: Redis;
    let pki: TestPki;
    let platform: Platform;
    const running: GatewayProcess[] = [];

    before(async () => {
      [redis, pki] = await Promise.all([startRedis(), createTestPki(), buildBundle()]);
      // No Kafka listens there: a gateway is ready without it.
      const brokers = [`127.0.0.1:${await freePort()}`];
      platform = {
        name: 'p',
        pki,
        redisUrl: redis.url,
        brokers,
        topics: [testTopic('p', 'chat')],
      };
    });
    after(async () => {
      await redis.stop();
      pki.remove();
    });
    afterEach(async () => {
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    const start = async (ticketKey?: Buffer): Promise<GatewayProcess> => {
      const gateway = await startGateway({ runtime, platform });
      running.push(gateway);
      if (ticketKey) gateway.tls.write({ ...files(gateway), 'ticket.key': ticketKey });
      return gateway;
    };

    /** What is in the mounted Secret now. */
    const files = (
      gateway: GatewayProcess,
      names = ['tls-1.crt', 'tls-1.key', 'ca.crt', 'current', 'ticket.key'],
    ) => Object.fromEntries(names.map((name) => [name, readFileSync(`${gateway.tls.dir}/${name}`)]));

    const handshake = (gateway: GatewayProcess, options: ConnectionOptions = {}): Promise<TLSSocket> =>
      new Promise((resolve, reject) => {
        const ca = readFileSync(pki.caFile);
        const to = { host: '127.0.0.1', port: gateway.port, servername: 'localhost', ca };
        const socket = connect({ ...to, ...options });
        socket.once('secureConnect', () => resolve(socket));
        socket.once('error', reject);
      });
    const fingerprint = async (gateway: GatewayProcess): Promise<string> => {
      const socket = await handshake(gateway);
      const found = socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase();
      socket.destroy();
      return found;
    };

    it('change under handshakes and open connections, and nobody notices', EACH, async () => {
      const gateway = await start();
      const open = await rawClient(platform, gateway);
      open.send({ id: 1, connect: { token: await token('ann') } });
      await waitFor('connected', () => open.lines.length === 1);
      const first = await gateway.certificate();
      const second = await certificateFiles(pki, 2);
      gateway.tls.write({ ...files(gateway), ...second });
      await waitFor('version 2 found', async () => (await gateway.certificate()).available.length === 2);
      assert.equal((await gateway.certificate()).version, 1, 'not before the annotation says so');
      let failed = 0;
      let done = 0;
      const hammering = { on: true };
      const hammer = async (): Promise<void> => {
        while (hammering.on) {
          await handshake(gateway).then(
            (socket) => socket.destroy(),
            () => (failed += 1),
          );
          done += 1;
        }
      };
      const hammers = Array.from({ length: 8 }, hammer);
      const seen = new Set<string>();
      for (let i = 0; i < 10; i++) {
        const version = i % 2 === 0 ? 2 : 1;
        const began = performance.now();
        gateway.annotate(version);
        await waitFor('served', async () => (await gateway.certificate()).version === version, {
          intervalMs: 10,
        });
        assert.ok(performance.now() - began < 3_000);
        const state = await gateway.certificate();
        seen.add(state.fingerprint);
        assert.equal(await fingerprint(gateway), state.fingerprint, 'what it says is what it serves');
      }
      hammering.on = false;
      await Promise.all(hammers);
      assert.equal(failed, 0, `${failed} of ${done} handshakes failed`);
      assert.ok(done > 50);
      assert.equal(seen.size, 2);
      assert.ok(seen.has(first.fingerprint));
      assert.equal(first.bundle.length, 1);
      assert.equal(open.ws.readyState, 1, 'the connection from before is still open');
      open.send({ id: 2, subscribe: { channel: 'chat:a' } });
      await waitFor('an answer', () => open.lines.length === 2);
    });

    it("go back to the Secret's current one without an annotation", EACH, async () => {
      const gateway = await start();
      gateway.tls.write({ ...files(gateway), ...(await certificateFiles(pki, 2)), current: '2' });
      await waitFor('version 2', async () => (await gateway.certificate()).version === 2);
      gateway.annotate(1);
      await waitFor('version 1', async () => (await gateway.certificate()).version === 1);
      gateway.annotate(undefined);
      await waitFor('version 2 again', async () => (await gateway.certificate()).version === 2);
    });

    it('that are broken are not served', EACH, async () => {
      const gateway = await start();
      const served = await fingerprint(gateway);
      const second = await certificateFiles(pki, 2);
      gateway.tls.write({ ...files(gateway), 'tls-2.crt': second['tls-2.crt'] ?? '', 'tls-2.key': 'broken' });
      gateway.annotate(2);
      await waitFor('a log line', () =>
        gateway.logs.some(({ problem }) => String(problem).includes('version 2')),
      );
      assert.equal(await fingerprint(gateway), served);
      assert.deepEqual((await gateway.certificate()).available, [1]);
    });

    it('never let TLS 1.2 in, before and after a change', EACH, async () => {
      const gateway = await start();
      const old = { maxVersion: 'TLSv1.2' } as const;
      await assert.rejects(handshake(gateway, old), /protocol version/);
      gateway.tls.write({ ...files(gateway), ...(await certificateFiles(pki, 2)), current: '2' });
      await waitFor('version 2', async () => (await gateway.certificate()).version === 2);
      await assert.rejects(handshake(gateway, old), /protocol version/);
      const socket = await handshake(gateway, { ALPNProtocols: ['http/1.1'] });
      assert.equal(socket.getProtocol(), 'TLSv1.3');
      assert.equal(socket.alpnProtocol, 'http/1.1');
      socket.destroy();
    });

    const sessionOf = async (gateway: GatewayProcess): Promise<Buffer> => {
      const socket = await handshake(gateway);
      const session = new Promise<Buffer>((resolve) => socket.once('session', resolve));
      // Bun sends tickets with its first answer.
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      return session.finally(() => socket.destroy());
    };
    const resumes = async (gateway: GatewayProcess, session: Buffer): Promise<boolean> => {
      const socket = await handshake(gateway, { session });
      const reused = socket.isSessionReused();
      socket.destroy();
      return reused;
    };

    it('end the tickets of before with the ticket key', EACH, async () => {
      const gateway = await start(Buffer.alloc(48, 7));
      await waitFor('the key is there', async () => resumes(gateway, await sessionOf(gateway)));
      const old = await sessionOf(gateway);
      const second = await certificateFiles(pki, 2);
      gateway.tls.write({ ...files(gateway), ...second, current: '2', 'ticket.key': Buffer.alloc(48, 8) });
      await waitFor('version 2', async () => (await gateway.certificate()).version === 2);
      const counted = (): Promise<number> => gateway.metric('causeway_gateway_handshakes_resumed_total');
      assert.equal(await resumes(gateway, old), false);
      const resumed = await handshake(gateway, { session: await sessionOf(gateway) });
      assert.equal(resumed.isSessionReused(), true, 'new ones resume');
      await waitFor('it is counted', async () => (await counted()) > 0);
      resumed.destroy();
    });

    it('that clients refuse are counted, and nothing else that fails', EACH, async () => {
      const gateway = await start();
      await assert.rejects(handshake(gateway, { maxVersion: 'TLSv1.2' }), /protocol version/);
      const other = await createTestPki();
      try {
        await assert.rejects(opensslClient(gateway.port, other.caFile), /verify/i);
      } finally {
        other.remove();
      }
      assert.match(await opensslClient(gateway.port, pki.caFile), /Verify return code: 0 \(ok\)/);
      await waitFor(
        'the refusal is counted',
        async () => (await gateway.certificate()).handshakes.since.failed === 1,
      );
      gateway.tls.write({ ...files(gateway), ...(await certificateFiles(pki, 2)), current: '2' });
      await waitFor('version 2', async () => (await gateway.certificate()).version === 2);
      const { since, before: earlier } = (await gateway.certificate()).handshakes;
      assert.deepEqual([since, earlier.failed], [{ completed: 0, failed: 0 }, 1]);
    });

    // Bun 1.4 takes no ticket keys (its pull request 28691).
    it('let a session resume on another gateway', { ...EACH, skip: runtime === 'bun' }, async () => {
      const key = Buffer.alloc(48, 7);
      const [one, two] = [await start(key), await start(key)];
      const second = await certificateFiles(pki, 2);
      for (const gateway of [one, two]) gateway.tls.write({ ...files(gateway), ...second, current: '2' });
      for (const gateway of [one, two]) {
        await waitFor('version 2', async () => (await gateway.certificate()).version === 2);
      }
      assert.equal(await resumes(two, await sessionOf(one)), true);
    });
  });
}
