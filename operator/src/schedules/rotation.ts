/** Whose turn it is. Pure. */
import type { DrillScheduleSpec } from '@causeway/crds';

/** The platform's zones, in its order, and the one that is home now. */
export interface PlatformZones {
  zones: readonly string[];
  home: string;
}

/**
 * The zone that is left next: the first after `last` that may be left; the first of all when `last` is not in the rotation.
 * Undefined: none of the rotation may be left.
 */
export function nextZone(
  { zones, includeHome }: Pick<DrillScheduleSpec, 'zones' | 'includeHome'>,
  platform: PlatformZones,
  last: string | undefined,
): string | undefined {
  // Whoever is left needs another one to take over.
  if (platform.zones.length < 2) return undefined;
  const order = zones ?? platform.zones;
  const start = last === undefined ? 0 : order.indexOf(last) + 1;
  const turns = [...order.slice(start), ...order.slice(0, start)];
  return turns.find((zone) => platform.zones.includes(zone) && (includeHome || zone !== platform.home));
}
