/** The controller's ports over MessagePlatforms. */
import type { ObjectRef } from '../controller/kube-api.ts';
import type { FailoverPorts } from '../failover/index.ts';
import { performAct, releaseClaim } from './failover-acts.ts';
import { FenceMemory, type SilenceMemory } from './failover-memory.ts';
import { lookForFailover, type FailoverPlatformWorld } from './failover-sight.ts';
import { KIND } from './kinds.ts';
import type { MessagePlatform } from './types.ts';

/** Implements what the controller of failovers needs. */
export function failoverPorts(world: FailoverPlatformWorld, silence: SilenceMemory): FailoverPorts {
  const memory = new FenceMemory();
  const platformAt = (ref: ObjectRef): MessagePlatform | undefined => {
    const platform = world.cache.get(KIND.platform, ref) as MessagePlatform | undefined;
    return platform?.metadata.deletionTimestamp === undefined ? platform : undefined;
  };
  return {
    async observe({ metadata: { namespace }, spec }, needs) {
      const ref = { namespace, name: spec.platform };
      if (!world.cache.hasSeenOurWrites(KIND.platform, ref)) return 'behind';
      const platform = platformAt(ref);
      if (platform !== undefined)
        return lookForFailover(world, platform, { fromZone: spec.fromZone, needs, memory, silence });
      // With its platform all that a failover holds is given up: the cache alone is no proof that it is gone.
      const stored = await world.kube.get(KIND.platform, ref);
      return stored === undefined || stored.metadata.deletionTimestamp !== undefined ? undefined : 'behind';
    },
    async perform({ metadata: { namespace, name }, spec }, act) {
      const platform = platformAt({ namespace, name: spec.platform });
      if (platform !== undefined) await performAct(world, { name, platform }, { act, memory });
    },
    async release({ namespace, name }) {
      const claimed = (world.cache.all(KIND.platform) as MessagePlatform[]).filter(
        ({ metadata, status }) => metadata.namespace === namespace && status?.failover?.name === name,
      );
      for (const platform of claimed) await releaseClaim(world, { name, platform });
    },
  };
}
