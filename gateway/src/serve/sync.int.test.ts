/** `/sync` of whole gateways in two zones, for clients that aren't ours. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { after, afterEach, before, describe, it } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport as createHttp2Transport } from '@connectrpc/connect-node';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { WebSocket } from 'ws';
import { startEtcd } from '../../../e2e/harness/index.ts';
import type { Etcd } from '../../../e2e/harness/index.ts';
import { waitFor } from '../../../e2e/tools/index.ts';
import { EtcdClient } from '../etcd/index.ts';
import { endReplicatorProcesses, startReplicatorProcess } from '../replicate/testing/index.ts';
import { loadSchema, loadService } from '../sync/testing/index.ts';
import {
  buildBundle,
  http2Client,
  RUNTIMES,
  startBackends,
  startGateway,
  token,
  webSocketOn,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform } from '../testing/index.ts';

const PREFIXES = ['/config/', '/tenants/'];

interface Response {
  kind: number;
  events: {
    key: Uint8Array;
    value: Uint8Array;
    prevValue?: Uint8Array;
    modRevision: bigint;
    /** Absent for false: protobufjs's descriptors say nothing of proto3's defaults. */
    isDeleted?: boolean;
  }[];
  position?: { rev: bigint; epoch: bigint };
}
interface WatchRequest {
  prefixes?: string[];
  rev?: bigint;
  epoch?: bigint;
}
/** What Connect makes of the service; its types come from generated code, which there is none of here. */
interface SyncClient {
  watch(
    request: WatchRequest,
    options: { headers?: Record<string, string>; signal?: AbortSignal },
  ): AsyncIterable<Response>;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

for (const runtime of RUNTIMES) {
  describe(`/sync of gateways on ${runtime}`, { timeout: 300_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    let etcds: { a: Etcd; b: Etcd };
    let etcd: EtcdClient;
    let gateways: { a: GatewayProcess; b: GatewayProcess };

    const put = async (key: string, value: string): Promise<void> => {
      const success = [{ request_put: { key: Buffer.from(key), value: Buffer.from(value) } }];
      await etcd.transact({ compare: [], success, failure: [] });
    };
    const allowed = (claims: object = {}): Promise<string> => token('ann', { sync: ['/config/'], ...claims });
    const headers = async (claims: object = {}): Promise<Record<string, string>> => ({
      authorization: `Bearer ${await allowed(claims)}`,
    });
    const client = (gateway: GatewayProcess): SyncClient =>
      createClient(
        loadService(),
        createGrpcWebTransport({ baseUrl: `https://localhost:${gateway.port}` }),
      ) as unknown as SyncClient;
    const start = (zone: string): Promise<GatewayProcess> =>
      startGateway({
        runtime,
        platform,
        zone,
        config: (config) => {
          config.allowedOrigins = ['https://app.example'];
          config.connectTimeoutMs = 1_500;
          if (zone === 'zone-b') config.heartbeat = { intervalMs: 1_000, timeoutMs: 900 };
          config.etcd = {
            homeZone: 'zone-a',
            epoch: 1,
            prefixes: PREFIXES,
            zones: [
              { zone: 'zone-a', endpoints: [etcds.a.endpoint] },
              { zone: 'zone-b', endpoints: [etcds.b.endpoint] },
            ],
          };
        },
      });

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
      setDefaultCACertificates([...getCACertificates('default'), readFileSync(backends.pki.caFile, 'utf8')]);
      platform = await backends.platform();
      const [a, b] = await Promise.all([startEtcd(), startEtcd()]);
      etcds = { a, b };
      etcd = new EtcdClient({ endpoints: [a.endpoint] }, {}, () => undefined);
      startReplicatorProcess({
        platform: platform.name,
        namespace: 'test',
        listen: { adminPort: 0 },
        homeZone: 'zone-a',
        zone: 'zone-b',
        epoch: 1,
        source: { endpoints: [a.endpoint] },
        target: { endpoints: [b.endpoint] },
        prefixes: PREFIXES,
      });
      await put('/config/a', '1');
      await put('/tenants/t', 'secret');
      const [one, two] = await Promise.all([start('zone-a'), start('zone-b')]);
      gateways = { a: one, b: two };
    });
    after(async () => {
      await Promise.all(Object.values(gateways ?? {}).map((gateway) => gateway.stop()));
      await endReplicatorProcesses();
      etcd?.close();
      await Promise.all([backends.stop(), etcds.a.stop(), etcds.b.stop()]);
    });
    afterEach(async () => {
      for (const gateway of Object.values(gateways)) {
        if (gateway.ended) continue;
        const left = async (): Promise<boolean> =>
          (await gateway.metric('causeway_gateway_sync_streams')) === 0;
        await waitFor('no stream is left', left);
      }
      const logs = JSON.stringify([gateways.a.logs, gateways.b.logs]);
      assert.ok(!logs.includes('eyJ'), 'no token is in a log');
      assert.ok(!logs.includes('secret'), 'no value is in a log');
    });

    it('Connect over gRPC-Web: state, change, and resumption in the other zone', async () => {
      const stop = new AbortController();
      const seen: Response[] = [];
      for await (const response of client(gateways.a).watch(
        {},
        { headers: await headers(), signal: stop.signal },
      )) {
        seen.push(response);
        if (seen.length === 1) await put('/config/a', '2');
        if (seen.length === 2) break;
      }
      stop.abort();
      const [state, change] = seen;
      assert.ok(state && change);
      const [changed] = change.events;
      assert.deepEqual(
        state.events.map(({ key, value }) => [text(key), text(value)]),
        [['/config/a', '1']],
      );
      assert.equal(text(changed?.prevValue ?? new Uint8Array()), '1');
      assert.equal(changed?.modRevision, change.position?.rev);
      await put('/config/b', 'b');
      await etcd.transact({
        compare: [],
        success: [{ request_delete_range: { key: Buffer.from('/config/b') } }],
        failure: [],
      });
      const resumed: string[] = [];
      const leave = new AbortController();
      for await (const { events } of client(gateways.b).watch(change.position ?? {}, {
        headers: await headers(),
        signal: leave.signal,
      })) {
        // Of what the zone took over together with it, the last change may come again.
        const fresh = events.filter(({ key }) => text(key) !== '/config/a');
        for (const { key, isDeleted } of fresh) resumed.push(`${text(key)} ${isDeleted ?? false}`);
        if (resumed.at(-1) === '/config/b true') break;
      }
      leave.abort();
      assert.deepEqual(resumed, ['/config/b false', '/config/b true']);
      await put('/config/a', '1');
    });

    it('refuses what the token does not allow, and says why', async () => {
      const refused = async (
        request: WatchRequest,
        with_: Record<string, string>,
      ): Promise<[Code, string | null]> => {
        try {
          for await (const response of client(gateways.a).watch(request, { headers: with_ })) {
            assert.fail(`got ${response.kind}`);
          }
        } catch (error) {
          assert.ok(error instanceof ConnectError, String(error));
          return [error.code, error.metadata.get('causeway-reason')];
        }
        return assert.fail('it ended well');
      };
      assert.deepEqual(await refused({}, {}), [Code.Unauthenticated, 'bad-token']);
      assert.deepEqual(await refused({}, { authorization: 'Bearer eyJ.x.y' }), [
        Code.Unauthenticated,
        'bad-token',
      ]);
      const expired = await headers({ exp: Math.floor(Date.now() / 1000) - 60 });
      assert.deepEqual(await refused({}, expired), [Code.Unauthenticated, 'token-expired']);
      assert.deepEqual(await refused({ prefixes: ['/tenants/'] }, await headers()), [
        Code.PermissionDenied,
        'no-right',
      ]);
      assert.deepEqual(await refused({ prefixes: ['/'] }, await headers({ sync: ['/'] })), [
        Code.PermissionDenied,
        'no-right',
      ]);
      assert.deepEqual(await refused({}, await headers({ sync: undefined })), [
        Code.PermissionDenied,
        'no-right',
      ]);
      assert.deepEqual(await refused({ rev: 999_999n }, await headers()), [
        Code.OutOfRange,
        'unknown-position',
      ]);
      const soon = await headers({ exp: Math.floor(Date.now() / 1000) + 2 });
      const ends = async (): Promise<void> => {
        for await (const _ of client(gateways.a).watch({}, { headers: soon }));
      };
      await assert.rejects(
        ends(),
        (error: ConnectError) => error.metadata.get('causeway-reason') === 'token-expired',
      );
    });

    it('grpc-web-text, in pieces and padded, and CORS', async () => {
      const url = `https://localhost:${gateways.a.port}/causeway.sync.v1.SyncService/Watch`;
      const origin = 'https://app.example';
      const preflight = await fetch(url, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.headers.get('access-control-allow-origin'), origin);
      assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /authorization/);
      const evil = await fetch(url, { method: 'OPTIONS', headers: { origin: 'https://evil.example' } });
      assert.equal(evil.status, 403);
      const message = loadSchema().lookupType('causeway.sync.v1.WatchRequest');
      const bytes = message.encode({ prefixes: ['/config/'] }).finish();
      const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, bytes.length]), bytes]);
      const response = await fetch(url, {
        method: 'POST',
        body: frame.toString('base64'),
        headers: { ...(await headers()), origin, 'content-type': 'application/grpc-web-text' },
      });
      assert.equal(response.headers.get('content-type'), 'application/grpc-web-text+proto');
      const reader = response.body?.getReader();
      const first = Buffer.from(text((await reader?.read())?.value ?? new Uint8Array()), 'base64');
      const decoded = loadSchema()
        .lookupType('causeway.sync.v1.WatchResponse')
        .decode(first.subarray(5, 5 + first.readUInt32BE(1)))
        .toJSON() as { kind: string; events: { key: string }[] };
      assert.equal(decoded.kind, 'KIND_SNAPSHOT');
      assert.equal(Buffer.from(decoded.events[0]?.key ?? '', 'base64').toString(), '/config/a');
      await reader?.cancel();
    });

    it('ws: token in the first message or in a header, JSON, and close codes', async () => {
      const open = (query: string, options: object = {}): WebSocket =>
        new WebSocket(`wss://localhost:${gateways.b.port}/sync${query}`, {
          ca: readFileSync(platform.pki.caFile),
          ...options,
        });
      const outcome = (ws: WebSocket): Promise<{ lines: { error?: { reason: string } }[]; code: number }> =>
        new Promise((resolve) => {
          const lines: { error?: { reason: string } }[] = [];
          ws.on('message', (data: Buffer) =>
            lines.push(JSON.parse(data.toString()) as { error?: { reason: string } }),
          );
          ws.on('close', (code) => resolve({ lines, code }));
        });
      const first = open('?prefix=/config/');
      const hello = JSON.stringify({ token: await allowed() });
      first.on('open', () => first.send(hello));
      const [message] = await new Promise<[Buffer]>((resolve) =>
        first.once('message', (data: Buffer) => resolve([data])),
      );
      const state = JSON.parse(message.toString()) as {
        kind: string;
        events: { key: string; is_deleted: boolean }[];
        position: { rev: string; epoch: string };
      };
      assert.equal(state.kind, 'KIND_SNAPSHOT');
      assert.equal(Buffer.from(state.events[0]?.key ?? '', 'base64').toString(), '/config/a');
      first.close();
      const second = open(`?rev=${state.position.rev}&epoch=${state.position.epoch}`, {
        headers: await headers({ sync: ['/config/'] }),
      });
      const change = new Promise<Buffer>((resolve) => second.once('message', resolve));
      await new Promise((resolve) => second.once('open', resolve));
      await put('/config/ws', 'x');
      assert.match((await change).toString(), /KIND_CHANGES/);
      second.close();
      const silent = open('');
      assert.equal((await outcome(silent)).code, 1006, 'it said nothing for connectTimeout');
      const forged = open('');
      forged.on('open', () => forged.send('{"token":"x"}'));
      const { lines, code } = await outcome(forged);
      assert.equal(code, 4_016);
      assert.equal(lines[0]?.error?.reason, 'bad-token');
      const garbage = open('');
      garbage.on('open', () => garbage.send('{'));
      assert.equal((await outcome(garbage)).code, 4_003);
      const { body } = await gateways.b.admin('/metrics');
      for (const reason of ['bad-token', 'bad-request'])
        assert.match(body, new RegExp(`causeway_gateway_sync_ends_total\\{reason="${reason}"\\} [1-9]`));
      // The state, and the change.
      const messages = await gateways.b.metric('causeway_gateway_sync_messages_total');
      assert.ok(messages >= 2 && messages < 20, `${messages} messages`);
    });

    it('ws: who answers pings stays, who does not is closed, as the platform says', async () => {
      const open = async (options: object): Promise<WebSocket> =>
        new WebSocket(`wss://localhost:${gateways.b.port}/sync?prefix=/config/`, {
          ca: readFileSync(platform.pki.caFile),
          headers: await headers(),
          ...options,
        });
      const [good, deaf] = await Promise.all([open({}), open({ autoPong: false })]);
      const pings = { good: 0, deaf: 0 };
      good.on('ping', () => (pings.good += 1));
      deaf.on('ping', () => (pings.deaf += 1));
      const code = await new Promise<number>((resolve) => deaf.once('close', resolve));
      assert.deepEqual([code, pings.deaf], [1006, 1], 'closed for its first silence');
      await waitFor('two pings', () => pings.good >= 2);
      assert.equal(good.readyState, good.OPEN);
      good.close();
    });

    it('HTTP/2: both on one connection, and no place is kept', async () => {
      const watching = createClient(
        loadService(),
        createHttp2Transport({
          baseUrl: `https://localhost:${gateways.a.port}`,
          httpVersion: '2',
          nodeOptions: { ca: readFileSync(platform.pki.caFile) },
        }),
      ) as unknown as SyncClient;
      const seen: Response[] = [];
      const stop = new AbortController();
      for await (const response of watching.watch({}, { headers: await headers(), signal: stop.signal })) {
        seen.push(response);
        if (seen.length === 1) await put('/config/h2', 'x'.repeat(400_000));
        if (seen.length === 2) break;
      }
      stop.abort();
      assert.equal(seen[1]?.events[0]?.value.length, 400_000);
      await assert.rejects(
        async () => {
          for await (const _ of watching.watch({ prefixes: ['/x/'] }, { headers: await headers() }));
        },
        (error: ConnectError) => error.code === Code.PermissionDenied,
      );
      const http2 = await http2Client(platform, gateways.a);
      try {
        const { status, stream } = await http2.request({
          ':path': '/sync?prefix=/config/',
          ...(await headers()),
        });
        assert.equal(status, 200);
        const ws = webSocketOn(stream);
        const message = await new Promise<Buffer>((resolve) => ws.once('message', resolve));
        assert.match(message.toString(), /KIND_SNAPSHOT/);
        const other = await http2.request(
          { ':method': 'GET', ':path': '/sync', ':protocol': undefined },
          true,
        );
        assert.equal(other.status, 405);
        const closed = new Promise<number>((resolve) => ws.once('close', resolve));
        ws.close(1000);
        await closed;
      } finally {
        http2.session.destroy();
      }
      await http2.closed;
    });

    it('bodies that are too large, wrong or unfinished cost nothing', async () => {
      const url = `https://localhost:${gateways.a.port}/sync`;
      const type = { 'content-type': 'application/grpc-web+proto' };
      const good = await headers();
      const trailers = async (body: Uint8Array<ArrayBuffer>): Promise<string> =>
        (await fetch(url, { method: 'POST', body, headers: { ...good, ...type } })).text();
      assert.match(await trailers(new Uint8Array(100_000)), /grpc-status:3\r\n/);
      assert.match(await trailers(new Uint8Array([0, 0, 0, 0, 9, 1])), /grpc-status:3\r\n/);
      assert.match(await trailers(new Uint8Array([0, 0, 0, 0, 2, 0xff, 0xff])), /grpc-status:3\r\n/);
      assert.equal((await fetch(url, { headers: good })).status, 405);
      assert.equal((await fetch(url, { method: 'POST', headers: good })).status, 415);
      assert.equal((await fetch(`https://localhost:${gateways.a.port}/other`)).status, 404);
      const code = await new Promise<string | undefined>((resolve) => {
        const unfinished = httpsRequest(url, {
          method: 'POST',
          ca: readFileSync(platform.pki.caFile),
          headers: { ...good, ...type, 'content-length': '50' },
        });
        unfinished.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
        unfinished.on('response', () => resolve('response'));
        unfinished.write(new Uint8Array([0]));
      });
      assert.equal(code, 'ECONNRESET', 'it was closed after connectTimeout');
    });

    it('500 streams, gone without a word, leave nothing behind', async () => {
      const authorization = (await headers())['authorization'] ?? '';
      const ca = readFileSync(platform.pki.caFile);
      const sockets: WebSocket[] = [];
      const watchers = async (): Promise<string | undefined> => {
        const metrics = await (await fetch(`${etcds.a.endpoint}/metrics`)).text();
        return /^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(metrics)?.[1];
      };
      const alone = await watchers();
      assert.ok(Number(alone) > 0, `${alone} watchers of the gateway and the replicator`);
      // A few at a time: 500 handshakes at once take longer than the connect time-out of these tests.
      while (sockets.length < 500) {
        const some = Array.from(
          { length: 25 },
          () => new WebSocket(`wss://localhost:${gateways.a.port}/sync`, { ca, headers: { authorization } }),
        );
        await Promise.all(
          some.map(
            (ws) =>
              new Promise((resolve, reject) => {
                ws.once('message', resolve);
                ws.once('error', reject);
              }),
          ),
        );
        sockets.push(...some);
      }
      assert.equal(await gateways.a.metric('causeway_gateway_sync_streams'), 500);
      assert.equal(await watchers(), alone, 'streams share the watchers of their gateway');
      for (const ws of sockets) ws.terminate();
    });

    it('end when somebody asks for the gateway to be empty, and none begins until it is taken back', async () => {
      const last = async (position?: { rev: bigint; epoch: bigint }) => {
        const at: { reason: string | null; position: Response['position'] } = { reason: null, position };
        try {
          const request = { ...position };
          for await (const response of client(gateways.b).watch(request, { headers: await headers() }))
            if (response.position) at.position = response.position;
        } catch (error) {
          assert.equal((error as ConnectError).code, Code.Unavailable);
          at.reason = (error as ConnectError).metadata.get('causeway-reason');
        }
        return at;
      };
      const streams = Array.from({ length: 5 }, () => last());
      await waitFor(
        'the streams',
        async () => (await gateways.b.metric('causeway_gateway_sync_streams')) === 5,
      );
      assert.equal((await gateways.b.drain()).connections, 5);
      gateways.b.annotateDrain('10');
      const ended = await Promise.all(streams);
      for (const { reason, position } of ended) {
        assert.equal(reason, 'shutdown');
        assert.ok(position, 'it knows where to go on');
      }
      await waitFor('drained', async () => (await gateways.b.drain()).phase === 'Drained');
      assert.equal((await last()).reason, 'shutdown', 'a newcomer');
      const bearer = (await headers())['authorization'] ?? '';
      const ws = new WebSocket(`wss://localhost:${gateways.b.port}/sync`, {
        ca: readFileSync(platform.pki.caFile),
        headers: { authorization: bearer },
      });
      const closed = await new Promise<[number, string]>((resolve) =>
        ws.once('close', (code, why) => resolve([code, why.toString()])),
      );
      assert.deepEqual(closed, [4_014, 'shutdown']);
      assert.equal((await gateways.b.drain()).sent, 7);
      gateways.b.annotateDrain(undefined);
      await waitFor('serving', async () => (await gateways.b.drain()).phase === 'Serving');
      const again = last(ended[0]?.position);
      await waitFor('a stream', async () => (await gateways.b.metric('causeway_gateway_sync_streams')) === 1);
      gateways.b.annotateDrain('10');
      assert.equal((await again).reason, 'shutdown');
      gateways.b.annotateDrain(undefined);
      await waitFor('serving', async () => (await gateways.b.drain()).phase === 'Serving');
    });

    it('follows the home without a restart, and sends streams away when it ends', async () => {
      const { port, pid } = gateways.b;
      const stop = new AbortController();
      const reasons: (string | null)[] = [];
      const watch = async (): Promise<void> => {
        try {
          for await (const _ of client(gateways.b).watch(
            {},
            { headers: await headers(), signal: stop.signal },
          ));
        } catch (error) {
          reasons.push((error as ConnectError).metadata.get('causeway-reason'));
        }
      };
      const moved = watch();
      const one = async (): Promise<boolean> =>
        (await gateways.b.metric('causeway_gateway_sync_streams')) === 1;
      await waitFor('the stream', one);
      gateways.b.configure(({ etcd: config }) => {
        if (config) Object.assign(config, { homeZone: 'zone-b', epoch: 2 });
      });
      await moved;
      assert.deepEqual([gateways.b.port, gateways.b.pid], [port, pid]);
      const ended = watch();
      await waitFor('the next stream', one);
      gateways.b.signal('SIGTERM');
      await ended;
      assert.deepEqual(reasons, ['home-moved', 'shutdown']);
      assert.equal(await gateways.b.exited, 0);
    });
  });
}
