/** A failover as a report has it: what the status says, in times since the start, with what it adds up to. Pure. */
import type {
  FailoverFigures,
  FailoverPhaseStatus,
  FailoverSample,
  ZoneFailover,
  ZoneFailoverStatus,
} from '@causeway/crds';
import { homelessTimes, isOver, stateOf, type FailoverObject, type Homeless } from '../../failover/index.ts';
import { distributionOf, type Distribution, type Measurements } from './measurements.ts';

/** How it stands: `Refused` is a failure before anything was touched. */
export type Outcome = 'Waiting' | 'UnderWay' | 'Succeeded' | 'RolledBack' | 'Refused' | 'Failed';

/** A phase, or a step of going back. */
export interface ReportPhase {
  name: string;
  step?: string;
  /** Milliseconds from the start of the failover. */
  fromMs: number;
  /** Until its end, or until now. */
  tookMs: number;
  /** False: it is in this one. */
  ended: boolean;
  gate?: string;
  waitingFor?: string;
}

/** A time in which no zone took writes. */
export interface WithoutWrites {
  /** On the way to the next home, also when it turned back; or on the way back. */
  way: Homeless['way'];
  /** Milliseconds from the start of the failover. */
  fromMs: number;
  /** Until a zone took writes again, or until now, or until the end of the failover. */
  tookMs: number;
  /** False: no zone takes writes. */
  ended: boolean;
}

/** What `-o json` writes. Fields are only ever added. Times are RFC 3339, spans milliseconds unless they say otherwise. */
export interface FailoverReport {
  writtenAt: string;
  namespace: string;
  name: string;
  platform: string;
  fromZone: string;
  mode: ZoneFailover['spec']['mode'];
  outcome: Outcome;
  phase: string;
  step?: string;
  paused: boolean;
  /** Why it went back or failed, as a word for programs. */
  cause?: string;
  message?: string;
  startedAt?: string;
  verifiedAt?: string;
  finishedAt?: string;
  /** From its start to its end, or until now. */
  tookMs?: number;
  /** Of these, how long it was paused. */
  pausedMs: number;
  home?: { from: string; to: string };
  epoch?: number;
  /** The home is not where it was. */
  moved: boolean;
  /** Something is still to be given back to the zone. */
  holds: boolean;
  limits: ZoneFailover['spec']['limits'];
  holdFor?: string;
  phases: ReportPhase[];
  /** By the phases, both ways; `figures.homelessMs` is only the way to a next home that was reached. */
  withoutWrites: WithoutWrites[];
  zones: NonNullable<ZoneFailoverStatus['zones']>;
  figures: FailoverFigures;
  /** Least time between two samples, and the samples; empty when nothing was noted. */
  timeline: { everyMs: number; samples: FailoverSample[] };
  /** Clients of all zones together, at the samples in which every zone answered; absent when there are none. */
  clients?: { atStart: number; fewest: number; fewestAtMs: number; atEnd: number };
  /** What was measured by clients; absent: not measured. */
  reconnect?: Distribution;
  blackout?: Distribution;
  acknowledged?: number;
  lost?: number;
  duplicated?: number;
}

/** Puts a report together. `now`: milliseconds since the epoch. */
export function reportOf(
  failover: FailoverObject,
  { now, measurements = {} }: { now: number; measurements?: Measurements },
): FailoverReport {
  const { metadata, spec, status = {} } = failover;
  const { startedAt, finishedAt, zones = [], figures = {} } = status;
  const start = Date.parse(startedAt ?? metadata.creationTimestamp);
  const end = finishedAt === undefined ? now : Date.parse(finishedAt);
  const samples = status.timeline?.samples ?? [];
  return {
    writtenAt: new Date(now).toISOString(),
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    platform: spec.platform,
    fromZone: spec.fromZone,
    mode: spec.mode,
    outcome: outcomeOf(failover),
    ...whereOf(status),
    ...(startedAt === undefined ? {} : { tookMs: Math.max(0, end - start) }),
    pausedMs: pausedFor(status, end),
    limits: spec.limits,
    ...present({ holdFor: spec.drill?.holdFor }),
    phases: (status.phases ?? []).map((entry) => phaseOf(entry, { start, end })),
    withoutWrites: homelessTimes(stateOf(failover)).map(({ way, from, to }) => ({
      way,
      fromMs: from - start,
      tookMs: Math.max(0, (to ?? end) - from),
      ended: to !== undefined,
    })),
    zones,
    figures,
    timeline: { everyMs: status.timeline?.everyMs ?? 0, samples },
    ...present({ clients: clientsOf(totalsOf({ zones, samples })) }),
    ...measuredOf(measurements),
  };
}

