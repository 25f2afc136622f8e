import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Machine } from '../../common/machine.ts';
import type { ChurnRun, Remains } from '../churn.ts';
import type { FanoutRun } from '../fanout.ts';
import type { FloodPhase, FloodRun } from '../flood.ts';
import type { HandshakeRun } from '../handshakes.ts';
import type { MemoryRun } from '../memory.ts';
import type { SoakRun } from '../soak.ts';
import type { StormRun } from '../storm.ts';
import type { ThroughputRun } from '../throughput.ts';
import { churnSection } from './churn.ts';
import { fanoutSection } from './fanout.ts';
import { floodSection } from './flood.ts';
import { handshakesSection } from './handshakes.ts';
import { memorySection } from './memory.ts';
import type { GatewayResult } from './result.ts';
import { soakSection } from './soak.ts';
import { stormSection } from './storm.ts';
import { throughputSection } from './throughput.ts';

const [BUN, GO] = ['Causeway on Bun', 'Centrifuge library, Go'];

function resultOf<Run>(runs: Run[], options: Record<string, unknown> = {}): GatewayResult<Run> {
  const setting = { machine: {} as Machine, versions: { centrifuge: '1' }, brokers: 1, ...options };
  return { setting, runs, failures: [] };
}

const times = (p99: number): { p50: number; p99: number; max: number } => ({ p50: p99 / 2, p99, max: p99 });

