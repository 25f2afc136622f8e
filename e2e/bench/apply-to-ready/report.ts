/** Says what apply-to-ready measured. */
import { markdownTable, spread } from '../common/markdown.ts';
import type { Machine } from '../common/machine.ts';
import type { Section } from '../common/section.ts';
import { median } from '../replication/report.ts';
import type { Timeline } from './timeline.ts';

/** results/apply-to-ready.json */
export interface ApplyResult {
  machine: Machine;
  runs: { load: number; seconds: Timeline }[];
}

/** The section of the page. */
export function applySection({ machine, runs }: ApplyResult): Section {
  const steps = [...new Set(runs.flatMap(({ seconds }) => Object.keys(seconds)))];
  const values = (step: string): number[] =>
    runs.flatMap(({ seconds }) => (seconds[step] === undefined ? [] : [seconds[step]]));
  const rows = steps
    .map((step) => ({ step, at: median(values(step)) }))
    .sort((a, b) => a.at - b.at)
    .map(({ step }) => [step, spread(values(step))]);
  const body = `From \`kubectl apply\` of a platform like examples/orders.yaml (on Bun) until each thing was first seen, in the lab: three
zones, real kubelets, pods, probes and Kafka. ${runs.length} runs, each from nothing: no namespace, no volume, no topic. Images are
on the nodes. Looked at every 100 ms.

${markdownTable([['seconds after the start of kubectl apply', 'median (range)'], ...rows])}`;
  return {
    title: 'From kubectl apply to Ready',
    command: 'node e2e/bench/main.ts apply-to-ready',
    machine,
    body,
    shortfalls: [],
  };
}
