/** What a signal does to the commands: each runs as a process, and asks an API server that answers late, or not at all. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { waitFor } from '../../../e2e/tools/index.ts';
import { reply, startScriptedApiServer, type Asked, type ScriptedApiServer } from './testing/api-server.ts';

let server: ScriptedApiServer;
let answer: (asked: Asked) => void;

beforeEach(async () => {
  server = await startScriptedApiServer((asked) => answer(asked));
});

afterEach(async () => {
  await server.stop();
});

const metadata = { name: 'orders', namespace: 'messaging', uid: 'u', resourceVersion: '1', generation: 1 };
const zones = [{ name: 'zone-a' }, { name: 'zone-b' }, { name: 'zone-c' }];
const platform = {
  apiVersion: 'causeway.dev/v1alpha1',
  kind: 'MessagePlatform',
  metadata,
  spec: { zones, homeZone: 'zone-a' },
  status: { certificates: { version: 1 } },
};

/** A platform and failovers that are there, and nothing ever happens to them. */
function quiet({ method, url, body, response }: Asked): void {
  const path = url.pathname;
  if (url.searchParams.has('watch')) response.writeHead(200).flushHeaders();
  else if (method === 'POST') reply(response, made(JSON.parse(body) as object), 201);
  else if (/\/(orders|mine)$/.test(path))
    reply(response, path.includes('zonefailovers') ? failover : platform);
  else
    reply(response, {
      metadata: { resourceVersion: '9' },
      items: [/zonefailovers/.test(path) ? failover : platform],
    });
}

const failover = {
  ...platform,
  kind: 'ZoneFailover',
  metadata: { ...metadata, name: 'mine', creationTimestamp: '2026-11-25T12:00:00Z' },
  spec: { platform: 'orders', fromZone: 'zone-a', mode: 'Drill', limits: {} },
  status: undefined,
};

function made(body: object): object {
  return { ...failover, ...body, metadata: { ...failover.metadata, ...(body as typeof failover).metadata } };
}

/** Runs a command, sends the signal once it has `asked` that, and gives what it said and how it ended. */
async function interrupted(
  words: readonly string[],
  asked: RegExp,
  signal: NodeJS.Signals,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const main = join(import.meta.dirname, '../main.ts');
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    main,
    ...words,
    '--kubeconfig',
    server.kubeconfig,
  ]);
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  try {
    await waitFor(`it asks ${asked}`, async () => server.asked.some((one) => asked.test(one)), {
      check: () => assert.equal(child.exitCode, null, stderr),
    });
    child.kill(signal);
    const code = await ended;
    return { code, stdout, stderr };
  } finally {
    child.kill('SIGKILL');
  }
}

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const;

describe('a signal', () => {
  for (const [signal, code] of SIGNALS)
    it(`ends start before it makes anything: ${signal}`, async () => {
      answer = () => undefined;
      const words = ['failover', 'start', 'orders', '--from', 'zone-a'];
      const end = await interrupted(words, /GET .*messageplatforms\/orders/, signal);
      assert.deepEqual(end, { code, stdout: '', stderr: 'Ended before a ZoneFailover was made.\n' });
      assert.ok(!server.asked.some((one) => one.startsWith('POST')), server.asked.join('\n'));
    });

  const followed: [string, string[]][] = [
    ['start', ['failover', 'start', 'orders', '--from', 'zone-a', '--name', 'mine']],
    ['watch', ['failover', 'watch', 'mine']],
    ['rotate', ['rotate', 'orders']],
    ['status -w', ['status', '-w']],
  ];
  for (const [name, words] of followed)
    for (const [signal, code] of SIGNALS)
      it(`ends ${name}, which has not succeeded: ${signal}`, async () => {
        answer = quiet;
        const end = await interrupted(words, /watch=true/, signal);
        assert.deepEqual([end.code, end.stderr], [code, '']);
      });

  it('that comes while start makes its failover ends the watch at once, after the name', async () => {
    let late: Asked | undefined;
    answer = (asked) => {
      if (asked.method === 'POST') late = asked;
      else quiet(asked);
    };
    const words = ['failover', 'start', 'orders', '--from', 'zone-a', '--name', 'mine'];
    const ending = interrupted(words, /^POST/, 'SIGTERM');
    await waitFor('the request', async () => late !== undefined);
    // The signal is on its way: the process hears of it before it hears of this answer, or the watch ends a moment later.
    setTimeout(() => late !== undefined && quiet(late), 500);
    assert.deepEqual(await ending, {
      code: 143,
      stdout: 'ZoneFailover messaging/mine created.\n',
      stderr: '',
    });
  });
});
