/**
 * When a platform makes an Emergency by itself (docs/adr/0062-automatic-emergency.md): what witnesses say, and what is known of
 * the platform → nothing, or an Emergency, and why. Pure. Times in milliseconds since the epoch.
 */
import type { ZoneView } from '@causeway/crds';
import { LEAST_WITNESSES, missedMs, NOTICE_MS, witnessZones, wordsOn } from './witnesses.ts';

/** Most Emergencies of a platform in {@link WINDOW_MS}. */
export const MOST_EMERGENCIES = 3;
/** Milliseconds. */
export const WINDOW_MS = 60 * 60_000;
/** After an Emergency of a zone, none of the same zone for so long; milliseconds. */
export const SAME_ZONE_MS = 5 * 60_000;
/** As the CRD allows. */
const MAX_KEPT = 8;
/**
 * How long a zone that says nothing is waited for at each look, milliseconds: the last look is to be over just when it has been missed for
 * long enough.
 */
export const SILENT_LOOK_MS = 1_000;
/** How soon it is looked again while a zone may be going; milliseconds. */
export const ALARMED_MS = 200;

/** A zone, as far as the operator itself knows it. */
export interface ZoneKnown {
  name: string;
  /** Gateways that Kubernetes calls ready. */
  ready: number;
  /** A failover took it out, and has not given it back. */
  away: boolean;
  /** Something in it answered the operator; undefined: it was not asked. */
  answers: boolean | undefined;
  /** Its kubelets say that no gateway there works, and nothing else runs there that could be asked. */
  gatewaysDown: boolean;
}

/** A drill or a planned move that has not ended. */
export interface HomeMove {
  failover: string;
  from: string;
  to: string;
}

export interface OutageSight {
  now: number;
  /** What gateways say that answered the operator. */
  views: readonly ZoneView[];
  /** In the platform's order. */
  zones: readonly ZoneKnown[];
  home: string;
  paused: boolean;
  /** A ZoneFailover of the platform that has not ended; `move` is none. */
  failover: string | undefined;
  /** The drill or planned move that is under way, and has a home to move. */
  move?: HomeMove | undefined;
  /** UID of the ZoneFailover that the state names last; undefined: there is none of that name. */
  made: string | undefined;
}

/** A zone as others see it. */
export interface ZoneWords {
  zone: string;
  seenBy: readonly string[];
  missedBy: readonly string[];
  /** Since when enough witnesses miss it. */
  unreachableSince?: number;
}

export interface MadeEmergency {
  zone: string;
  failover: string;
  at: number;
  /** Absent until it is known to be there. */
  uid?: string;
}

/** What the platform's status keeps. */
export interface AutomaticState {
  zones: readonly ZoneWords[];
  /** The newest at the end. */
  emergencies: readonly MadeEmergency[];
}

export interface AutomaticDecision {
  reason: string;
  message: string;
  /** To be saved before `make` is made. */
  state: AutomaticState;
  make: MadeEmergency | undefined;
  /** Something may be wrong: to be looked at again in so many milliseconds. Undefined: nothing is. */
  lookAfterMs: number | undefined;
}

export interface AutomaticWish {
  /** Name of the platform. */
  platform: string;
  unhealthyAfterMs: number;
}

/** Reasons with which it would act: all that are not named here are in its way. */
export const WORKING_REASONS: ReadonlySet<string> = new Set(['Watching', 'ZoneMissed', 'EmergencyMade']);

/** Decides. */
export function decideAutomatic(
  wish: AutomaticWish,
  before: AutomaticState,
  seen: OutageSight,
): AutomaticDecision {
  const missed = new Map(seen.zones.map(({ name }) => [name, missedMs(wordsOn(name, seen.views))]));
  const zones = seen.zones.map(({ name }) => wordsOf(name, before, { seen, missed: missed.get(name) ?? 0 }));
  const gone = goneZones(wish, seen, missed);
  const look: Look = { wish, seen, gone, zones, emergencies: withMade(before.emergencies, seen) };
  const verdict = overdue(look) ?? newEmergency(look) ?? quiet(look);
  const present = seen.zones.filter(({ away }) => !away).map(({ name }) => missed.get(name) ?? 0);
  const lookAfterMs = nextLook(wish, Math.max(0, ...present));
  return { lookAfterMs, ...verdict, state: { zones, emergencies: verdict.emergencies } };
}

