/** Following a failover while the API server refuses, falls silent, or goes away. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { waitFor } from '../../../e2e/tools/index.ts';
import { ordersPlatform } from '../platform/testing/orders.ts';
import { runStart, runWatch } from './failover.ts';
import { drill } from './report/testing/examples.ts';
import {
  refuse,
  reply,
  startScriptedApiServer,
  type Asked,
  type ScriptedApiServer,
} from './testing/api-server.ts';
import { testIo, type TestIo } from './testing/io.ts';
import { Terminal } from './testing/terminal.ts';

const NAME = 'mine';
let server: ScriptedApiServer;
let answer: (asked: Asked) => void;

beforeEach(async () => {
  server = await startScriptedApiServer((asked) => answer(asked));
});

afterEach(async () => {
  await server.stop();
});

function failover(change: { version?: string; phase?: string; message?: string } = {}): object {
  const { metadata, spec, status } = drill();
  const { version = '5', phase = 'Drain', message = '120 clients are left.' } = change;
  return {
    ...drill(),
    metadata: { ...metadata, name: NAME, resourceVersion: version },
    spec,
    status: { ...status, phase, message, finishedAt: undefined },
  };
}

/** A watch that says nothing, and a failover as it was when it was listed; `now`: as a question for it alone shows it. */
function silent(now: () => object): (asked: Asked) => void {
  return ({ url, response }) => {
    if (url.searchParams.has('watch')) response.writeHead(200).flushHeaders();
    else if (url.pathname.endsWith(`/${NAME}`)) reply(response, now());
    else reply(response, { metadata: { resourceVersion: '9' }, items: [failover()] });
  };
}

function watch(
  io: TestIo,
  output: 'text' | 'json' = 'text',
  signal = new AbortController().signal,
): Promise<number> {
  const { kubeconfig } = server;
  return runWatch(NAME, { kubeconfig, output }, { io, signal, silentMs: 200 });
}

describe('watch', () => {
  it('fails at once when it may not list', async () => {
    answer = ({ url, response }) => {
      const words = 'zonefailovers.causeway.dev is forbidden: User "x" cannot list resource "zonefailovers"';
      if (url.pathname.endsWith(`/${NAME}`)) reply(response, failover());
      else refuse(response, 403, 'Forbidden', words);
    };
    await assert.rejects(watch(testIo()), /cannot list resource "zonefailovers"/);
  });

  it('asks when its watch is silent, and ends with what it hears', async () => {
    let present = failover();
    answer = silent(() => present);
    const io = testIo();
    const watched = watch(io);
    await waitFor('the first line', async () => io.stdout.includes('120 clients'));
    present = failover({ version: '6', phase: 'RolledBack', message: 'A person aborted it.' });
    assert.equal(await watched, 2);
    assert.match(io.stdout, /^RolledBack +A person aborted it\.$/m);
    assert.equal(io.stderr, '', 'it was never cut off');
  });

  it('says once that what it said may be old, when the API server is gone', async () => {
    answer = silent(failover);
    const io = testIo();
    const stop = new AbortController();
    const watched = watch(io, 'json', stop.signal);
    await waitFor('the first line', async () => io.stdout.includes('120 clients'));
    server.goAway();
    await waitFor('it says so', async () => io.stderr !== '');
    stop.abort(new Error('enough'));
    await assert.rejects(watched, /enough/);
    assert.match(io.stderr, /^The API server has said nothing for \d+s \(.+\): this may be old\.\n$/);
  });

  it('says on a terminal, above the picture, that it may be old', async () => {
    answer = silent(failover);
    const terminal = new Terminal(100, 40);
    const stop = new AbortController();
    const watched = watch(testIo({ terminal }), 'text', stop.signal);
    await waitFor('the picture', async () => terminal.text.includes('CLIENTS'));
    assert.match(terminal.text, /^ZoneFailover /);
    server.goAway();
    await waitFor('it says so', async () => terminal.text.startsWith('The API server has said nothing for '));
    stop.abort(new Error('enough'));
    await assert.rejects(watched, /enough/);
  });
});

describe('start for programs', () => {
  it('tells the name that it made, also when nobody watches', async () => {
    answer = ({ method, body, response }) => {
      if (method === 'GET') reply(response, ordersPlatform());
      else {
        const made = JSON.parse(body) as { metadata: object };
        reply(response, { ...made, metadata: { ...drill().metadata, ...made.metadata } }, 201);
      }
    };
    const io = testIo({ now: Date.UTC(2026, 10, 25, 12, 30, 5) });
    const options = {
      kubeconfig: server.kubeconfig,
      from: 'zone-a',
      mode: 'Drill',
      watch: false,
      output: 'json',
    } as const;
    assert.equal(await runStart('orders', options, { io, signal: new AbortController().signal }), 0);
    const line = JSON.parse(io.stdout) as { name: string; namespace: string; phase: string };
    assert.equal(line.name, 'orders-drill-20261125-123005');
    assert.deepEqual([line.namespace, line.phase], ['messaging', 'New']);
    assert.equal(io.stdout.split('\n').length, 2, 'one line');
  });
});
