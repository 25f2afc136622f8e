/**
 * A move of the home from one zone to another, in three parts: the old home takes no more writes, the next one takes them,
 * everybody follows. Each part says what it still waits for, and what to do for it. Pure.
 */
import { firstShut, shut, zoneOf, type Gate } from './gates.ts';
import type { Act, Observed, ZoneSight } from './observed.ts';
import type { FailoverState } from './state.ts';

export interface Move {
  from: string;
  to: string;
  epoch: number;
  /** The old home may be gone: it is asked, and not waited for. */
  urgent: boolean;
  /** Another zone was to take writes before, and may have begun to, or may yet. */
  unsettled: boolean;
}

/** How far a part is. No gate: it is done. */
export interface Part {
  gate: Gate | undefined;
  acts: readonly Act[];
}

const DONE: Part = { gate: undefined, acts: [] };

/** In an Emergency, how long the old home has to say that it is fenced; milliseconds. One that answers does so in a fraction. */
export const FENCE_PATIENCE = 1_000;
/**
 * In a drill or a planned move, how long each of Fence and Promote may take, milliseconds: then who was home takes writes again,
 * however much time is left. What takes a second when all are there is not waited for when somebody is gone.
 */
export const HOMELESS_PATIENCE = 15_000;
/** In an Emergency, how long the next home has to get what a fenced old home still gives; milliseconds. */
export const CATCH_UP_PATIENCE = 5_000;

/** The old home takes no writes, and the next has all that it took. `waited`: milliseconds. */
export function fence(move: Move, seen: Observed, waited: number): Part {
  const from = zoneOf(seen, move.from);
  const to = zoneOf(seen, move.to);
  const open = [...fenceEtcd(move, seen, from), ...fenceRedis(move, seen, from)];
  const acts = open.flatMap(({ act }) => (act === undefined ? [] : [act]));
  const [first] = open;
  if (first !== undefined) {
    if (move.urgent && waited >= FENCE_PATIENCE) return DONE;
    return { gate: shut('OldHomeFenced', first.waitingFor), acts };
  }
  const behind = firstShut([() => etcdBehind(move, seen, to), () => redisBehind(seen, { from, to })]);
  if (behind === undefined || (move.urgent && waited >= CATCH_UP_PATIENCE)) return DONE;
  return { gate: behind, acts: [] };
}

interface Open {
  waitingFor: string;
  act?: Act;
}

function fenceEtcd(move: Move, { moves }: Observed, from: ZoneSight | undefined): Open[] {
  if (!moves.etcd) return [];
  if (from?.etcd === undefined) return [{ waitingFor: `The etcd of ${move.from} does not answer.` }];
  if (from.etcd.fenced && from.etcd.epoch >= move.epoch) return [];
  return [
    {
      waitingFor: `The etcd of ${move.from} still takes writes.`,
      act: { act: 'fenceEtcd', zone: move.from, epoch: move.epoch },
    },
  ];
}

function fenceRedis(move: Move, { moves }: Observed, from: ZoneSight | undefined): Open[] {
  if (!moves.redis) return [];
  if (from?.redis === undefined) return [{ waitingFor: `The Redis of ${move.from} does not answer.` }];
  if (from.redis.role === 'replica' || from.redis.fenced) return [];
  return [
    {
      waitingFor: `The Redis of ${move.from} still takes writes.`,
      act: { act: 'fenceRedis', zone: move.from },
    },
  ];
}

function etcdBehind(move: Move, { moves }: Observed, to: ZoneSight | undefined): Gate | undefined {
  if (!moves.etcd || to?.etcd?.behind === 0) return undefined;
  const behind = to?.etcd?.behind;
  const far = behind === undefined ? 'It is not known how far' : `${behind} revisions`;
  return shut('CaughtUp', `${far} the etcd of ${move.to} is behind that of ${move.from}.`);
}

function redisBehind(
  { moves }: Observed,
  { from, to }: { from: ZoneSight | undefined; to: ZoneSight | undefined },
): Gate | undefined {
  if (!moves.redis || from?.redis?.role !== 'primary') return undefined;
  const behind = redisLag(from, to);
  if (behind !== undefined && behind <= 0) return undefined;
  const far = behind === undefined ? 'by an unknown number of' : `by ${behind}`;
  return shut('CaughtUp', `The Redis of ${to?.name ?? 'the next home'} is behind ${far} bytes.`);
}

/** Bytes that the Redis of `to` lacks; undefined: unknown. */
export function redisLag(from: ZoneSight | undefined, to: ZoneSight | undefined): number | undefined {
  const [source, target] = [from?.redis?.offset, to?.redis?.offset];
  return source === undefined || target === undefined ? undefined : source - target;
}

/**
 * The next home takes writes. Its etcd first: from then on the old replicator is refused there, so that nobody writes
 * beside it. Then the platform says so, and what points at the home follows. Each rests on the one before, and they are
 * done in one go: meanwhile nobody takes writes.
 */
