/** `causeway status` against a real API server. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ensureBinary } from '../../../e2e/binaries/index.ts';
import { run, waitFor } from '../../../e2e/tools/index.ts';
import { runStatus, type StatusOptions } from './status.ts';
import type { StatusView } from './status-view.ts';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from './testing/cluster.ts';
import { Terminal } from './testing/terminal.ts';
import { testIo, type TestIo } from './testing/io.ts';

let cluster: TestCluster;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-status-'));
  cluster = await startTestCluster();
});

after(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function options(change: Partial<StatusOptions> = {}): StatusOptions {
  return {
    kubeconfig: cluster.controlPlane.kubeconfig,
    namespace: NAMESPACE,
    allNamespaces: false,
    output: 'text',
    watch: false,
    ...change,
  };
}

async function status(name?: string, change: Partial<StatusOptions> = {}): Promise<string> {
  const io = testIo();
  await runStatus(name, options(change), { io, signal: new AbortController().signal });
  return io.stdout;
}

describe('without platforms', () => {
  it('says that there is none', async () => {
    assert.equal(
      await status(),
      'There is no MessagePlatform in namespace messaging. -A looks in all of them.\n',
    );
    assert.equal(
      await status(undefined, { allNamespaces: true }),
      'There is no MessagePlatform in any namespace.\n',
    );
    assert.deepEqual(JSON.parse(await status(undefined, { output: 'json' })), { platforms: [] });
  });

  it('fails for one that is not there, and says where to look', async () => {
    await assert.rejects(status('orders'), {
      message:
        'there is no MessagePlatform orders in namespace messaging. "causeway status -A" lists those that there are.',
    });
  });
});

describe('with a platform', () => {
  before(async () => {
    await cluster.kubectl(['apply', '-f', '-'], platformYaml('127.0.0.1:1'));
  });

  it('says that no operator has seen it', async () => {
    assert.match(
      await status('orders'),
      /^Ready {8}Unknown \(NotSeen\)\n {13}No operator has looked at it yet\./m,
    );
  });

  it('shows what the operator says of it, with its events', async () => {
    await cluster.operate(async () => (await status('orders')).includes('KafkaUnreachable  Kafka at'));
    const text = await status('orders');
    assert.match(text, /^Ready {8}False \(KafkaUnreachable\)$/m);
    assert.match(
      text,
      /^! TopicsReady +False +\d+s +KafkaUnreachable +Kafka at 127\.0\.0\.1:1 cannot be reached/m,
    );
    assert.match(text, /^~ GatewaysReady +False +\d+s +Progressing +Waiting for gateway pods/m);
    assert.match(text, /^! zone-a +home +0 +0\/1 +NotReady +NotReady +None$/m);
    assert.match(text, /^~ \d+s +Warning +KafkaUnreachable +Kafka at/m);
    assert.match(await status(), /^~ orders +False +KafkaUnreachable +zone-a +0\/3 +0\/1 +89d +\d+s$/m);
    assert.match(await status(undefined, { allNamespaces: true }), /^~ messaging +orders +False/m);
  });

  it('gives programs the same', async () => {
    const view = JSON.parse(await status('orders', { output: 'json' })) as StatusView;
    assert.equal(view.ready, 'False');
    assert.equal(view.reason, 'KafkaUnreachable');
    assert.equal(view.certificate?.expiresInDays, 89);
    assert.equal(view.zones.length, 3);
    assert.ok(view.events?.some(({ reason }) => reason === 'KafkaUnreachable'));
    assert.match(
      await status('orders', { output: 'yaml' }),
      /^namespace: messaging\nname: orders\nready: "False"\n/,
    );
  });

  /** Runs `status -w` until `until` has seen enough. */
  async function watching(
    name: string | undefined,
    change: Partial<StatusOptions>,
    until: (io: TestIo) => Promise<void>,
  ): Promise<TestIo> {
    const stop = new AbortController();
    const io = testIo();
    const running = runStatus(name, options({ watch: true, ...change }), { io, signal: stop.signal });
    try {
      await until(io);
    } finally {
      stop.abort();
      await running;
    }
    return io;
  }

  it('shows it again upon a change, and only then', async () => {
    const io = await watching('orders', {}, async (seen) => {
      await waitFor('the first picture', async () =>
        seen.stdout.includes('MessagePlatform messaging/orders\n'),
      );
      await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', 'causeway.dev/paused=true']);
      await waitFor('the second picture', async () =>
        seen.stdout.includes('MessagePlatform messaging/orders (paused)'),
      );
    });
    assert.equal(io.stdout.split('MessagePlatform messaging/orders').length - 1, 2, io.stdout);
  });

  it('gives programs a document for each change', async () => {
    const io = await watching('orders', { output: 'json' }, async (seen) => {
      await waitFor('the first document', async () => seen.stdout.includes('\n'));
      await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', 'causeway.dev/paused-']);
      await waitFor('the second document', async () => seen.stdout.trim().split('\n').length === 2);
    });
    const views = io.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as StatusView);
    assert.deepEqual(
      views.map(({ paused }) => paused),
      [true, false],
    );
  });

  it('ends when the platform goes, and says so below the picture', async () => {
    const terminal = new Terminal(80, 5);
    const io = testIo({ terminal });
    await cluster.kubectl(
      ['apply', '-f', '-'],
      platformYaml('127.0.0.1:1').replaceAll('name: orders\n', 'name: short\n'),
    );
    const running = runStatus('short', options({ watch: true }), {
      io,
      signal: new AbortController().signal,
    });
    await waitFor('the first picture', async () => io.stdout.includes('messaging/short'));
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'mp', 'short']);
    await running;
    assert.equal(io.stderr, 'MessagePlatform messaging/short is gone.\n');
    assert.match(terminal.text, /\nMessagePlatform messaging\/short is gone\.$/);
    assert.ok(terminal.scrolled.length > 0, 'all of the picture is there, too');
  });

  it('works as kubectl causeway', async () => {
    const kubectl = await ensureBinary('kubectl');
    const plugin = join(folder, 'kubectl-causeway');
    const main = join(import.meta.dirname, '../main.ts');
    writeFileSync(plugin, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
    chmodSync(plugin, 0o755);
    const env = {
      PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`,
      KUBECONFIG: cluster.controlPlane.kubeconfig,
    };
    const { stdout } = await run(kubectl, ['causeway', 'status', '-n', NAMESPACE], {
      env,
      timeoutMs: 60_000,
    });
    assert.match(stdout, /^~ orders +False/m);
  });
});

describe('with an API server that is not there', () => {
  it('says so in one line', async () => {
    const kubeconfig = join(folder, 'nowhere');
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
        users: [{ name: 'u', user: {} }],
        contexts: [{ name: 'gone', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'gone',
      }),
    );
    await assert.rejects(status(undefined, { kubeconfig }), {
      message:
        'the API server at https://127.0.0.1:1 (context "gone") cannot be reached: connect ECONNREFUSED 127.0.0.1:1. Check that the cluster runs, or choose another one with --context or --kubeconfig.',
    });
  });
});
