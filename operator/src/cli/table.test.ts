import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { styleOf } from './io.ts';
import { shortDuration, table, wrap } from './table.ts';

const plain = styleOf({ colour: false });

describe('a table', () => {
  const rows = [
    { cells: ['zone-a', '2/2', 'all is well'] },
    { cells: ['zone-with-a-long-name', '0/2', 'no room for pods'], mood: 'bad' as const },
    { cells: ['b', '1/2', ''], mood: 'wait' as const },
  ];

  it('lines up, marks what is not well, and leaves no spaces at line ends', () => {
    assert.equal(
      table(['ZONE', 'GATEWAYS', 'MESSAGE'], rows, { style: plain }),
      [
        '  ZONE                   GATEWAYS  MESSAGE',
        '  zone-a                 2/2       all is well',
        '! zone-with-a-long-name  0/2       no room for pods',
        '~ b                      1/2',
      ].join('\n'),
    );
  });

  it('wraps the last column at the width of the terminal, under itself', () => {
    const long = [{ cells: ['a', 'one two three four five six seven'] }];
    assert.equal(
      table(['N', 'TEXT'], long, { style: plain, width: 30 }),
      ['  N  TEXT', '  a  one two three four five', '     six seven'].join('\n'),
    );
  });

  it('paints whole lines where colours are welcome', () => {
    const text = table(['N'], [{ cells: ['a'], mood: 'bad' }, { cells: ['b'] }], {
      style: styleOf({ colour: true }),
    });
    assert.equal(text, '\u001b[1m  N\u001b[22m\n\u001b[31m! a\u001b[39m\n  b');
  });
});

describe('wrapping', () => {
  it('keeps a word that is longer than the line whole', () => {
    assert.deepEqual(wrap('see https://example.com/a/long/path now', 10), [
      'see',
      'https://example.com/a/long/path',
      'now',
    ]);
  });
});

describe('a short duration', () => {
  const cases: [number, string][] = [
    [-5_000, '0s'],
    [0, '0s'],
    [45_999, '45s'],
    [60_000, '1m'],
    [192_000, '3m12s'],
    [600_000, '10m'],
    [5 * 3_600_000 + 7 * 60_000, '5h7m'],
    [11 * 3_600_000 + 7 * 60_000, '11h'],
    [3 * 86_400_000 + 4 * 3_600_000, '3d4h'],
    [3 * 86_400_000, '3d'],
    [90 * 86_400_000 + 4 * 3_600_000, '90d'],
  ];
  for (const [ms, text] of cases) {
    it(`of ${ms} ms is ${text}`, () => assert.equal(shortDuration(ms), text));
  }
});
