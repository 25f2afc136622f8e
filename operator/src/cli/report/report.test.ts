import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatOf } from '../failover-report.ts';
import { markdownOf } from './markdown.ts';
import { reportOf, type FailoverReport } from './report.ts';
import {
  drill,
  emergency,
  examples,
  measured,
  NOW,
  planned,
  refused,
  rolledBack,
  START,
  underWay,
} from './testing/examples.ts';
import { span, summary, title } from './words.ts';

const LATER = START + 3_600_000;

function said(report: FailoverReport): string {
  return summary(report).join(' ');
}

describe('a report', () => {
  it('says how each kind ended, for somebody who reads nothing else', () => {
    const by = Object.fromEntries(
      Object.entries(examples()).map(([name, one]) => {
        const report = reportOf(one, { now: name === 'under-way' ? NOW : LATER });
        return [name, `${title(report)}. ${said(report)}`];
      }),
    );
    assert.match(
      by['drill'] ?? '',
      /^Drill of eu-central-1a of orders succeeded\. It took 51\.8 s, from its start until eu-central-1a served again\. 680 clients were sent away from eu-central-1a within 14\.9 s\. The home moved from eu-central-1a to eu-central-1b and back to eu-central-1a later; no zone took writes for 0\.6 s on the way there and 0\.6 s on the way back\.$/,
    );
    assert.match(
      by['planned'] ?? '',
      /The home moved from eu-central-1a to eu-central-1b; no zone took writes/,
    );
    assert.match(
      by['emergency'] ?? '',
      /ran without eu-central-1a after 6\.1 s\. eu-central-1a has not been given back yet\. The home moved/,
    );
    assert.match(
      by['rolled-back'] ?? '',
      /was rolled back\. It turned back, and after 20\.8 s all was as before\. A person aborted it \(spec\.abort\)\. 243 clients were sent away from eu-central-1a \(680 at the start\)\.$/,
    );
    assert.match(
      by['under-way'] ?? '',
      /is under way\. It runs since 14\.2 s, and is in Drain\. .* 411 clients are left/,
    );
    assert.match(by['refused'] ?? '', /was refused\. Nothing was touched\. Without the brokers/);
    assert.match(by['waiting'] ?? '', /waits for its turn\. It has not begun\.$/);
  });

  it('says how long no zone took writes, both ways, and also when the home never left', () => {
    const turned = (cause: string, finishedAt = START + 60_000): FailoverReport => {
      const { status, ...made } = rolledBack();
      const at = (ms: number): string => new Date(START + ms).toISOString();
      const phases = [
        { name: 'Fence', startedAt: at(20_000), endedAt: at(35_000) },
        { name: 'RollingBack', step: 'Lift', startedAt: at(35_000), endedAt: at(35_400) },
        { name: 'RollingBack', step: 'GiveBack', startedAt: at(35_400), endedAt: at(60_000) },
      ];
      const changed = { ...status, phases, cause, finishedAt: new Date(finishedAt).toISOString() };
      return reportOf({ ...made, status: changed }, { now: LATER });
    };
    assert.match(said(turned('TimedOut')), /did not leave eu-central-1a; no zone took writes for 15\.4 s\.$/);
    assert.match(markdownOf(turned('TimedOut')), /^\| No zone took writes for \| 15\.4 s \|$/m);
    assert.match(said(turned('HomeFenced')), /no zone took writes for 40\.0 s, and none does yet\.$/);
    assert.match(
      markdownOf(reportOf(drill(), { now: LATER })),
      /^\| No zone took writes for \| 1\.2 s \(there 0\.6 s, back 0\.6 s\) \|$/m,
    );
    assert.deepEqual(reportOf(drill(), { now: LATER }).withoutWrites.at(-1), {
      way: 'back',
      fromMs: 45_390,
      tookMs: 610,
      ended: true,
    });
  });

  it('counts from the start, and to now while it runs', () => {
    const ended = reportOf(drill(), { now: LATER });
    assert.deepEqual([ended.tookMs, ended.outcome, ended.phases[2]?.fromMs], [51_790, 'Succeeded', 6_770]);
    const running = reportOf(underWay(), { now: NOW });
    assert.deepEqual([running.tookMs, running.outcome], [NOW - START, 'UnderWay']);
    assert.deepEqual(running.phases.at(-1), {
      name: 'Drain',
      fromMs: 4_310,
      tookMs: NOW - START - 4_310,
      ended: false,
      gate: 'Drained',
      waitingFor: 'eu-central-1a: 411 clients are left on 3 gateways.',
    });
  });

  it('adds clients up only where every zone answered', () => {
    assert.deepEqual(reportOf(drill(), { now: LATER }).clients, {
      atStart: 2_000,
      fewest: 1_919,
      fewestAtMs: 15_000,
      atEnd: 2_000,
    });
    assert.equal(reportOf(emergency(), { now: LATER }).clients, undefined);
  });

  it('tells a failure that touched nothing from one that did', () => {
    assert.equal(reportOf(refused(), { now: LATER }).outcome, 'Refused');
    const back = rolledBack();
    const failed = { ...back, status: { ...back.status, phase: 'Failed' as const, cause: 'HomeStays' } };
    assert.equal(reportOf(failed, { now: LATER }).outcome, 'Failed');
  });

  it('has what clients measured, and says so where there is nothing', () => {
    const { reconnect, lost, acknowledged } = reportOf(drill(), { now: LATER, measurements: measured() });
    assert.deepEqual([reconnect?.count, lost, acknowledged], [680, 0, 12_840]);
    assert.match(
      said(reportOf(drill(), { now: LATER, measurements: measured() })),
      /Publications: 0 of 12,840 acknowledged lost, 0 delivered twice\. Measured by clients: 99% of clients were back within 1\.\d s/,
    );
    const text = JSON.stringify(reportOf(drill(), { now: LATER }));
    for (const name of ['reconnect', 'blackout', 'lost', 'acknowledged'])
      assert.ok(!text.includes(`"${name}"`), name);
  });

  it('knows pauses', () => {
    const { status, ...made } = underWay();
    const paused = {
      ...made,
      status: { ...status, pausedMs: 1_000, pausedSince: new Date(NOW - 500).toISOString() },
    };
    const report = reportOf(paused, { now: NOW });
    assert.deepEqual([report.paused, report.pausedMs], [true, 1_500]);
    assert.match(said(report), /is in Drain, paused\./);
  });
});

