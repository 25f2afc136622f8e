/** Restarts an etcd that does not know an authority which it needs: it reads its trust at its start only. */
import { COMPONENT, LABEL } from '@causeway/crds';
import { trustNeededSince, type SecretData } from '../certificates/index.ts';
import { isConflict } from '../controller/kube-api.ts';
import type { ReconcileContext } from '../controller/controller.ts';
import { managesEtcd } from './etcd.ts';
import { KIND } from './kinds.ts';
import { homeOf, type MessagePlatform } from './types.ts';
import { isServing, startedAt, type Pod } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

/**
 * The etcd that is to go next; undefined: none, or not now. One at a time, while all others are ready, and the home
 * zone's last. `neededSince`: when the authority was made that it must know, milliseconds since the epoch.
 */
export function etcdToRestart(
  pods: readonly Pod[],
  { zones, home, neededSince }: { zones: number; home: string; neededSince: number },
): Pod | undefined {
  const etcd = pods.filter(({ metadata }) => metadata.labels?.[LABEL.component] === COMPONENT.etcd);
  if (etcd.length !== zones || !etcd.every(isServing)) return undefined;
  // Of one that does not say when it started nothing is known: that is no reason to restart it.
  const behind = etcd.filter((pod) => startedAt(pod) > 0 && startedAt(pod) < neededSince);
  return behind.find(({ metadata }) => metadata.labels?.[LABEL.zone] !== home) ?? behind[0];
}

/** Deletes that pod; its StatefulSet makes it anew, with the present trust. */
export async function restartOneEtcd(
  world: PlatformWorld,
  platform: MessagePlatform,
  { authority, log }: { authority: SecretData | undefined; log: ReconcileContext['log'] },
): Promise<void> {
  if (!managesEtcd(platform)) return;
  const pod = etcdToRestart(world.cache.ofPlatform(KIND.pod, platform.metadata), {
    zones: platform.spec.zones.length,
    home: homeOf(platform),
    neededSince: trustNeededSince(authority, world.clock.now()),
  });
  if (pod === undefined) return;
  const { name, uid } = pod.metadata;
  const { namespace } = platform.metadata;
  log.info('etcd restarts: it started before the authority that it must trust', { pod: name });
  try {
    await world.kube.delete(KIND.pod, { namespace, name }, uid === undefined ? {} : { uid });
  } catch (error) {
    // Another pod of that name is not the one that was looked at.
    if (!isConflict(error)) throw error;
  }
}
