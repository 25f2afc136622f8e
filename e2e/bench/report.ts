/** Makes docs/benchmarks.md from the results. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../tools/index.ts';
import { applySection } from './apply-to-ready/report.ts';
import type { Machine } from './common/machine.ts';
import { markdownTable, shown } from './common/markdown.ts';
import type { Section } from './common/section.ts';
import { failoverSection } from './failover/report.ts';
import { churnSection } from './gateway/sections/churn.ts';
import { fanoutSection } from './gateway/sections/fanout.ts';
import { floodSection } from './gateway/sections/flood.ts';
import { handshakesSection } from './gateway/sections/handshakes.ts';
import { memorySection } from './gateway/sections/memory.ts';
import { soakSection } from './gateway/sections/soak.ts';
import { stormSection } from './gateway/sections/storm.ts';
import { throughputSection } from './gateway/sections/throughput.ts';
import { labSection, loopbackSection } from './messages/report.ts';
import { rotationSection } from './rotation/report.ts';
import { scaleSection } from './operator-scale/report.ts';

const root = join(import.meta.dirname, '../..');

/** results/replication.json, as far as the page needs it. */
interface ReplicationResult {
  /** Absent in older results, which have some of it in the setting. */
  machine?: Partial<Machine>;
  setting: Partial<Machine> & { etcd: string; keys: number; steadySeconds: number };
  medians: { what: string; causeway: number; makeMirror: number; ratio: number }[];
  runs: unknown[];
  /** Absent in results of before it was measured. */
  crashes?: {
    contestant: string;
    kills: number;
    transactions: number;
    skipped: number;
    repeated: number;
    halfSeen: number;
  }[];
}

/** Times make-mirror's keys a second that ours is to reach, and where. */
const LEAST_THROUGHPUT = 3;
const THROUGHPUT = ['live: keys/s in the target', 'backlog: keys/s'];

function replicationSection({
  setting,
  machine = setting,
  medians,
  runs,
  crashes = [],
}: ReplicationResult): Section {
  const rows = medians.map(({ what, causeway, makeMirror, ratio }) => [
    what,
    shown(causeway),
    shown(makeMirror),
    `${shown(ratio)} ×`,
  ]);
  const body = `Our replicator and \`etcdctl make-mirror\` (etcd ${setting.etcd}) by turns between the same two etcds, with real fsync: ${shown(setting.keys)}
keys of 128 bytes for each measurement of throughput, 1,000 keys a second for ${setting.steadySeconds} s for the lag. Medians of ${runs.length / 2}
runs each. Ours writes source revisions whole, with its checkpoint in the same transaction; make-mirror writes key by key
and keeps no place. Live: the keys are written as fast as the source takes them while both etcds and the replicator share
the machine, so that no more can arrive than the source took. Backlog: they were written while the replicator was
stopped. Lag: from when a watcher of the source saw a key until one of the target did; write: from when it was sent.

${markdownTable([['', 'causeway', 'make-mirror', 'better by'], ...rows])}${crashesText(crashes)}`;
  return {
    title: 'etcd replication beside make-mirror',
    command: 'node e2e/bench/main.ts replication',
    machine,
    body,
    shortfalls: medians
      .filter(({ what, ratio }) => ratio < (THROUGHPUT.includes(what) ? LEAST_THROUGHPUT : 1))
      .map(
        ({ what, causeway, makeMirror, ratio }) =>
          `etcd replication, ${what}: ${shown(causeway)}, make-mirror ${shown(makeMirror)} (${shown(ratio)} ×${THROUGHPUT.includes(what) ? `, target ${LEAST_THROUGHPUT}` : ''}).`,
      ),
  };
}

function crashesText(crashes: NonNullable<ReplicationResult['crashes']>): string {
  if (crashes.length === 0) return '';
  const rows = crashes.map(({ contestant, ...counts }) => [
    contestant,
    ...[counts.kills, counts.transactions, counts.skipped, counts.repeated, counts.halfSeen].map(shown),
  ]);
  return `

Killed every 5 s under transactions of three keys; what a watcher of the target saw of them:

${markdownTable([['', 'kills', 'transactions', 'skipped', 'repeated', 'seen in parts'], ...rows])}`;
}

const SECTIONS: readonly [file: string, make: (result: never) => Section][] = [
  ['apply-to-ready', applySection],
  ['failover', failoverSection],
  ['gateway-memory', memorySection],
  ['gateway-fanout', fanoutSection],
  ['gateway-handshakes', handshakesSection],
  ['gateway-throughput', throughputSection],
  ['gateway-storm', stormSection],
  ['gateway-soak', soakSection],
  ['gateway-churn', churnSection],
  ['gateway-flood', floodSection],
  ['messages-lab', labSection],
  ['messages-loopback', loopbackSection],
  ['operator-scale', scaleSection],
  ['replication', replicationSection],
  ['rotation', rotationSection],
];

/** Sections of the results that are there. */
function sections(): Section[] {
  return SECTIONS.flatMap(([name, make]) => {
    const file = join(import.meta.dirname, 'results', `${name}.json`);
    if (!existsSync(file)) return [];
    return [make(JSON.parse(readFileSync(file, 'utf8')) as never)];
  });
}

/** The whole page. */
export function page(parts: readonly Section[]): string {
  const shortfalls = parts.flatMap((section) => section.shortfalls);
  return `# Benchmarks

Every figure here was measured by the command above it, which writes its raw numbers to
[e2e/bench/results](../e2e/bench/results); this page is made from those by \`node e2e/bench/main.ts report\`. \`make bench\`
runs all. They are medians, with the range over the runs in brackets. They tell how the parts compare on one small
machine, and say little about another one.

## Where we fall short

${shortfalls.length === 0 ? 'Nowhere in these figures.' : shortfalls.map((text) => `- ${text}`).join('\n')}

${parts.map(sectionText).join('\n\n')}
`;
}

function sectionText({ title, command, machine, body }: Section): string {
  return `## ${title}

\`\`\`sh
${command}
\`\`\`

${body}

${machineText(machine)}`;
}

function machineText({
  at,
  cpu,
  cores,
  memoryGiB,
  os,
  kernel,
  node,
  revision,
  loadBefore,
}: Partial<Machine>): string {
  const facts = [
    at?.slice(0, 10),
    `${cores ?? '?'} cores (${cpu ?? 'unknown'})`,
    memoryGiB === undefined ? undefined : `${memoryGiB} GiB`,
    os === undefined ? undefined : `${os}, Linux ${kernel ?? ''}`,
    node === undefined ? undefined : `Node ${node}`,
    revision === undefined ? undefined : `revision ${revision}`,
  ].filter((fact) => fact !== undefined);
  const load = loadBefore ?? 0;
  const busy =
    load > 1 ? ` **The machine was busy with other work** (load average ${shown(load)} before).` : '';
  return `_${facts.join(', ')}._${busy}`;
}

/** Writes docs/benchmarks.md. */
export async function writePage(): Promise<string> {
  const file = join(root, 'docs/benchmarks.md');
  writeFileSync(file, page(sections()));
  await run('prettier', ['--write', '--log-level', 'warn', file], {
    env: { PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` },
  });
  return file;
}