describe('the Markdown of a report', () => {
  it('has the figures and limits that there are, and no others', () => {
    const { spec, status, ...made } = drill();
    const { maxMirrorLag: _limit, ...limits } = spec.limits;
    const { mirrorLag: _lag, ...figures } = status?.figures ?? {};
    const without = { ...made, spec: { ...spec, limits }, status: { ...status, figures } };
    const [mirrored, other] = [drill(), without].map((one) => markdownOf(reportOf(one, { now: LATER })));
    assert.match(mirrored ?? '', /^\| Kafka's mirror behind at the start \| 12 offsets \|$/m);
    assert.match(mirrored ?? '', /100 revisions behind, Kafka's mirror at most 1,000 offsets behind, ready/);
    assert.doesNotMatch(other ?? '', /mirror/);
    assert.match(other ?? '', /100 revisions behind, ready gateways/);
  });

  it('has a section for each thing that there is', () => {
    const sections = (text: string): string[] =>
      [...text.matchAll(/^## (.*)$/gm)].map(([, name = '']) => name);
    const whole = ['Figures', 'Phases', 'Zones at last', 'Over time', 'What was done'];
    assert.deepEqual(sections(markdownOf(reportOf(planned(), { now: LATER }))), whole);
    const { status: _status, ...made } = planned();
    assert.deepEqual(sections(markdownOf(reportOf(made, { now: LATER }))), ['What was done']);
  });

  it('has tables whose rows have as many cells as their header, whatever is in them', () => {
    const made = drill();
    const evil = 'a|b\n| c | `d` <script> \\| [x](http://y) # *e*';
    const phases = [
      { name: 'Drain', startedAt: new Date(START).toISOString(), gate: evil, waitingFor: evil },
    ];
    const text = markdownOf(
      reportOf({ ...made, status: { ...made.status, phases, message: evil } }, { now: LATER }),
    );
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    const cells = rows.map((row) => row.replaceAll(/\\./g, '').split('|').length - 2);
    assert.deepEqual(
      [...new Set(cells)].sort((a, b) => a - b),
      [2, 3, 5, 10],
    );
    assert.doesNotMatch(text, /(?<!\\)<script/);
    assert.doesNotMatch(text, /(?<!\\)\[x/);
  });

  it('shows at most fifteen samples, with the first and the last', () => {
    const text = markdownOf(reportOf(drill(), { now: LATER }));
    const rows =
      text.slice(text.indexOf('## Over time'), text.indexOf('## What was done')).match(/^\| \d.*$/gm) ?? [];
    assert.equal(rows.length, 15);
    assert.match(rows[0] ?? '', /^\| 0\.0 s \| 680 \| 655 \| 665 \|/);
    assert.match(rows.at(-1) ?? '', /^\| 51\.8 s \| 0 \|/);
  });
});

describe('the format', () => {
  it('is what was said, or what the file is called', () => {
    assert.equal(formatOf({}), 'markdown');
    assert.equal(formatOf({ file: 'drill.HTML' }), 'html');
    assert.equal(formatOf({ file: 'drill.json' }), 'json');
    assert.equal(formatOf({ file: 'drill.md' }), 'markdown');
    assert.equal(formatOf({ file: 'drill.txt', output: 'markdown' }), 'markdown');
    assert.equal(formatOf({ file: 'drill.html', output: 'json' }), 'json');
  });
});

describe('a file whose name says nothing', () => {
  it('is refused, with what is known', () => {
    for (const file of ['drill.pdf', 'drill', '.html/drill.txt'])
      assert.throws(() => formatOf({ file }), /is not known by its name: call it \.md, \.html or \.json/);
  });
});

describe('a span', () => {
  it('is short, and never has sixty seconds', () => {
    const all = [0, 640, 59_900, 59_960, 65_000, 3_599_900, 3_780_000, -5].map(span);
    assert.deepEqual(all, [
      '0.0 s',
      '0.6 s',
      '59.9 s',
      '1 min 00 s',
      '1 min 05 s',
      '1 h 00 min',
      '1 h 03 min',
      '0.0 s',
    ]);
  });
});
