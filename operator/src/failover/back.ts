/** The way back: of a drill that went well, and of a failover that did not. Pure. */
import { parseDuration } from '@causeway/crds';
import { answers, isDeaf, isDeserted, isUnheard, shut, zoneOf, type Gate } from './gates.ts';
import { leadersBack, waitsForLeaders } from './leaders.ts';
import {
  fence,
  followersGate,
  hasMoved,
  HOMELESS_PATIENCE,
  nextEpoch,
  oldHomeActs,
  promote,
  shift,
  type Move,
  type Part,
} from './move.ts';
import type { Act, FailoverWish, Observed, ZoneSight } from './observed.ts';
import {
  enter,
  HOMELESS_CAUSES,
  isUnsettled,
  PATIENT_POLL,
  phaseSince,
  pollOf,
  waitingAt,
  type BackStep,
  type FailoverState,
} from './state.ts';

interface Step {
  state: FailoverState;
  acts: readonly Act[];
  lookAfter: number | undefined;
}

/** How long each step may take while an Emergency waits, milliseconds: more than replicators take that start, and gateways that serve again. */
export const EMERGENCY_PATIENCE = 10_000;

/**
 * The next step of Restore or RollingBack. Each is given the failover's whole time-out, and less while no zone takes writes or an
 * Emergency waits; then a way round it is taken.
 */
export function returnStep(wish: FailoverWish, state: FailoverState, seen: Observed): Step {
  const waited = seen.now - phaseSince(state, seen.now);
  const late = waited >= parseDuration(wish.spec.limits.timeout);
  const isInTheWay = seen.emergency !== undefined && waited >= EMERGENCY_PATIENCE;
  switch (state.step) {
    case 'CatchUp':
      return catchUp(wish, state, { seen, late: late || isInTheWay });
    case 'Fence':
    case 'Promote':
    case 'Shift':
    case 'Lift':
      return moveBack(state, { seen, late: late || (isInTheWay && state.step === 'Shift') });
    default:
      return finish(wish, state, { seen, late: late || isInTheWay });
  }
}

interface Look {
  seen: Observed;
  /** The step has had its time. */
  late: boolean;
}

function to(state: FailoverState, now: number, step: BackStep): Step {
  const { message, cause } = state;
  const next = { phase: state.phase, step, message, ...(cause === undefined ? {} : { cause }) };
  return { state: enter(state, now, next), acts: [], lookAfter: 0 };
}

/** What made it go back stays the message; what is waited for is with the step. */
function wait(state: FailoverState, { emergency }: Observed, { gate, acts }: Part): Step {
  const waiting = waitingAt(state, gate);
  const message = state.cause === undefined ? waiting.message : state.message;
  return {
    state: { ...waiting, message },
    acts,
    lookAfter: pollOf(state, { isUrgent: emergency !== undefined }),
  };
}

/** The old home has what the present one has: it follows, and is not far behind. */
function catchUp(wish: FailoverWish, state: FailoverState, { seen, late }: Look): Step {
  const { fromZone, limits } = wish.spec;
  if (zoneOf(seen, fromZone) === undefined) return homeStays(state, seen, zoneGone(fromZone));
  const except = seen.zones.map(({ name }) => name).filter((name) => name !== fromZone);
  const gate = homeGate(seen) ?? followersGate(seen, { except, maxLag: limits.maxReplicationLag });
  if (gate === undefined) {
    const next = to(state, seen.now, 'Fence');
    return { ...next, state: { ...next.state, epoch: nextEpoch(state, seen) } };
  }
  // Who was away when the home moved away from there is told now: before it follows there is nothing to wait for.
  if (!late && !isDeserted(seen)) return wait(state, seen, { gate, acts: oldHomeActs(state, seen) });
  return homeStays(state, seen, gate);
}

/** Somebody took it out of spec.zones: there is nothing that could follow, and nothing to wait for. */
function zoneGone(name: string): Gate {
  return shut('ZoneThere', `${name} is no zone of the platform any more.`);
}

/** What the present home took since it became home is nowhere else for certain: nobody goes back without it but an Emergency. */
function homeGate(seen: Observed): Gate | undefined {
  if (answers(seen.home, seen)) return undefined;
  return shut('HomeAnswers', `${seen.home} is home, and its etcd or Redis does not answer.`);
}

/** The home does not come back: the zone serves, and the home is where it is, or was. */
function homeStays(state: FailoverState, seen: Observed, gate: Gate): Step {
  if (!answers(seen.home, seen)) return homeLost(state, seen, gate);
  const message = `The home stays in ${seen.home}: ${gate.waitingFor}`;
  return to({ ...state, cause: 'HomeStays', message }, seen.now, 'GiveBack');
}

/** The home is gone, or does not do what it is told. Where it is to be is for an Emergency to say. */
function homeLost(state: FailoverState, { home, now }: Observed, gate: Gate): Step {
  const message = `The home is in ${home}, and may take no writes: ${gate.waitingFor} ${moveOn(home)}`;
  return to({ ...state, cause: 'HomeLost', message }, now, 'GiveBack');
}

function moveOn(zone: string): string {
  return `An Emergency for ${zone} moves the home on.`;
}

/** The home moves as it did on the way there, the other way round. */
function moveBack(state: FailoverState, { seen, late }: Look): Step {
  const { home, epoch = 0 } = state;
  if (home === undefined) return to(state, seen.now, 'GiveBack');
  if (state.step === 'Lift') return lift(state, { seen, late });
  if (state.step !== 'Shift' && zoneOf(seen, home.from) === undefined)
    return toLift(state, seen, zoneGone(home.from));
  const unsettled = isUnsettled(state);
  const move: Move = { from: home.to, to: home.from, epoch, urgent: false, unsettled };
  if (state.step === 'Fence') {
    const part = fence(move, seen, 0);
    if (part.gate === undefined) return to(state, seen.now, 'Promote');
    const isTooLong = isLate(state, { seen, late }) || isDeserted(seen);
    return isTooLong ? toLift(state, seen, part.gate) : wait(state, seen, part);
  }
  if (state.step === 'Promote') return promoteBack(move, state, { seen, late });
  const part = shift(move, seen);
  return part.gate === undefined || late ? to(state, seen.now, 'GiveBack') : wait(state, seen, part);
}

