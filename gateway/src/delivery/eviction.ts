/**
 * Who of a lost zone is to be taken out of the gateways' group, and when (docs/adr/0080-those-who-are-gone-leave-the-group.md).
 * Decides, and does no I/O.
 */
import { isIPv6 } from 'node:net';
import type { DescribedMember } from './kafkajs-cluster.ts';

/**
 * When a zone's members are noted, after its last answer, milliseconds. Gateways that miss a zone have all noted them before the
 * first of them acts: the last answers that they had are up to 1.25 s apart, and LOST_MS is later than that. So who is
 * taken out though it lives, and joins again under another id, is on nobody's list.
 */
export const NOTE_MS = 2_500;
/** When they are taken out: well above what a probe takes (1 s, each second), well below the session (6 s). */
export const LOST_MS = 4_000;
/** When it is not tried any more: sessions are over by then, whoever coordinates. */
export const GIVE_UP_MS = LOST_MS + 30_000;
/**
 * A zone that answers did so within this time. More than lies between two answers (1.25 s), and less than what one that is cut off
 * itself can have missed a zone for LOST_MS and still have had answers of another: with a slow last probe of 2.25 s, 1.75 s.
 */
export const FRESH_MS = 1_500;

/** What the witness knows of another zone. Times are monotonic milliseconds. */
export interface ZoneSight {
  zone: string;
  /** By address. */
  pods: ReadonlyMap<string, unknown>;
  /** For how long nobody has answered; 0: somebody does, or nobody is known. */
  unreachableMs: number;
  /** When somebody answered last. */
  answeredAt: number | undefined;
}

/** What was done about a zone that does not answer. */
export interface Loss {
  /** When it answered last: another answer ends the loss. */
  readonly since: number;
  /** Ids of its members when the group was first asked; undefined: nobody could say. */
  readonly noted: readonly string[] | undefined;
  /** Nothing more is to be done before it answers. */
  readonly isOver: boolean;
}

/** `ours`: it is we who were cut off. `giveUp`: it has not come about for long. */
export type Step = 'rest' | 'ours' | 'note' | 'evict' | 'giveUp';

/**
 * What is known of this zone's loss, or of one that may begin. Undefined: it never answered, so we cannot know whether it was ever
 * there for us. Kept for as long as there is no answer, also while its addresses are forgotten: or those who
 * cannot be reached from here alone would be taken out again.
 */
export function lossOf({ answeredAt }: ZoneSight, before: Loss | undefined): Loss | undefined {
  if (answeredAt === undefined) return undefined;
  return before?.since === answeredAt ? before : { since: answeredAt, noted: undefined, isOver: false };
}

/** Whether something is to be done about a loss, now or later. */
export function isOpen({ unreachableMs }: ZoneSight, { isOver, noted }: Loss): boolean {
  return !isOver && noted?.length !== 0 && unreachableMs >= NOTE_MS;
}

/** What is due for a zone. `zones`: all other zones, this one too. */
export function stepOf(zone: ZoneSight, loss: Loss, zones: readonly ZoneSight[], now: number): Step {
  const { unreachableMs } = zone;
  if (!isOpen(zone, loss)) return 'rest';
  if (isOurs(zone, zones)) return 'ours';
  if (unreachableMs >= GIVE_UP_MS) return 'giveUp';
  if (!isWitness(zone, zones, now)) return 'rest';
  if (loss.noted === undefined) return 'note';
  return unreachableMs >= LOST_MS ? 'evict' : 'rest';
}

/**
 * Whether it is the zone that is lost, and not we: another one answers. Where there is no other one nobody can tell; then it does no
 * harm that we may be wrong (ADR 80).
 */
function isWitness(lost: ZoneSight, zones: readonly ZoneSight[], now: number): boolean {
  const others = zones.filter(({ zone }) => zone !== lost.zone);
  return others.length === 0 || others.some((zone) => isFresh(zone, now));
}

/**
 * All others were silent for as long. When we are back one of them answers first, and for a moment the rest looks as if it alone were
 * lost.
 */
function isOurs(lost: ZoneSight, zones: readonly ZoneSight[]): boolean {
  const others = zones.filter(({ zone }) => zone !== lost.zone);
  return others.length > 0 && others.every(({ unreachableMs }) => unreachableMs >= NOTE_MS);
}

function isFresh({ unreachableMs, answeredAt }: ZoneSight, now: number): boolean {
  return unreachableMs === 0 && answeredAt !== undefined && now - answeredAt <= FRESH_MS;
}

/**
 * Ids of members that joined from an address of the lost zone, and of no other zone, ours included: of that we know
 * where we are ourselves. Where gateways reach Kafka by a translated address there are none.
 */
export function membersOf(
  lost: ZoneSight,
  members: readonly DescribedMember[],
  { zones, ownClientId }: { zones: readonly ZoneSight[]; ownClientId: string },
): string[] {
  const spared = new Set(
    zones.filter(({ zone }) => zone !== lost.zone).flatMap(({ pods }) => [...pods.keys()].map(plain)),
  );
  for (const { clientId, clientHost } of members)
    if (clientId === ownClientId) spared.add(hostOf(clientHost));
  const addresses = new Set([...lost.pods.keys()].map(plain));
  return members
    .filter(({ clientHost }) => addresses.has(hostOf(clientHost)) && !spared.has(hostOf(clientHost)))
    .map(({ memberId }) => memberId);
}

/** Java prints the name before the slash where it knows one. */
function hostOf(clientHost: string): string {
  return plain(clientHost.slice(clientHost.lastIndexOf('/') + 1));
}

/** An address in the one form that URLs have for it: Java prints all eight groups of an IPv6 address. */
function plain(address: string): string {
  return isIPv6(address) && !address.includes('%') ? new URL(`http://[${address}]`).hostname : address;
}
