/** rpc methods that an application of the user carries out over HTTP. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Centrifuge } from 'centrifuge';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  connected,
  mountSecret,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, MountedSecret, Platform } from '../testing/index.ts';

const EACH = { timeout: 60_000 };

type Json = Record<string, unknown>;

for (const runtime of RUNTIMES) {
  describe(`rpc methods at gateways on ${runtime}`, { timeout: 300_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    let gateway: GatewayProcess;
    let secret: MountedSecret;
    let authority: MountedSecret;
    let url: string;
    /** What the application does with a request; at first it answers who asked for what. */
    let answer: (request: Json, response: ServerResponse, from: IncomingMessage) => void;
    const asked: { body: Json; authorization: string | undefined }[] = [];
    const clients: Centrifuge[] = [];

    const application = async () => {
      const { certFile, keyFile } = await backends.pki.issue('application', ['localhost']);
      const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
      const server = createServer(certificate, (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const body = JSON.parse(Buffer.concat(chunks).toString()) as Json;
          asked.push({ body, authorization: request.headers.authorization });
          answer(body, response, request);
        });
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      return server;
    };
    let server: Awaited<ReturnType<typeof application>>;
    const plain = createPlainServer((_, response) => void response.end('{"result":"plain"}'));

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
      platform = await backends.platform();
      server = await application();
      url = `https://localhost:${(server.address() as AddressInfo).port}/rpc`;
      await new Promise<void>((done) => plain.listen(0, '127.0.0.1', done));
      const plainUrl = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/rpc?a=b`;
      secret = mountSecret({ token: 'hush\n' });
      authority = mountSecret({ 'ca.crt': readFileSync(backends.pki.caFile) });
      const common = { url, timeoutMs: 1_000, concurrency: 8, dir: secret.dir, caDir: authority.dir };
      gateway = await startGateway({
        runtime,
        platform,
        config: (config) => {
          config.limits = { ...config.limits, tiers: [{ name: 'slow', messagesPerSecond: 0.001, burst: 1 }] };
          config.rpc = [
            { ...common, method: 'echo' },
            { ...common, method: 'nobody', url: 'http://127.0.0.1:1/rpc' },
            { method: 'plain', url: plainUrl, timeoutMs: 1_000, concurrency: 8 },
            { method: 'stranger', url, timeoutMs: 1_000, concurrency: 8 },
          ];
        },
      });
    });
    after(async () => {
      await gateway?.stop();
      server?.close();
      server?.closeAllConnections();
      plain.close();
      plain.closeAllConnections();
      for (const mount of [secret, authority]) mount?.remove();
      await backends?.stop();
    });
    beforeEach(() => {
      answer = ({ data }, response) => void response.end(JSON.stringify({ result: { echo: data } }));
      asked.length = 0;
    });
    afterEach(() => {
      for (const client of clients.splice(0)) client.disconnect();
      const logs = JSON.stringify(gateway.logs);
      assert.ok(!logs.includes('hush') && !logs.includes('eyJ'), 'no token is in a log');
    });

    const client = async (user: string, more: Parameters<typeof sdk>[2] = {}): Promise<Centrifuge> => {
      const made = await sdk(platform, [gateway], { user, ...more });
      clients.push(made);
      return connected(made);
    };
    const refused = (call: Promise<unknown>, code: number, temporary?: true): Promise<void> =>
      assert.rejects(call, (error: Json) => {
        assert.deepEqual([error['code'], error['temporary'] || undefined], [code, temporary]);
        return true;
      });

    it('are asked with who calls, and never with the token', EACH, async () => {
      const ann = await client('ann', { claims: { tenant: 'acme' } });
      assert.deepEqual((await ann.rpc('echo', { n: 1 })).data, { echo: { n: 1 } });
      const [first] = asked;
      assert.equal(first?.authorization, 'Bearer hush');
      const { client: id, ...said } = first.body;
      assert.match(String(id), /^[0-9a-f-]{36}$/);
      assert.deepEqual(said, { method: 'echo', user: 'ann', tenant: 'acme', data: { n: 1 } });
      const bob = await client('bob', { form: 'protobuf' });
      const bytes = (await bob.rpc('echo', Buffer.from('{"n":2}'))).data as Uint8Array;
      assert.equal(Buffer.from(bytes).toString(), '{"echo":{"n":2}}');
      const raw = (await bob.rpc('echo', Buffer.from([0xff]))).data as Uint8Array;
      assert.equal(Buffer.from(raw).toString(), '{"echo":"/w=="}');
      assert.equal(asked.at(-1)?.body['data-encoding'], 'base64');
    });

    it('may be plain HTTP, and follow a Secret that changes', EACH, async () => {
      const ann = await client('ann');
      assert.equal((await ann.rpc('plain', {})).data, 'plain');
      secret.write({ token: 'hush anew' });
      await waitFor('the new token', async () => {
        await ann.rpc('echo', {});
        return asked.at(-1)?.authorization === 'Bearer hush anew';
      });
      secret.write({ token: 'hush' });
      await waitFor('the old one again', async () => {
        await ann.rpc('echo', {});
        return asked.at(-1)?.authorization === 'Bearer hush';
      });
    });

    it('pass on the errors of the application', EACH, async () => {
      const ann = await client('ann');
      answer = (_, response) => void response.end('{"error":{"code":1000,"message":"sold out"}}');
      await refused(ann.rpc('echo', {}), 1000);
      answer = (_, response) =>
        void response.end('{"error":{"code":1001,"message":"later","temporary":true}}');
      await refused(ann.rpc('echo', {}), 1001, true);
    });

    it('say what is worth another try, in bounded time', EACH, async () => {
      const ann = await client('ann');
      const errors = await gateway.metric('causeway_gateway_errors_total');
      const began = performance.now();
      answer = () => undefined;
      await refused(ann.rpc('echo', {}), 108, true);
      answer = (_, response) => void response.write('{"result":');
      await refused(ann.rpc('echo', {}), 108, true);
      assert.ok(performance.now() - began < 10_000);
      answer = (_, response, { socket }) => void (response.write('{'), setImmediate(() => socket.destroy()));
      await refused(ann.rpc('echo', {}), 108, true);
      answer = (_, response) => void response.writeHead(503).end();
      await refused(ann.rpc('echo', {}), 108, true);
      await refused(ann.rpc('nobody', {}), 108, true);
      await refused(ann.rpc('stranger', {}), 108, true);
      assert.ok((await gateway.metric('causeway_gateway_errors_total')) >= errors + 6);
    });

    it('take no answer of another form', EACH, async () => {
      const ann = await client('ann');
      for (const [status, body] of [
        [200, 'x'],
        [200, '{}'],
        [200, JSON.stringify({ result: 'x'.repeat(70_000) })],
        [302, ''],
        [404, '{"result":1}'],
        [500, '{"result":1}'],
      ] as const) {
        answer = (_, response) => void response.writeHead(status, { location: '/elsewhere' }).end(body);
        await refused(ann.rpc('echo', {}), 100, true);
      }
      assert.equal(asked.length, 6, 'no redirect is followed');
    });

    it('have a bound of calls under way, of which no user has all', EACH, async () => {
      const held: ServerResponse[] = [];
      answer = (_, response) => void held.push(response);
      const ann = await client('ann');
      const first = [ann.rpc('echo', {}), ann.rpc('echo', {})];
      await waitFor('two under way', () => held.length === 2);
      await refused(ann.rpc('echo', {}), 111, true);
      const others = await Promise.all(['bob', 'cleo', 'dan'].map((user) => client(user)));
      const more = others.flatMap((one) => [one.rpc('echo', {}), one.rpc('echo', {})]);
      await waitFor('eight under way', () => held.length === 8);
      await refused((await client('eve')).rpc('echo', {}), 111, true);
      for (const response of held) response.end('{"result":1}');
      await Promise.all([...first, ...more]);
      answer = (_, response) => void response.end('{"result":2}');
      assert.equal((await ann.rpc('echo', {})).data, 2, 'there is room again');
    });

    it('count for the rate of the user, and need no rate when there is no such method', EACH, async () => {
      const ann = await client('slow ann', { claims: { tier: 'slow' } });
      await refused(ann.rpc('no such method', {}), 104);
      await ann.rpc('echo', {});
      await refused(ann.rpc('echo', {}), 111, true);
    });
  });
}
