/** What Prometheus may know of rotations: how long their stages took, how they ended, and what pods showed. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { EndedRotation, PodProbe, Rotation, RotationStage } from '../certificates/index.ts';

const RESULTS: readonly EndedRotation['result'][] = ['Completed', 'RolledBack', 'Replaced'];

/** Where a rotation was and is. */
export interface RotationStep {
  before: Rotation | undefined;
  after: Rotation | undefined;
  last: EndedRotation | undefined;
  /** Milliseconds since the epoch. */
  now: number;
}

export interface RotationMetrics {
  /** Counts what a step changed. */
  stepped(step: RotationStep): void;
  /** The same probe, with its handshakes counted. */
  counted(probe: PodProbe): PodProbe;
}

/** Registers the figures on `registry`. */
export function rotationMetrics(registry: Registry): RotationMetrics {
  const stages = new Histogram({
    name: 'causeway_rotation_stage_duration_seconds',
    help: 'How long a rotation was in a stage.',
    labelNames: ['stage'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900],
    registers: [registry],
  });
  const rotations = new Counter({
    name: 'causeway_rotations_total',
    help: 'Rotations that ended, by result.',
    labelNames: ['result'],
    registers: [registry],
  });
  // From the start: an alert on the increase of what appears only with its first failure would miss that one.
  for (const result of RESULTS) rotations.inc({ result }, 0);
  const handshakes = new Counter({
    name: 'causeway_rotation_handshakes_total',
    help: 'TLS handshakes with pods to see which certificate they have.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  return {
    stepped(step) {
      const left = stageLeft(step);
      if (left !== undefined) stages.observe({ stage: left.stage }, left.seconds);
      if (step.before !== undefined && step.after === undefined && step.last !== undefined)
        rotations.inc({ result: step.last.result });
    },
    counted: (probe) => ({
      ...probe,
      async shake(target) {
        try {
          const shown = await probe.shake(target);
          handshakes.inc({ outcome: shown.refusal === undefined ? 'ok' : 'refused' });
          return shown;
        } catch (error) {
          handshakes.inc({ outcome: 'failed' });
          throw error;
        }
      },
    }),
  };
}

/** The stage that a step left, and how long the rotation was in it; undefined: it is in the same one. Pure. */
export function stageLeft({
  before,
  after,
  now,
}: RotationStep): { stage: RotationStage; seconds: number } | undefined {
  if (before === undefined || after?.stage === before.stage) return undefined;
  return { stage: before.stage, seconds: Math.max(0, now - before.stageSince) / 1000 };
}
