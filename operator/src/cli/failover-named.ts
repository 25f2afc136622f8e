/** A ZoneFailover by its name, or an error that says what to do. */
import { FAILOVER_KIND, type FailoverObject } from '../failover/index.ts';
import { assertServed, type Cluster } from './connect.ts';

/** Throws when there is none. */
export async function failoverNamed(cluster: Cluster, name: string): Promise<FailoverObject> {
  const { api, namespace } = cluster;
  const failover = await api.get<FailoverObject>(FAILOVER_KIND, { namespace, name });
  if (failover !== undefined) return failover;
  await assertServed(cluster, FAILOVER_KIND);
  throw new Error(
    `there is no ZoneFailover ${name} in namespace ${namespace}. "kubectl get zf -A" lists those that there are.`,
  );
}
