import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { homelessTimes } from './homeless.ts';
import { nextStep } from './machine.ts';
import { failoverMetrics } from './metrics.ts';
import { BEGIN, isOver, type FailoverState } from './state.ts';
import { Model, wishFor } from './testing/model.ts';

interface Ended {
  state: FailoverState;
  /** Seconds that no zone took writes, by the figures for Prometheus. */
  seconds: number;
  times: number;
}

/** Runs a drill to its end; `each` may change the world after each look. */
async function run(each: (model: Model, state: FailoverState) => void = () => undefined): Promise<Ended> {
  const model = new Model();
  const registry = new Registry();
  const metrics = failoverMetrics(registry, () => 1);
  let state = BEGIN;
  for (let n = 0; n < 5_000 && !isOver(state.phase); n += 1) {
    const before = state;
    const step = nextStep(wishFor({}), state, model.observe());
    state = step.state;
    metrics.stepped('Drill', before, state, model.now);
    model.performAll(step.acts);
    model.tick();
    each(model, state);
  }
  const [sum, count] = ['sum', 'count'].map(async (what) => {
    const name = `causeway_failover_homeless_seconds_${what}`;
    const line = (await registry.metrics()).split('\n').find((one) => one.startsWith(name));
    return Number(line?.split(' ').at(-1) ?? 0);
  });
  return { state, seconds: (await sum) ?? 0, times: (await count) ?? 0 };
}

function spans({ phases, cause }: FailoverState): [string, number][] {
  return homelessTimes({ phases, ...(cause === undefined ? {} : { cause }) }).map(({ way, from, to }) => [
    way,
    (to ?? Infinity) - from,
  ]);
}

describe('the time in which no zone took writes', () => {
  it('of a drill is counted there and back, for people and for Prometheus', async () => {
    const { state, seconds, times } = await run();
    const [there, back] = spans(state);
    assert.deepEqual(there, ['there', state.figures.homelessMs]);
    assert.deepEqual([back?.[0], spans(state).length], ['back', 2]);
    assert.ok((back?.[1] ?? 0) > 0);
    assert.equal(times, 2);
    assert.equal(Math.round(1000 * seconds), (there?.[1] ?? 0) + (back?.[1] ?? 0));
  });

  it('of one that turns back before the home has left is counted until that takes writes again', async () => {
    const { state, seconds, times } = await run((model, { phase }) => {
      if (phase === 'Fence') model.silence('zone-b');
    });
    assert.deepEqual([state.phase, state.figures.homelessMs], ['RolledBack', undefined]);
    const [[way, ms] = []] = spans(state);
    assert.deepEqual([way, spans(state).length, times], ['there', 1, 1]);
    assert.ok((ms ?? 0) >= 15_000, `${ms}`);
    assert.equal(Math.round(1000 * seconds), ms);
  });

  it('goes on after the end when nobody took the home', () => {
    const phases = [{ name: 'RollingBack', step: 'Lift', startedAt: 5, endedAt: 10 }] as const;
    assert.deepEqual(homelessTimes({ phases, cause: 'HomeFenced' }), [
      { way: 'back', from: 5, to: undefined },
    ]);
    assert.deepEqual(homelessTimes({ phases }), [{ way: 'back', from: 5, to: 10 }]);
  });
});
