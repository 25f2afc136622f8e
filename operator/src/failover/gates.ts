/** What must hold before a failover goes on: pure questions, each with a name. The first that does not hold is waited at. */
import type { FailoverWish, GatewaySight, KafkaSight, Observed, ZoneSight } from './observed.ts';
import type { FailoverState } from './state.ts';

/** A gate that is shut. */
export interface Gate {
  name: string;
  /** What it waits for, for a person. */
  waitingFor: string;
}

/** A question of a gate; undefined: it is open. */
export type GateCheck = () => Gate | undefined;

/** The first gate that is shut. */
export function firstShut(checks: readonly GateCheck[]): Gate | undefined {
  for (const check of checks) {
    const gate = check();
    if (gate !== undefined) return gate;
  }
  return undefined;
}

export function shut(name: string, waitingFor: string): Gate {
  return { name, waitingFor };
}

export function zoneOf({ zones }: Observed, name: string): ZoneSight | undefined {
  return zones.find((zone) => zone.name === name);
}

/** All of a zone's stores that a home has. */
export function answers(name: string, seen: Observed): boolean {
  const zone = zoneOf(seen, name);
  return (!seen.moves.etcd || zone?.etcd !== undefined) && (!seen.moves.redis || zone?.redis !== undefined);
}

/** How long a gateway has to do what it was told, milliseconds: it hears in less than one second, or the word was lost on its way. */
export const HEARD = 5_000;

/** A failover told it last whether it is to be empty, and it does not do so, or not yet. */
export function isUnheard({ told, toldAt, drain: said }: GatewaySight): boolean {
  return toldAt !== undefined && said !== undefined && (told === undefined) !== (said.phase === 'Serving');
}

/** It has had its time for that, and is to be told again. `now`: milliseconds. */
export function isDeaf(pod: GatewaySight, now: number): boolean {
  return isUnheard(pod) && now - (pod.toldAt ?? now) >= HEARD;
}

/** The home does not answer, and an Emergency waits that moves it on: whoever waits for that home only keeps it from doing so. */
export function isDeserted(seen: Observed): boolean {
  return seen.emergencyZones.includes(seen.home) && !answers(seen.home, seen);
}

/** Zones that stay. */
export function othersOf({ zones }: Observed, { spec }: FailoverWish): ZoneSight[] {
  return zones.filter(({ name }) => name !== spec.fromZone);
}

/** Why something does not begin, and how it ends if not as Failed. */
export interface Refusal {
  phase?: 'RolledBack';
  cause: string;
  message: string;
}

/** Why it does not begin, now or ever; undefined: it may. */
export function refusal(wish: FailoverWish, seen: Observed): Refusal | undefined {
  const { fromZone, toHome } = wish.spec;
  const names = seen.zones.map(({ name }) => name).join(', ');
  if (zoneOf(seen, fromZone) === undefined)
    return { cause: 'UnknownZone', message: `fromZone ${fromZone} is no zone of the platform: ${names}.` };
  if (toHome !== undefined && zoneOf(seen, toHome) === undefined)
    return { cause: 'UnknownZone', message: `toHome ${toHome} is no zone of the platform: ${names}.` };
  if (seen.zones.length < 2)
    return {
      cause: 'OnlyZone',
      message: `${fromZone} is the only zone of the platform: nothing can take over.`,
    };
  const { startBy } = wish;
  // It found nothing that is wrong, and changed nothing.
  if (startBy !== undefined && seen.now >= startBy)
    return {
      phase: 'RolledBack',
      cause: 'NotStartedInTime',
      message: `Its turn did not come until ${new Date(startBy).toISOString()} (startingDeadlineSeconds).`,
    };
  return undefined;
}

/** Zones that could be home next, the best first: those that hold most, then as the platform names them. */
export function candidates(wish: FailoverWish, seen: Observed): ZoneSight[] {
  const { toHome } = wish.spec;
  const able = othersOf(seen, wish).filter((zone) => canBeHome(zone, seen));
  if (toHome !== undefined) return able.filter(({ name }) => name === toHome);
  const held = ({ etcd }: ZoneSight): { epoch: number; revision: number } =>
    etcd?.holds ?? { epoch: 0, revision: 0 };
  return able.toSorted((a, b) => held(b).epoch - held(a).epoch || held(b).revision - held(a).revision);
}

