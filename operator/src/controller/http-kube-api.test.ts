import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { systemClock } from './clock.ts';
import { loadKubeConfig } from './credentials.ts';
import { FencedError } from './fence.ts';
import { HttpKubeApi } from './http-kube-api.ts';
import type { HttpKubeApiOptions } from './http-kube-api.ts';
import { NetworkError } from './http-transport.ts';
import { isExpired, KubeError } from './kube-api.ts';
import type { KubeObject, WatchEvent } from './kube-api.ts';
import { createMetrics } from './metrics.ts';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const REF = { namespace: 'ns', name: 'a' };
const OBJECT: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...REF } };

interface Seen {
  method: string;
  url: URL;
  headers: IncomingMessage['headers'];
  body: string;
}
type Handler = (seen: Seen, response: ServerResponse, count: number) => void;

/** An API server that answers what the test says. */
async function serve(
  context: TestContext,
  handler: Handler,
  options: Partial<HttpKubeApiOptions> = {},
): Promise<{ api: HttpKubeApi; seen: Seen[]; server: Server }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://x');
      const entry = { method: request.method ?? '', url, headers: request.headers, body };
      seen.push(entry);
      handler(entry, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = new HttpKubeApi({ load: () => config(server), version: '1.2.3', ...options });
  context.after(() => {
    api.close();
    server.closeAllConnections();
    server.close();
  });
  return { api, seen, server };
}

function config(server: Server, token = 'token-1'): KubeConfig {
  const loaded = new KubeConfig();
  loaded.loadFromClusterAndUser(
    { name: 'c', server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, skipTLSVerify: true },
    { name: 'u', token },
  );
  return loaded;
}

function json(
  response: ServerResponse,
  code: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

function status(code: number, reason: string, message = reason): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message };
}

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const watchFrom = (api: HttpKubeApi): AsyncIterable<WatchEvent<KubeObject>> =>
  api.watch(CONFIG_MAP, { resourceVersion: '5' }, new AbortController().signal);

test('every verb has its path, its type, its credentials and its name', async (context) => {
  const { api, seen } = await serve(context, (_seen, response) => json(response, 200, OBJECT));
  await api.get(CONFIG_MAP, REF);
  await api.create(CONFIG_MAP, OBJECT);
  await api.update(CONFIG_MAP, OBJECT);
  await api.apply(CONFIG_MAP, OBJECT);
  await api.apply({ apiVersion: 'apps/v1', kind: 'D', plural: 'ds', namespaced: true }, OBJECT, {
    subresource: 'status',
  });
  await api.mergePatch(CONFIG_MAP, REF, { data: null });
  await api.delete(CONFIG_MAP, REF, { uid: 'u', propagationPolicy: 'Foreground' });
  assert.deepEqual(
    seen.map(({ method, url }) => `${method} ${url.pathname}${url.search}`),
    [
      'GET /api/v1/namespaces/ns/configmaps/a',
      'POST /api/v1/namespaces/ns/configmaps?fieldManager=causeway',
      'PUT /api/v1/namespaces/ns/configmaps/a?fieldManager=causeway',
      'PATCH /api/v1/namespaces/ns/configmaps/a?fieldManager=causeway&force=true',
      'PATCH /apis/apps/v1/namespaces/ns/ds/a/status?fieldManager=causeway&force=true',
      'PATCH /api/v1/namespaces/ns/configmaps/a?fieldManager=causeway',
      'DELETE /api/v1/namespaces/ns/configmaps/a',
    ],
  );
  assert.equal(seen[3]?.headers['content-type'], 'application/apply-patch+yaml');
  assert.equal(seen[5]?.headers['content-type'], 'application/merge-patch+json');
  assert.deepEqual(JSON.parse(seen[6]?.body ?? ''), {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: 'Foreground',
    preconditions: { uid: 'u' },
  });
  for (const { headers } of seen) {
    assert.equal(headers['user-agent'], 'causeway/1.2.3');
    assert.equal(headers.authorization, 'Bearer token-1');
  }
});

test('a list is whole over its pages, and its items say what they are', async (context) => {
  const { api, seen } = await serve(context, ({ url }, response) => {
    const page = Number(url.searchParams.get('continue') ?? '0');
    const next = page < 2 ? { continue: String(page + 1) } : {};
    json(response, 200, {
      metadata: { resourceVersion: '9', ...next },
      items: [{ metadata: { name: `n${page}` } }],
    });
  });
  const list = await api.list(CONFIG_MAP, { labelSelector: 'a=b' });
  assert.deepEqual(
    list.items.map((each) => `${each.kind} ${each.metadata.name}`),
    ['ConfigMap n0', 'ConfigMap n1', 'ConfigMap n2'],
  );
  assert.equal(list.resourceVersion, '9');
  assert.equal(seen[2]?.url.search, '?labelSelector=a%3Db&limit=500&continue=2');
});

