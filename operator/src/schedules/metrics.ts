/** What Prometheus may know of schedules. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ScheduleObject } from './ports.ts';
import { stateOf } from './state.ts';
import type { Story } from './story.ts';

export interface ScheduleMetrics {
  /** Counts what happened. */
  told(story: Story): void;
}

/** Registers the figures on `registry`. `schedules`: those that there are, at the time of the scrape. */
export function scheduleMetrics(
  registry: Registry,
  schedules: () => readonly ScheduleObject[],
): ScheduleMetrics {
  const drills = new Counter({
    name: 'causeway_scheduled_drills_total',
    help: 'What became of drills of schedules: started, succeeded, failed, interrupted by an Emergency, or skipped.',
    labelNames: ['result'],
    registers: [registry],
  });
  const gauge = (name: string, help: string, of: (schedule: ScheduleObject) => number | undefined): void => {
    const made = new Gauge({
      name,
      help,
      labelNames: ['namespace', 'schedule'],
      registers: [registry],
      collect: () => {
        // A schedule that has gone leaves no figure behind.
        made.reset();
        for (const schedule of schedules()) {
          const value = of(schedule);
          const { namespace, name: called } = schedule.metadata;
          if (value !== undefined) made.set({ namespace, schedule: called }, value);
        }
      },
    });
  };
  gauge(
    'causeway_drill_schedule_stopped',
    '1 while a failed drill has stopped the schedule, else 0.',
    ({ status }) => (stateOf(status).failed === undefined ? 0 : 1),
  );
  gauge(
    'causeway_drill_schedule_last_success_timestamp_seconds',
    'When a drill of the schedule last ended well, in Unix time.',
    ({ status }) => {
      const at = stateOf(status).lastSucceededAt;
      return at === undefined ? undefined : at / 1000;
    },
  );
  return {
    told: ({ what }) => {
      if (what !== 'Resumed') drills.inc({ result: what.toLowerCase() });
    },
  };
}
