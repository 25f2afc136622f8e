import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailoverObject } from '../failover/index.ts';
import { failoverText, progressLine } from './failover-text.ts';
import { styleOf } from './io.ts';
import { markdownOf } from './report/markdown.ts';
import { reportOf } from './report/report.ts';
import { drill, START } from './report/testing/examples.ts';
import { Screen } from './screen.ts';
import { testIo } from './testing/io.ts';
import { Terminal } from './testing/terminal.ts';

const style = styleOf({ colour: false });
const NOW = START + 50_000;

/** A drill at the end of its way back, which waits for something that takes more than a line to say. */
function goingBack(message: string): FailoverObject {
  const { status, ...made } = drill();
  const { finishedAt: _end, ...rest } = status ?? {};
  const phases = (rest.phases ?? []).map((entry, index, all) => {
    const { endedAt: _ended, ...open } = entry;
    return index === all.length - 1 ? { ...open, waitingFor: message } : entry;
  });
  return { ...made, status: { ...rest, phase: 'Restore', step: 'GiveBack', message, phases } };
}

describe('the picture of a failover', () => {
  it('in 80 columns and 24 lines has its clients by zone, however long the way was, and whole sentences', () => {
    const terminal = new Terminal(80, 24);
    const io = testIo({ terminal, now: NOW });
    const message = `eu-central-1a has 1 gateways that serve; it is to have 3${' and more words'.repeat(7)}.`;
    const made = goingBack(message);
    const screen = new Screen(io);
    const text = (rows?: number): string => failoverText(made, { style, width: 80, now: NOW, rows });
    screen.show(
      () => text(23),
      () => text(),
    );
    assert.match(terminal.text, /^ {2}ZONE +GATEWAYS +CLIENTS$/m);
    for (const zone of ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'])
      assert.match(terminal.text, new RegExp(`^  ${zone} +\\d/3 +\\d+`, 'm'));
    assert.match(terminal.text, /^~ Restore\/GiveBack /m);
    assert.match(terminal.text, /^ {2}\d+ before +\d+\.\ds +-$/m);
    const words = terminal.text.replaceAll(/\s+/g, ' ');
    assert.ok(words.includes(message), 'the message, to its end');
    assert.ok(words.includes('of orders, home eu-central-1a to eu-central-1b'), 'the title, to its end');
    screen.close();
    const left = [...terminal.scrolled, terminal.text].join('\n');
    assert.match(left, /^ {2}Preflight /m, 'in the end all of it is there');
    assert.doesNotMatch(left, / before /);
  });

  it('puts nothing together where there is room', () => {
    const text = failoverText(goingBack('It waits.'), { style, width: 100, now: NOW, rows: 40 });
    assert.match(text, /^ {2}Preflight /m);
  });

  it('moves no cursor, whatever a message says', () => {
    const evil = 'a\u001b[2J\u009b31m\u202eb\nc';
    const made = goingBack(evil);
    const named = { ...made, spec: { ...made.spec, fromZone: evil } };
    const texts = [
      failoverText(named, { style, now: NOW }),
      failoverText(named, { style, width: 80, now: NOW }),
      progressLine(named),
      markdownOf(reportOf(named, { now: NOW })),
    ];
    for (const text of texts) {
      assert.doesNotMatch(text, /[^\P{Cc}\n]|\u202e/u);
      assert.match(text, /a\ufffd\\?\[2J\ufffd31m\ufffdb c/);
    }
  });
});
