import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { ADMIN_PATH, WEBSOCKET_PATH } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import fc from 'fast-check';
import { ensurePython } from '../../../e2e/binaries/index.ts';
import { run, waitFor } from '../../../e2e/tools/index.ts';
import {
  bareHttp2,
  buildBundle,
  CONNECT_BLOCK,
  connected,
  END_HEADERS,
  FRAME,
  headerBlock,
  http2Client,
  http2Frame,
  listen,
  publish,
  rawClient,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  token,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Http2Client, Platform } from '../testing/index.ts';

/** No test takes longer, but one that hangs. */
const EACH = { timeout: 60_000 };
/** TLS handshakes that may be under way at once (docs/websocket.md), and how many more than those are tried. */
const HANDSHAKES = 1_024;
const REFUSED = 344;
/** What the stranger is made of. */
const PINS = ['h11==0.16.0', 'h2==4.4.1', 'hpack==4.2.0', 'hyperframe==6.1.0', 'wsproto==1.3.2'];

const streamOf = (n: number): number => 2 * n + 3;
const big = headerBlock([1, 2, 3].map((n) => [`x-${n}`, 'x'.repeat(100)]));

/** What breaks the rules or asks for too much, as the n-th of many frames, and what it is cut off by. */
const FLOODS: Record<string, (n: number) => Buffer> = {
  // CVE-2023-44487.
  'streams that are reset at once': (n) =>
    Buffer.concat([
      http2Frame(FRAME.headers, END_HEADERS, streamOf(n), CONNECT_BLOCK),
      http2Frame(FRAME.reset, 0, streamOf(n), Buffer.from([0, 0, 0, 8])),
    ]),
  'more streams than there may be': (n) => http2Frame(FRAME.headers, END_HEADERS, streamOf(n), CONNECT_BLOCK),
  'requests that are refused': (n) =>
    http2Frame(
      FRAME.headers,
      END_HEADERS + 1,
      streamOf(n),
      headerBlock([
        [':method', 'GET'],
        [':scheme', 'https'],
        [':authority', 'localhost'],
        [':path', '/'],
      ]),
    ),
  // CVE-2024-27983.
  'a head without an end': (n) =>
    n === 0 ? http2Frame(FRAME.headers, 0, 3, CONNECT_BLOCK) : http2Frame(FRAME.continuation, 0, 3, big),
  settings: () => http2Frame(FRAME.settings, 0, 0),
  pings: () => http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8)),
  'empty data': () => http2Frame(FRAME.data, 0, 1),
};

