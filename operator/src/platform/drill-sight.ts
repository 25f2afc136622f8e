/** Whether a drill of a platform may start, as its status has it. */
import { findCondition } from '../controller/conditions.ts';
import type { Obstacle, PlatformSight, SchedulePorts } from '../schedules/index.ts';
import { KIND } from './kinds.ts';
import { homeOf, isPaused, type MessagePlatform } from './types.ts';
import type { PlatformCache } from './world.ts';

/** Implements what the controller of schedules needs. */
export function schedulePorts(cache: Pick<PlatformCache, 'get'>): SchedulePorts {
  return {
    platform: (ref) => {
      const platform = cache.get(KIND.platform, ref) as MessagePlatform | undefined;
      return platform && drillSight(platform);
    },
  };
}

/** A platform as a schedule sees it. Pure. */
export function drillSight(platform: MessagePlatform): PlatformSight {
  return {
    zones: platform.spec.zones.map(({ name }) => name),
    home: homeOf(platform),
    blocked: obstacleOf(platform),
  };
}

/** Only a platform that is as it should be, and that nothing else is done with, is worth a drill. */
function obstacleOf(platform: MessagePlatform): Obstacle | undefined {
  const { metadata } = platform;
  if (metadata.deletionTimestamp !== undefined)
    return { reason: 'PlatformDeleting', message: 'The platform is being deleted.' };
  if (isPaused(platform)) return { reason: 'PlatformPaused', message: 'The platform is paused.' };
  return workOn(platform) ?? lackOf(platform);
}

/** What else is done with it. */
function workOn({ status }: MessagePlatform): Obstacle | undefined {
  const { failover, away: [away] = [], certificates } = status ?? {};
  if (failover !== undefined)
    return { reason: 'OtherFailover', message: `ZoneFailover ${failover.name} has the platform.` };
  if (away !== undefined) return { reason: 'ZoneAway', message: `Zone ${away.zone} is away.` };
  if (certificates?.rotation === undefined) return undefined;
  return { reason: 'CertificateRotation', message: 'A rotation of certificates is under way.' };
}

function lackOf({ metadata, status }: MessagePlatform): Obstacle | undefined {
  if (status?.observedGeneration !== metadata.generation) {
    const message = 'The platform was changed, and is not as asked for yet.';
    return { reason: 'PlatformChanging', message };
  }
  const ready = findCondition(status.conditions, 'Ready');
  if (ready?.status === 'True') return undefined;
  const message = `The platform is not Ready (${ready?.reason ?? 'Unknown'}).`;
  return { reason: 'PlatformNotReady', message };
}
