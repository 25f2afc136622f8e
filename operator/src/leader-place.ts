/**
 * Where the operator's leader should be: in a zone that is home of as few platforms as can be, since nobody makes an Emergency
 * until the Lease of a leader that is lost with its zone has run out (docs/adr/0076). The decisions are pure.
 */
import { ZONE_TOPOLOGY_LABEL } from '@causeway/crds';
import type { KubeObject, LeaderPlace } from './controller/index.ts';
import { isOver, stateOf, type FailoverObject } from './failover/index.ts';
import { homeOf, type MessagePlatform } from './platform/index.ts';

/** How many platforms each zone is home of; a zone that is home of none may be absent. */
export type Homes = ReadonlyMap<string, number>;

/** Counts homes by zone. */
export function homesOf(platforms: readonly MessagePlatform[]): Homes {
  const homes = new Map<string, number>();
  for (const platform of platforms) {
    const zone = homeOf(platform);
    homes.set(zone, (homes.get(zone) ?? 0) + 1);
  }
  return homes;
}

/** True when a leader in the zone `own` goes with fewer homes than one in the zone `holder`. */
export function isBetterPlaced({
  own,
  holder,
  homes,
}: {
  own: string;
  holder: string;
  homes: Homes;
}): boolean {
  return (homes.get(own) ?? 0) < (homes.get(holder) ?? 0);
}

/**
 * True when no leader is needed for some seconds: no failover is under way or has something to give back, no certificate is
 * changed, and no zone is missed by gateways, which may end in an Emergency.
 */
export function isCalm(
  platforms: readonly Pick<MessagePlatform, 'status'>[],
  failovers: readonly FailoverObject[],
): boolean {
  const moving = failovers.map(stateOf).some(({ phase, holds }) => !isOver(phase) || holds);
  return !moving && !platforms.some(({ status }) => isBusy(status));
}

function isBusy(status: MessagePlatform['status']): boolean {
  const { failover, away = [], certificates, automaticFailover } = status ?? {};
  const missed = automaticFailover?.zones?.some(({ unreachableSince }) => unreachableSince !== undefined);
  return failover !== undefined || away.length > 0 || certificates?.rotation !== undefined || missed === true;
}

/** What the caches of this process have. */
export interface PlaceSight {
  /** False until each cache has its first list. */
  hasSynced(): boolean;
  /** The node that this process runs on; undefined: it is not known. */
  node(): KubeObject | undefined;
  platforms(): readonly MessagePlatform[];
  failovers(): readonly FailoverObject[];
}

/** Where this process is, and who is better placed, by what its caches have. */
export function leaderPlace(sight: PlaceSight): LeaderPlace {
  const zone = (): string | undefined => sight.node()?.metadata.labels?.[ZONE_TOPOLOGY_LABEL];
  const isBetter = (own: string | undefined, holder: string | undefined): boolean =>
    own !== undefined &&
    holder !== undefined &&
    sight.hasSynced() &&
    isBetterPlaced({ own, holder, homes: homesOf(sight.platforms()) });
  return {
    zone,
    isBetterThan: (holder) => isBetter(zone(), holder),
    mayYieldTo: (asker) => isBetter(asker, zone()) && isCalm(sight.platforms(), sight.failovers()),
  };
}