export function promote(move: Move, seen: Observed): Part {
  const back = fenceFirst(move, seen) ?? fenceOthers(move, seen);
  if (back !== undefined) return back;
  const open = [...promoteEtcd(move, seen), ...namesHome(move, seen), ...promoteRedis(move, seen)];
  const [first] = open;
  if (first === undefined) return DONE;
  // Then at once, not after the next look: a Redis that was home is where gateways stay until it is a replica.
  const acts = [...open.map(({ act }) => act), ...followActs(move, seen)];
  return { gate: shut(first.gate, first.waitingFor), acts };
}

/** What is still to be done of a promotion. */
interface Promotion {
  gate: string;
  waitingFor: string;
  act: Act;
}

function promoteEtcd(move: Move, seen: Observed): Promotion[] {
  const to = zoneOf(seen, move.to);
  if (!seen.moves.etcd || isPromoted(move, to)) return [];
  const why = to?.etcd === undefined ? 'does not answer' : 'does not take writes yet';
  const act = { act: 'promoteEtcd', zone: move.to, epoch: move.epoch, from: move.from } as const;
  return [{ gate: 'EtcdPromoted', waitingFor: `The etcd of ${move.to} ${why}.`, act }];
}

function namesHome(move: Move, seen: Observed): Promotion[] {
  if (hasMoved(move, seen)) return [];
  const waitingFor = `The platform's status does not say yet that ${move.to} is home.`;
  return [{ gate: 'HomeMoved', waitingFor, act: { act: 'moveHome', zone: move.to, epoch: move.epoch } }];
}

function promoteRedis(move: Move, seen: Observed): Promotion[] {
  const redis = zoneOf(seen, move.to)?.redis;
  if (!seen.moves.redis || (redis?.role === 'primary' && !redis.fenced)) return [];
  const why = redis === undefined ? 'does not answer' : 'does not take writes yet';
  const act = { act: 'promoteRedis', zone: move.to } as const;
  return [{ gate: 'RedisPromoted', waitingFor: `The Redis of ${move.to} ${why}.`, act }];
}

/** An old home that answers again, after an Emergency went on without it, is fenced before anybody else is promoted. */
function fenceFirst(move: Move, seen: Observed): Part | undefined {
  const from = zoneOf(seen, move.from);
  if (move.from === move.to || from === undefined || hasMoved(move, seen)) return undefined;
  const open = [...fenceEtcd(move, seen, from), ...fenceRedis(move, seen, from)];
  const acts = open.flatMap(({ act }) => (act === undefined ? [] : [act]));
  const waitingFor = open.find(({ act }) => act !== undefined)?.waitingFor;
  return waitingFor === undefined ? undefined : { gate: shut('OldHomeFenced', waitingFor), acts };
}

/**
 * No third zone takes writes when this one does. One that was asked before gets the new epoch, by which what was asked of
 * it is refused when it arrives late; it is waited for as long as it may run. What is left of earlier failovers, or was
 * not fenced yet since it was away, is fenced where it answers. Followers of a home that never moved are left alone.
 */
function fenceOthers(move: Move, seen: Observed): Part | undefined {
  if (!seen.moves.etcd || hasMoved(move, seen)) return undefined;
  const others = seen.zones.filter(({ name }) => name !== move.to && name !== move.from);
  const due = others.filter((zone) => isDue(zone, move, seen));
  const acts = due.map(({ name }) => ({ act: 'fenceEtcd', zone: name, epoch: move.epoch }) as const);
  const [first] = due;
  if (first !== undefined)
    return {
      gate: shut('OthersFenced', `The etcd of ${first.name} may take writes: it is fenced first.`),
      acts,
    };
  const silent = others.find(({ etcd, nodes, etcdRuns }) => etcd === undefined && nodes > 0 && etcdRuns);
  if (!move.unsettled || silent === undefined) return undefined;
  const waitingFor =
    `The etcd of ${silent.name} may take writes, and does not answer, though Kubernetes says that it is ready. ` +
    'When it cannot be reached at all, delete its pod.';
  return { gate: shut('OthersFenced', waitingFor), acts };
}

function isDue({ etcd }: ZoneSight, { epoch, unsettled }: Move, seen: Observed): boolean {
  if (etcd === undefined) return false;
  if (unsettled) return !etcd.fenced || etcd.epoch < epoch;
  return !etcd.fenced && (seen.epoch > 1 || etcd.epoch > seen.epoch);
}

function isPromoted({ epoch }: Move, to: ZoneSight | undefined): boolean {
  return to?.etcd !== undefined && !to.etcd.fenced && to.etcd.epoch >= epoch;
}

/** An epoch that nobody has had. */
export function nextEpoch({ epoch = 0 }: { epoch?: number }, seen: Observed): number {
  const known = seen.zones.flatMap(({ etcd }) => (etcd === undefined ? [] : [etcd.epoch]));
  return Math.max(epoch, seen.epoch, ...known) + 1;
}

/** The platform says that the home is where the move goes. */
export function hasMoved({ to, epoch }: Pick<Move, 'to' | 'epoch'>, seen: Observed): boolean {
  return seen.home === to && seen.epoch >= epoch;
}