describe('memory', () => {
  const curve = (contestant: string, kb: number, bend = 0): MemoryRun => ({
    contestant,
    run: 1,
    curve: 'idle',
    perChannel: 1,
    loadCpuSeconds: 1,
    points: [0, 1000, 5000, 10_000].map((connections) => {
      const rssMiB = 60 + (connections * kb * 1000) / 2 ** 20 + (connections === 5000 ? bend : 0);
      return { connections, rssMiB, anonymousMiB: rssMiB, settled: true };
    }),
  });

  it('falls nowhere short at the target, and says the slope', () => {
    const { body, shortfalls } = memorySection(resultOf([curve(BUN, 11), curve(GO, 41)]));
    assert.deepEqual(shortfalls, []);
    assert.match(body, /Causeway on Bun, idle \| 60 .*\| 11 \| /);
  });

  it('falls short of size, share and straightness', () => {
    const { shortfalls } = memorySection(resultOf([curve(BUN, 20, 40), curve(GO, 41)]));
    assert.equal(shortfalls.length, 3);
    assert.match(shortfalls.join('\n'), /the target is 12[^]*third of Centrifuge's 41[^]*straight line/);
  });
});

it('a contestant that could not be measured is a shortfall, and the page can be made without it', () => {
  const failures = [{ contestant: BUN, run: 1, error: 'it ended' }];
  for (const section of [
    memorySection,
    fanoutSection,
    handshakesSection,
    throughputSection,
    stormSection,
    soakSection,
    churnSection,
    floodSection,
  ]) {
    const { body, shortfalls } = section({ ...resultOf([]), failures });
    assert.match(shortfalls.join(), /Causeway on Bun, run 1: not measured \(it ended\)/);
    assert.ok(body.length > 0);
  }
});

describe('fan-out', () => {
  const runOf = (contestant: string, server: number, p99: number, keptUp = true): FanoutRun => ({
    contestant,
    run: 1,
    rates: [
      {
        perSecond: 100,
        keptUp,
        deliveries: 50_000,
        seconds: 1,
        cpu: { server, backends: 1, load: 1, othersShare: 0 },
        delivery: times(p99),
        failed: 0,
      },
    ],
  });

  it('compares deliveries for a CPU second of the server, and P99', () => {
    assert.deepEqual(fanoutSection(resultOf([runOf(BUN, 1, 5), runOf(GO, 2, 5)])).shortfalls, []);
    const behind = fanoutSection(resultOf([runOf(BUN, 1, 9), runOf(GO, 1.5, 5)])).shortfalls;
    assert.match(behind.join('\n'), /1\.5 times Centrifuge's[^]*P99 9 ms, Centrifuge 5 ms/);
  });

  it('warns when others worked meanwhile, and only then', () => {
    const [quiet, busy] = [runOf(BUN, 1, 5), runOf(BUN, 1, 5)];
    for (const { cpu } of busy.rates) cpu.othersShare = 0.4;
    assert.doesNotMatch(fanoutSection(resultOf([quiet])).body, /Other work/);
    assert.match(fanoutSection(resultOf([quiet, busy])).body, /Other work took up to 40 %/);
  });

  it('says when ours does not keep up and the peer does', () => {
    const [line = ''] = fanoutSection(resultOf([runOf(BUN, 1, 5, false), runOf(GO, 2, 5)])).shortfalls;
    assert.match(line, /does not keep up/);
  });
});

it('handshakes fall short of faster peers, of failures, and of resumption', () => {
  const runOf = (contestant: string, made: number, resumed: number, failed = 0): HandshakeRun => ({
    contestant,
    run: 1,
    way: 'resumed',
    made,
    failed,
    resumed,
    seconds: 1,
    cpu: { server: 1, backends: 0, load: 1, othersShare: 0 },
    times: times(5),
  });
  assert.deepEqual(handshakesSection(resultOf([runOf(BUN, 900, 900), runOf(GO, 800, 800)])).shortfalls, []);
  const { shortfalls } = handshakesSection(resultOf([runOf(BUN, 700, 70, 2), runOf(GO, 800, 800)]));
  assert.match(shortfalls.join('\n'), /700\/s[^]*800\/s[^]*2 failed[^]*10 % resumed/);
});

it('throughput falls short of the peer and of what was not delivered', () => {
  const runOf = (contestant: string, saturation: number, missing = 0): ThroughputRun => ({
    contestant,
    run: 1,
    saturation,
    trials: [],
    shares: [10, 50, 90].map((percent) => ({
      percent,
      perSecond: 1,
      sent: 1,
      failed: 0,
      skipped: 0,
      missing: percent === 90 ? missing : 0,
      acknowledgement: times(2),
      delivery: times(4),
      cpu: { server: 1, backends: 1, load: 1, othersShare: 0 },
      seconds: 10,
    })),
  });
  const { body, shortfalls } = throughputSection(resultOf([runOf(BUN, 1000, 3), runOf(GO, 2000)]));
  assert.match(body, /\| Causeway on Bun \| 1,000 \| 1 \/ 2 \| 2 \/ 4 \| 20 \|/);
  assert.match(shortfalls.join('\n'), /1,000\/s, Centrifuge 2,000\/s[^]*3 acknowledged and not delivered/);
});

it('a storm falls short of every message that is lost or doubled, and of the peer', () => {
  const runOf = (contestant: string, seconds: number, change: Partial<StormRun> = {}): StormRun => ({
    contestant,
    run: 1,
    clients: 100,
    back: 100,
    attempts: 200,
    unrecovered: 0,
    restartSeconds: 1,
    seconds,
    times: times(900),
    published: 10,
    refused: 0,
    faults: { lost: 0, doubled: 0, outOfOrder: 0, received: 1000, subscribers: 0 },
    serverCpuSeconds: 1,
    loadCpuSeconds: 1,
    ...change,
  });
  assert.deepEqual(stormSection(resultOf([runOf(BUN, 3), runOf(GO, 4)])).shortfalls, []);
  const faults = { lost: 2, doubled: 1, outOfOrder: 0, received: 999, subscribers: 2 };
  const { shortfalls } = stormSection(resultOf([runOf(BUN, 5, { back: 98, faults }), runOf(GO, 4)]));
  assert.match(
    shortfalls.join('\n'),
    /2 clients did not[^]*2 messages lost[^]*1 messages doubled[^]*Centrifuge 4 s/,
  );
});

it('a soak falls short of growth, of what stays open, and of visits that were not made', () => {
  const at = (rssMiB: number, files = 30): SoakRun['early'] => ({ seconds: 60, rssMiB, files });
  const runOf = (change: Partial<SoakRun> = {}): SoakRun => ({
    contestant: BUN,
    run: 1,
    seconds: 600,
    perSecond: 50,
    visits: 30_000,
    failed: 0,
    errors: {},
    times: times(50),
    before: at(80),
    early: at(100),
    late: at(104),
    after: at(100),
    open: 0,
    cpuSeconds: { server: 100, load: 50 },
    samples: [],
    ...change,
  });
  assert.deepEqual(soakSection(resultOf([runOf()])).shortfalls, []);
  const worse = runOf({ late: at(110), open: 4, after: at(100, 40), visits: 29_000 });
  const { shortfalls } = soakSection(resultOf([worse]));
  assert.match(
    shortfalls.join('\n'),
    /grew by 10 %[^]*1,000 visits fewer[^]*4 connections were open[^]*10 more/,
  );
});

it('churn falls short of entries, heap, sockets and descriptors that stay, and of visits that fail', () => {
  const remains = (bytes: number, more = 0): Remains => ({
    kept: { subscriptions: more, user_buckets: 0 },
    connections: 0,
    channels: more,
    presence: 0,
    handshakes: 0,
    files: 30 + more * 10,
    rssMiB: 100,
    heap: { bytes, objects: { TLSSocket: 1 + more * 10 }, handles: {} },
  });
  const kindOf = (failed: number) => ({ made: 100, failed, errors: {}, times: times(5) });
  const runOf = (after: Remains, failed: number, slowReaders: number): ChurnRun => ({
    contestant: BUN,
    run: 1,
    visits: 1_000,
    seconds: 10,
    kinds: { leaves: kindOf(failed), slow: kindOf(0) },
    slowReaders,
    cpuSeconds: { server: 1, load: 1 },
    before: remains(20_000_000),
    after,
  });
  assert.deepEqual(churnSection(resultOf([runOf(remains(20_010_000), 0, 100)])).shortfalls, []);
  const { shortfalls } = churnSection(resultOf([runOf(remains(20_100_000, 1), 2, 99)]));
  assert.match(
    shortfalls.join('\n'),
    /2 visits failed[^]*2 entries[^]*100 bytes of heap[^]*10 TLS sockets[^]*10 more descriptors[^]*1 slow readers/,
  );
});

it('a flood falls short when those who are in wait, lose messages or their connection', () => {
  const phase = (name: FloodPhase['phase'], p99: number, deliveries = 1_000): FloodPhase => ({
    phase: name,
    sent: 100,
    failed: 0,
    expected: 1_000,
    deliveries,
    acknowledged: times(p99),
    delivered: times(p99),
    cpu: { server: 1, backends: 1, load: 1, othersShare: 0 },
  });
  const runOf = (during: FloodPhase, lost: number, errors: Record<string, number>): FloodRun => ({
    contestant: BUN,
    run: 1,
    perSecond: 400,
    arrived: 4_000,
    seconds: 10,
    phases: [phase('before', 10), during, phase('after', 10)],
    kinds: { silent: { made: 2_000, failed: 0, errors, times: times(5_000) } },
    handshakes: { ok: 3_000 },
    mostUnderWay: 20,
    lost,
  });
  assert.deepEqual(floodSection(resultOf([runOf(phase('during', 60), 0, {})])).shortfalls, []);
  const kept = { 'the server kept who said nothing': 3 };
  const { shortfalls } = floodSection(resultOf([runOf(phase('during', 170, 990), 1, kept)]));
  assert.match(
    shortfalls.join('\n'),
    /grows by 160 ms[^]*1 clients that were in[^]*10 messages were not delivered[^]*3 connections that said nothing/,
  );
});
