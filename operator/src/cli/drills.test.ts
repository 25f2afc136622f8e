import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { scheduleOf } from '../schedules/testing/schedule.ts';
import { drillsText, drillsView, type DrillsTextOptions } from './drills-text.ts';
import { styleOf } from './io.ts';

const NOW = Date.UTC(2026, 10, 24, 10, 5);
const plain: DrillsTextOptions = { style: styleOf({ colour: false }), now: NOW, namespaces: false };

type Status = NonNullable<ReturnType<typeof scheduleOf>['status']>;

function ready(status: 'True' | 'False', reason: string, message: string): NonNullable<Status['conditions']> {
  return [{ type: 'Ready', status, reason, message, lastTransitionTime: '2026-11-24T10:00:00Z' }];
}

const good = scheduleOf({
  status: {
    observedGeneration: 1,
    lastScheduleTime: '2026-11-23T10:00:00Z',
    lastZone: 'zone-a',
    nextScheduleTime: '2026-11-25T10:00:00Z',
    nextZone: 'zone-b',
    conditions: ready('True', 'Scheduled', 'The next drill is due.'),
  },
});
const stopped = scheduleOf({
  spec: { schedule: '0 10 * * TUE', timeZone: 'Europe/Berlin' },
  status: {
    observedGeneration: 1,
    failed: {
      name: 'daily-1',
      zone: 'zone-c',
      time: '2026-11-24T10:02:00Z',
      reason: 'TimedOut',
      message: 'Late.',
      generation: 1,
    },
    lastScheduleTime: '2026-11-24T10:00:00Z',
    lastZone: 'zone-c',
    conditions: ready('False', 'DrillFailed', 'Drill daily-1 failed.'),
  },
});

describe('drills', () => {
  it('are a table that lines up, with marks where somebody has to look', () => {
    const views = [good, stopped, scheduleOf({ spec: { suspend: true } })].map(drillsView);
    assert.equal(
      drillsText(views, plain),
      [
        '  NAME   PLATFORM  SCHEDULE                      READY    LAST    LAST-ZONE  NEXT    NEXT-ZONE  MESSAGE',
        '  daily  orders    0 10 * * *                    True     1d ago  zone-a     in 23h  zone-b     The next drill is due.',
        '! daily  orders    0 10 * * TUE (Europe/Berlin)  False    5m ago  zone-c     -       -          Drill daily-1 failed.',
        '~ daily  orders    0 10 * * *                    Unknown  -       -          -       -          The operator has not looked at it as it is now.',
        '',
      ].join('\n'),
    );
  });

  it('have their namespace when they are of several', () => {
    const [head, row] = drillsText([drillsView(good)], { ...plain, namespaces: true }).split('\n');
    assert.match(head ?? '', /^ {2}NAMESPACE {2}NAME/);
    assert.match(row ?? '', /^ {2}messaging {2}daily/);
  });

  it('are for programs as they are in the API', () => {
    const { ready: is, active, last, next, stopped: isStopped } = drillsView(good);
    assert.deepEqual(
      { is, active, last, next, isStopped },
      {
        is: 'True',
        active: undefined,
        last: { scheduledTime: '2026-11-23T10:00:00Z', zone: 'zone-a' },
        next: { scheduledTime: '2026-11-25T10:00:00Z', zone: 'zone-b' },
        isStopped: false,
      },
    );
    assert.equal(drillsView(stopped).stopped, true);
  });

  it('are not known while the operator has not seen the latest change', () => {
    assert.equal(drillsView({ ...good, metadata: { ...good.metadata, generation: 2 } }).ready, 'Unknown');
  });
});