/** Its stores answer, and its etcd holds all keys of a home at some revision. */
function canBeHome({ etcd, redis }: ZoneSight, { moves }: Observed): boolean {
  return (!moves.etcd || etcd?.holds !== undefined) && (!moves.redis || redis !== undefined);
}

/** What must hold before anything is touched, in the order in which a person would look. */
export function preflightGates(wish: FailoverWish, seen: Observed): GateCheck[] {
  const urgent = wish.spec.mode === 'Emergency';
  const always = [
    () => pausedGate(seen),
    () => gatewaysGate(wish, seen, { all: !urgent }),
    () => targetGate(wish, seen),
  ];
  if (urgent) return always;
  return [
    ...always,
    () => redisGate(wish, seen),
    () => lagGate(wish, seen),
    () => roomGate(wish, seen),
    () => kafkaGate(wish, seen),
    () => mirrorGate(wish, seen),
  ];
}

function pausedGate({ platformPaused }: Observed): Gate | undefined {
  if (!platformPaused) return undefined;
  return shut(
    'PlatformActive',
    'The platform is paused (annotation causeway.dev/paused): nothing in it is changed.',
  );
}

/** `all`: of each other zone; else of one. */
export function gatewaysGate(
  wish: FailoverWish,
  seen: Observed,
  { all }: { all: boolean },
): Gate | undefined {
  const { minReadyPerZone } = wish.spec.limits;
  const others = othersOf(seen, wish);
  const short = others.filter(({ ready }) => ready < minReadyPerZone);
  if (short.length === 0 || (!all && short.length < others.length)) return undefined;
  const each = short.map(({ name, ready }) => `${name} has ${ready}`).join(', ');
  return shut('GatewaysReady', `Each other zone needs ${minReadyPerZone} ready gateways: ${each}.`);
}

function targetGate(wish: FailoverWish, seen: Observed): Gate | undefined {
  if (!movesHome(wish, seen) || candidates(wish, seen).length > 0) return undefined;
  const who = wish.spec.toHome ?? 'Every other zone';
  return shut(
    'TargetReady',
    `${who} lacks an etcd that holds the home's keys, or a Redis that answers: it cannot become home.`,
  );
}

/** The zone that is left is home. */
export function movesHome({ spec }: FailoverWish, { home }: Observed): boolean {
  return spec.fromZone === home;
}

function redisGate(wish: FailoverWish, seen: Observed): Gate | undefined {
  const [target] = candidates(wish, seen);
  if (!seen.moves.redis || !movesHome(wish, seen) || target?.redis?.inSync === true) return undefined;
  return shut(
    'RedisInSync',
    `The Redis of ${target?.name ?? 'the next home'} does not follow the home zone's yet.`,
  );
}

function lagGate(wish: FailoverWish, seen: Observed): Gate | undefined {
  const [target] = candidates(wish, seen);
  if (!seen.moves.etcd || !movesHome(wish, seen) || target === undefined) return undefined;
  const { maxReplicationLag } = wish.spec.limits;
  const behind = target.etcd?.behind;
  if (behind !== undefined && behind <= maxReplicationLag) return undefined;
  const far = behind === undefined ? 'by an unknown number of' : `by ${behind}`;
  return shut(
    'ReplicationLag',
    `The etcd of ${target.name} is behind ${far} revisions; ${maxReplicationLag} are allowed.`,
  );
}

