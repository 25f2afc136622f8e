/** `causeway failover` against a real API server, and the operator's first steps there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ZoneFailover } from '@causeway/crds';
import { runControl } from './failover-control.ts';
import { runReport, type ReportOptions } from './failover-report.ts';
import { runStart, runWatch, type StartOptions } from './failover.ts';
import { drill } from './report/testing/examples.ts';
import { readMarkup } from './report/testing/markup-reader.ts';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from './testing/cluster.ts';
import { testIo, type TestIo } from './testing/io.ts';
import { Terminal } from './testing/terminal.ts';

let cluster: TestCluster;

before(async () => {
  cluster = await startTestCluster();
});

after(async () => {
  await cluster?.stop();
});

function options(): { kubeconfig: string; namespace: string } {
  return { kubeconfig: cluster.controlPlane.kubeconfig, namespace: NAMESPACE };
}

async function start(change: Partial<StartOptions> = {}, io: TestIo = testIo()): Promise<number> {
  const all: StartOptions = {
    ...options(),
    from: 'zone-a',
    mode: 'Drill',
    watch: false,
    output: 'text',
    ...change,
  };
  return runStart('orders', all, { io, signal: new AbortController().signal });
}

function watch(name: string, io: TestIo, output: 'text' | 'json' = 'text'): Promise<number> {
  return runWatch(name, { ...options(), output }, { io, signal: new AbortController().signal });
}

async function failover(name: string): Promise<ZoneFailover> {
  return JSON.parse(
    await cluster.kubectl(['-n', NAMESPACE, 'get', 'zf', name, '-o', 'json']),
  ) as ZoneFailover;
}

/** What the operator would write. */
async function report(name: string, status: object): Promise<void> {
  const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await cluster.kubectl(['-n', NAMESPACE, 'patch', 'zf', name, ...how]);
}

describe('start', () => {
  it('fails for a platform that is not there', async () => {
    await assert.rejects(start(), /there is no MessagePlatform orders in namespace messaging/);
  });

  it('makes what it is told, with a name of its own', async () => {
    await cluster.kubectl(['apply', '-f', '-'], platformYaml('127.0.0.1:1'));
    const io = testIo({ now: Date.UTC(2026, 10, 25, 12, 30, 5) });
    const change = { toHome: 'zone-b', hold: '1m', timeout: '2m', maxLag: 5, maxMirrorLag: 50, minReady: 2 };
    assert.equal(await start(change, io), 0);
    assert.equal(io.stdout, 'ZoneFailover messaging/orders-drill-20261125-123005 created.\n');
    const { spec } = await failover('orders-drill-20261125-123005');
    assert.deepEqual(spec, {
      platform: 'orders',
      fromZone: 'zone-a',
      mode: 'Drill',
      toHome: 'zone-b',
      limits: { timeout: '2m', maxReplicationLag: 5, maxMirrorLag: 50, minReadyPerZone: 2 },
      drill: { holdFor: '1m' },
    });
  });

  it('refuses what the API server refuses, in its words, a zone that is none, and a hold that no other mode has', async () => {
    await assert.rejects(
      start({ name: 'odd', toHome: 'zone-a' }),
      /toHome must be another zone than fromZone/,
    );
    const zones = 'choose zone-a or zone-b or zone-c';
    await assert.rejects(start({ name: 'odd', from: 'zone-x' }), {
      message: `zone-x is not a zone of messaging/orders: ${zones}.`,
    });
    await assert.rejects(
      start({ name: 'odd', toHome: 'zone-y' }),
      new RegExp(`zone-y is not a zone.*${zones}`),
    );
    await assert.rejects(start({ name: 'odd', mode: 'Planned', hold: '1m' }), /--hold is for a Drill/);
  });
});

describe('pause and abort', () => {
  it('say it in the spec, and fail for one that has ended or is not there', async () => {
    await start({ name: 'controlled' });
    const say = async (spec: { pause?: boolean; abort?: boolean }): Promise<string> => {
      const io = testIo();
      await runControl('controlled', options(), { spec, io });
      return io.stdout;
    };
    assert.match(await say({ pause: true }), /controlled: paused/);
    assert.equal((await failover('controlled')).spec.pause, true);
    assert.match(await say({ pause: false }), /resumed/);
    assert.match(await say({ abort: true }), /asked to go back/);
    assert.equal((await failover('controlled')).spec.abort, true);
    await report('controlled', { phase: 'RolledBack' });
    await assert.rejects(say({ pause: true }), /controlled has ended: RolledBack/);
    await assert.rejects(
      runControl('nobody', options(), { spec: { abort: true }, io: testIo() }),
      /there is no ZoneFailover nobody in namespace messaging/,
    );
  });
});

