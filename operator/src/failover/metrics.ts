/** What Prometheus may know of failovers. */
import type { ZoneFailoverSpec } from '@causeway/crds';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { hasHomeAgain, homelessTimes } from './homeless.ts';
import { isOver, NEXT_PHASES, phaseSince, type FailoverState, type Phase } from './state.ts';

const MODES: readonly ZoneFailoverSpec['mode'][] = ['Drill', 'Planned', 'Emergency'];
const RESULTS = (Object.keys(NEXT_PHASES) as Phase[]).filter(isOver);

export interface FailoverMetrics {
  /** Counts what a step changed. `now`: milliseconds since the epoch. */
  stepped(mode: string, before: FailoverState, after: FailoverState, now: number): void;
  /** An act that could not be done. */
  failed(act: string): void;
}

/** Registers the figures on `registry`. `underWay`: how many failovers have begun, and not ended. */
export function failoverMetrics(registry: Registry, underWay: () => number): FailoverMetrics {
  const phases = new Histogram({
    name: 'causeway_failover_phase_duration_seconds',
    help: 'How long a failover was in a phase, or in a step of going back.',
    labelNames: ['mode', 'phase'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900],
    registers: [registry],
  });
  const failovers = new Counter({
    name: 'causeway_failovers_total',
    help: 'Failovers that ended, by mode and result.',
    labelNames: ['mode', 'result'],
    registers: [registry],
  });
  // From the start: an alert on the increase of what appears only with its first failure would miss that one.
  for (const mode of MODES) for (const result of RESULTS) failovers.inc({ mode, result }, 0);
  const homeless = new Histogram({
    name: 'causeway_failover_homeless_seconds',
    help: 'How long no zone took writes: once for each move of the home, there and back, and for each that was given up.',
    labelNames: ['mode'],
    buckets: [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60],
    registers: [registry],
  });
  const failures = new Counter({
    name: 'causeway_failover_act_failures_total',
    help: 'Acts of failovers that could not be done, and are tried again.',
    labelNames: ['act'],
    registers: [registry],
  });
  const active: Gauge = new Gauge({
    name: 'causeway_failovers_under_way',
    help: 'Failovers that have begun, and not ended.',
    registers: [registry],
    collect: () => {
      active.set(underWay());
    },
  });
  return {
    stepped(mode, before, after, now) {
      if (before.phase === after.phase && before.step === after.step) return;
      const phase = before.step === undefined ? before.phase : `${before.phase}/${before.step}`;
      if (before.phase !== 'Queued') phases.observe({ mode, phase }, (now - phaseSince(before, now)) / 1000);
      const [last] = hasHomeAgain(before, after) ? homelessTimes(after).slice(-1) : [];
      if (last !== undefined) homeless.observe({ mode }, ((last.to ?? now) - last.from) / 1000);
      if (isOver(after.phase)) failovers.inc({ mode, result: after.phase });
    },
    failed: (act) => failures.inc({ act }),
  };
}
