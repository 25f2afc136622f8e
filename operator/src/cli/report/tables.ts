/** The tables of a report, as cells of text: what they look like is for those who print them. Pure. */
import type { FailoverSample } from '@causeway/crds';
import { zonesOf } from './charts.ts';
import { zonesIn, type FailoverReport } from './report.ts';
import { count, phaseName, span } from './words.ts';

/** `numeric`: columns whose cells are numbers, by their place. */
export interface ReportTable {
  header: string[];
  numeric: readonly number[];
  rows: string[][];
}

/** Each phase with its gate. */
export function phasesTable({ phases }: FailoverReport): ReportTable {
  return {
    header: ['Phase', 'From', 'Took', 'Gate', 'Waits for'],
    numeric: [1, 2],
    rows: phases.map((phase) => [
      phaseName(phase),
      span(phase.fromMs),
      `${span(phase.tookMs)}${phase.ended ? '' : ' so far'}`,
      phase.gate ?? '',
      phase.waitingFor ?? '',
    ]),
  };
}

/** Each zone as it was at last. */
export function zonesTable({ zones }: FailoverReport): ReportTable {
  return {
    header: ['Zone', 'Ready gateways', 'Clients'],
    numeric: [1, 2],
    rows: zones.map(({ name, ready, desired, connections }) => [
      name,
      `${ready} of ${desired}`,
      connections === undefined ? 'not known' : count(connections),
    ]),
  };
}

/** Samples over time, at most `most` of them: the first, the last, and such as lie evenly between. */
export function samplesTable(report: FailoverReport, most: number = Infinity): ReportTable {
  const { samples } = report.timeline;
  const parts = ['connections', 'etcdLag', 'redisLag'] as const;
  const columns = parts.flatMap((part) => {
    const known = zonesIn(samples, part);
    const zones = zonesOf(report).filter((name) => known.includes(name));
    return zones.map((zone) => ({ part, zone }));
  });
  const rows = evenly(samples, most).map((sample) => [
    span(sample.atMs),
    ...columns.map(({ part, zone }) => cell(sample, part, zone)),
  ]);
  const header = ['At', ...columns.map(({ part, zone }) => `${COLUMN[part]} ${zone}`)];
  return { header, numeric: header.map((_, index) => index), rows };
}

const COLUMN = { connections: 'clients', etcdLag: 'etcd behind', redisLag: 'Redis behind' } as const;

/** Not asked is nothing; asked in vain is a question mark. */
function cell(sample: FailoverSample, part: keyof typeof COLUMN, zone: string): string {
  const values = sample[part];
  if (values === undefined) return '';
  const value = values[zone];
  return value === undefined ? '?' : count(value);
}

function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  const step = (all.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, n) => all[Math.round(n * step)]).filter((one) => one !== undefined);
}
