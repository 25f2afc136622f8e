import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { FailoverObject } from '../../failover/index.ts';
import { FONT_SIZE, textWidth } from './axes.ts';
import { htmlOf } from './html.ts';
import type { Measurements } from './measurements.ts';
import { reportOf } from './report.ts';
import { drill, emergency, examples, measured, NOW, refused, underWay } from './testing/examples.ts';
import { all, readMarkup, type Node } from './testing/markup-reader.ts';

function pageOf(failover: FailoverObject, measurements: Measurements = {}): Node {
  return readMarkup(htmlOf(reportOf(failover, { now: NOW, measurements })));
}

/** All text of an element, as a reader gets it. */
function words(node: Node): string {
  return all(node)
    .map(({ text }) => text)
    .join(' ');
}

interface Box {
  words: string;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** About where each text of a chart is. */
function boxes(svg: Node): Box[] {
  return all(svg, 'text').map(({ attributes, text }) => {
    const [x, y, width] = [Number(attributes['x']), Number(attributes['y']), textWidth(text)];
    const before = { start: 0, middle: width / 2, end: width }[attributes['text-anchor'] ?? 'start'] ?? NaN;
    return {
      words: text,
      left: x - before,
      right: x - before + width,
      top: y - 0.75 * FONT_SIZE,
      bottom: y + 2,
    };
  });
}

/** No text lies on another one, or outside of its chart. */
function assertLegible(page: Node): void {
  for (const svg of all(page, 'svg').filter(({ attributes }) => attributes['role'] === 'img')) {
    const [, , width = 0, height = 0] = (svg.attributes['viewBox'] ?? '').split(' ').map(Number);
    const found = boxes(svg);
    for (const [index, box] of found.entries()) {
      const where = `${svg.attributes['aria-labelledby']}: "${box.words}" ${JSON.stringify(box)}`;
      assert.ok(box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= height, where);
      for (const other of found.slice(index + 1)) {
        const isApart =
          box.right <= other.left ||
          other.right <= box.left ||
          box.bottom <= other.top ||
          other.bottom <= box.top;
        assert.ok(isApart, `${where} lies on "${other.words}" ${JSON.stringify(other)}`);
      }
    }
  }
}

/** Every number of every shape is one. */
function assertNumbers(page: Node): void {
  const numeric = ['x', 'y', 'x1', 'x2', 'y1', 'y2', 'width', 'height'];
  for (const { name, attributes } of all(page)) {
    for (const key of numeric) {
      const value = attributes[key];
      if (value !== undefined) assert.match(value, /^-?\d+(\.\d+)?$/, `${name} ${key}`);
      if ((key === 'width' || key === 'height') && value !== undefined) assert.ok(Number(value) >= 0, name);
    }
    if (attributes['d'] !== undefined) assert.match(attributes['d'], /^([MHVL]-?[\d.]+( -?[\d.]+)?)*$/);
  }
}

describe('the page of a report', () => {
  for (const [name, failover] of Object.entries(examples())) {
    it(`of ${name} is whole, legible, and says what each chart shows`, () => {
      const page = pageOf(failover, name === 'drill' ? measured() : {});
      assertLegible(page);
      assertNumbers(page);
      const ids = all(page).flatMap(({ attributes }) => attributes['id'] ?? []);
      assert.equal(new Set(ids).size, ids.length);
      for (const svg of all(page, 'svg').filter(({ attributes }) => attributes['role'] === 'img')) {
        for (const id of (svg.attributes['aria-labelledby'] ?? '').split(' '))
          assert.ok(ids.includes(id), id);
        assert.ok((svg.children.find((child) => child.name === 'desc')?.text.length ?? 0) > 20);
      }
    });
  }

  it('needs nothing else: no script, and nothing that is loaded', () => {
    const text = htmlOf(reportOf(drill(), { now: NOW, measurements: measured() }));
    const page = readMarkup(text);
    const names = new Set(all(page).map(({ name }) => name));
    for (const name of ['script', 'link', 'img', 'iframe', 'use', 'image', 'a'])
      assert.ok(!names.has(name), name);
    for (const { attributes } of all(page))
      for (const key of Object.keys(attributes)) assert.doesNotMatch(key, /^(on|href|src|style)/);
    assert.doesNotMatch(text, /url\(|@import/);
    const policy = all(page, 'meta').find(({ attributes }) => attributes['http-equiv'] !== undefined);
    assert.match(policy?.attributes['content'] ?? '', /^default-src 'none'/);
  });

  it('has a line for each zone, the sum of all, and the times of clients that measured them', () => {
    const page = pageOf(drill(), measured());
    const lines = (id: string): string[] => {
      const svg = all(page, 'svg').find(({ attributes }) => attributes['aria-labelledby']?.startsWith(id));
      assert.ok(svg !== undefined, id);
      return all(svg, 'text').flatMap(({ attributes, text }) =>
        attributes['class']?.startsWith('label') === true ? [text] : [],
      );
    };
    const zones = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'];
    assert.deepEqual(lines('connections-title'), [...zones, 'all zones']);
    assert.deepEqual(lines('etcdLag-title'), zones);
    assert.deepEqual(lines('redisLag-title'), zones);
    assert.match(words(page), /680 clients: half within 0\.\d\d s, 99% within 1\.\d s/);
    assert.doesNotMatch(words(page), /not measured/);
  });

  it('draws a line that is broken where a zone did not answer', () => {
    const page = pageOf(underWay());
    const svg = all(page, 'svg').find(({ attributes }) =>
      attributes['aria-labelledby']?.startsWith('connections'),
    );
    assert.ok(svg !== undefined);
    const lines = all(svg, 'path').filter(({ attributes }) => attributes['class']?.startsWith('line zone'));
    const begins = lines.map(({ attributes }) => [...(attributes['d'] ?? '').matchAll(/M/g)].length);
    assert.deepEqual(begins, [1, 1, 2]);
  });

  it('says what is not measured or not known', () => {
    assert.match(words(pageOf(drill())), /Reconnect times: not measured\. Nobody in the platform sees/);
    assert.match(words(pageOf(emergency())), /In an Emergency gateways are not asked/);
    assert.doesNotMatch(words(pageOf(refused())), /not measured/);
    assert.match(words(pageOf(underWay())), /as of now/);
  });

  it('stays whole whatever is written into the failover', () => {
    const evil = `</style><script>alert("1")</script>'"&amp;<b>\u0000\u001b[31m`;
    const made = drill();
    const status = made.status ?? {};
    const page = pageOf({
      ...made,
      metadata: { ...made.metadata, name: evil },
      spec: { ...made.spec, fromZone: evil, platform: evil },
      status: {
        ...status,
        message: evil,
        cause: evil,
        home: { from: evil, to: evil },
        phases: [{ name: evil, step: evil, startedAt: status.startedAt ?? '', gate: evil, waitingFor: evil }],
        zones: [{ name: evil, ready: 1, desired: 1, connections: 4 }],
        timeline: {
          everyMs: 1_000,
          samples: [{ atMs: 0, connections: { [evil]: 4 }, etcdLag: { [evil]: 1 } }],
        },
      },
    });
    assert.equal(all(page, 'script').length + all(page, 'b').length, 0);
    assert.ok(words(page).includes(`alert("1")`));
    for (const control of ['\u0000', '\u001b']) assert.ok(!words(page).includes(control));
    assertLegible(page);
  });

  it('is legible whatever the times, counts and names are', () => {
    const zone = fc.constantFrom('a', 'zone-b', 'ap-northeast-1c', 'a-zone-with-a-name-of-32-letters');
    const amount = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 2 ** 40 }));
    const values = fc.option(fc.dictionary(zone, amount), { nil: undefined });
    const phase = fc.record({
      name: fc.constantFrom('Preflight', 'Drain', 'Fence', 'Hold', 'Restore', 'RollingBack'),
      step: fc.option(fc.constantFrom('CatchUp', 'GiveBack'), { nil: undefined }),
      gate: fc.option(fc.constantFrom('Drained', 'CertificateRotation', 'x'.repeat(80)), { nil: undefined }),
      ms: fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 90_000_000 })),
    });
    const times = fc.array(
      fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.integer({ min: 0, max: 9_999 })),
      {
        maxLength: 40,
      },
    );
    const samples = fc.array(fc.record({ gap: fc.integer({ min: 1, max: 60_000 }), values, lag: values }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(fc.array(phase, { maxLength: 64 }), samples, times, (phases, seen, reconnectSeconds) => {
        const page = pageOf(randomFailover(phases, seen), {
          reconnectSeconds,
          blackoutSeconds: reconnectSeconds,
        });
        assertLegible(page);
        assertNumbers(page);
      }),
      { numRuns: 60 },
    );
  });
});

