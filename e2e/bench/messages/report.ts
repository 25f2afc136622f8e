/** Says what messages measured. */
import { markdownTable, shown, spread } from '../common/markdown.ts';
import type { Machine } from '../common/machine.ts';
import type { Section } from '../common/section.ts';
import { median } from '../replication/report.ts';
import type { MessagesRun } from './load.ts';

/** results/messages-loopback.json and results/messages-lab.json */
export interface MessagesResult {
  setting: { machine: Machine; versions: Record<string, string> };
  runs: MessagesRun[];
}

interface Group {
  contestant: string;
  perSecond: number;
  runs: MessagesRun[];
}

function groups(runs: readonly MessagesRun[]): Group[] {
  const found = Map.groupBy(runs, ({ contestant, perSecond }) => JSON.stringify([contestant, perSecond]));
  return [...found].map(([key, members]) => {
    const [contestant, perSecond] = JSON.parse(key) as [string, number];
    return { contestant, perSecond, runs: members };
  });
}

/** The section about gateways as processes on one machine, beside the Centrifuge library. */
export function loopbackSection({ setting, runs }: MessagesResult): Section {
  const all = groups(runs);
  const rates = [...new Set(all.map(({ perSecond }) => perSecond))];
  const rows = rates.flatMap((rate) =>
    all
      .filter(({ perSecond }) => perSecond === rate)
      .map((group) => [
        `${shown(rate)}/s, ${group.contestant}`,
        ...latencies(group),
        spread(group.runs.map((run) => ((run.gatewayCpuSeconds ?? Number.NaN) * 1000) / loadSeconds(run))),
        spread(group.runs.map((run) => run.gatewayRssMiB ?? Number.NaN)),
        ...faults(group),
      ]),
  );
  const head = ['', ...LATENCY_HEAD, 'CPU, ms/s', 'memory, MiB', ...FAULT_HEAD];
  const body = `Three gateways play three zones; a publisher and a subscriber are connected to each over TLS 1.3, so that each message
is received three times. Messages of 100 bytes of text are sent evenly over 12 channels for ${runs[0]?.seconds ?? 0} s after a warm-up. Beside ours,
in turns, on the same Redis and with the same clients: the Centrifuge library ${setting.versions['centrifuge'] ?? ''} for Go in a small server (Centrifugo
itself is not on the Go module proxy), with history and recovery. **The two do not promise the same:** ours acknowledges
a message when all in-sync replicas of three Kafka brokers have it (\`acks=all\`), and it is received by way of Kafka and
Redis; the library acknowledges it when one Redis has it in memory. All processes, brokers and clients share the
machine's cores. CPU is that of the three gateways together.

${markdownTable([head, ...rows])}`;
  return {
    title: 'Messages on one machine, beside the Centrifuge library',
    command: 'node e2e/bench/main.ts messages-loopback',
    machine: setting.machine,
    body,
    shortfalls: [...behind(all, rates), ...broken(all, 'on loopback')],
  };
}

/** The section about a platform in the lab. */
export function labSection({ setting, runs }: MessagesResult): Section {
  const all = groups(runs);
  const rows = all.map((group) => [
    `${shown(group.perSecond)}/s, ${group.contestant}`,
    ...latencies(group),
    ...faults(group),
  ]);
  const body = `A platform in the lab with gateways, Redis and a Kafka broker in each of three zones; clients connect to the pods. Each
message is published in one zone and received in all three. ${runs[0]?.seconds ?? 0} s for each rate after a warm-up.

${markdownTable([['', ...LATENCY_HEAD, ...FAULT_HEAD], ...rows])}

Receipt by pair of zones, P50 / P99 in ms, median of the runs:

${pairTable(all)}`;
  return {
    title: 'Messages across zones, in the lab',
    command: 'node e2e/bench/main.ts messages-lab',
    machine: setting.machine,
    body,
    shortfalls: broken(all, 'in the lab'),
  };
}

const LATENCY_HEAD = ['ack P50, ms', 'ack P99', 'receipt P50', 'receipt P99'];
const FAULT_HEAD = ['lost', 'twice', 'out of order', 'refused'];

function latencies({ runs }: Group): string[] {
  return [
    spread(runs.map(({ acknowledgement }) => acknowledgement.p50)),
    spread(runs.map(({ acknowledgement }) => acknowledgement.p99)),
    spread(runs.map(({ receipt }) => receipt.p50)),
    spread(runs.map(({ receipt }) => receipt.p99)),
  ];
}

function faults({ runs }: Group): string[] {
  const total = (pick: (run: MessagesRun) => number): string =>
    shown(runs.reduce((sum, run) => sum + pick(run), 0));
  return [
    total(({ lost }) => lost),
    total(({ duplicated }) => duplicated),
    total(({ outOfOrder }) => outOfOrder),
    total(({ failed }) => failed),
  ];
}

function loadSeconds({ seconds, warmUpSeconds }: MessagesRun): number {
  return seconds + warmUpSeconds;
}

function pairTable(all: readonly Group[]): string {
  const pairs = all[0]?.runs[0]?.pairs.map(({ from, to }) => ({ from, to })) ?? [];
  const cell = (group: Group, pair: { from: string; to: string }): string => {
    const of = (pick: (one: MessagesRun['pairs'][number]) => number): number =>
      median(
        group.runs.flatMap(({ pairs: own }) =>
          own.filter(({ from, to }) => from === pair.from && to === pair.to).map(pick),
        ),
      );
    return `${shown(of(({ p50 }) => p50))} / ${shown(of(({ p99 }) => p99))}`;
  };
  return markdownTable([
    ['', ...all.map(({ contestant, perSecond }) => `${contestant}, ${shown(perSecond)}/s`)],
    ...pairs.map((pair) => [`${pair.from} → ${pair.to}`, ...all.map((group) => cell(group, pair))]),
  ]);
}

/** Where the library is faster, with how much. */
function behind(all: readonly Group[], rates: readonly number[]): string[] {
  return rates.flatMap((rate) => {
    const at = all.filter(({ perSecond }) => perSecond === rate);
    const peer = at.find(({ contestant }) => contestant.startsWith('Centrifuge'));
    if (peer === undefined) return [];
    const theirs = median(peer.runs.map(({ receipt }) => receipt.p50));
    return at
      .filter((group) => group !== peer)
      .flatMap(({ contestant, runs }) => {
        const ours = median(runs.map(({ receipt }) => receipt.p50));
        if (ours <= theirs) return [];
        return [
          `Receipt P50 at ${shown(rate)}/s on loopback: ${contestant} ${shown(ours)} ms, Centrifuge ${shown(theirs)} ms, ${shown(ours / theirs)} times as long. Ours includes Kafka.`,
        ];
      });
  });
}

function broken(all: readonly Group[], where: string): string[] {
  return all.flatMap(({ contestant, perSecond, runs }) =>
    (['lost', 'duplicated', 'outOfOrder', 'failed'] as const).flatMap((what) => {
      const count = runs.reduce((sum, run) => sum + run[what], 0);
      return count === 0
        ? []
        : [`${contestant} ${where} at ${shown(perSecond)}/s: ${count} messages ${what}.`];
    }),
  );
}