describe('watch', () => {
  const phases = [
    {
      name: 'Preflight',
      startedAt: '2026-11-25T12:00:00Z',
      endedAt: '2026-11-25T12:00:01Z',
      gate: 'Capacity',
    },
    {
      name: 'Drain',
      startedAt: '2026-11-25T12:00:01Z',
      gate: 'Drained',
      waitingFor: 'zone-a: 120 clients are left.',
    },
  ];
  const zones = [
    { name: 'zone-a', ready: 0, desired: 2, connections: 120 },
    { name: 'zone-b', ready: 3, desired: 3, connections: 300 },
  ];

  it('tells each change, and ends with the picture and the code of the end', async () => {
    for (const [phase, code] of [
      ['Succeeded', 0],
      ['RolledBack', 2],
      ['Failed', 1],
    ] as const) {
      const name = `watched-${phase.toLowerCase()}`;
      await start({ name });
      const io = testIo();
      const watched = watch(name, io);
      await report(name, { phase: 'Drain', message: 'zone-a: 120 clients are left.', phases, zones });
      await untilSaid(io, /Drain +zone-a: 120 clients are left\./);
      await report(name, {
        phase,
        message: 'That is all.',
        figures: { connectionsMoved: 240, mirrorLag: 12, homelessMs: 640 },
        phases: [
          { name: 'Promote', startedAt: '2026-11-25T12:00:00Z', endedAt: '2026-11-25T12:00:00.640Z' },
          ...phases,
        ],
      });
      assert.equal(await watched, code);
      assert.match(io.stdout, new RegExp(`${phase} +That is all\\.`));
      assert.match(io.stdout, /Preflight +1\.0s +Capacity/);
      assert.match(io.stdout, /zone-b +3\/3 +300 +#{30}/);
      assert.match(io.stdout, /clients moved: +240/);
      assert.match(io.stdout, /Kafka's mirror was behind by: +12 offsets/);
      assert.match(io.stdout, /no zone took writes for: +0\.6s/);
    }
  });

  it('on a terminal: phases, gates and clients by zone, in place, and all of it at the end', async () => {
    await start({ name: 'seen' });
    const terminal = new Terminal(70, 11);
    const io = testIo({ terminal, now: Date.parse('2026-11-25T12:00:05Z') });
    const watched = watch('seen', io);
    await untilShown(terminal, /seen: Drill of zone-a of orders/);
    await report('seen', { phase: 'Drain', message: 'zone-a: 120 clients are left.', phases, zones });
    await untilShown(terminal, /CLIENTS/);
    const shown = terminal.text;
    assert.match(shown, /^ZoneFailover messaging\/seen: Drill of zone-a of orders$/m);
    assert.match(shown, /^Drain after /m);
    assert.match(shown, /^  Preflight +1\.0s +Capacity$/m);
    assert.match(shown, /^~ Drain +4\.0s +Drained +zone-a: 120 clients are left\.$/m);
    assert.match(shown, /^  zone-a +0\/2 +120 +#{12}$/m);
    assert.doesNotMatch(shown, /zone-b/, 'there is no room for it');
    assert.deepEqual(terminal.scrolled, []);
    await report('seen', { phase: 'Succeeded', message: 'That is all.' });
    assert.equal(await watched, 0);
    const left = [...terminal.scrolled, terminal.text].join('\n');
    assert.match(left, /^Succeeded after /m);
    assert.match(left, /^  zone-b +3\/3 +300 +#{30}$/m);
    assert.equal(left.match(/PHASE/g)?.length, 1, 'one picture');
    assert.equal(terminal.cursor.column, 0);
  });

  it('on a terminal Ctrl-C ends it, and the shell goes on below the picture', async () => {
    await start({ name: 'left' });
    await report('left', { phase: 'Drain', message: 'zone-a: 120 clients are left.', phases, zones });
    const terminal = new Terminal(100, 30);
    const main = join(import.meta.dirname, '../main.ts');
    const { kubeconfig, namespace } = options();
    const words = [process.execPath, main, 'failover', 'watch', 'left', '--kubeconfig', kubeconfig];
    // The shell gets Ctrl-C too.
    const command = `trap : INT; stty cols 100 rows 30; ${words.join(' ')} -n ${namespace}; echo "ended: $?"`;
    // A terminal of the kernel's, whose other end is this test.
    const shell = spawn('script', ['--quiet', '--flush', '--command', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
    });
    try {
      shell.stdout.setEncoding('utf8').on('data', (text: string) => terminal.write(text));
      await untilShown(terminal, /CLIENTS[^]*zone-b/);
      assert.match(terminal.text, /^~ Drain +\d+\.\ds +Drained +zone-a: 120 clients are left\.$/m);
      shell.stdin.write('\u0003');
      await untilShown(terminal, /zone-b +3\/3 +300 +#{30}\n(\^C)?ended: 130$/);
      assert.equal((await failover('left')).status?.phase, 'Drain', 'it goes on');
    } finally {
      shell.kill();
    }
  });

  it('writes a line of JSON for each change', async () => {
    await start({ name: 'machine' });
    const io = testIo();
    const watched = watch('machine', io, 'json');
    await untilSaid(io, /"phase":"New"/);
    await report('machine', { phase: 'Drain', zones });
    await untilSaid(io, /"phase":"Drain"/);
    await report('machine', { phase: 'Succeeded' });
    assert.equal(await watched, 0);
    const lines = io.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { phase: string; zones?: object[] });
    assert.deepEqual(
      lines.map(({ phase }) => phase),
      ['New', 'Drain', 'Succeeded'],
    );
    assert.deepEqual(lines[1]?.zones, zones);
  });

  it('fails when it goes away, or is not there', async () => {
    await assert.rejects(watch('nobody', testIo()), /there is no ZoneFailover nobody/);
    await start({ name: 'deleted' });
    const io = testIo();
    const watched = assert.rejects(watch('deleted', io), /ZoneFailover messaging\/deleted is gone/);
    await untilSaid(io, /New/);
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'zf', 'deleted']);
    await watched;
  });
});

describe('report', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-report-'));
    await start({ name: 'told' });
    await report('told', drill().status ?? {});
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function tell(change: Partial<ReportOptions> = {}): Promise<string> {
    const io = testIo();
    await runReport('told', { ...options(), ...change }, io);
    return io.stdout;
  }

  it('is made of what the API server has stored: Markdown, JSON, or a page', async () => {
    assert.match(await tell(), /^# Drill of zone-a of orders succeeded\n/);
    const json = JSON.parse(await tell({ output: 'json' })) as { timeline: object; figures: object };
    assert.deepEqual(json.timeline, drill().status?.timeline);
    assert.deepEqual(json.figures, drill().status?.figures);
    readMarkup(await tell({ output: 'html' }));
  });

  it('goes into a file, with what clients measured', async () => {
    const [file, clients] = [join(folder, 'drill.html'), join(folder, 'clients.json')];
    await writeFile(clients, JSON.stringify({ reconnectSeconds: [0.5, 1.5], lost: 0 }));
    assert.match(await tell({ file, measurements: clients }), /^Wrote .*drill\.html \(\d+ KiB\)\.\n$/);
    assert.match(await readFile(file, 'utf8'), /2 clients: half within 0\.50 s, 99% within 1\.5 s/);
  });

  it('fails for one that is not there, and for a file that cannot be read or written', async () => {
    await assert.rejects(runReport('nobody', options(), testIo()), /there is no ZoneFailover nobody/);
    await assert.rejects(tell({ measurements: join(folder, 'none.json') }), /ENOENT.*none\.json/);
    const lost = { file: join(folder, 'none', 'drill.html') };
    await assert.rejects(tell(lost), /there is no folder .*none for drill\.html/);
    const nowhere = { ...lost, kubeconfig: join(folder, 'nowhere') };
    await assert.rejects(runReport('told', nowhere, testIo()), /there is no folder/, 'before the cluster');
  });
});

describe('the operator', () => {
  it('ends a failover of a platform that is not there, lets it go, and deletes it when its time is over', async () => {
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'zf', '--all']);
    const made = {
      apiVersion: 'causeway.dev/v1alpha1',
      kind: 'ZoneFailover',
      metadata: { name: 'lost', namespace: NAMESPACE },
    };
    const spec = { platform: 'nobody', fromZone: 'zone-a', mode: 'Drill', ttlSecondsAfterFinished: 3 };
    await cluster.kubectl(['create', '-f', '-'], JSON.stringify({ ...made, spec }));
    await cluster.operate(async () => (await failover('lost')).status?.phase === 'Failed');
    const { status } = await failover('lost');
    assert.equal(status?.cause, 'UnknownPlatform');
    await cluster.operate(async () => (await cluster.kubectl(['-n', NAMESPACE, 'get', 'zf'])).trim() === '');
  });

  it('claims a platform, says what Preflight lacks, and gives the platform back when it is aborted', async () => {
    await start({ name: 'early' });
    const lacks = /Each other zone needs 1 ready gateways/;
    await cluster.operate(async () => lacks.test((await failover('early')).status?.message ?? ''));
    assert.equal((await failover('early')).status?.phase, 'Preflight');
    assert.equal(await claim(), 'early');
    await runControl('early', options(), { spec: { abort: true }, io: testIo() });
    await cluster.operate(
      async () => (await failover('early')).status?.phase === 'RolledBack' && (await claim()) === '',
    );
    assert.equal((await failover('early')).metadata.finalizers, undefined);
  });
});

function claim(): Promise<string> {
  return cluster.kubectl(['-n', NAMESPACE, 'get', 'mp', 'orders', '-o', 'jsonpath={.status.failover.name}']);
}

async function untilShown(terminal: Terminal, text: RegExp): Promise<void> {
  const end = Date.now() + 20_000;
  while (!text.test(terminal.text)) {
    assert.ok(Date.now() < end, `it shows ${text}, but it showed:\n${terminal.text}`);
    await delay(50);
  }
}

async function untilSaid(io: TestIo, text: RegExp): Promise<void> {
  const end = Date.now() + 20_000;
  while (!text.test(io.stdout)) {
    assert.ok(Date.now() < end, `it says ${text}, but it said: ${io.stdout}`);
    await delay(50);
  }
}