type Where = 'step' | 'cause' | 'message' | 'startedAt' | 'verifiedAt' | 'finishedAt' | 'home' | 'epoch';

/** What the status says as it is. */
function whereOf(
  status: ZoneFailoverStatus,
): Pick<FailoverReport, Where | 'phase' | 'paused' | 'moved' | 'holds'> {
  const { phase = 'Queued', step, cause, message, startedAt, verifiedAt, finishedAt, home, epoch } = status;
  return {
    phase,
    paused: status.pausedSince !== undefined && finishedAt === undefined,
    ...present({ step, cause, message, startedAt, verifiedAt, finishedAt, home, epoch }),
    moved: status.moved === true,
    holds: status.holds === true,
  };
}

type Measured = 'reconnect' | 'blackout' | 'acknowledged' | 'lost' | 'duplicated';

function measuredOf(measurements: Measurements): Pick<FailoverReport, Measured> {
  const { reconnectSeconds, blackoutSeconds, acknowledged, lost, duplicated } = measurements;
  return present({
    reconnect: distributionOf(reconnectSeconds),
    blackout: distributionOf(blackoutSeconds),
    acknowledged,
    lost,
    duplicated,
  });
}

function outcomeOf(failover: FailoverObject): Outcome {
  const { phase, phases } = stateOf(failover);
  if (phase === 'Queued') return 'Waiting';
  if (!isOver(phase)) return 'UnderWay';
  if (phase === 'Succeeded' || phase === 'RolledBack') return phase;
  return phases.every(({ name }) => name === 'Queued' || name === 'Preflight') ? 'Refused' : 'Failed';
}

function pausedFor({ pausedMs = 0, pausedSince }: ZoneFailoverStatus, end: number): number {
  return pausedMs + (pausedSince === undefined ? 0 : Math.max(0, end - Date.parse(pausedSince)));
}

function phaseOf(entry: FailoverPhaseStatus, { start, end }: { start: number; end: number }): ReportPhase {
  const from = Date.parse(entry.startedAt);
  const to = entry.endedAt === undefined ? end : Date.parse(entry.endedAt);
  return {
    name: entry.name,
    ...present({ step: entry.step }),
    // Queued is before the start.
    fromMs: from - start,
    tookMs: Math.max(0, to - from),
    ended: entry.endedAt !== undefined,
    ...present({ gate: entry.gate, waitingFor: entry.waitingFor }),
  };
}

function clientsOf(totals: readonly { atMs: number; total: number }[]): FailoverReport['clients'] {
  const [first] = totals;
  if (first === undefined) return undefined;
  const least = totals.reduce((a, b) => (b.total < a.total ? b : a));
  const atEnd = totals.at(-1)?.total ?? first.total;
  return { atStart: first.total, fewest: least.total, fewestAtMs: least.atMs, atEnd };
}

/** Clients of all zones together. A zone that did not answer makes the sum of that sample unknown. */
export function totalsOf({
  zones,
  samples,
}: {
  zones: readonly { name: string }[];
  samples: readonly FailoverSample[];
}): { atMs: number; total: number }[] {
  return samples.flatMap(({ atMs, connections }) => {
    if (connections === undefined || zones.some(({ name }) => connections[name] === undefined)) return [];
    return [{ atMs, total: Object.values(connections).reduce((sum, one) => sum + one, 0) }];
  });
}

/** Names of all zones that a part of the samples has, in order. */
export function zonesIn(
  samples: readonly FailoverSample[],
  part: 'connections' | 'etcdLag' | 'redisLag',
): string[] {
  return [...new Set(samples.flatMap((sample) => Object.keys(sample[part] ?? {})))].sort();
}

/** Without what is undefined. */
function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
