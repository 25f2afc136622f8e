/** Where a failover is: what its status keeps, in the form that decisions are made on. Times in milliseconds since the epoch. */

import type { FailoverFigures, FailoverTimeline } from '@causeway/crds';

/** Where it is, or how it ended. */
export type Phase =
  | 'Queued'
  | 'Preflight'
  | 'Prepare'
  | 'Drain'
  | 'Fence'
  | 'Promote'
  | 'Shift'
  | 'Verify'
  | 'Hold'
  | 'Restore'
  | 'RollingBack'
  | 'Succeeded'
  | 'RolledBack'
  | 'Failed';

/** Of Restore and RollingBack. `Lift`: a home that was fenced, and never left, takes writes again. */
export type BackStep = 'CatchUp' | 'Fence' | 'Promote' | 'Shift' | 'Lift' | 'GiveBack';

/** The phases that come after each; a phase that has none is an end. */
export const NEXT_PHASES: Readonly<Record<Phase, readonly Phase[]>> = {
  Queued: ['Preflight', 'RolledBack', 'Failed'],
  Preflight: ['Prepare', 'RolledBack', 'Failed'],
  Prepare: ['Drain', 'RollingBack'],
  Drain: ['Fence', 'Verify', 'RollingBack'],
  Fence: ['Promote', 'RollingBack'],
  Promote: ['Shift', 'RollingBack', 'Failed'],
  Shift: ['Verify', 'RollingBack', 'Failed'],
  Verify: ['Hold', 'Restore', 'RollingBack', 'Succeeded', 'Failed'],
  Hold: ['Restore', 'RollingBack'],
  Restore: ['Succeeded', 'Failed'],
  RollingBack: ['RolledBack', 'Failed'],
  Succeeded: [],
  RolledBack: [],
  Failed: [],
};

/** True when nothing comes after it. */
export function isOver(phase: Phase): boolean {
  return NEXT_PHASES[phase].length === 0;
}

/** A phase, or a step of going back, and the gate that it waits at. */
export interface PhaseEntry {
  name: Phase;
  step?: BackStep;
  startedAt: number;
  endedAt?: number;
  gate?: string;
  waitingFor?: string;
}

/** What was measured; what was not is absent. */
export type Figures = FailoverFigures;

/** One zone, as people follow it. */
export interface ZoneCount {
  name: string;
  ready: number;
  desired: number;
  connections?: number;
}

/** The order in which a Kafka partition prefers its replicas as leaders, changed for as long as the zone is away. Brokers by node id. */
export interface ChangedOrder {
  topic: string;
  partition: number;
  /** Before: it is given back. */
  from: readonly number[];
  /** Meanwhile. */
  to: readonly number[];
}

export interface FailoverState {
  phase: Phase;
  step?: BackStep;
  /** For a person: what it waits for, why it goes back, how it ended. */
  message: string;
  /** Why it goes back or has failed, for programs. */
  cause?: string;
  startedAt?: number;
  verifiedAt?: number;
  finishedAt?: number;
  pausedSince?: number;
  pausedMs: number;
  /** The move of the home; undefined: the zone that is left is not home. */
  home?: { from: string; to: string };
  /** Highest epoch that it has used, or met at the start. It only grows. */
  epoch?: number;
  /** Gateway pods that each other zone has meanwhile; undefined: an autoscaler decides. */
  replicas?: number;
  /** After an automatic Emergency: since when the zone is back without a break. */
  backSince?: number;
  /** The home has left the zone, and has not come back. */
  moved: boolean;
  /** Something of the platform is changed that is to be given back. */
  holds: boolean;
  phases: readonly PhaseEntry[];
  zones: readonly ZoneCount[];
  /** What is to be given back in Kafka. */
  orders: readonly ChangedOrder[];
  figures: Figures;
  /** Clients and replication over time; undefined: nothing was seen yet. */
  timeline?: FailoverTimeline;
}

/** A failover that nobody has looked at. */
export const BEGIN: FailoverState = {
  phase: 'Queued',
  message: '',
  pausedMs: 0,
  moved: false,
  holds: false,
  phases: [],
  zones: [],
  orders: [],
  figures: {},
};

/** When the present phase, or step of going back, began. */
export function phaseSince({ phases }: FailoverState, now: number): number {
  return phases.at(-1)?.startedAt ?? now;
}