test('a list whose pages were compacted away begins again, once', async (context) => {
  const { api, seen } = await serve(context, ({ url }, response, count) => {
    if (count === 2) json(response, 410, status(410, 'Expired'));
    else
      json(response, 200, {
        metadata: { resourceVersion: '9', ...(count === 1 ? { continue: 'x' } : {}) },
        items: [{ metadata: { name: url.search } }],
      });
  });
  assert.equal((await api.list(CONFIG_MAP)).items.length, 1);
  assert.equal(seen.length, 3);
});

test('what is not there is undefined to get, and no error to delete', async (context) => {
  const { api } = await serve(context, (_seen, response) => json(response, 404, status(404, 'NotFound')));
  assert.equal(await api.get(CONFIG_MAP, REF), undefined);
  await api.delete(CONFIG_MAP, REF);
  await assert.rejects(api.mergePatch(CONFIG_MAP, REF, {}), { code: 404, reason: 'NotFound' });
});

test("an answer that isn't a success is an error with the server's words, also from a proxy", async (context) => {
  const { api } = await serve(context, (_seen, response, count) => {
    if (count === 1) json(response, 422, status(422, 'Invalid', 'spec.zones: Required value'));
    else {
      response.writeHead(502, { 'content-type': 'text/html' });
      response.end('<h1>Bad Gateway</h1>');
    }
  });
  await assert.rejects(api.create(CONFIG_MAP, OBJECT), {
    name: 'KubeError',
    code: 422,
    message: 'spec.zones: Required value',
  });
  await assert.rejects(api.create(CONFIG_MAP, OBJECT), { code: 502, message: /HTTP 502: <h1>Bad Gateway/ });
});

test('a server that is too busy is asked again, where that is safe', async (context) => {
  const busy =
    (code: number): Handler =>
    (_seen, response, count) => {
      if (count % 2 === 1) json(response, code, status(code, 'TooManyRequests'), { 'retry-after': '0' });
      else json(response, 200, OBJECT);
    };
  const tooMany = await serve(context, busy(429));
  await tooMany.api.create(CONFIG_MAP, OBJECT);
  assert.equal(tooMany.seen.length, 2);
  const unavailable = await serve(context, busy(503));
  await assert.rejects(unavailable.api.create(CONFIG_MAP, OBJECT), { code: 503 });
  assert.equal(unavailable.seen.length, 1, 'a create may have been carried out');
  const again = await serve(context, busy(503));
  await again.api.apply(CONFIG_MAP, OBJECT);
  assert.equal(again.seen.length, 2, 'an apply can be made twice');
});

test('it does not ask for ever', async (context) => {
  const { api, seen } = await serve(
    context,
    (_seen, response) => json(response, 429, status(429, 'TooManyRequests'), { 'retry-after': '0' }),
    { attempts: 3 },
  );
  await assert.rejects(api.get(CONFIG_MAP, REF), { code: 429, retryAfter: 0 });
  assert.equal(seen.length, 3);
});

test('credentials that are refused are loaded anew, once', async (context) => {
  let loads = 0;
  let server: Server | undefined;
  const started = await serve(context, ({ headers }, response) => {
    if (headers.authorization === 'Bearer token-2') json(response, 200, OBJECT);
    else json(response, 401, status(401, 'Unauthorized'));
  });
  server = started.server;
  const load = (): KubeConfig => {
    loads += 1;
    return config(server, `token-${loads}`);
  };
  const api = new HttpKubeApi({ load });
  context.after(() => api.close());
  assert.ok(await api.get(CONFIG_MAP, REF));
  assert.equal(loads, 2);
  const hopeless = new HttpKubeApi({ load: () => config(server, 'wrong') });
  context.after(() => hopeless.close());
  await assert.rejects(hopeless.get(CONFIG_MAP, REF), { code: 401 });
});

test('a watch asks for bookmarks and an end, and gives what comes, however it is cut into pieces', async (context) => {
  const events = [
    { type: 'ADDED', object: { ...OBJECT, data: { text: 'Grüße, 世界' } } },
    { type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: '77' } } },
    { type: 'DELETED', object: OBJECT },
  ];
  const { api, seen } = await serve(context, (_seen, response) => {
    const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    response.writeHead(200);
    const piece = (from: number): void => {
      if (from >= bytes.length) response.end();
      else response.write(bytes.subarray(from, from + 7), () => piece(from + 7));
    };
    piece(0);
  });
  assert.deepEqual(await collect(watchFrom(api)), [
    events[0],
    { type: 'BOOKMARK', resourceVersion: '77' },
    events[2],
  ]);
  const parameters = seen[0]?.url.searchParams;
  assert.equal(parameters?.get('allowWatchBookmarks'), 'true');
  assert.equal(parameters?.get('resourceVersion'), '5');
  const seconds = Number(parameters?.get('timeoutSeconds'));
  assert.ok(seconds >= 300 && seconds <= 600);
});

