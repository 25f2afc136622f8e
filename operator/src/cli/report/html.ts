/** A report as one HTML page that needs nothing else: no script, no font, no picture from anywhere. Pure. */
import { connectionsChart, lagChart } from './charts.ts';
import { histogram } from './histogram.ts';
import { element as e, page, styleSheet, type Child, type Markup } from './markup.ts';
import { phaseChart } from './phase-chart.ts';
import type { FailoverReport, Outcome } from './report.ts';
import { STYLE } from './style.ts';
import { phasesTable, samplesTable, zonesTable, type ReportTable } from './tables.ts';
import {
  count,
  EMERGENCY_COUNTS,
  factRows,
  figureRows,
  moves,
  NOT_MEASURED,
  OUTCOME_WORDS,
  seconds,
  spaced,
  span,
  summary,
  time,
  title,
  withoutWritesText,
} from './words.ts';

/** What a browser may load for the page: nothing. It holds even if something slipped through that should not have. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** The whole page. */
export function htmlOf(report: FailoverReport): string {
  const head = e(
    'head',
    {},
    e('meta', { charset: 'utf-8' }),
    e('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    e('meta', { 'http-equiv': 'Content-Security-Policy', content: POLICY }),
    e('meta', { name: 'referrer', content: 'no-referrer' }),
    e('title', {}, title(report)),
    styleSheet(STYLE),
  );
  const figures = figureRows(report);
  const main = e(
    'main',
    {},
    headOf(report),
    phasesSection(report),
    clientsSection(report),
    lagSection(report),
    returnSection(report),
    figures.length === 0 ? undefined : section('Figures', pairs(figures)),
    section('What was done', pairs(factRows(report))),
    e(
      'footer',
      {},
      e('p', {}, `Written ${time(report.writtenAt)} by causeway failover report. All times are UTC.`),
    ),
  );
  return page(e('html', { lang: 'en' }, head, e('body', {}, main)));
}

const MOODS: Readonly<Record<Outcome, 'good' | 'bad' | 'wait'>> = {
  Waiting: 'wait',
  UnderWay: 'wait',
  Succeeded: 'good',
  RolledBack: 'bad',
  Refused: 'bad',
  Failed: 'bad',
};

function headOf(report: FailoverReport): Markup {
  const { mode, fromZone, platform, outcome, namespace, name, startedAt } = report;
  const began = startedAt === undefined ? '' : `, ${time(startedAt)}`;
  return e(
    'header',
    {},
    e('p', { class: 'kicker' }, `ZoneFailover ${namespace}/${name}${began}`),
    e('h1', {}, `${mode} of ${fromZone} of ${platform}`),
    e('p', {}, e('span', { class: `badge ${MOODS[outcome]}` }, OUTCOME_WORDS[outcome])),
    e('p', { class: 'lead' }, summary(report).join(' ')),
    tiles(report),
  );
}

function tiles(report: FailoverReport): Markup {
  const { figures, tookMs, finishedAt, reconnect, blackout, lost } = report;
  const { connectionsMoved, recovery } = figures;
  const all: [string, string | undefined][] = [
    [
      finishedAt === undefined ? 'running for' : 'whole time',
      tookMs === undefined ? undefined : span(tookMs),
    ],
    ['until verified', recovery === undefined ? undefined : spaced(recovery)],
    ['no zone took writes', withoutWritesText(report)],
    ['clients sent away', connectionsMoved === undefined ? undefined : count(connectionsMoved)],
    ['reconnect P99', reconnect === undefined ? undefined : seconds(reconnect.p99)],
    ['blackout P99', blackout === undefined ? undefined : seconds(blackout.p99)],
    ['acknowledged, lost', lost === undefined ? undefined : count(lost)],
  ];
  const shown = all.flatMap(([name, value]) =>
    value === undefined ? [] : [e('div', { class: 'tile' }, e('dt', {}, name), e('dd', {}, value))],
  );
  return e('dl', { class: 'tiles' }, shown);
}

function section(name: string, ...content: Child[]): Markup {
  return e('section', {}, e('h2', {}, name), content);
}

function chart(svg: Markup, ...below: Child[]): Markup {
  return e('figure', {}, e('div', { class: 'scroll' }, svg), below);
}

const KINDS = [
  ['go', 'goes on'],
  ['move', 'the home moves'],
  ['hold', 'is held'],
  ['undo', 'goes back, or failed'],
  ['now', 'is in it now'],
] as const;

function phasesSection(report: FailoverReport): Markup {
  const svg = phaseChart(report);
  if (svg === undefined) return section('Phases', e('p', { class: 'note' }, 'It has not begun.'));
  const key = KINDS.map(([kind, words]) =>
    e(
      'li',
      {},
      e(
        'svg',
        { viewBox: '0 0 14 12', 'aria-hidden': 'true' },
        e('rect', { width: 14, height: 12, rx: 2, class: `bar ${kind}` }),
      ),
      words,
    ),
  );
  return section(
    'Phases and gates',
    chart(svg, e('ul', { class: 'key' }, key)),
    tableOf(phasesTable(report)),
  );
}

function clientsSection(report: FailoverReport): Markup {
  const { mode, timeline } = report;
  const svg = connectionsChart(report);
  const every = timeline.everyMs > 1000 ? ` Samples lie at least ${span(timeline.everyMs)} apart.` : '';
  const note = `What was seen holds until it was seen otherwise; where a line is broken, not all gateways of the zone answered.${every}`;
  return section(
    'Clients by zone',
    svg === undefined ? e('p', { class: 'note' }, 'They were not counted.') : chart(svg),
    e(
      'p',
      { class: 'note' },
      svg === undefined ? undefined : note,
      mode === 'Emergency' ? ` ${EMERGENCY_COUNTS}` : undefined,
    ),
    report.zones.length === 0 ? undefined : tableOf(zonesTable(report)),
    timeline.samples.length === 0
      ? undefined
      : e(
          'details',
          {},
          e('summary', {}, `All ${count(timeline.samples.length)} samples, with replication`),
          tableOf(samplesTable(report)),
        ),
  );
}

function lagSection(report: FailoverReport): Markup {
  const charts = (['etcd', 'Redis'] as const).flatMap((store) => {
    const svg = lagChart(report, store);
    return svg === undefined ? [] : [chart(svg)];
  });
  return section(
    'Replication',
    charts.length > 0 ? charts : e('p', { class: 'note' }, 'How far zones were behind is not known.'),
  );
}

function returnSection(report: FailoverReport): Markup | undefined {
  const { reconnect, blackout } = report;
  if (!moves(report) && reconnect === undefined && blackout === undefined) return undefined;
  const both = [
    reconnect &&
      chart(
        histogram('reconnect', 'Time until clients were subscribed again', reconnect),
        caption('Time from the loss of the connection until the client was subscribed again.'),
      ),
    blackout &&
      chart(
        histogram('blackout', 'Longest blackout of each client', blackout),
        caption(
          'For each client, the longest time in which it got nothing although something was published.',
        ),
      ),
  ];
  return section(
    'How clients came back',
    both,
    reconnect === undefined ? e('p', { class: 'note' }, NOT_MEASURED) : undefined,
  );
}

function caption(words: string): Markup {
  return e('figcaption', { class: 'note' }, words);
}

function tableOf({ header, numeric, rows }: ReportTable): Markup {
  const of = (index: number): { class?: string } => (numeric.includes(index) ? { class: 'number' } : {});
  return e(
    'div',
    { class: 'scroll' },
    e(
      'table',
      {},
      e(
        'thead',
        {},
        e(
          'tr',
          {},
          header.map((name, index) => e('th', { scope: 'col', ...of(index) }, name)),
        ),
      ),
      e(
        'tbody',
        {},
        rows.map((cells) =>
          e(
            'tr',
            {},
            cells.map((cell, index) => e('td', of(index), cell)),
          ),
        ),
      ),
    ),
  );
}

function pairs(rows: readonly [string, string][]): Markup {
  const lines = rows.map(([name, value]) => e('tr', {}, e('th', { scope: 'row' }, name), e('td', {}, value)));
  return e('table', {}, e('tbody', {}, lines));
}