/** Up to where the platform says that the home is back it may stay where it is; after that it is there, come what may. */
function promoteBack(move: Move, state: FailoverState, { seen, late }: Look): Step {
  const part = promote(move, seen);
  const isBack = hasMoved(move, seen);
  const next = isBack ? { ...state, moved: false } : state;
  if (part.gate === undefined) return to(next, seen.now, 'Shift');
  if (!isBack)
    return isLate(state, { seen, late }) ? toLift(state, seen, part.gate) : wait(state, seen, part);
  return late || isDeserted(seen) ? homeLost(next, seen, part.gate) : wait(state, seen, part);
}

/** Nobody takes writes meanwhile. */
function isLate(state: FailoverState, { seen, late }: Look): boolean {
  return late || seen.now - phaseSince(state, seen.now) >= HOMELESS_PATIENCE;
}

/** It cannot go on: the present home, which was fenced, takes writes again. */
function toLift(state: FailoverState, seen: Observed, gate: Gate): Step {
  const message = `The home stays in ${state.home?.to}: ${gate.waitingFor}`;
  const next = to({ ...state, cause: 'HomeStays', message }, seen.now, 'Lift');
  return { ...next, state: { ...next.state, epoch: nextEpoch(state, seen) } };
}

/**
 * The home that was fenced is promoted again where it is. When even that cannot be done in time the failover ends, and
 * says so: an Emergency can then move the home on.
 */
function lift(state: FailoverState, { seen, late }: Look): Step {
  const { home, epoch = 0 } = state;
  const zone = (state.moved ? home?.to : home?.from) ?? '';
  const move: Move = { from: zone, to: zone, epoch, urgent: true, unsettled: isUnsettled(state) };
  const promoted = promote(move, seen);
  const part = promoted.gate === undefined ? shift(move, seen) : promoted;
  if (part.gate === undefined) return to(state, seen.now, 'GiveBack');
  // A promotion of another zone that is on its way would be on its way still when the Emergency promotes a third one.
  const isInVain = isDeserted(seen) && part.gate.name !== 'OthersFenced';
  if (!late && !isInVain) return wait(state, seen, part);
  const message = `No zone takes writes: ${part.gate.waitingFor} ${moveOn(zone)} ${state.message}`;
  return to({ ...state, cause: 'HomeFenced', message }, seen.now, 'GiveBack');
}

/** The zone serves again; then the others give their extra gateways back. */
function finish(wish: FailoverWish, before: FailoverState, { seen, late }: Look): Step {
  const zone = zoneOf(seen, wish.spec.fromZone);
  const part = giveBack(wish, zone, seen.now);
  const leaders = leadersBack(wish, before, seen);
  const { state } = leaders;
  if (part.gate !== undefined && !(late && part.acts.length === 0))
    return wait(state, seen, { gate: part.gate, acts: [...part.acts, ...leaders.acts] });
  if (waitsForLeaders(wish, leaders, seen)) return wait(state, seen, leaders);
  if (seen.away.some(({ failover }) => failover === wish.name)) {
    const gate = shut('CapacityReturned', 'The platform still has the gateways that it was given.');
    return wait(state, seen, { gate, acts: [{ act: 'takeIn', zone: wish.spec.fromZone }] });
  }
  // What Kafka could not be given back in time it is given back afterwards.
  const holds = state.orders.length > 0;
  return {
    state: end(wish, { ...state, holds }, seen.now),
    acts: [],
    lookAfter: holds ? PATIENT_POLL : undefined,
  };
}

function end(wish: FailoverWish, state: FailoverState, now: number): FailoverState {
  const { cause, home, moved } = state;
  const kept = { message: state.message, ...(cause === undefined ? {} : { cause }) };
  if (cause === 'HomeStays' || HOMELESS_CAUSES.has(cause ?? ''))
    return enter(state, now, { phase: 'Failed', ...kept });
  if (state.phase === 'RollingBack') return enter(state, now, { phase: 'RolledBack', ...kept });
  const where = home !== undefined && moved ? ` The home is in ${home.to} now.` : '';
  return enter(state, now, { phase: 'Succeeded', message: `${wish.spec.fromZone} serves again.${where}` });
}

/** The zone's gateways go into service again, and are waited for where there is a node for them. `now`: milliseconds. */
export function giveBack(wish: FailoverWish, zone: ZoneSight | undefined, now: number): Part {
  if (zone === undefined) return { gate: undefined, acts: [] };
  const unheard = zone.pods.filter((pod) => pod.told === undefined && isUnheard(pod));
  const deaf = unheard.filter((pod) => isDeaf(pod, now));
  const out = [...zone.pods.filter(({ outBy }) => outBy === wish.name), ...deaf];
  const acts: Act[] = out.length === 0 ? [] : [{ act: 'intoService', pods: out }];
  const wanted = Math.min(zone.desired, wish.spec.limits.minReadyPerZone);
  const isServing = zone.ready >= wanted && unheard.length === 0;
  if (acts.length === 0 && (zone.nodes === 0 || isServing)) return { gate: undefined, acts };
  return {
    gate: shut('Serving', `${zone.name} has ${zone.ready} gateways that serve; it is to have ${wanted}.`),
    acts,
  };
}
