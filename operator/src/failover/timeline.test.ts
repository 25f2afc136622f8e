import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailoverSample, FailoverTimeline } from '@causeway/crds';
import fc from 'fast-check';
import { nextStep } from './machine.ts';
import { BEGIN, isOver, type FailoverState } from './state.ts';
import { Model, wishFor } from './testing/model.ts';
import { FIRST_EVERY_MS, MAX_SAMPLES, noted, withSample } from './timeline.ts';

interface Offer {
  gap: number;
  clients: number | undefined;
  lag: number | undefined;
}

const offers = fc.array(
  fc.record({
    gap: fc.integer({ min: -500, max: 4_000 }),
    clients: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    lag: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 900, size: 'max' },
);

function samplesOf(all: readonly Offer[]): FailoverSample[] {
  let at = 0;
  return all.map(({ gap, clients, lag }) => {
    at = Math.max(0, at + gap);
    return {
      atMs: at,
      ...(clients === undefined ? {} : { connections: { 'zone-a': clients } }),
      ...(lag === undefined ? {} : { etcdLag: { 'zone-b': lag } }),
    };
  });
}

function play(samples: readonly FailoverSample[]): FailoverTimeline {
  let timeline: FailoverTimeline | undefined;
  for (const [index, sample] of samples.entries())
    timeline = noted(timeline, sample, { last: index === samples.length - 1 });
  assert.ok(timeline !== undefined);
  return timeline;
}

describe('a timeline', () => {
  it('is bounded, in order, and made of what was seen; it keeps the first sample, and the last', () => {
    fc.assert(
      fc.property(offers, (all) => {
        const offered = samplesOf(all);
        const { everyMs, samples } = play(offered);
        assert.ok(samples.length <= MAX_SAMPLES);
        assert.deepEqual(samples[0], offered[0]);
        const latest = offered.reduce((a, b) => (b.atMs > a.atMs ? b : a));
        if (offered.at(-1) === latest) assert.deepEqual(samples.at(-1), latest);
        for (const sample of samples) assert.ok(offered.includes(sample));
        // The end may come soon after the sample before it.
        for (const [index, { atMs }] of samples.slice(1).entries()) {
          const gap = atMs - (samples[index]?.atMs ?? Infinity);
          assert.ok(index === samples.length - 2 ? gap > 0 : gap >= FIRST_EVERY_MS, `${gap}`);
        }
        assert.ok(Number.isInteger(Math.log2(everyMs / FIRST_EVERY_MS)));
      }),
    );
  });

  it('changes at most once in its interval, however often it is looked', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2_000 }), (steps) => {
        let timeline: FailoverTimeline | undefined;
        let changes = 0;
        let at = 0;
        for (const [index, step] of steps.entries()) {
          at += step * 100;
          const after = noted(timeline, { atMs: at, connections: { a: index } }, { last: false });
          if (after !== timeline) changes += 1;
          timeline = after;
        }
        assert.ok(changes <= 1 + at / FIRST_EVERY_MS, `${changes} in ${at} ms`);
      }),
    );
  });

  it('stands still while nothing changes, also where a look asks for less', () => {
    const first: FailoverSample = { atMs: 0, connections: { a: 1, b: 2 }, etcdLag: { b: 0 } };
    const timeline = noted(undefined, first, { last: false });
    const same = [
      { connections: { b: 2, a: 1 }, etcdLag: { b: 0 } },
      { connections: { a: 1, b: 2 } },
      { etcdLag: { b: 0 } },
    ];
    for (const values of same)
      assert.equal(noted(timeline, { atMs: 60_000, ...values }, { last: false }), timeline);
    for (const values of [{ connections: { a: 1 } }, { etcdLag: { b: 1 } }, { redisLag: {} }])
      assert.notEqual(noted(timeline, { atMs: 60_000, ...values }, { last: false }), timeline);
  });

  it('says so when a sample in the middle was left out: they lie further apart', () => {
    const all = Array.from({ length: MAX_SAMPLES + 1 }, (_, n) => ({
      atMs: n * 1_000,
      connections: { a: n },
    }));
    const { everyMs, samples } = play(all);
    assert.deepEqual([everyMs, samples.length], [2_000, MAX_SAMPLES / 2 + 1]);
  });
});

/** A failover on the model from its begin to its end. */
function run(model: Model, done: (state: FailoverState) => boolean): FailoverState {
  let state = BEGIN;
  for (let looks = 0; looks < 5_000 && !done(state); looks += 1) {
    const step = nextStep(wishFor(), state, model.observe());
    state = step.state;
    model.performAll(step.acts);
    model.tick();
  }
  assert.ok(done(state), `it stays in ${state.phase}`);
  return state;
}

describe('the timeline of a drill', () => {
  it('begins with its start, shows how the zone empties, and ends with its end', () => {
    const state = run(new Model(), ({ phase }) => isOver(phase));
    const samples = state.timeline?.samples ?? [];
    assert.equal(samples[0]?.atMs, 0);
    assert.equal(samples.at(-1)?.atMs, (state.finishedAt ?? 0) - (state.startedAt ?? 0));
    const clients = samples.map(({ connections }) => connections?.['zone-a']);
    assert.deepEqual([clients[0], clients.at(-1)], [200, 0]);
    assert.ok(clients.some((count) => count !== undefined && count > 0 && count < 200));
    assert.deepEqual(samples[0]?.etcdLag, { 'zone-b': 0, 'zone-c': 0 });
    assert.deepEqual(samples[0]?.redisLag, { 'zone-b': 0, 'zone-c': 0 });
  });

  it('is not written again and again while it is held, nor after its end', () => {
    const model = new Model();
    const held = run(model, ({ phase, message }) => phase === 'Hold' && message !== '');
    let state = held;
    // What is held changes at most once, when the last change was too young to be noted.
    for (let looks = 0; looks < 100; looks += 1) {
      model.now += 200;
      state = nextStep(wishFor(), state, model.observe()).state;
    }
    assert.ok((state.timeline?.samples.length ?? 0) <= (held.timeline?.samples.length ?? 0) + 1);
    const over = run(new Model(), ({ phase }) => isOver(phase));
    assert.equal(nextStep(wishFor(), over, new Model().observe()).state, over);
  });

  it('has no sample before the start, and none of a look that asks nobody', () => {
    const model = new Model();
    assert.equal(withSample(BEGIN, model.observe()), BEGIN);
    const blind = model.observe().zones.map((zone) => ({ ...zone, etcd: undefined, redis: undefined }));
    model.change = { counted: false, zones: blind };
    const started = { ...BEGIN, phase: 'Prepare', startedAt: 1 } as const;
    assert.equal(withSample(started, model.observe()), started);
  });

  it('tells a zone that does not answer from one that has nobody', () => {
    const model = new Model();
    const { zones } = model.observe();
    const mute = zones.map((zone) =>
      zone.name === 'zone-b'
        ? { ...zone, pods: zone.pods.map((pod) => ({ ...pod, drain: undefined })), etcd: undefined }
        : zone,
    );
    model.change = { zones: mute };
    const started = { ...BEGIN, phase: 'Prepare', startedAt: model.now } as const;
    const [sample] = withSample(started, model.observe()).timeline?.samples ?? [];
    assert.deepEqual(sample?.connections, { 'zone-a': 200, 'zone-c': 200 });
    assert.deepEqual(sample?.etcdLag, { 'zone-c': 0 });
  });
});
