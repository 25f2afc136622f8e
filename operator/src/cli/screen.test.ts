import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Screen } from './screen.ts';
import { testIo } from './testing/io.ts';
import { Terminal } from './testing/terminal.ts';

const lines = (count: number, text = 'line'): string =>
  Array.from({ length: count }, (_, n) => `${text} ${n}\n`).join('');

describe('a screen on a terminal', () => {
  it('draws in place: nothing of the last picture is left, nothing scrolls, and it is erased only once', () => {
    const terminal = new Terminal();
    const screen = new Screen(testIo({ terminal }));
    terminal.write('$ causeway failover watch drill\n');
    for (const text of [lines(9), 'a\nlonger line of text\n', lines(3, 'short'), 'b\n']) {
      screen.show(() => text);
      assert.equal(terminal.text, text.trimEnd());
      assert.deepEqual(terminal.cursor, { row: text.split('\n').length - 1, column: 0 });
    }
    screen.close();
    assert.equal(terminal.text, 'b');
    assert.deepEqual(terminal.scrolled, []);
    assert.equal(terminal.erased, 1);
  });

  it('clips lines to its width, without their colours', () => {
    const terminal = new Terminal(10, 5);
    const io = testIo({ terminal });
    new Screen(io).show(() => '\u001b[31m0123456789abc\u001b[39m\nnext\n0123456789\n');
    assert.equal(terminal.text, '0123456789\nnext\n0123456789');
    assert.ok(io.stdout.includes('\u001b[31m0123456789\u001b[39m\n'), 'the colour ends');
  });

  it('clips to its height while it follows, and leaves all of it at the end, below which the shell goes on', () => {
    const terminal = new Terminal(20, 6);
    const screen = new Screen(testIo({ terminal }));
    for (let times = 0; times < 3; times++) {
      screen.show(() => lines(12));
      assert.equal(terminal.text, lines(5).trimEnd());
      assert.deepEqual(terminal.scrolled, []);
    }
    screen.close();
    assert.equal([...terminal.scrolled, terminal.text].join('\n'), lines(12).trimEnd());
    assert.deepEqual(terminal.cursor, { row: 5, column: 0 });
    terminal.write('gone\n');
    screen.close();
    assert.match(terminal.text, /line 11\ngone$/, 'closed again it leaves what was said since');
  });

  it('is as large as it is by now', () => {
    const size = { columns: 8, rows: 4 };
    const io = { ...testIo(), terminal: size };
    let written = '';
    const screen = new Screen({ ...io, out: (text) => (written += text) });
    const shown = (): string => {
      const terminal = new Terminal(size.columns, size.rows);
      written = '';
      screen.show(() => `0123456789\n${lines(9)}`);
      terminal.write(written);
      assert.deepEqual(terminal.scrolled, []);
      return terminal.text;
    };
    assert.equal(shown(), '01234567\nline 0\nline 1');
    Object.assign(size, { columns: 9, rows: 5 });
    assert.equal(shown(), '012345678\nline 0\nline 1\nline 2');
  });

  it('shows the last picture of any, as far as there is room', () => {
    const picture = fc.array(fc.stringMatching(/^[a-z ]{0,14}$/), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(fc.array(picture, { minLength: 1, maxLength: 6 }), (pictures) => {
        const terminal = new Terminal(10, 6);
        const screen = new Screen(testIo({ terminal }));
        for (const text of pictures) screen.show(() => `${text.join('\n')}\n`);
        const room = (pictures.at(-1) ?? []).slice(0, 5).map((line) => line.slice(0, 10).trimEnd());
        assert.equal(terminal.text, room.join('\n').trimEnd());
        assert.deepEqual(terminal.scrolled, []);
      }),
    );
  });
});

describe('a screen elsewhere', () => {
  it('puts one picture below the other, and leaves out those in which only ages differ', () => {
    const io = testIo({ now: 0 });
    let now = 0;
    const screen = new Screen({ ...io, now: () => now });
    const picture = (phase: string) => (at: number) => `${phase} for ${at} s\n`;
    screen.show(picture('Drain'));
    now = 5;
    screen.show(picture('Drain'));
    screen.show(picture('Hold'));
    screen.close();
    assert.equal(io.stdout, 'Drain for 0 s\nHold for 5 s\n');
  });
});
