/** How failovers end that were aborted, paused, too slow, or met a gate that stayed shut: all is as it was, in every case. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare, reference } from './check.ts';
import { scenarioNamed } from './scenarios.ts';

interface Ended {
  phase: string;
  cause?: string;
  epoch?: number;
  moved: boolean;
  holds: boolean;
  /** Each phase, and the step of going back. */
  way: [string, string?][];
}

async function endOf(name: string): Promise<Ended> {
  const { state } = await reference(scenarioNamed(name));
  return state.get('ZoneFailover move') as Ended;
}

const THERE = ['Preflight', 'Prepare', 'Drain', 'Fence', 'Promote', 'Shift', 'Verify'];
const MOVED_BACK = ['CatchUp', 'Fence', 'Promote', 'Shift', 'GiveBack'];

const rolledBack = [
  { name: 'abort-in-drain', cause: 'Aborted', until: 'Drain', back: ['GiveBack'], epoch: 1 },
  { name: 'abort-in-fence', cause: 'Aborted', until: 'Fence', back: ['Lift', 'GiveBack'], epoch: 3 },
  { name: 'abort-in-hold', cause: 'Aborted', until: 'Hold', back: MOVED_BACK, epoch: 3 },
  { name: 'time-out', cause: 'TimedOut', until: 'Drain', back: ['GiveBack'], epoch: 1 },
  { name: 'lost-in-drain', cause: 'TimedOut', until: 'Fence', back: ['Lift', 'GiveBack'], epoch: 3 },
  { name: 'lost-in-shift', cause: 'TimedOut', until: 'Verify', back: MOVED_BACK, epoch: 3 },
] as const;

describe('a failover that does not go through', () => {
  for (const { name, cause, until, back, epoch } of rolledBack)
    it(`is undone: ${name}`, async () => {
      const { way, ...end } = await endOf(name);
      const there = [...THERE, 'Hold'];
      assert.deepEqual(
        way.map(([phase, step]) => step ?? phase),
        [...there.slice(0, there.indexOf(until) + 1), ...back],
      );
      assert.deepEqual(
        [end.phase, end.cause, end.epoch, end.moved, end.holds],
        ['RolledBack', cause, epoch, false, false],
      );
    });

  it('goes through when it was only paused, for longer than it may take', async () => {
    const { way, ...end } = await endOf('pause-in-drain');
    assert.deepEqual([end.phase, end.cause, end.holds], ['Succeeded', undefined, false]);
    assert.deepEqual(
      way.map(([phase, step]) => step ?? phase),
      [...THERE, 'Hold', ...MOVED_BACK],
    );
  });

  it('makes room for an Emergency when the home goes while a drill has it', async () => {
    const { way, ...end } = await endOf('home-lost-in-hold');
    assert.deepEqual([end.phase, end.cause, end.moved, end.holds], ['Failed', 'HomeLost', true, false]);
    assert.deepEqual(
      way.map(([phase, step]) => step ?? phase),
      [...THERE, 'Hold', 'CatchUp', 'GiveBack'],
    );
  });
});

describe('a run', () => {
  // In these nobody writes for minutes: the operator stands still when it gets calm, or its watches are broken.
  for (const seed of [24, 29])
    it(`is not judged before the operator could repair what was done to it: lost-in-shift, seed ${seed}`, async () => {
      const scenario = scenarioNamed('lost-in-shift');
      assert.equal(await compare(scenario, { kind: 'chaos', seed }, await reference(scenario)), undefined);
    });
});