/** `missed`: for how long the zone that is missed longest has been, milliseconds; 0: none is. */
function nextLook({ unhealthyAfterMs }: AutomaticWish, missed: number): number | undefined {
  if (missed === 0) return undefined;
  // With some to spare: witnesses' clocks and ours do not agree to the millisecond.
  const left = unhealthyAfterMs + 50 - SILENT_LOOK_MS - missed;
  const isNear = left >= 0 && left < SILENT_LOOK_MS + ALARMED_MS;
  return isNear ? left : ALARMED_MS;
}

interface Look {
  wish: AutomaticWish;
  seen: OutageSight;
  /** Zones that are gone, the home first. */
  gone: readonly ZoneKnown[];
  zones: readonly ZoneWords[];
  emergencies: readonly MadeEmergency[];
}

interface Verdict {
  reason: string;
  message: string;
  make: MadeEmergency | undefined;
  emergencies: readonly MadeEmergency[];
}

/** Who says nothing now has said what it said last. */
function wordsOf(
  zone: string,
  { zones }: AutomaticState,
  { seen, missed }: { seen: OutageSight; missed: number },
): ZoneWords {
  const before = zones.find((one) => one.zone === zone);
  const words = new Map(wordsOn(zone, seen.views).map(({ by, missedMs: ms }) => [by, ms >= NOTICE_MS]));
  const others = seen.zones.map(({ name }) => name).filter((name) => name !== zone);
  const misses = (by: string): boolean | undefined => {
    if (words.has(by) || before === undefined) return words.get(by);
    return before.missedBy.includes(by) ? true : before.seenBy.includes(by) ? false : undefined;
  };
  const missedBy = others.filter((by) => misses(by) === true);
  const seenBy = others.filter((by) => misses(by) === false);
  const isMissed = missedBy.length >= LEAST_WITNESSES && missedBy.length > seenBy.length;
  if (!isMissed) return { zone, seenBy, missedBy };
  return { zone, seenBy, missedBy, unreachableSince: before?.unreachableSince ?? seen.now - missed };
}

function goneZones(
  { unhealthyAfterMs }: AutomaticWish,
  { zones, home }: OutageSight,
  missed: ReadonlyMap<string, number>,
): ZoneKnown[] {
  return zones
    .filter(({ name, away }) => !away && (missed.get(name) ?? 0) >= unhealthyAfterMs)
    .sort((a, b) => Number(b.name === home) - Number(a.name === home));
}

function withMade(emergencies: readonly MadeEmergency[], { made }: OutageSight): readonly MadeEmergency[] {
  const last = emergencies.at(-1);
  if (last === undefined || last.uid !== undefined || made === undefined) return emergencies;
  return [...emergencies.slice(0, -1), { ...last, uid: made }];
}

/** One that was decided on, and is not there: the operator died in between. Made now when it is still due, else forgotten. */
function overdue(look: Look): Verdict | undefined {
  const last = look.emergencies.at(-1);
  if (last === undefined || last.uid !== undefined) return undefined;
  const rest = { ...look, emergencies: look.emergencies.slice(0, -1) };
  const zone = look.gone.find(({ name }) => name === last.zone);
  if (zone === undefined || obstacleOf(zone, rest) !== undefined) return newEmergency(rest) ?? quiet(rest);
  return { ...madeWords(last.zone, rest), make: last, emergencies: look.emergencies };
}

function newEmergency(look: Look): Verdict | undefined {
  const { gone, seen, wish, emergencies } = look;
  const [first] = gone;
  if (first === undefined) return undefined;
  const zone = gone.find((one) => obstacleOf(one, look) === undefined);
  if (zone === undefined) return { ...(obstacleOf(first, look) ?? NOT_ASKED), make: undefined, emergencies };
  const seconds = Math.floor(seen.now / 1_000);
  const make = { zone: zone.name, failover: `${wish.platform}-${zone.name}-auto-${seconds}`, at: seen.now };
  const recent = emergencies.filter(({ at }) => seen.now - at < WINDOW_MS);
  return { ...madeWords(zone.name, look), make, emergencies: [...recent, make].slice(-MAX_KEPT) };
}

