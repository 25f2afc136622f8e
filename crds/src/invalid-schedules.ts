import { invalidTerms } from './invalid-failovers.ts';
import { NOT_A_DURATION, spec } from './invalid-platforms.ts';
import type { InvalidPlatform } from './invalid-platforms.ts';

/** A DrillSchedule that is accepted. */
export const validSchedule = {
  apiVersion: 'causeway.dev/v1alpha1',
  kind: 'DrillSchedule',
  metadata: { name: 'tuesdays', namespace: 'default' },
  spec: { platform: 'orders', schedule: '0 10 * * TUE' },
};

const FIVE_FIELDS = 'schedule must have five fields';

/** DrillSchedules that must be refused, as small changes to {@link validSchedule}. */
export const invalidSchedules: readonly InvalidPlatform[] = [
  ...invalidTerms,
  {
    name: 'no platform',
    change: spec({ platform: null }),
    field: 'spec.platform',
    message: 'Required value',
  },
  {
    name: 'no schedule',
    change: spec({ schedule: null }),
    field: 'spec.schedule',
    message: 'Required value',
  },
  {
    name: 'a schedule with seconds',
    change: spec({ schedule: '0 0 10 * * TUE' }),
    field: 'spec.schedule',
    message: FIVE_FIELDS,
  },
  {
    name: 'a schedule with four fields',
    change: spec({ schedule: '0 10 * *' }),
    field: 'spec.schedule',
    message: FIVE_FIELDS,
  },
  {
    name: 'a schedule with a time zone in it',
    change: spec({ schedule: 'TZ=Europe/Berlin 0 10 * * TUE' }),
    field: 'spec.schedule',
    message: 'the time zone has a field of its own, timeZone',
  },
  {
    name: 'a schedule that is a wish',
    change: spec({ schedule: '@whenever' }),
    field: 'spec.schedule',
    message: FIVE_FIELDS,
  },
  {
    name: 'a time zone that depends on the machine',
    change: spec({ timeZone: 'Local' }),
    field: 'spec.timeZone',
    message: 'timeZone must be a name of the IANA database',
  },
  {
    name: 'no time zone',
    change: spec({ timeZone: '' }),
    field: 'spec.timeZone',
    message: 'should be at least 1 chars long',
  },
  {
    name: 'a window that is no duration',
    change: spec({ window: 'soon' }),
    field: 'spec.window',
    message: NOT_A_DURATION,
  },
  {
    name: 'a window that no operator can meet',
    change: spec({ window: '1s' }),
    field: 'spec.window',
    message: 'window must be from 30s to 24h',
  },
  {
    name: 'a window that is longer than a day',
    change: spec({ window: '25h' }),
    field: 'spec.window',
    message: 'window must be from 30s to 24h',
  },
  {
    name: 'a rotation of no zone',
    change: spec({ zones: [] }),
    field: 'spec.zones',
    message: 'should have at least 1 items',
  },
  {
    name: 'a zone twice in the rotation',
    change: spec({ zones: ['zone-a', 'zone-a'] }),
    field: 'spec.zones[1]',
    message: 'Duplicate value',
  },
  {
    name: 'a history of less than nothing',
    change: spec({ successfulDrillsHistoryLimit: -1 }),
    field: 'spec.successfulDrillsHistoryLimit',
    message: 'greater than or equal to 0',
  },
  {
    name: 'a name that leaves no room for those of its drills',
    change: { metadata: { name: 'x'.repeat(53) } },
    field: 'metadata.name',
    message: 'metadata.name must have at most 52 characters',
  },
];
