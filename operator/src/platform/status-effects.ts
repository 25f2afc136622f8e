import type { MessagePlatformStatus } from '@causeway/crds';
import { applyStatus } from '../controller/apply-status.ts';
import { isConflict, isNotFound } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import { epochOf, homeOf, type MessagePlatform } from './types.ts';
import type { PlatformWorld } from './world.ts';

/** How often the platform may change under our hands before we look at it anew. */
const TRIES = 5;

/**
 * Writes a status; a platform that is gone by now needs none. Returns the stored platform. It is written over the version
 * that it was decided on, or a later one with the same home: a late write must not bring back the home of before. Throws a
 * conflict when the home is another one by now.
 */
export async function writeStatus(
  world: PlatformWorld,
  platform: MessagePlatform,
  status: MessagePlatformStatus,
): Promise<MessagePlatform> {
  let over = platform;
  for (let tries = 1; ; tries += 1) {
    try {
      return (await applyStatus(world.kube, KIND.platform, over, status)) as MessagePlatform;
    } catch (error) {
      if (isNotFound(error)) return platform;
      const now = isConflict(error) && tries < TRIES ? await read(world, platform) : undefined;
      if (now === undefined || homeOf(now) !== homeOf(platform) || epochOf(now) !== epochOf(platform))
        throw error;
      over = now;
    }
  }
}

/** Undefined when it is gone, or another one has its name. */
async function read(
  world: PlatformWorld,
  { metadata: { namespace, name, uid } }: MessagePlatform,
): Promise<MessagePlatform | undefined> {
  const stored: MessagePlatform | undefined = await world.kube.get(KIND.platform, { namespace, name });
  return stored?.metadata.uid === uid ? stored : undefined;
}
