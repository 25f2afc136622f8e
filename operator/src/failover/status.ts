/** A failover's state as `.status` has it. Pure. */
import type { ZoneFailover, ZoneFailoverStatus } from '@causeway/crds';
import {
  fromRfc3339,
  setCondition,
  toMicroTime,
  type Condition,
  type ConditionInput,
} from '../controller/conditions.ts';
import { defined } from '../controller/defined.ts';
import { BEGIN, isOver, type FailoverState, type Phase, type PhaseEntry } from './state.ts';

/** Reads what {@link failoverStatus} wrote. */
export function stateOf({ status }: Pick<ZoneFailover, 'status'>): FailoverState {
  if (status?.phase === undefined) return BEGIN;
  const { phase, step, message = '', cause, home, epoch, replicas, moved = false, holds = false } = status;
  const times = { startedAt: status.startedAt, verifiedAt: status.verifiedAt, finishedAt: status.finishedAt };
  return {
    phase,
    message,
    moved,
    holds,
    pausedMs: status.pausedMs ?? 0,
    ...defined({ step, cause, home, epoch, replicas }),
    ...defined({ pausedSince: fromRfc3339(status.pausedSince), backSince: fromRfc3339(status.backSince) }),
    ...defined(Object.fromEntries(Object.entries(times).map(([name, text]) => [name, fromRfc3339(text)]))),
    phases: (status.phases ?? []).map((entry) => ({
      ...defined({ step: entry.step as PhaseEntry['step'], gate: entry.gate, waitingFor: entry.waitingFor }),
      name: entry.name as Phase,
      startedAt: Date.parse(entry.startedAt),
      ...defined({ endedAt: fromRfc3339(entry.endedAt) }),
    })),
    zones: status.zones ?? [],
    orders: status.orders ?? [],
    figures: status.figures ?? {},
    ...defined({ timeline: status.timeline }),
  };
}

/** The whole status. */
export function failoverStatus(
  { metadata, spec, status }: Pick<ZoneFailover, 'metadata' | 'spec' | 'status'>,
  state: FailoverState,
  now: number,
): ZoneFailoverStatus {
  const { startedAt, verifiedAt, finishedAt, pausedSince, backSince, pausedMs, orders, ...rest } = state;
  const times = { startedAt, verifiedAt, finishedAt, pausedSince, backSince };
  const before = (status?.conditions ?? []) as readonly Condition[];
  const observedGeneration = metadata.generation;
  const conditions = conditionsOf(state, spec.mode).reduce(
    (list, condition) => setCondition(list, { ...condition, observedGeneration }, now),
    before,
  );
  return {
    observedGeneration,
    ...rest,
    message: state.message.slice(0, 4096),
    ...(pausedMs === 0 ? {} : { pausedMs }),
    ...defined(Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, rfc3339(ms)]))),
    phases: state.phases.map(({ startedAt: from, endedAt, waitingFor, ...entry }) => ({
      ...entry,
      startedAt: toMicroTime(from),
      ...defined({ endedAt: rfc3339(endedAt), waitingFor: waitingFor?.slice(0, 1024) }),
    })),
    zones: [...state.zones],
    ...(orders.length === 0
      ? {}
      : { orders: orders.map(({ from, to, ...name }) => ({ ...name, from: [...from], to: [...to] })) }),
    conditions: [...conditions],
  };
}

function conditionsOf(
  { phase, cause, message, holds }: FailoverState,
  mode: ZoneFailover['spec']['mode'],
): Omit<ConditionInput, 'observedGeneration'>[] {
  const over = isOver(phase);
  const good = phase === 'Succeeded';
  const reason = over ? (cause ?? phase) : phase;
  const is = (type: string, holdsTrue: boolean): Omit<ConditionInput, 'observedGeneration'> => ({
    type,
    status: holdsTrue ? 'True' : 'False',
    reason,
    message: message === '' ? `It is in ${phase}.` : message,
  });
  const all = [is('Ready', good), is('Reconciling', !over), is('Stalled', over && !good)];
  if (mode !== 'Emergency' || !over) return all;
  return [...all, { ...is('ZoneReturned', !holds), reason: holds ? 'ZoneAway' : 'ZoneReturned' }];
}

/** True when only what people read differs: it need not be written at once. */
export function isOnlyProgress(before: ZoneFailoverStatus | undefined, after: ZoneFailoverStatus): boolean {
  if (before === undefined) return false;
  return JSON.stringify(essence(before)) === JSON.stringify(essence(after));
}

/** What decisions are made on. */
function essence(status: ZoneFailoverStatus): unknown {
  const {
    phase,
    step,
    cause,
    home,
    epoch,
    replicas,
    moved,
    holds,
    pausedSince,
    pausedMs,
    orders,
    backSince,
  } = status;
  const phases = (status.phases ?? []).map(({ name, step: of, startedAt, endedAt }) => [
    name,
    of,
    startedAt,
    endedAt,
  ]);
  const measured = Object.keys(status.figures ?? {}).sort();
  const { observedGeneration } = status;
  return [
    phase,
    step,
    cause,
    home,
    epoch,
    replicas,
    moved,
    holds,
    pausedSince,
    backSince,
    pausedMs,
    orders,
    phases,
    measured,
    observedGeneration,
  ];
}

function rfc3339(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toMicroTime(ms);
}
