import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { readCrd, walk, type Schema } from '../scripts/crd.ts';
import { parseDuration } from './duration.ts';

const UNITS = [
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
] as const;

const part = fc.record({ count: fc.integer({ min: 0, max: 999_999 }), unit: fc.constantFrom(...UNITS) });

describe('parseDuration', () => {
  it('adds up its parts, in any order and as often as they come', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const text = parts.map(({ count, unit }) => `${count}${unit[0]}`).join('');
        assert.equal(
          parseDuration(text),
          parts.reduce((sum, { count, unit }) => sum + count * unit[1], 0),
        );
      }),
    );
  });

  for (const [text, milliseconds] of [
    ['25s', 25_000],
    ['500ms', 500],
    ['1h30m', 5_400_000],
    ['2160h', 7_776_000_000],
    ['5m5s5ms', 305_005],
    ['007s', 7000],
    ['0s', 0],
  ] as const) {
    it(`reads ${text} as ${milliseconds} ms`, () => assert.equal(parseDuration(text), milliseconds));
  }

  for (const text of [
    '',
    ' ',
    '25',
    's',
    '25 s',
    '1.5h',
    '-5s',
    '+5s',
    '5S',
    '1d',
    '5s ',
    '5s\n',
    '1h 30m',
    '1000000s',
    '٣s',
  ]) {
    it(`refuses ${JSON.stringify(text)} and says how to write it`, () => {
      assert.throws(() => parseDuration(text), {
        name: 'RangeError',
        message: /units ms, s, m or h, such as 1h30m/,
      });
    });
  }

  it('takes exactly what the CRD takes, so that no stored platform can break a reader', () => {
    const pattern = durationPattern();
    const nearly = fc.string({
      unit: fc.constantFrom('0', '9', 'm', 's', 'h', '.', '-', ' '),
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string()), (text) => {
        assert.equal(accepts(text), pattern.test(text), JSON.stringify(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('reads every default duration of the CRD', () => {
    const durations = (['messageplatforms', 'zonefailovers'] as const)
      .flatMap((plural) => [...walk(readCrd(plural).schema, '')])
      .filter(({ schema }) => durationRule(schema) !== undefined);
    assert.ok(durations.length >= 5, `the CRD has durations, found ${durations.length}`);
    for (const { path, schema } of durations) assert.ok(parseDuration(String(schema.default)) > 0, path);
  });
});

function durationRule(schema: Schema): string | undefined {
  const rules = schema['x-kubernetes-validations'] ?? [];
  return rules.find(({ message }) => message.startsWith('a duration is '))?.rule;
}

/** The regular expression in the CRD's rule for durations; RE2 and JavaScript agree on all that it uses. */
function durationPattern(): RegExp {
  const rule = [...walk(readCrd().schema, '')].map(({ schema }) => durationRule(schema)).find(Boolean);
  const source = /^self\.matches\('(.*)'\)$/.exec(rule ?? '')?.[1];
  assert.ok(source, `a rule of the form self.matches('…'), got: ${rule}`);
  return new RegExp(source);
}

function accepts(text: string): boolean {
  try {
    parseDuration(text);
    return true;
  } catch (error) {
    assert.ok(error instanceof RangeError);
    return false;
  }
}
