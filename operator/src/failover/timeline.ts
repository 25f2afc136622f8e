/**
 * A failover over time, for reports: kept in its status, and therefore small (docs/adr/0064-failover-report.md). Pure.
 */
import type { FailoverSample, FailoverTimeline } from '@causeway/crds';
import { connectionsOf } from './gates.ts';
import { redisLag } from './move.ts';
import type { Observed, ZoneSight } from './observed.ts';
import { isOver, type FailoverState } from './state.ts';

/** Samples that are kept at most, as the CRD has it. */
export const MAX_SAMPLES = 120;
/** Milliseconds between two samples at first. */
export const FIRST_EVERY_MS = 1_000;

/** What a look showed. */
type Values = Omit<FailoverSample, 'atMs'>;

/** The state with what this look shows, if that is new. Before the start, and after the end, nothing is noted. */
export function withSample(state: FailoverState, seen: Observed): FailoverState {
  if (state.startedAt === undefined) return state;
  const values = valuesOf(seen);
  if (Object.keys(values).length === 0) return state;
  const sample = { atMs: Math.max(0, seen.now - state.startedAt), ...values };
  const timeline = noted(state.timeline, sample, { last: isOver(state.phase) });
  return timeline === state.timeline ? state : { ...state, timeline };
}

/** What a look showed; what was not asked is absent. */
function valuesOf(seen: Observed): Values {
  const { zones, counted } = seen;
  const asked = zones.some(({ etcd, redis }) => etcd !== undefined || redis !== undefined);
  return {
    ...(counted ? { connections: byZone(zones, connectionsOf) } : {}),
    ...(asked && seen.moves.etcd ? { etcdLag: byZone(zones, ({ etcd }) => etcd?.behind) } : {}),
    ...(asked && seen.moves.redis ? { redisLag: byZone(zones, (zone) => redisBehind(zone, seen)) } : {}),
  };
}

function byZone(
  zones: readonly ZoneSight[],
  value: (zone: ZoneSight) => number | undefined,
): Record<string, number> {
  const known = zones.map((zone) => [zone.name, value(zone)] as const);
  return Object.fromEntries(known.flatMap(([name, one]) => (one === undefined ? [] : [[name, one]])));
}

/** Bytes that a replica lacks of the zone that it follows, if that is the home; offsets of others do not compare. */
function redisBehind(zone: ZoneSight, { zones, home }: Observed): number | undefined {
  if (zone.redis?.role !== 'replica' || zone.redis.follows !== home) return undefined;
  const source = zones.find(({ name, redis }) => name === home && redis?.role === 'primary');
  const behind = redisLag(source, zone);
  // Both are asked at about the same time, and the replica may answer a moment later.
  return behind === undefined ? undefined : Math.max(0, behind);
}

/**
 * The timeline with one more sample: the first, the last, and between them such as show something new and are not too
 * close. When it is full every other one goes, and from then on the samples lie twice as far apart. The same object:
 * there is nothing to be noted.
 */
export function noted(
  timeline: FailoverTimeline | undefined,
  sample: FailoverSample,
  { last }: { last: boolean },
): FailoverTimeline {
  if (timeline === undefined) return { everyMs: FIRST_EVERY_MS, samples: [sample] };
  const { everyMs, samples } = timeline;
  const gap = sample.atMs - (samples.at(-1)?.atMs ?? -1);
  // Another operator, whose clock is behind, may go on: order counts more than that look.
  if (gap <= 0) return timeline;
  if (!last && (gap < everyMs || !isNews(samples, sample))) return timeline;
  const all = [...samples, sample];
  if (all.length <= MAX_SAMPLES) return { everyMs, samples: all };
  const thinned = all.filter((_, index) => index % 2 === 0 || index === all.length - 1);
  return { everyMs: 2 * everyMs, samples: thinned };
}

const PARTS = ['connections', 'etcdLag', 'redisLag'] as const;

/** It shows something that differs from when that was last asked. */
function isNews(samples: readonly FailoverSample[], sample: FailoverSample): boolean {
  return PARTS.some((part) => {
    const now = sample[part];
    if (now === undefined) return false;
    const before = samples.findLast((one) => one[part] !== undefined)?.[part];
    return before === undefined || !areEqual(now, before);
  });
}

function areEqual(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
