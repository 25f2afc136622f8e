/** What the controller of failovers needs of the world: implemented over MessagePlatforms, and by the simulator's fakes. */
import type { ZoneFailover } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import type { Needs } from './needs.ts';
import type { Act, Observed } from './observed.ts';

/** A ZoneFailover as the engine handles objects. */
export type FailoverObject = ZoneFailover & KubeObject;

/** What the controller knows of the platform's other failovers itself. */
export type Queue = Pick<Observed, 'ahead' | 'emergency' | 'emergencyZones'>;

export interface FailoverPorts {
  /**
   * Looks at the failover's platform. Undefined: there is none. `behind`: the cache has not seen our last write of it.
   * Who does not answer in about a second is told as not answering; it never throws for that.
   */
  observe(
    failover: FailoverObject,
    needs: Needs,
  ): Promise<Omit<Observed, keyof Queue> | 'behind' | undefined>;
  /** Does it; throws when it could not be done. */
  perform(failover: FailoverObject, act: Act): Promise<void>;
  /** The platform is nobody's any more, if it was this failover's. `name`: of the failover. */
  release(ref: { namespace: string; name: string }): Promise<void>;
}
