/** Says what operator-scale measured. */
import { markdownTable, shown, spread } from '../common/markdown.ts';
import type { Machine } from '../common/machine.ts';
import type { Section } from '../common/section.ts';
import { median } from '../replication/report.ts';
import type { ScaleRun } from './measure.ts';

/** results/operator-scale.json */
export interface ScaleResult {
  machine: Machine;
  runs: ScaleRun[];
}

/** A small Go operator on a one-node kind cluster with 1,000 objects: figures that others published, not ours. */
const QUOTED = { p50: 4.4, p95: 24.4, p99: 46.2, memoryMB: 69 };

type Row = [what: string, pick: (run: ScaleRun) => number];

const sum = (values: Readonly<Record<string, number>>): number =>
  Object.values(values).reduce((total, value) => total + value, 0);

const ROWS: readonly Row[] = [
  ['runs', () => 1],
  ['all Ready after the first create, s', ({ ready }) => ready.allSeconds],
  ['one platform, create to Ready, P50, s', ({ ready }) => ready.eachP50],
  ['one platform, create to Ready, P99, s', ({ ready }) => ready.eachP99],
  ['creating: reconciles for each platform', ({ create, platforms }) => create.reconciles / platforms],
  ['creating: reconciles that failed', ({ create }) => create.reconcileErrors],
  ['creating: API requests for each reconcile', ({ create }) => create.requestsPerReconcile],
  [
    'creating: API reads for each platform',
    ({ create, platforms }) => (create.requests['GET'] ?? 0) / platforms,
  ],
  ['creating: API writes for each platform', ({ create, platforms }) => sum(create.writes) / platforms],
  ['creating: CPU s for each platform', ({ create, platforms }) => create.cpuSeconds / platforms],
  ['steady: reconciles a second', ({ steady }) => steady.reconciles / steady.seconds],
  ['steady: API requests for each reconcile', ({ steady }) => steady.requestsPerReconcile],
  ['steady: API writes', ({ steady }) => sum(steady.writes)],
  ['steady: reconcile P50, ms', ({ steady }) => steady.reconcileMs.p50],
  ['steady: reconcile P95, ms', ({ steady }) => steady.reconcileMs.p95],
  ['steady: reconcile P99, ms', ({ steady }) => steady.reconcileMs.p99],
  ['steady: CPU s in a minute', ({ steady }) => steady.cpuSecondsPerMinute],
  ['steady: resident memory, MiB', ({ steady }) => steady.rssMiB],
  ['steady: of that not backed by files, MiB', ({ steady }) => steady.anonymousMiB],
  ['most memory ever, MiB', ({ steady }) => steady.peakMiB],
  ['restart: every platform looked at after, s', ({ restart }) => restart.caughtUpSeconds],
  ['restart: API writes', ({ restart }) => sum(restart.writes)],
  ['restart: resident memory, MiB', ({ restart }) => restart.rssMiB],
];

/** The section of the page. */
export function scaleSection({ machine, runs }: ScaleResult): Section {
  const sizes = [...new Set(runs.map(({ platforms }) => platforms))].sort((a, b) => a - b);
  const of = (size: number): ScaleRun[] => runs.filter(({ platforms }) => platforms === size);
  const table = markdownTable([
    ['platforms', ...sizes.map(shown)],
    ...ROWS.map(([what, pick]) => [
      what,
      ...sizes.map((size) => (what === 'runs' ? String(of(size).length) : spread(of(size).map(pick)))),
    ]),
  ]);
  const kinds = of(sizes[0] ?? 0)[0]?.create.writes ?? {};
  const writes = Object.entries(kinds)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
  const body = `The operator is its bundle in a process of its own, with the defaults (8 reconciles at a time, a look at Kafka every
10 s) and without leader election. API server, etcd, controller-manager, scheduler and Kafka are real; kwok plays the
kubelets. Each platform has three zones, a topic, an external Redis and an etcd in each zone: 34 objects and 8 pods.
The operator shares the machine's cores with all of these. A reconcile's time is from its own log, in whole
milliseconds, and includes its waits for the API server and for four answers of Kafka.

${table}

Writes for the first platform: ${writes}.

Beside it, quoted and not measured: a small Go operator on a one-node kind cluster with 1,000 objects had reconciles of
P50 ${QUOTED.p50} ms, P95 ${QUOTED.p95} ms, P99 ${QUOTED.p99} ms, and used ${QUOTED.memoryMB} MB. A platform here is about 42 objects
in the operator's caches, so that 100 platforms are 4,200.`;
  return {
    title: 'The operator with many platforms',
    command: `node e2e/bench/main.ts operator-scale --sizes ${sizes.join(',')}`,
    machine,
    body,
    shortfalls: shortfalls(sizes, of),
  };
}

function shortfalls(sizes: readonly number[], of: (size: number) => ScaleRun[]): string[] {
  return sizes.flatMap((size) => {
    const med = (pick: (run: ScaleRun) => number): number => median(of(size).map(pick));
    const name = size === 1 ? '1 platform' : `${shown(size)} platforms`;
    const found: string[] = [];
    const memory = med(({ steady }) => steady.rssMiB);
    if (memory > QUOTED.memoryMB / 1.048576)
      found.push(
        `Memory with ${name}: ${shown(memory)} MiB, where the quoted Go operator has ${QUOTED.memoryMB} MB in all.`,
      );
    for (const percent of ['p50', 'p95', 'p99'] as const) {
      const ours = med(({ steady }) => steady.reconcileMs[percent]);
      if (ours > QUOTED[percent])
        found.push(
          `Steady reconcile ${percent.toUpperCase()} with ${name}: ${shown(ours)} ms, quoted ${QUOTED[percent]} ms.`,
        );
    }
    const writes = med(({ steady, restart }) => sum(steady.writes) + sum(restart.writes));
    if (writes > 0)
      found.push(`${shown(writes)} API writes at steady state or after a restart with ${name}.`);
    const errors = med(({ create }) => create.reconcileErrors);
    if (errors > 0)
      found.push(`${shown(errors)} reconciles failed and were repeated while creating ${name}.`);
    return found;
  });
}
