/** Whether a group needs the gateway that could join it. Pure. */

/** A consumer group, as its coordinator describes it. */
export interface GroupSeen {
  /** `Stable`, or what Kafka calls the rest: it changes just now, or nobody is in it. */
  state: string;
  members: number;
}

/** One who is not needed joins all the same after so long, milliseconds: it is here to stay, and takes its share. */
export const JOIN_PATIENCE_MS = 120_000;
/** How often it is looked at the group meanwhile, milliseconds. */
export const NEED_EVERY_MS = 500;

/**
 * Nobody carries anything while a group changes. Who is there for a while only, such as what a failover adds to the other zones, would
 * stop all publications twice, for half a second and more, to carry a share that the others carry as well. So one who
 * could join does it when the group has not `enough` members, when it changes anyway, and when somebody has left it since `first`.
 */
export function isNeeded(first: GroupSeen, now: GroupSeen, enough: number): boolean {
  return now.state !== 'Stable' || now.members < enough || now.members < first.members;
}