test('no bad end of a watch is swallowed', async (context) => {
  const cases: [string, RegExp | ((error: unknown) => boolean)][] = [
    [`${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired', 'too old') })}\n`, isExpired],
    ['{"type":"ADDED","object":{"kind":"Con', /ended in the middle of an event/],
    ['not json\n', /not JSON/],
    ['{"type":"STRANGE","object":{}}\n', /unknown type/],
  ];
  for (const [text, expected] of cases) {
    const { api } = await serve(context, (_seen, response) => response.end(text));
    await assert.rejects(collect(watchFrom(api)), expected, text);
  }
  const gone = await serve(context, (_seen, response) => json(response, 410, status(410, 'Expired')));
  await assert.rejects(collect(watchFrom(gone.api)), isExpired);
  const cut = await serve(context, (_seen, response) => {
    response.write(`${JSON.stringify({ type: 'ADDED', object: OBJECT })}\n`, () => response.destroy());
  });
  await assert.rejects(collect(watchFrom(cut.api)));
});

test('a watch that falls silent is broken', async (context) => {
  const { api } = await serve(context, (_seen, response) => response.write('\n'), { idleMs: 100 });
  await assert.rejects(collect(watchFrom(api)), { code: 'IDLE', message: /silent for 0.1 s/ });
});

test('a watch that is told to stop ends without an error, at once', async (context) => {
  const { api } = await serve(context, (_seen, response) => {
    response.write(`${JSON.stringify({ type: 'ADDED', object: OBJECT })}\n`);
  });
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const event of api.watch(CONFIG_MAP, { resourceVersion: '5' }, stop.signal)) {
    seen.push(event.type);
    stop.abort();
  }
  assert.deepEqual(seen, ['ADDED']);
  const early = new AbortController();
  const waiting = collect(api.watch(CONFIG_MAP, { resourceVersion: '5' }, early.signal));
  early.abort();
  assert.deepEqual(await waiting, []);
});

test('a request that gets no answer ends in time', async (context) => {
  const { api } = await serve(context, () => undefined, { timeoutMs: 100 });
  await assert.rejects(api.get(CONFIG_MAP, REF), {
    name: 'NetworkError',
    code: 'ETIMEDOUT',
    message: /no answer in 0.1 s/,
  });
});

test('a server that is not there is said to be so', async (context) => {
  const { api, server } = await serve(context, () => undefined);
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(
    api.get(CONFIG_MAP, REF),
    (error) => error instanceof NetworkError && error.code === 'ECONNREFUSED',
  );
});

test('past the fence nothing is written, and what is under way is called back; reading goes on', async (context) => {
  const { api, seen } = await serve(context, ({ method }, response) => {
    if (method === 'GET') json(response, 200, OBJECT);
  });
  let until = systemClock.now() + 60_000;
  const guarded = api.fencedBy(() => until);
  const underWay = assert.rejects(guarded.apply(CONFIG_MAP, OBJECT), FencedError);
  while (seen.length === 0) await systemClock.sleep(5);
  until = 0;
  await underWay;
  await assert.rejects(guarded.create(CONFIG_MAP, OBJECT), FencedError);
  await assert.rejects(guarded.delete(CONFIG_MAP, REF), FencedError);
  assert.equal(seen.length, 1, 'a refused write must not reach the server');
  assert.ok(await guarded.get(CONFIG_MAP, REF));
  assert.match(seen[0]?.url.search ?? '', /timeout=\d+ms/, 'nor may the server carry it out much later');
});

test('requests and writes are counted', async (context) => {
  const metrics = createMetrics();
  const { api, server } = await serve(
    context,
    (_seen, response, count) =>
      count === 1 ? json(response, 200, OBJECT) : json(response, 409, status(409, 'Conflict')),
    { metrics },
  );
  await api.apply(CONFIG_MAP, OBJECT);
  await assert.rejects(api.create(CONFIG_MAP, OBJECT), KubeError);
  const text = await metrics.registry.metrics();
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.ok(text.includes(`rest_client_requests_total{code="200",method="PATCH",host="${host}"} 1`), text);
  assert.ok(text.includes(`rest_client_requests_total{code="409",method="POST",host="${host}"} 1`));
  assert.ok(text.includes('causeway_api_writes_total{kind="ConfigMap",verb="apply"} 1'));
  assert.ok(!text.includes('verb="create"} 1'), 'what failed was no write');
});

test('bad names are refused before anything is sent', async (context) => {
  const { api, seen } = await serve(context, () => undefined);
  await assert.rejects(api.get(CONFIG_MAP, { name: 'a' }), /ConfigMap a: it needs a namespace/);
  await assert.rejects(api.get(CONFIG_MAP, { namespace: 'ns', name: '' }), /the name is empty/);
  assert.equal(seen.length, 0);
});

test('a kubeconfig that is not there, or names no cluster, is said to be so', () => {
  assert.throws(() => loadKubeConfig({ path: '/nonexistent/config' }), /\/nonexistent\/config: no such file/);
});