/** The zone's clients find room: as many as there are now, on the pods that the others are to have. */
function roomGate(wish: FailoverWish, seen: Observed): Gate | undefined {
  const replicas = takeoverReplicas(wish, seen);
  const others = othersOf(seen, wish);
  const counts = seen.zones.map(connectionsOf);
  if (counts.includes(undefined)) return undefined; // A gateway that does not answer is no reason to stay in its zone.
  const clients = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  const room =
    others.reduce((sum, { ready }) => sum + Math.max(ready, replicas ?? 0), 0) * seen.connectionsPerReplica;
  if (clients <= room) return undefined;
  return shut(
    'Capacity',
    `The other zones have room for ${room} clients, and there are ${clients}: more gateways or higher limits are needed.`,
  );
}

function kafkaGate({ spec }: FailoverWish, { kafka }: Observed): Gate | undefined {
  if (kafka === undefined)
    return shut('KafkaSurvives', 'Kafka cannot be asked whether its topics outlive the zone.');
  const [first] = kafka.atRisk ?? [];
  if (first === undefined) return undefined;
  const more = (kafka.atRisk?.length ?? 0) - 1;
  const named = more > 0 ? `${first} and ${more} more` : first;
  return shut(
    'KafkaSurvives',
    `Without the brokers of ${spec.fromZone}, partition ${named} would have fewer in-sync replicas than min.insync.replicas.${silentBrokers(kafka)}`,
  );
}

/** Of whom it is not known whether they stay; a sentence more, or nothing. */
function silentBrokers({ racks }: KafkaSight): string {
  const silent = [...racks].filter(([, rack]) => rack === undefined).map(([id]) => id);
  if (silent.length === 0) return '';
  const ids = silent.toSorted((a, b) => a - b).join(', ');
  return ` Not counted, since they do not say where they are (broker.rack): ${silent.length === 1 ? 'broker' : 'brokers'} ${ids}.`;
}

/** Only where a limit is set: elsewhere the lag is a figure. */
function mirrorGate({ spec }: FailoverWish, { mirror }: Observed): Gate | undefined {
  const { maxMirrorLag } = spec.limits;
  if (maxMirrorLag === undefined) return undefined;
  if (mirror === undefined)
    return shut('MirrorLag', 'limits.maxMirrorLag is set, and the platform has no kafka.mirror.');
  const { lag, unknown } = mirror;
  if (lag === undefined)
    return shut(
      'MirrorLag',
      unknown === undefined
        ? 'One of the two Kafka clusters cannot be asked how far the mirror is behind.'
        : `How far the mirror is behind is unknown: ${unknown}.`,
    );
  if (lag <= maxMirrorLag) return undefined;
  return shut('MirrorLag', `The mirror of Kafka is behind by ${lag} offsets; ${maxMirrorLag} are allowed.`);
}

/** Clients of a zone; undefined: not every ready gateway answers. */
export function connectionsOf({ pods }: ZoneSight): number | undefined {
  let sum = 0;
  for (const { ready, drain } of pods) {
    if (drain === undefined && ready) return undefined;
    sum += drain?.connections ?? 0;
  }
  return sum;
}

/**
 * Gateway pods that each other zone is to have: together as many as all zones have, so that nobody carries more than
 * before. Undefined: an autoscaler decides.
 */
export function takeoverReplicas(wish: FailoverWish, seen: Observed): number | undefined {
  const { replicasPerZone, zones } = seen;
  if (replicasPerZone === undefined) return undefined;
  const away = new Set([wish.spec.fromZone, ...seen.away.map(({ zone }) => zone)]);
  const staying = zones.filter(({ name }) => !away.has(name)).length;
  return staying === 0 ? replicasPerZone : Math.ceil((replicasPerZone * zones.length) / staying);
}

/** The others have the pods that they were given. */
export function capacityGate(wish: FailoverWish, state: FailoverState, seen: Observed): Gate | undefined {
  const wanted = state.replicas ?? wish.spec.limits.minReadyPerZone;
  const others = othersOf(seen, wish).filter(({ name }) => !seen.away.some(({ zone }) => zone === name));
  const short = others.filter(({ ready }) => ready < wanted);
  if (short.length === 0) return undefined;
  const each = short.map(({ name, ready }) => `${name} has ${ready}`).join(', ');
  return shut('CapacityReady', `Each other zone is to have ${wanted} ready gateways: ${each}.`);
}
