import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHealthServer } from './health.ts';
import { createMetrics } from './metrics.ts';

test('probes say ok, or what is wrong; metrics are up to date', async (context) => {
  const metrics = createMetrics();
  let problem: string | undefined;
  const server = await startHealthServer({
    port: 0,
    host: '127.0.0.1',
    live: { caches: () => problem },
    ready: { synced: () => undefined },
    registry: metrics.registry,
    beforeMetrics: () => metrics.informerStaleness.set({ kind: 'Pod' }, 7),
  });
  context.after(() => server.stop());
  const get = async (path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [response.status, await response.text()];
  };
  assert.deepEqual(await get('/healthz'), [200, 'ok\n']);
  problem = 'no news from the API server: Pod for 400 s';
  assert.deepEqual(await get('/healthz'), [500, `[-] caches: ${problem}\n`]);
  assert.deepEqual(await get('/readyz?verbose'), [200, '[+] synced ok\n']);
  assert.match((await get('/metrics'))[1], /causeway_informer_staleness_seconds\{kind="Pod"\} 7/);
  assert.equal((await get('/other'))[0], 404);
});

test('a port that is taken is an error', async (context) => {
  const { registry } = createMetrics();
  const options = { host: '127.0.0.1', live: {}, ready: {}, registry };
  const first = await startHealthServer({ port: 0, ...options });
  context.after(() => first.stop());
  await assert.rejects(startHealthServer({ port: first.port, ...options }), /EADDRINUSE/);
});
