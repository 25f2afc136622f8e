/**
 * A zone's failover as a rollout: what comes next, as a pure decision (docs/adr/0060-zone-failover.md). What is saved is
 * only what cannot be read off the platform; each look decides anew from both.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseDuration } from '@causeway/crds';
import { giveBack, returnStep } from './back.ts';
import {
  answers,
  candidates,
  capacityGate,
  connectionsOf,
  firstShut,
  gatewaysGate,
  isDeaf,
  isDeserted,
  movesHome,
  othersOf,
  preflightGates,
  refusal,
  shut,
  takeoverReplicas,
  zoneOf,
  type Gate,
  type GateCheck,
} from './gates.ts';
import { leadersAway, leadersBack, leadersLeft } from './leaders.ts';
import {
  fence,
  followersGate,
  guard,
  hasMoved,
  HOMELESS_PATIENCE,
  isComingBack,
  nextEpoch,
  oldHomeActs,
  promote,
  redisLag,
  shift,
  type Move,
  type Part,
} from './move.ts';
import type { Act, FailoverWish, GatewaySight, Observed, ZoneSight } from './observed.ts';
import {
  enter,
  HOMELESS,
  HOMELESS_CAUSES,
  isOver,
  isUnsettled,
  PATIENT_POLL,
  phaseSince,
  POLL,
  pollOf,
  waitingAt,
  type FailoverState,
  type Phase,
} from './state.ts';
import { withSample } from './timeline.ts';

/** What comes next: `state` is to be saved before `acts` are done. */
export interface FailoverStep {
  state: FailoverState;
  acts: readonly Act[];
  /** Look again after so many milliseconds; undefined: only when something changes. */
  lookAfter: number | undefined;
}

/** How often it is looked while it only waits for its turn or for a person, milliseconds. */
const IDLE = 2_000;
/** How long Preflight waits for what may come right by itself, milliseconds. */
export const PREFLIGHT_PATIENCE = 30_000;
/** How long an Emergency tries one next home that has gone before it takes another, milliseconds. */
export const TARGET_PATIENCE = 5_000;
/** The same for one that answers, and does not become home; milliseconds. */
export const STUCK_PATIENCE = 30_000;
/** How long clients that were sent away have to be somewhere else, milliseconds: SDKs wait for up to a second first. */
export const ARRIVAL = 3_000;
/** How long a zone must be back without a break, after an automatic Emergency, before it serves; milliseconds. */
export const STEADY = 30_000;
/** How long a drill is held that says nothing, as the CRD has it. */
const HOLD = '30s';

/** Phases in which nothing of the platform is changed yet. */
const UNTOUCHED = new Set<Phase>(['Queued', 'Preflight']);
/** Phases from which an abort goes back. From Promote and Shift it does once the home has arrived. */
const ABORTABLE = new Set<Phase>(['Prepare', 'Drain', 'Fence', 'Verify', 'Hold']);
const ARRIVING = new Set<Phase>(['Promote', 'Shift']);

/** Decides the next step of a failover. */
export function nextStep(wish: FailoverWish, before: FailoverState, seen: Observed): FailoverStep {
  if (isOver(before.phase)) return aftercare(wish, before, seen);
  const step = underWay(wish, before, seen);
  return { ...step, state: withSample(step.state, seen) };
}

function underWay(wish: FailoverWish, before: FailoverState, seen: Observed): FailoverStep {
  const state = withPause(wish, withCounts(before, seen), seen);
  const ended = endedEarly(wish, state, seen);
  if (ended !== undefined) return go(resumed(ended, seen));
  if (state.pausedSince !== undefined) return paused(wish, state, seen);
  switch (state.phase) {
    case 'Queued':
      return queued(wish, state, seen);
    case 'Preflight':
      return preflight(wish, state, seen);
    case 'Prepare':
      return prepare(wish, state, seen);
    case 'Drain':
      return drain(wish, state, seen);
    case 'Fence':
    case 'Promote':
    case 'Shift':
      return moveHome(wish, state, seen);
    case 'Verify':
      return verify(wish, state, seen);
    case 'Hold':
      return hold(wish, state, seen);
    default:
      return returnStep(wish, state, seen);
  }
}