for (const runtime of RUNTIMES) {
  describe(`clients of HTTP/2, of a gateway on ${runtime}`, { timeout: 600_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    const running: GatewayProcess[] = [];
    const ends: (() => void)[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
    });
    after(() => backends.stop());
    afterEach(async () => {
      for (const end of ends.splice(0)) end();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    const start = async (config?: (config: GatewayConfig) => void): Promise<GatewayProcess> => {
      platform = await backends.platform();
      const gateway = await startGateway({ runtime, platform, ...(config && { config }) });
      running.push(gateway);
      return gateway;
    };
    const http2 = async (
      gateway: GatewayProcess,
      settings?: { initialWindowSize?: number },
    ): Promise<Http2Client> => {
      const client = await http2Client(platform, gateway, settings);
      ends.push(() => client.session.destroy());
      return client;
    };
    /** Connects and subscribes. */
    const listener = async (client: Http2Client, user: string, channel: string) => {
      const raw = await client.open();
      raw.send({ id: 1, connect: { token: await token(user) } }, { id: 2, subscribe: { channel } });
      await waitFor('subscribed', () => raw.lines.length >= 2, { intervalMs: 10 });
      return raw;
    };
    const metric = (gateway: GatewayProcess, name: string): Promise<number> =>
      gateway.metric(`causeway_gateway_${name}`);

    it('share a connection, each with a session of its own', EACH, async () => {
      const gateway = await start();
      const client = await http2(gateway);
      assert.equal(client.session.remoteSettings.enableConnectProtocol, true);
      assert.equal(client.session.remoteSettings.maxConcurrentStreams, 100);
      const [one, two] = [
        await listener(client, 'one', 'chat:room1'),
        await listener(client, 'two', 'chat:room1'),
      ];
      const sdks = await sdk(platform, [gateway]);
      ends.push(() => sdks.disconnect());
      const ann = await connected(sdks);
      const heard = await listen(ann, 'chat:room1');
      await publish(ann, 'chat:room1', { n: 1 });
      one.send({ id: 3, publish: { channel: 'chat:room1', data: { n: 2 } } });
      const pushes = (lines: Record<string, unknown>[]) =>
        lines.flatMap(({ push }) => (push as { pub?: { data: unknown } } | undefined)?.pub?.data ?? []);
      await waitFor(
        'both everywhere',
        () => heard.data.length === 2 && [one, two].every(({ lines }) => pushes(lines).length === 2),
      );
      for (const all of [heard.data, pushes(one.lines), pushes(two.lines)])
        assert.deepEqual(all, [{ n: 1 }, { n: 2 }]);
      const { body } = await gateway.admin(ADMIN_PATH.metrics);
      assert.match(body, /causeway_gateway_connections\{transport="h2",zone="zone-a"\} 2\n/);
      assert.match(body, /causeway_gateway_connections\{transport="http\/1.1",zone="zone-a"\} 1\n/);
      one.ws.close(1000);
      assert.equal((await one.closed).code, 1000);
      await publish(ann, 'chat:room1', { n: 3 });
      await waitFor('the other stream goes on', () => pushes(two.lines).length === 3);
    });

    it('that are strangers speak RFC 8441 with it', EACH, async () => {
      const gateway = await start();
      const python = await ensurePython(PINS);
      const script = join(import.meta.dirname, '..', 'testing', 'stranger.py');
      const to = ['--port', String(gateway.port), '--ca', platform.pki.caFile, '--path', WEBSOCKET_PATH];
      const as = ['--token', await token('stranger'), '--channel', 'chat:strange'];
      const { stdout } = await run(python, [script, ...to, ...as], { timeoutMs: 40_000 });
      const { replies, ...seen } = JSON.parse(stdout) as { replies: Record<string, string[]> };
      assert.deepEqual(seen, {
        alpn: 'h2',
        extended: true,
        status: '200',
        subprotocol: 'centrifuge-json',
        ended: true,
        publication: { from: 'a stranger' },
        pong: 'are you there?',
        close: 1000,
      });
      assert.deepEqual(replies['1'], ['connect']);
      assert.deepEqual(replies['2'], ['subscribe']);
    });

    it('are those who ask for h2; all others get HTTP/1.1', EACH, async () => {
      const gateway = await start();
      const chosen = async (offered?: string[]): Promise<string | false | null> => {
        const ca = readFileSync(platform.pki.caFile);
        const to = { host: '127.0.0.1', port: gateway.port, servername: 'localhost' };
        const socket = connectTls({ ...to, ca, ...(offered && { ALPNProtocols: offered }) });
        await once(socket, 'secureConnect');
        socket.destroy();
        return socket.alpnProtocol;
      };
      assert.equal(await chosen(['http/1.1']), 'http/1.1');
      assert.equal(await chosen(['http/1.1', 'h2']), 'h2');
      assert.equal(await chosen(), false);
      (await rawClient(platform, gateway)).ws.close();
    });

    it('are refused by a status that leaves no stream', EACH, async () => {
      const gateway = await start((config) => (config.allowedOrigins = ['https://app.example']));
      const client = await http2(gateway);
      for (const [status, headers] of [
        [404, { ':path': '/' }],
        [405, { ':method': 'POST', ':protocol': undefined }],
        [501, { ':protocol': 'connect-udp' }],
        [400, { 'sec-websocket-version': '12' }],
        [403, { origin: 'https://evil.example' }],
      ] as const) {
        const { stream, ...answer } = await client.request(headers);
        assert.equal(answer.status, status);
        // The client has not ended its side: the server does not wait for it.
        await once(stream.resume(), 'close');
        assert.equal(stream.rstCode, 0);
      }
      const head = await client.request({ ':method': 'HEAD', ':path': '/', ':protocol': undefined }, true);
      assert.equal(head.status, 404);
      const taken = await client.request({
        origin: 'https://app.example',
        'sec-websocket-protocol': 'x, centrifuge-json',
      });
      assert.equal(taken.status, 200);
      assert.equal(taken.headers['sec-websocket-protocol'], 'centrifuge-json');
      assert.equal(await metric(gateway, 'connections'), 1);
      assert.equal(await metric(gateway, 'drops_total'), 6);
    });

    it('count for the limit of connections, stream by stream', EACH, async () => {
      const gateway = await start((config) => (config.limits.connections = 3));
      const client = await http2(gateway);
      const first = await client.open();
      const second = await client.open();
      await client.open();
      assert.equal((await client.request()).status, 503);
      await assert.rejects(rawClient(platform, gateway), 'no place for a socket either');
      assert.match((await gateway.admin(ADMIN_PATH.readyz)).body, /limit of 3 connections/);
      second.ws.close();
      await second.closed;
      await waitFor('a place', async () => (await rawClient(platform, gateway)).ws.readyState === 1);
      assert.equal((await client.request()).status, 503);
      assert.equal(first.ws.readyState, 1);
    });

    it('are closed when they say nothing, stream or connection', EACH, async () => {
      const gateway = await start((config) => (config.connectTimeoutMs = 500));
      const idle = await http2(gateway);
      const refused = await http2(gateway);
      const silent = await (await http2(gateway)).open();
      const mixed = await http2(gateway);
      const ann = await listener(mixed, 'ann', 'chat:a');
      const silentToo = await mixed.open();
      const { status, stream } = await refused.request({ ':path': '/' });
      assert.equal(status, 404);
      stream.resume();
      await Promise.all([idle.closed, refused.closed]);
      assert.deepEqual(await silent.closed, { code: 3011, reason: 'stale' });
      assert.deepEqual(await silentToo.closed, { code: 3011, reason: 'stale' });
      assert.equal(ann.ws.readyState, 1, 'one who has spoken stays');
      ann.ws.close();
      await mixed.closed;
      // A refused request, two connections that never had a WebSocket, two WebSockets.
      assert.equal(await metric(gateway, 'drops_total'), 5);
    });

    it(
      'are closed for what is too large, and for reading too slowly; others do not notice',
      EACH,
      async () => {
        const gateway = await start();
        const client = await http2(gateway);
        const large = await client.open();
        large.ws.send('x'.repeat(70_000));
        assert.equal((await large.closed).code, 1009);
        const bystander = await listener(client, 'bystander', 'chat:big');
        const sdks = await sdk(platform, [gateway]);
        ends.push(() => sdks.disconnect());
        const ann = await connected(sdks);
        const slowClient = await http2(gateway);
        const slow = await listener(slowClient, 'slow', 'chat:big');
        // Its flow-control window is not opened again.
        slow.ws.pause();
        const data = 'x'.repeat(30_000);
        let sent = 0;
        await waitFor(
          'the slow reader is dropped',
          async () => {
            await Promise.all(Array.from({ length: 10 }, () => publish(ann, 'chat:big', data)));
            sent += 10;
            const got = (): boolean => bystander.lines.filter(({ push }) => push).length === sent;
            await waitFor('all at the other', got, { intervalMs: 1 });
            return (await metric(gateway, 'drops_total')) >= 1;
          },
          { intervalMs: 1, timeoutMs: 40_000 },
        );
        assert.ok(sent * data.length < 4 * 1024 * 1024, `${sent} publications until it was dropped`);
        slow.ws.resume();
        assert.deepEqual(await slow.closed, { code: 3008, reason: 'slow' });
      },
    );

    for (const [what, make] of Object.entries(FLOODS)) {
      it(`are cut off when they send ${what}`, EACH, async () => {
        const gateway = await start();
        const ann = await listener(await http2(gateway), 'ann', 'chat:a');
        const socket = await bareHttp2(platform, gateway);
        ends.push(() => socket.destroy());
        const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)));
        const drained = () => new Promise<false>((resolve) => socket.once('drain', () => resolve(false)));
        socket.resume().write(http2Frame(FRAME.headers, END_HEADERS, 1, CONNECT_BLOCK));
        const flood = async (): Promise<false> => {
          for (let sent = 0; sent < 20_000 && !socket.destroyed; sent += 100) {
            const batch = Array.from({ length: 100 }, (_, n) => make(sent + n));
            if (!socket.write(Buffer.concat(batch))) await Promise.race([drained(), closed]);
          }
          return false;
        };
        assert.ok((await Promise.race([closed, flood()])) || (await closed));
        await waitFor('it is counted', async () => (await metric(gateway, 'drops_total')) >= 1);
        await waitFor('nothing of it is left', async () => (await metric(gateway, 'connections')) === 1);
        ann.send({ id: 3, subscribe: { channel: 'chat:b' } });
        await waitFor('others are served', () => ann.lines.some(({ id }) => id === 3));
        ann.ws.close();
      });
    }

    it('cannot break it, whatever frames they send', { timeout: 120_000 }, async () => {
      const gateway = await start();
      const id = fc.integer({ min: 0, max: 7 });
      const frame = fc.oneof(
        id.map((stream) => http2Frame(FRAME.headers, END_HEADERS, stream, CONNECT_BLOCK)),
        id.map((stream) => http2Frame(FRAME.data, 0, stream, Buffer.from([0x81, 0x80, 0, 0, 0, 0]))),
        fc
          .tuple(fc.integer({ min: 0, max: 10 }), fc.nat(255), id, fc.uint8Array({ maxLength: 40 }))
          .map(([type, flags, stream, payload]) => http2Frame(type, flags, stream, payload)),
        fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      );
      const ping = http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8));
      await fc.assert(
        fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 12 }), async (frames) => {
          const socket = await bareHttp2(platform, gateway);
          const over = new Promise<void>((resolve) => {
            // It is closed for it, or answers the PING after it all, or waits for the rest of a frame.
            socket.once('close', resolve).setTimeout(200, resolve);
            socket.on('data', (data: Buffer) => data[3] === FRAME.ping && resolve());
          });
          socket.write(Buffer.concat([...frames, ping]));
          await over;
          socket.destroy();
          assert.ok(!gateway.ended, 'the gateway has ended');
        }),
        { numRuns: 300 },
      );
      assert.equal((await gateway.admin(ADMIN_PATH.healthz)).status, 200);
      await waitFor('nothing', async () => (await metric(gateway, 'connections')) === 0);
    });

    it('leave nothing behind', { timeout: 120_000 }, async () => {
      const gateway = await start();
      const files = (): number => readdirSync(`/proc/${gateway.pid}/fd`).length;
      const round = async (): Promise<void> => {
        const client = await http2Client(platform, gateway);
        const jwt = await token('ann');
        await Promise.all(
          Array.from({ length: 50 }, async (_, n) => {
            const raw = await client.open();
            raw.send({ id: 1, connect: { token: jwt } }, { id: 2, subscribe: { channel: `chat:${n}` } });
            // Some go before they are answered, some by a reset, some with their connection.
            if (n % 4 === 0) return raw.ws.close();
            await waitFor('answers', () => raw.lines.length === 2, { intervalMs: 5 });
            if (n % 4 === 1) raw.ws.close();
            if (n % 4 === 2) raw.stream.close(8);
          }),
        );
        client.session.destroy();
      };
      await round();
      const none = async (): Promise<boolean> =>
        (await metric(gateway, 'connections')) === 0 && (await metric(gateway, 'channels')) === 0;
      await waitFor('nothing', none);
      const filesBefore = files();
      for (let i = 0; i < 20; i++) await round();
      await waitFor('nothing of 1,000', none);
      await waitFor(`${filesBefore} files`, () => files() <= filesBefore);
    });

    it('are asked to leave by GOAWAY, and sent away one by one', EACH, async () => {
      const gateway = await start(
        (config) => (config.drain = { perSecond: 20, timeoutMs: 3_000, noticeMs: 0 }),
      );
      const client = await http2(gateway);
      const empty = await http2(gateway);
      const raws = [];
      for (let n = 0; n < 10; n++) raws.push(await listener(client, `user ${n}`, 'chat:a'));
      const goAway = once(client.session, 'goaway');
      const at: number[] = [];
      const codes = raws.map(async ({ closed }) => {
        const { code } = await closed;
        at.push(performance.now());
        return code;
      });
      gateway.signal('SIGTERM');
      assert.equal((await goAway)[0], 0);
      await empty.closed;
      assert.ok(at.length < 10, 'the connection without WebSockets goes first');
      assert.deepEqual(
        await Promise.all(codes),
        Array.from({ length: 10 }, () => 3001),
      );
      assert.ok((at.at(-1) ?? 0) - (at[0] ?? 0) > 200, 'not all at once');
      await client.closed;
      assert.equal(await gateway.exited, 0);
    });

    it('and HTTP/1.1 are served while handshakes that lead nowhere flood in', EACH, async () => {
      const gateway = await start((config) => {
        config.limits.connections = 2 * HANDSHAKES;
        // They are here for the whole of the test.
        config.connectTimeoutMs = 60_000;
      });
      const ann = await listener(await http2(gateway), 'ann', 'chat:a');
      const raw = await rawClient(platform, gateway);
      raw.send({ id: 1, connect: { token: await token('bob') } });
      await waitFor('connected', () => raw.lines.length === 1);
      const flood: Socket[] = [];
      ends.push(() => flood.forEach((socket) => socket.destroy()));
      for (let n = 0; n < HANDSHAKES + REFUSED; n++) {
        const socket = connectTcp(gateway.port, '127.0.0.1').resume();
        socket.on('error', () => undefined);
        flood.push(socket);
      }
      await waitFor('the bound', async () => (await metric(gateway, 'handshakes_in_flight')) === HANDSHAKES);
      await waitFor(
        'the others are refused',
        () => flood.filter(({ destroyed }) => destroyed).length === REFUSED,
      );
      const { body } = await gateway.admin(ADMIN_PATH.metrics);
      assert.ok(body.includes(`causeway_gateway_handshakes_total{outcome="busy"} ${REFUSED}\n`), body);
      await assert.rejects(rawClient(platform, gateway), 'newcomers have to try again');
      for (const client of [ann, raw]) {
        client.send({ id: 9, subscribe: { channel: 'chat:b' } });
        await waitFor('an answer', () => client.lines.some(({ id }) => id === 9), { timeoutMs: 5_000 });
      }
      for (const socket of flood) socket.destroy();
      await waitFor('a newcomer', async () => (await rawClient(platform, gateway)).ws.readyState === 1);
      await waitFor('no handshakes', async () => (await metric(gateway, 'handshakes_in_flight')) === 0);
    });
  });
}