function madeWords(zone: string, { zones }: Look): Pick<Verdict, 'reason' | 'message'> {
  const { missedBy = [] } = zones.find((one) => one.zone === zone) ?? {};
  const message = `An Emergency of ${zone} is made: gateways of ${listed(missedBy)} have not reached it, and nothing in it answers the operator.`;
  return { reason: 'EmergencyMade', message };
}

interface Obstacle {
  reason: string;
  message: string;
}

const NOT_ASKED: Obstacle = { reason: 'ZoneMissed', message: 'A zone is missed, and is asked once more.' };

/** Why there is no Emergency of a zone that is gone; undefined: nothing is in its way. */
function obstacleOf(zone: ZoneKnown, look: Look): Obstacle | undefined {
  const { seen } = look;
  const { name } = zone;
  if (seen.paused)
    return {
      reason: 'PlatformPaused',
      message: `${name} is gone, and the platform is paused: nothing is done.`,
    };
  if (zone.gatewaysDown)
    return {
      reason: 'GatewaysDown',
      message: `No gateway of ${name} works, and its nodes do: that is no outage of the zone. Look at its pods.`,
    };
  if (zone.answers === undefined) return NOT_ASKED;
  if (zone.answers)
    return {
      reason: 'ZoneAnswers',
      message: `Other zones do not reach the gateways of ${name}, and something in it answers the operator: that may be no outage of the zone. A person can make an Emergency of it.`,
    };
  const isLent = isLentTo(name, seen);
  const other = seen.failover ?? (isLent ? undefined : seen.move?.failover);
  if (other !== undefined)
    return {
      reason: 'OtherFailover',
      message: `${name} is gone, and ZoneFailover ${other} has not ended. An Emergency that a person makes goes first.`,
    };
  const healthy = healthyZones(seen, isLent ? seen.move?.from : undefined).filter((one) => one !== name);
  if (healthy.length < LEAST_WITNESSES)
    return {
      reason: 'TooFewZones',
      message: `${name} is gone, and fewer than two other zones are healthy: a person has to decide.`,
    };
  return tooOften(name, look);
}

/** A drill or a planned move has brought the home there, and turns back for an Emergency of it: it could not end well by itself. */
function isLentTo(name: string, { move, home }: OutageSight): boolean {
  return move?.to === name && home === name;
}

function tooOften(name: string, { seen, emergencies }: Look): Obstacle | undefined {
  const ages = emergencies.map(({ zone, at }) => ({ zone, age: seen.now - at }));
  if (ages.some(({ zone, age }) => zone === name && age < SAME_ZONE_MS))
    return {
      reason: 'RecentEmergency',
      message: `${name} is gone again less than ${SAME_ZONE_MS / 60_000} minutes after its last Emergency was made: it is waited for.`,
    };
  if (ages.filter(({ age }) => age < WINDOW_MS).length < MOST_EMERGENCIES) return undefined;
  return {
    reason: 'TooManyEmergencies',
    message: `${name} is gone, and there were ${MOST_EMERGENCIES} automatic Emergencies within an hour: a person has to decide.`,
  };
}

/** Zones that could carry on, and bear witness. `emptied`: a zone that is out of service, and will serve again. */
function healthyZones({ zones, views }: OutageSight, emptied?: string): string[] {
  const witnesses = witnessZones(views);
  return zones
    .filter(({ name, ready, away }) => (name === emptied || (ready > 0 && !away)) && witnesses.has(name))
    .map(({ name }) => name);
}

/** No zone is gone. */
function quiet({ seen, zones, emergencies }: Look): Verdict {
  const missed = zones.filter(
    ({ zone, unreachableSince }) =>
      unreachableSince !== undefined && !seen.zones.some(({ name, away }) => name === zone && away),
  );
  const of = (reason: string, message: string): Verdict => ({
    reason,
    message,
    make: undefined,
    emergencies,
  });
  const [first] = missed;
  if (first !== undefined && seen.views.length > 0)
    return of('ZoneMissed', `Gateways of ${listed(first.missedBy)} do not reach ${first.zone}.`);
  const healthy = healthyZones(seen);
  if (healthy.length > LEAST_WITNESSES)
    return of('Watching', `Gateways of ${listed(healthy)} watch each other's zones.`);
  const who = healthy.length === 0 ? 'no zone' : `only ${listed(healthy)}`;
  return of(
    'WitnessesMissing',
    `Of ${who} the operator has ready gateways that answer it and reach another zone: an outage of one more is left to a person.`,
  );
}

function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join();
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