interface RandomPhase {
  name: string;
  step: string | undefined;
  gate: string | undefined;
  ms: number;
}

interface RandomSample {
  gap: number;
  values: Record<string, number> | undefined;
  lag: Record<string, number> | undefined;
}

function randomFailover(phases: readonly RandomPhase[], seen: readonly RandomSample[]): FailoverObject {
  const made = drill();
  const start = Date.parse(made.status?.startedAt ?? '');
  let at = start;
  const entries = phases.map(({ name, step, gate, ms }) => {
    const startedAt = new Date(at).toISOString();
    at += ms;
    const endedAt = new Date(at).toISOString();
    return {
      name,
      startedAt,
      endedAt,
      ...(step === undefined ? {} : { step }),
      ...(gate === undefined ? {} : { gate }),
    };
  });
  const verifiedAt = new Date((start + at) / 2).toISOString();
  let atMs = 0;
  const samples = seen.map(({ gap, values, lag }) => {
    atMs += gap;
    return {
      atMs,
      ...(values === undefined ? {} : { connections: values }),
      ...(lag === undefined ? {} : { redisLag: lag }),
    };
  });
  const zones = [...new Set(seen.flatMap(({ values }) => Object.keys(values ?? {})))];
  return {
    ...made,
    status: {
      phase: 'Succeeded',
      startedAt: new Date(start).toISOString(),
      verifiedAt,
      finishedAt: new Date(at).toISOString(),
      phases: entries,
      zones: zones.map((name) => ({ name, ready: 1, desired: 1 })),
      figures: {},
      timeline: { everyMs: 1_000, samples },
    },
  };
}