/** A change of state that nothing is done for yet. */
function go(state: FailoverState): FailoverStep {
  return { state, acts: [], lookAfter: 0 };
}

function rest(
  state: FailoverState,
  gate: Gate | undefined,
  lookAfter: number,
  acts: readonly Act[] = [],
): FailoverStep {
  return { state: waitingAt(state, gate), acts, lookAfter };
}

function wait({ spec }: FailoverWish, state: FailoverState, { gate, acts }: Part): FailoverStep {
  return rest(state, gate, pollOf(state, { isUrgent: spec.mode === 'Emergency' }), acts);
}

/** Since when it rests. A pause that comes where it goes on all the same stops no clock. */
function withPause(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverState {
  const isPaused = wish.spec.pause === true && mayRest(wish, state, seen);
  if (!isPaused) return resumed(state, seen);
  return { ...state, pausedSince: state.pausedSince ?? seen.now };
}

function resumed({ pausedSince, ...state }: FailoverState, { now }: Observed): FailoverState {
  return pausedSince === undefined ? state : { ...state, pausedMs: state.pausedMs + now - pausedSince };
}

/** It stops for a pause only while some zone takes writes, never on the way back, and never in the way of an Emergency. */
function mayRest({ spec }: FailoverWish, state: FailoverState, { emergency }: Observed): boolean {
  const { phase, step, cause = '' } = state;
  if (phase === 'RollingBack' || HOMELESS.has(step ?? phase) || HOMELESS_CAUSES.has(cause)) return false;
  return spec.mode === 'Emergency' || emergency === undefined;
}

/** It goes no further; what has come so far is kept so. */
function paused(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const gate = shut('Paused', 'It is paused: causeway failover pause --resume goes on.');
  const isLeft = state.phase === 'Verify' || state.phase === 'Hold';
  const acts = isLeft ? upkeep(wish, state, seen) : oldHomeActs(state, seen);
  const isUrgent = wish.spec.mode === 'Emergency' && isComingBack(state, seen);
  return rest(state, gate, isUrgent ? POLL : IDLE, acts);
}

/** Clients and gateways by zone, as they are now. */
function withCounts(state: FailoverState, { zones, counted }: Observed): FailoverState {
  const counts = zones.map((zone) => {
    const { name, ready, desired } = zone;
    const before = state.zones.find((one) => one.name === name)?.connections;
    const connections = counted ? connectionsOf(zone) : before;
    return { name, ready, desired, ...(connections === undefined ? {} : { connections }) };
  });
  return { ...state, zones: counts };
}

/** Time that it has had, without what it rested for. */
function elapsed({ startedAt, pausedSince, pausedMs }: FailoverState, { now }: Observed): number {
  return (pausedSince ?? now) - (startedAt ?? now) - pausedMs;
}

/** It has had its time. An Emergency that found its home only after that has as long again for what is left. */
function isLate({ spec }: FailoverWish, state: FailoverState, seen: Observed): boolean {
  const timeout = parseDuration(spec.limits.timeout);
  const { startedAt = seen.now, pausedMs } = state;
  const arrivedAt = state.phases.findLast(({ name }) => name === 'Shift')?.startedAt ?? startedAt;
  const arrivedLate = spec.mode === 'Emergency' && arrivedAt - startedAt - pausedMs >= timeout;
  return elapsed(state, seen) >= timeout && !(arrivedLate && seen.now - arrivedAt < timeout);
}

/** The way back, when it is aborted or out of time. */
function endedEarly(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverState | undefined {
  const aborted = abortReason(wish, seen);
  if (aborted !== undefined) {
    if (UNTOUCHED.has(state.phase)) return enter(state, seen.now, { phase: 'RolledBack', ...aborted });
    if (mayTurnBack(wish, state, seen)) return turnBack(wish, state, seen, aborted);
  }
  if (!isLate(wish, state, seen)) return undefined;
  const late = {
    cause: 'TimedOut',
    message: `It was not verified within ${wish.spec.limits.timeout}: in ${state.phase}, ${state.message}`,
  };
  if (state.phase === 'Preflight') return enter(state, seen.now, { phase: 'Failed', ...late });
  const forward: readonly Phase[] = ['Prepare', 'Drain', 'Fence', 'Promote', 'Shift', 'Verify'];
  if (!forward.includes(state.phase)) return undefined;
  if (leadsNowhere(wish, state, seen)) return undefined;
  if (mayGoBack(wish, state, seen)) return turnBack(wish, state, seen, late);
  // The home has moved, and the zone that it left is gone: it stays where it is. It may have been named just now.
  if (state.phase === 'Promote' && elapsed(state, seen) < 2 * parseDuration(wish.spec.limits.timeout))
    return undefined;
  return enter({ ...state, moved: isMoved(state, seen) }, seen.now, { phase: 'Failed', ...late });
}

function abortReason(
  { spec, deleted }: FailoverWish,
  { emergency }: Observed,
): { cause: string; message: string } | undefined {
  if (spec.abort === true) return { cause: 'Aborted', message: 'A person aborted it (spec.abort).' };
  if (deleted) return { cause: 'Deleted', message: 'It was deleted.' };
  if (emergency === undefined || spec.mode === 'Emergency') return undefined;
  return { cause: 'Emergency', message: `ZoneFailover ${emergency} is an Emergency, and goes first.` };
}

/**
 * An abort goes back where there is a way. What makes room for an Emergency turns back in any case: its way back is short, and ends
 * where it can go no further.
 */
function mayTurnBack(wish: FailoverWish, state: FailoverState, seen: Observed): boolean {
  const makesRoom = wish.spec.mode !== 'Emergency' && seen.emergency !== undefined;
  if (ABORTABLE.has(state.phase)) return makesRoom || mayGoBack(wish, state, seen);
  return makesRoom && ARRIVING.has(state.phase) && isMoved(state, seen) && isDeserted(seen);
}

/** Before the home has moved there is always a way back; after it, one to a zone whose etcd answers, or that is none any more. */
function mayGoBack({ spec }: FailoverWish, state: FailoverState, seen: Observed): boolean {
  if (!isMoved(state, seen) || zoneOf(seen, spec.fromZone) === undefined) return true;
  return answers(spec.fromZone, seen);
}

/**
 * The way back ends at a home that is gone, and was given up for that: an Emergency goes on for as long again, since a next
 * home may still be there. After that it ends all the same, and says that nobody takes writes.
 */
function leadsNowhere(wish: FailoverWish, state: FailoverState, seen: Observed): boolean {
  if (wish.spec.mode !== 'Emergency' || state.phase !== 'Promote' || isMoved(state, seen)) return false;
  return (
    !answers(state.home?.from ?? '', seen) &&
    elapsed(state, seen) < 2 * parseDuration(wish.spec.limits.timeout)
  );
}

/** The home has left, whether or not that was noted. */
function isMoved(state: FailoverState, seen: Observed): boolean {
  return (
    state.moved ||
    (state.home !== undefined && hasMoved({ to: state.home.to, epoch: state.epoch ?? 0 }, seen))
  );
}

/** Undoes what was done, by the shortest way that is safe. */
function turnBack(
  _wish: FailoverWish,
  state: FailoverState,
  seen: Observed,
  why: { cause: string; message: string },
): FailoverState {
  const moved = isMoved(state, seen);
  const fenced = state.phase === 'Fence' || state.phase === 'Promote';
  const step = moved ? 'CatchUp' : fenced && state.home !== undefined ? 'Lift' : 'GiveBack';
  const lifted = step === 'Lift' ? { ...state, epoch: nextEpoch(state, seen) } : state;
  return enter({ ...lifted, moved }, seen.now, { phase: 'RollingBack', step, ...why });
}

/** An Emergency waits for no rotation: one in the middle is safe where it is, and goes on afterwards. */
function queued(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const refused = refusal(wish, seen);
  if (refused !== undefined) return go(enter(state, seen.now, { phase: 'Failed', ...refused }));
  if (seen.ahead !== undefined)
    return rest(state, shut('OtherFailover', `ZoneFailover ${seen.ahead} goes first.`), IDLE);
  if (seen.rotation && wish.spec.mode !== 'Emergency')
    return rest(state, shut('CertificateRotation', 'A certificate rotation is under way.'), IDLE);
  if (seen.claim !== wish.name)
    return rest(state, shut('Claimed', 'The platform is not told yet.'), POLL, [
      { act: 'claim', over: seen.claim },
    ]);
  return go({ ...enter(state, seen.now, { phase: 'Preflight' }), startedAt: seen.now, pausedMs: 0 });
}

function preflight(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const gate = firstShut(preflightGates(wish, seen));
  const figures = { ...state.figures, ...preflightFigures(seen) };
  if (gate !== undefined) {
    if (elapsed(state, seen) < PREFLIGHT_PATIENCE) return wait(wish, state, { gate, acts: [] });
    const refused = { phase: 'Failed', cause: gate.name, message: gate.waitingFor } as const;
    return go(enter({ ...state, figures }, seen.now, refused));
  }
  const replicas = takeoverReplicas(wish, seen);
  const [target] = movesHome(wish, seen) ? candidates(wish, seen) : [];
  return go({
    ...enter(state, seen.now, { phase: 'Prepare' }),
    holds: true,
    // Who is asked later does not tell more.
    ...(target === undefined ? {} : { epoch: nextEpoch(state, seen) - 1 }),
    figures,
    ...(replicas === undefined ? {} : { replicas }),
    ...(target === undefined ? {} : { home: { from: wish.spec.fromZone, to: target.name } }),
  });
}

function preflightFigures({ kafka, mirror }: Observed): FailoverState['figures'] {
  return {
    ...(kafka?.led === undefined ? {} : { partitionsLed: kafka.led }),
    ...(mirror?.lag === undefined ? {} : { mirrorLag: mirror.lag }),
  };
}

/**
 * Capacity first, and then Kafka's leaders: gateways that start take time of all who serve, and so do leaders that move. An Emergency
 * asks for capacity, and waits for neither.
 */
function prepare(wish: FailoverWish, before: FailoverState, seen: Observed): FailoverStep {
  const { replicas } = before;
  const own = seen.away.find(({ zone, failover }) => zone === wish.spec.fromZone && failover === wish.name);
  if (own === undefined || own.replicas !== replicas)
    return rest(before, shut('CapacityAsked', 'The platform is not told yet.'), POLL, [
      { act: 'takeOut', zone: wish.spec.fromZone, replicas },
    ]);
  const gate = wish.spec.mode === 'Emergency' ? undefined : capacityGate(wish, before, seen);
  if (gate !== undefined) return wait(wish, before, { gate, acts: [] });
  // Kafka is asked from the next look on.
  if (wish.spec.mode !== 'Emergency' && before.figures.capacityMs === undefined)
    return rest(withCapacity(before, seen), undefined, 0);
  const { state, ...leaders } = leadersAway(wish, withCapacity(before, seen), seen);
  if (leaders.gate !== undefined) return wait(wish, state, leaders);
  const clients = connectionsOf(zoneOf(seen, wish.spec.fromZone) ?? NOWHERE);
  return go({
    ...enter(state, seen.now, { phase: 'Drain', message: leadersLeft(wish, state) }),
    figures: { ...state.figures, ...(clients === undefined ? {} : { connectionsAtStart: clients }) },
  });
}

function withCapacity(state: FailoverState, { now }: Observed): FailoverState {
  const { capacityMs = now - phaseSince(state, now) } = state.figures;
  return { ...state, figures: { ...state.figures, capacityMs } };
}

const NOWHERE: ZoneSight = {
  name: '',
  nodes: 0,
  ready: 0,
  desired: 0,
  pods: [],
  etcd: undefined,
  redis: undefined,
  etcdRuns: false,
};

/** The front Service loses the zone, and then its clients go, no faster than the others can take them. */
function drain(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const zone = zoneOf(seen, wish.spec.fromZone) ?? NOWHERE;
  const held = keepOut(wish, zone, seen);
  if (held.gate?.name === 'OutOfService') return wait(wish, state, held);
  const moved = withMoved(state, zone, seen);
  const waits = wish.spec.mode === 'Emergency' ? undefined : (held.gate ?? arrivalGate(moved, seen));
  if (waits !== undefined) return wait(wish, moved, { gate: waits, acts: held.acts });
  const next = state.home === undefined ? 'Verify' : 'Fence';
  const entered = enter(moved, seen.now, { phase: next });
  return {
    state: next === 'Fence' ? { ...entered, epoch: nextEpoch(state, seen) } : entered,
    acts: [],
    lookAfter: 0,
  };
}

/** The last clients are on their way: without a home nobody could take them in. */
function arrivalGate(state: FailoverState, { now }: Observed): Gate | undefined {
  const { drainMs = 0, connectionsMoved = 0 } = state.figures;
  if (connectionsMoved === 0 || now - phaseSince(state, now) >= drainMs + ARRIVAL) return undefined;
  return shut('Arrived', 'The clients that were sent away last are on their way to other zones.');
}

/** What keeps the zone's gateways empty, also such as start meanwhile. One that a person empties is left to that person. */
function keepOut(wish: FailoverWish, zone: ZoneSight, seen: Observed): Part {
  const serving = zone.pods.filter(({ outBy, told }) => outBy !== wish.name && told === undefined);
  if (serving.length > 0) {
    const gate = shut(
      'OutOfService',
      `The front Service still has ${serving.length} gateways of ${zone.name}.`,
    );
    return { gate, acts: [{ act: 'outOfService', pods: serving }] };
  }
  // A node that is gone would hear of it when it is back: just when its gateways are to serve again.
  const reached = wish.spec.mode === 'Emergency' && zone.nodes === 0 ? [] : zone.pods;
  const perSecond = rateOf(seen.drainPerSecond, zone.pods.length);
  const untold = reached.filter(
    (pod) => pod.told === undefined || (pod.outBy === wish.name && isDeaf(pod, seen.now)),
  );
  const acts: Act[] =
    untold.length === 0 ? [] : [{ act: 'drain', pods: untold.map((pod) => ({ pod, perSecond })) }];
  const open = zone.pods.filter(isOccupied);
  if (open.length === 0 && acts.length === 0) return { gate: undefined, acts };
  const left = open.reduce((sum, { drain: said }) => sum + (said?.connections ?? 0), 0);
  return {
    gate: shut('Drained', `${zone.name}: ${left} clients are left on ${open.length} gateways.`),
    acts,
  };
}

/** At least one client in ten seconds, or a zone with many small pods would never be empty. */
function rateOf(perSecond: number, pods: number): number {
  return Math.max(0.1, Math.round((10 * perSecond) / Math.max(1, pods)) / 10);
}

/** It may still have clients. One that does not answer and is not ready has none that anybody could send away. */
function isOccupied({ ready, drain: said }: GatewaySight): boolean {
  if (said === undefined) return ready;
  return said.phase !== 'Drained';
}

function withMoved(state: FailoverState, zone: ZoneSight, { now }: Observed): FailoverState {
  const sent = zone.pods.reduce((sum, { drain: said }) => sum + (said?.sent ?? 0), 0);
  const { connectionsMoved = 0, drainMs } = state.figures;
  const done = zone.pods.every((pod) => !isOccupied(pod));
  return {
    ...state,
    figures: {
      ...state.figures,
      connectionsMoved: Math.max(connectionsMoved, sent),
      ...(done && drainMs === undefined ? { drainMs: now - phaseSince(state, now) } : {}),
    },
  };
}

function moveOf({ spec }: FailoverWish, state: FailoverState): Move {
  const { home, epoch = 0 } = state;
  const urgent = spec.mode === 'Emergency';
  return { from: home?.from ?? '', to: home?.to ?? '', epoch, urgent, unsettled: isUnsettled(state) };
}

/** Fence, promote, shift: forward all the way, since no zone takes writes meanwhile. */
function moveHome(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const move = moveOf(wish, state);
  const waited = seen.now - phaseSince(state, seen.now);
  if (state.phase === 'Fence') {
    const part = fence(move, seen, waited);
    const noted = withLag(state, move, seen);
    if (part.gate === undefined) return go(enter(noted, seen.now, { phase: 'Promote' }));
    return withoutHome(wish, noted, { seen, part, waited });
  }
  if (state.phase === 'Promote') {
    const part = promote(move, seen);
    if (part.gate === undefined) return go(enter(arrived(state, seen), seen.now, { phase: 'Shift' }));
    const other = anotherTarget(wish, state, { seen, gate: part.gate });
    return other === undefined ? withoutHome(wish, state, { seen, part, waited }) : go(other);
  }
  const part = shift(move, seen);
  if (part.gate === undefined) return go(enter(state, seen.now, { phase: 'Verify' }));
  return wait(wish, state, { ...part, acts: withOldHome(part.acts, state, seen) });
}

/** Waits while nobody has a home; but for an Emergency, not for long. `waited`: milliseconds. */
function withoutHome(
  wish: FailoverWish,
  state: FailoverState,
  { seen, part, waited }: { seen: Observed; part: Part; waited: number },
): FailoverStep {
  const isTooLong = wish.spec.mode !== 'Emergency' && waited >= HOMELESS_PATIENCE;
  if (!isTooLong || part.gate === undefined || isMoved(state, seen)) return wait(wish, state, part);
  const message = `It did not come through ${state.phase} in ${HOMELESS_PATIENCE / 1_000} s, while no zone took writes: ${part.gate.waitingFor}`;
  return go(turnBack(wish, state, seen, { cause: 'TimedOut', message }));
}

/** An old home that comes back meanwhile is told at once: it would show its gateways the past, and take writes. */
function withOldHome(acts: readonly Act[], state: FailoverState, seen: Observed): Act[] {
  const isTold = (one: Act): boolean => acts.some((act) => isDeepStrictEqual(act, one));
  return [...acts, ...oldHomeActs(state, seen).filter((one) => !isTold(one))];
}

/** How far the next home was behind when the old one was first seen fenced. */
function withLag(state: FailoverState, move: Move, seen: Observed): FailoverState {
  const [from, to] = [zoneOf(seen, move.from), zoneOf(seen, move.to)];
  const { figures } = state;
  const etcd =
    from?.etcd?.fenced === true && figures.replicationLag === undefined ? to?.etcd?.behind : undefined;
  const redis =
    from?.redis?.fenced === true && figures.redisLag === undefined ? redisLag(from, to) : undefined;
  if (etcd === undefined && redis === undefined) return state;
  return {
    ...state,
    figures: {
      ...figures,
      ...(etcd === undefined ? {} : { replicationLag: etcd }),
      ...(redis === undefined ? {} : { redisLag: Math.max(0, redis) }),
    },
  };
}

function arrived(state: FailoverState, { now }: Observed): FailoverState {
  const fenced = state.phases.findLast(({ name }) => name === 'Fence')?.startedAt ?? now;
  return { ...state, moved: true, figures: { ...state.figures, homelessMs: now - fenced } };
}

/**
 * An Emergency whose next home is gone as well, or answers and does not take the promotion, takes another one, under a higher
 * epoch. What else is waited for, another one would wait for too.
 */
function anotherTarget(
  wish: FailoverWish,
  state: FailoverState,
  { seen, gate }: { seen: Observed; gate: Gate },
): FailoverState | undefined {
  const { home } = state;
  if (wish.spec.mode !== 'Emergency' || home === undefined || isMoved(state, seen)) return undefined;
  const able = candidates(wish, seen);
  const isAble = able.some(({ name }) => name === home.to);
  if (isAble && gate.name !== 'EtcdPromoted') return undefined;
  const other = able.find(({ name }) => name !== home.to);
  const patience = isAble ? STUCK_PATIENCE : TARGET_PATIENCE;
  if (other === undefined || seen.now - phaseSince(state, seen.now) < patience) return undefined;
  const again = enter(state, seen.now, { phase: 'Promote' });
  return { ...again, home: { ...home, to: other.name }, epoch: nextEpoch(state, seen) };
}

function verify(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const urgent = wish.spec.mode === 'Emergency';
  const gone = seen.zones.filter(({ name, nodes }) => name === wish.spec.fromZone || nodes === 0);
  const except = urgent ? gone.map(({ name }) => name) : [];
  const maxLag = wish.spec.limits.maxReplicationLag;
  const ofHome: GateCheck[] = [
    () => shift(moveOf(wish, state), seen).gate,
    () => followersGate(seen, { except, maxLag }),
    () => guard(seen).gate,
  ];
  const gate = firstShut([() => gatewaysGate(wish, seen, { all: !urgent }), ...(state.moved ? ofHome : [])]);
  if (gate !== undefined) return wait(wish, state, { gate, acts: upkeep(wish, state, seen) });
  const recovery = `${(elapsed(state, seen) / 1000).toFixed(1)}s`;
  const verified = { ...state, verifiedAt: seen.now, figures: { ...state.figures, recovery } };
  if (urgent) {
    const message = `The platform runs without ${wish.spec.fromZone}${homeWords(state)}.`;
    return go(enter(verified, seen.now, { phase: 'Succeeded', message }));
  }
  if (wish.spec.mode === 'Planned')
    return go(enter(verified, seen.now, { phase: 'Restore', step: 'GiveBack' }));
  return go(enter(verified, seen.now, { phase: 'Hold' }));
}

/**
 * What keeps the zone empty and the home the only one, for as long as it is away: gateways start there meanwhile, and stores that did
 * not answer when the home moved, the old home's first of all, come back and know nothing of it.
 */
function upkeep(wish: FailoverWish, state: FailoverState, seen: Observed): Act[] {
  const kept = keepOut(wish, zoneOf(seen, wish.spec.fromZone) ?? NOWHERE, seen).acts;
  if (!state.moved) return [...kept];
  const { acts } = shift(moveOf(wish, state), seen);
  return [...withOldHome(acts, state, seen), ...guard(seen).acts, ...kept];
}

function homeWords({ home, moved }: FailoverState): string {
  return home !== undefined && moved ? `, with its home in ${home.to}` : '';
}

/** The platform runs without the zone for a while. */
function hold(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const left = phaseSince(state, seen.now) + parseDuration(wish.spec.drill?.holdFor ?? HOLD) - seen.now;
  const zone = zoneOf(seen, wish.spec.fromZone) ?? NOWHERE;
  const held = withMoved(state, zone, seen);
  if (left <= 0)
    return go(enter(held, seen.now, { phase: 'Restore', step: state.moved ? 'CatchUp' : 'GiveBack' }));
  const until = new Date(seen.now + left).toISOString().slice(11, 19);
  const gate = shut('Held', `${zone.name} stays away until ${until} UTC.`);
  return rest(held, gate, Math.min(left, IDLE), upkeep(wish, state, seen));
}

/**
 * After an Emergency the zone is given back once it is there again and follows the new home, and whatever it wrote as
 * the old one is fenced. That may be days later: other failovers are not held up by it.
 */
function aftercare(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  if (!state.holds) return { state, acts: [], lookAfter: undefined };
  const isAway = seen.away.some(({ failover }) => failover === wish.name);
  if (state.orders.length > 0 && !isAway) return leadersAfterEnd(wish, state, seen);
  const zone = zoneOf(seen, wish.spec.fromZone);
  const gate = zone === undefined || wish.deleted ? undefined : backGate(wish, state, { zone, seen });
  if (gate !== undefined)
    return {
      state: { ...notBack(state), message: gate.waitingFor },
      acts: oldHomeActs(state, seen),
      // Until it is told that it is home no more, its gateways carry nothing of what they are given to carry.
      lookAfter: isComingBack(state, seen) ? POLL : PATIENT_POLL,
    };
  const waits = isAway ? steadying(wish, state, seen) : undefined;
  if (waits !== undefined) return waits;
  const part = giveBack(wish, zone, seen.now);
  if (part.acts.length > 0) return { state, acts: part.acts, lookAfter: POLL };
  const message = `${wish.spec.fromZone} is back, and serves again.`;
  if (isAway)
    return {
      state: { ...state, message },
      acts: [{ act: 'takeIn', zone: wish.spec.fromZone }],
      lookAfter: POLL,
    };
  return { state: { ...state, holds: false, message }, acts: [], lookAfter: undefined };
}

function notBack({ backSince: _backSince, ...state }: FailoverState): FailoverState {
  return state;
}

/** A zone that comes and goes does not serve in between, when nobody watches: it has to stay for a while first. */
function steadying(
  { automatic, deleted, spec }: FailoverWish,
  state: FailoverState,
  { now }: Observed,
): FailoverStep | undefined {
  const { backSince = now } = state;
  const left = backSince + STEADY - now;
  if (!automatic || deleted || left <= 0) return undefined;
  const message = `${spec.fromZone} is back, and serves once it has been so for ${STEADY / 1_000} s.`;
  return { state: { ...state, backSince, message }, acts: [], lookAfter: Math.min(left, IDLE) };
}

/** Kafka alone is still to be given something back. How it ended stays said; a deletion does not wait for ever. */
function leadersAfterEnd(wish: FailoverWish, state: FailoverState, seen: Observed): FailoverStep {
  const leaders = leadersBack(wish, state, seen);
  const sinceEnd = seen.now - (state.finishedAt ?? 0);
  const givenUp = wish.deleted && sinceEnd >= parseDuration(wish.spec.limits.timeout);
  if (leaders.gate !== undefined && !givenUp)
    return { state: leaders.state, acts: leaders.acts, lookAfter: IDLE };
  return { state: { ...leaders.state, holds: false }, acts: leaders.acts, lookAfter: undefined };
}

function backGate(
  wish: FailoverWish,
  state: FailoverState,
  { zone, seen }: { zone: ZoneSight; seen: Observed },
): Gate | undefined {
  const { spec } = wish;
  if (zone.nodes === 0) return shut('ZoneBack', `${zone.name} is away: no node of it is ready.`);
  const isSilent = zone.pods.length > 0 && zone.pods.every(({ drain: said }) => said === undefined);
  if (seen.counted && spec.mode === 'Emergency' && isSilent)
    return shut('ZoneBack', `${zone.name} is away: no gateway of it answers.`);
  if (!state.moved || seen.home === zone.name) return undefined;
  const except = othersOf(seen, wish).map(({ name }) => name);
  return followersGate(seen, { except, maxLag: spec.limits.maxReplicationLag });
}