/** What points at the home points there, and every Redis that answers follows it. */
export function shift(move: Move, seen: Observed): Part {
  const { services } = seen;
  const stale = [services.redis, services.etcd].some((zone) => zone !== undefined && zone !== move.to);
  const acts: Act[] = [
    // The platform's own reconcile makes replicators a moment later. In an Emergency it may wait for the zone that is gone.
    ...(stale ? [{ act: 'shift', replicators: move.urgent } as const] : []),
    ...followActs(move, seen),
  ];
  if (stale)
    return {
      gate: shut('ServicesMoved', `The Services of Redis and etcd do not point at ${move.to} yet.`),
      acts,
    };
  const [first] = astray(move, seen);
  if (first === undefined) return DONE;
  return {
    gate: shut('RedisFollows', `The Redis of ${first.name} does not follow that of ${move.to} yet.`),
    acts,
  };
}

function followActs(move: Move, seen: Observed): Act[] {
  return astray(move, seen).map(({ name }) => ({ act: 'followRedis', zone: name, home: move.to }));
}

/** Zones whose Redis is to follow the home and does not, the old home first; one that is gone is not waited for. */
function astray({ to, from, urgent }: Move, { zones, moves }: Observed): ZoneSight[] {
  if (!moves.redis) return [];
  const others = zones.filter(
    ({ name, redis }) => name !== to && redis !== undefined && !(urgent && name === from),
  );
  return others
    .filter((zone) => !isFollowing(zone, to))
    .sort((a, b) => Number(b.name === from) - Number(a.name === from));
}

/**
 * The home's Redis takes no writes alone: a zone that has just become home may be cut off as well. The platform's own reconcile
 * would do it later: it waits for the zone that is gone.
 */
export function guard(seen: Observed): Part {
  if (!seen.moves.redis || zoneOf(seen, seen.home)?.redis?.unguarded !== true) return DONE;
  const waitingFor = `The Redis of ${seen.home} would take writes alone.`;
  return { gate: shut('RedisGuarded', waitingFor), acts: [{ act: 'guardRedis', zone: seen.home }] };
}

function isFollowing({ redis }: ZoneSight, home: string): boolean {
  return redis?.role === 'replica' && redis.follows === home;
}

/** Whether every zone, but those of `except`, follows the home and is not too far behind. */
export function followersGate(
  seen: Observed,
  { except, maxLag }: { except: readonly string[]; maxLag: number },
): Gate | undefined {
  const zones = seen.zones.filter(({ name }) => name !== seen.home && !except.includes(name));
  const redis = seen.moves.redis ? zones.find((zone) => zone.redis?.inSync !== true) : undefined;
  if (redis !== undefined)
    return shut('RedisInSync', `The Redis of ${redis.name} is not in sync with that of ${seen.home}.`);
  const etcd = seen.moves.etcd ? zones.find((zone) => !follows(zone, seen, maxLag)) : undefined;
  if (etcd === undefined) return undefined;
  return shut(
    'Replicating',
    `The etcd of ${etcd.name} does not follow that of ${seen.home} within ${maxLag} revisions yet.`,
  );
}

function follows({ etcd }: ZoneSight, { epoch }: Observed, maxLag: number): boolean {
  return etcd !== undefined && etcd.epoch >= epoch && etcd.behind !== undefined && etcd.behind <= maxLag;
}

/**
 * An old home that comes back takes no writes, and follows: nobody could tell it while it was away. `state`: of the failover
 * that moved the home from there.
 */
export function oldHomeActs(
  { home, epoch, moved }: Pick<FailoverState, 'home' | 'epoch' | 'moved'>,
  seen: Observed,
): Act[] {
  if (home === undefined || epoch === undefined || !moved || seen.home === home.from) return [];
  const { etcd, redis } = zoneOf(seen, home.from) ?? {};
  const acts: Act[] = [];
  if (etcd !== undefined && etcd.epoch < epoch) acts.push({ act: 'fenceEtcd', zone: home.from, epoch });
  if (redis !== undefined && (redis.role === 'primary' || redis.follows !== seen.home))
    acts.push({ act: 'followRedis', zone: home.from, home: seen.home });
  return acts;
}

/**
 * Something of an old home answers, and it has not been told all yet: until then it takes writes. A zone that comes back does so
 * piece by piece: its Redis may answer seconds before its etcd.
 */
export function isComingBack(
  state: Pick<FailoverState, 'home' | 'epoch' | 'moved'>,
  seen: Observed,
): boolean {
  const { home, epoch, moved } = state;
  if (home === undefined || epoch === undefined || !moved || seen.home === home.from) return false;
  const { etcd, redis, pods = [] } = zoneOf(seen, home.from) ?? {};
  const isHeard = etcd !== undefined || redis !== undefined || pods.some(({ drain }) => drain !== undefined);
  const isUntold =
    (seen.moves.etcd && etcd === undefined) ||
    (seen.moves.redis && redis === undefined) ||
    oldHomeActs(state, seen).length > 0;
  return isHeard && isUntold;
}
