import { API_GROUP_VERSION, type MessagePlatformStatus } from '@causeway/crds';
import { KubeError, type KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import type { MessagePlatform } from './types.ts';
import type { PlatformWorld } from './world.ts';

/** Writes a status; a platform that is gone by now needs none. Returns the stored platform. */
export async function writeStatus(
  world: PlatformWorld,
  platform: MessagePlatform,
  status: MessagePlatformStatus,
): Promise<MessagePlatform> {
  const { namespace, name, uid } = platform.metadata;
  const body: KubeObject & { status: MessagePlatformStatus } = {
    apiVersion: API_GROUP_VERSION,
    kind: 'MessagePlatform',
    metadata: { namespace, name, uid },
    status,
  };
  try {
    return (await world.kube.apply(KIND.platform, body, {
      subresource: 'status',
    })) as unknown as MessagePlatform;
  } catch (error) {
    if (error instanceof KubeError && error.code === 404) return platform;
    throw error;
  }
}