/** Phases, and steps of going back, in which the platform may have no home that takes writes: nothing stops there. */
export const HOMELESS: ReadonlySet<Phase | BackStep> = new Set(['Fence', 'Promote', 'Shift', 'Lift']);

/** How often it is looked while something is waited for and nobody has a home, or an Emergency waits; milliseconds. */
export const POLL = 200;
/** The same while there is one: each look takes time of all who serve meanwhile (docs/adr/0085). */
export const PATIENT_POLL = 1_000;

/** How soon it is looked again for what is waited for, milliseconds. */
export function pollOf({ phase, step }: FailoverState, { isUrgent }: { isUrgent: boolean }): number {
  return isUrgent || HOMELESS.has(step ?? phase) ? POLL : PATIENT_POLL;
}

/** Why it ends with a home that takes no writes, as far as anybody knows: fenced, or gone while it was lent. */
export const HOMELESS_CAUSES: ReadonlySet<string> = new Set(['HomeFenced', 'HomeLost']);

/** How long a move of the home may take before it counts as one that waits for something; milliseconds. */
const MOVE_MS = 5_000;

/** How long gateways have, once the home has arrived, to come back to it; milliseconds. */
const RETURN_MS = 1_500;

/** The home is on its way from one zone to another, there or back, or gateways on theirs after it: nobody takes writes, or few can. */
export function isMovingHome({ phase, step, phases }: FailoverState, now: number): boolean {
  const lastBegin = (of: Phase | BackStep): number | undefined =>
    phases.findLast((entry) => (entry.step ?? entry.name) === of)?.startedAt;
  const began = lastBegin('Fence');
  if (began === undefined || now - began >= MOVE_MS) return false;
  const arrived = lastBegin('Shift') ?? 0;
  return HOMELESS.has(step ?? phase) || (arrived >= began && now - arrived < RETURN_MS);
}

/**
 * A zone was to be promoted, and it is not known that it arrived: it may take writes, or begin to when the request arrives
 * late. Arrived is what was followed by a Shift.
 */
export function isUnsettled({ phases }: FailoverState): boolean {
  const settled = phases.findLastIndex(({ name, step }) => (step ?? name) === 'Shift');
  return phases
    .slice(settled + 1)
    .some(({ name, step, endedAt }) => endedAt !== undefined && ASKING.has(step ?? name));
}

/** Where a zone is asked to take writes. */
const ASKING = new Set<Phase | BackStep>(['Promote', 'Lift']);

/** The state in its next phase. Throws for a way that there is not: that is a bug, and must not be saved. */
export function enter(
  state: FailoverState,
  now: number,
  to: { phase: Phase; step?: BackStep; message?: string; cause?: string },
): FailoverState {
  const { phase, step, message = '', cause } = to;
  if (phase !== state.phase && !NEXT_PHASES[state.phase].includes(phase))
    throw new Error(`a failover does not go from ${state.phase} to ${phase}`);
  const { step: _step, ...rest } = state;
  const before = state.phases.map((entry, index) =>
    index === state.phases.length - 1 && entry.endedAt === undefined ? ended(entry, now) : entry,
  );
  const over = isOver(phase);
  const entry = { name: phase, ...(step === undefined ? {} : { step }), startedAt: now };
  return {
    ...rest,
    phase,
    message,
    ...(step === undefined ? {} : { step }),
    ...(cause === undefined ? {} : { cause }),
    ...(over ? { finishedAt: now } : {}),
    phases: over ? before : [...before, entry].slice(-MAX_PHASES),
  };
}

/** As the CRD allows. */
const MAX_PHASES = 64;

function ended({ waitingFor: _waitingFor, ...entry }: PhaseEntry, now: number): PhaseEntry {
  return { ...entry, endedAt: now };
}

/** The state with what it waits for now. */
export function waitingAt(
  state: FailoverState,
  gate: { name: string; waitingFor: string } | undefined,
): FailoverState {
  const last = state.phases.at(-1);
  const message = gate?.waitingFor ?? '';
  if (last === undefined || last.endedAt !== undefined) return { ...state, message };
  const { waitingFor: _waitingFor, gate: before, ...entry } = last;
  const name = gate?.name ?? before;
  const now: PhaseEntry = {
    ...entry,
    ...(name === undefined ? {} : { gate: name }),
    ...(gate === undefined ? {} : { waitingFor: gate.waitingFor }),
  };
  return { ...state, message, phases: [...state.phases.slice(0, -1), now] };
}
