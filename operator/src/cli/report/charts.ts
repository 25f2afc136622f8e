/** The charts of a report, each from what the report has. Pure. */
import type { FailoverSample } from '@causeway/crds';
import { lineChart, type Band, type Series } from './line-chart.ts';
import type { Markup } from './markup.ts';
import { totalsOf, zonesIn, type FailoverReport } from './report.ts';
import { count, span } from './words.ts';

type Part = 'connections' | 'etcdLag' | 'redisLag';

/** Clients by zone over time; undefined: they were never counted. */
export function connectionsChart(report: FailoverReport): Markup | undefined {
  const { zones: all, timeline } = report;
  const zones = seriesOf(report, 'connections');
  if (zones.length === 0) return undefined;
  const total: Series = {
    name: 'all zones',
    look: 'total',
    points: totalsOf({ zones: all, samples: timeline.samples }).map(({ atMs, total: value }) => ({
      atMs,
      value,
    })),
  };
  const series = zones.length > 1 && total.points.length > 0 ? [...zones, total] : zones;
  return lineChart({
    id: 'connections',
    title: 'Clients by zone',
    description: describe(series, 'clients'),
    unit: 'clients',
    endMs: endOf(report),
    bands: bandsOf(report),
    series,
  });
}

/** How far zones were behind their home; undefined: it was never asked, or is not known. */
export function lagChart(report: FailoverReport, store: 'etcd' | 'Redis'): Markup | undefined {
  const [part, unit] =
    store === 'etcd' ? (['etcdLag', 'revisions'] as const) : (['redisLag', 'bytes'] as const);
  const series = seriesOf(report, part);
  if (series.length === 0) return undefined;
  return lineChart({
    id: part,
    title: `How far each zone's ${store} was behind its home's`,
    description: describe(series, unit),
    unit: `${store}, ${unit} behind`,
    endMs: endOf(report),
    bands: bandsOf(report),
    series,
    height: 200,
  });
}

/** Milliseconds that the charts show. */
function endOf({ tookMs = 0, timeline }: FailoverReport): number {
  return Math.max(1, tookMs, timeline.samples.at(-1)?.atMs ?? 0);
}

/** Steps of going back are one band. */
function bandsOf(report: FailoverReport): Band[] {
  const bands: Band[] = [];
  for (const { name, fromMs, tookMs } of report.phases) {
    const last = bands.at(-1);
    const toMs = fromMs + tookMs;
    if (last?.name === name) last.toMs = toMs;
    else bands.push({ name, fromMs, toMs });
  }
  return bands;
}

/** A line for each zone that was ever known. A zone keeps its look in all charts. */
function seriesOf(report: FailoverReport, part: Part): Series[] {
  const { samples } = report.timeline;
  const known = zonesIn(samples, part);
  return zonesOf(report).flatMap((name, look) => {
    if (!known.includes(name)) return [];
    return [{ name, look, points: pointsOf(samples, part, name) }];
  });
}

/** All zones that the report knows, in order. */
export function zonesOf({ zones, timeline }: FailoverReport): string[] {
  const parts = ['connections', 'etcdLag', 'redisLag'] as const;
  const sampled = parts.flatMap((part) => zonesIn(timeline.samples, part));
  return [...new Set([...zones.map(({ name }) => name), ...sampled])];
}

/** A sample that did not ask says nothing, and one that asked in vain says that it is not known. */
function pointsOf(samples: readonly FailoverSample[], part: Part, zone: string): Series['points'] {
  return samples.flatMap((sample) => {
    const values = sample[part];
    return values === undefined ? [] : [{ atMs: sample.atMs, value: values[zone] }];
  });
}

/** The chart in words, for those who do not see it. */
function describe(series: readonly Series[], unit: string): string {
  const said = series.map(({ name, points }) => {
    const known = points.flatMap(({ atMs, value }) => (value === undefined ? [] : [{ atMs, value }]));
    const [first] = known;
    if (first === undefined) return `${name}: not known`;
    const most = known.reduce((a, b) => (b.value > a.value ? b : a));
    const least = known.reduce((a, b) => (b.value < a.value ? b : a));
    const last = known.at(-1) ?? first;
    return `${name}: ${count(first.value)} ${unit} at first, most ${count(most.value)} at ${span(most.atMs)}, least ${count(least.value)} at ${span(least.atMs)}, ${count(last.value)} at last`;
  });
  return `${said.join('. ')}.`;
}
