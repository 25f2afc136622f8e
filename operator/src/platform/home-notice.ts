/**
 * Tells gateway pods which zone is home, for `/sync`. Their configuration says so too, but the kubelet brings a mounted
 * ConfigMap up to date when it next looks at the pod, in up to a minute and more; a changed annotation makes it look at once.
 * See docs/adr/0078.
 */
import { ANNOTATION, COMPONENT, LABEL, homeNotice } from '@causeway/crds';
import { isConflict, isNotFound } from '../controller/kube-api.ts';
import { replicatesEtcd } from './etcd.ts';
import { KIND } from './kinds.ts';
import { storedAtHome } from './observe.ts';
import { epochOf, homeOf, type MessagePlatform } from './types.ts';
import type { Pod } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

type Telling = Pick<PlatformWorld, 'cache' | 'kube'>;

/**
 * Gateway pods that are not told of the present home. In the first epoch only those that were told of another one: there
 * was no earlier home that a configuration could name. One that ends is told no more, since its kubelet takes nothing to it.
 */
export function planHomeNotices(platform: MessagePlatform, pods: readonly Pod[]): Pod[] {
  if (!replicatesEtcd(platform)) return [];
  const epoch = epochOf(platform);
  const notice = homeNotice(homeOf(platform), epoch);
  return pods.filter(({ metadata: { labels, annotations, deletionTimestamp } }) => {
    if (labels?.[LABEL.component] !== COMPONENT.gateway || deletionTimestamp !== undefined) return false;
    const told = annotations?.[ANNOTATION.home];
    return told === undefined ? epoch > 1 : told !== notice;
  });
}

/** Tells all at the same time, for the failover that moved the home. Throws what kept one from being told. */
export async function tellHome(world: Telling, platform: MessagePlatform): Promise<void> {
  await Promise.all(
    due(world, platform).map(({ metadata: { name, uid } }) => tell(world, platform, { name, uid })),
  );
}

/**
 * The same at any other time, for pods that started since, or that a failover did not reach. What was seen of the platform
 * and of a pod may be of before a move, whose notice must stay: so the platform is asked for, and a pod that changed is left
 * for the next look. Returns what kept pods from being told.
 */
export async function keepHomeTold(world: Telling, platform: MessagePlatform): Promise<unknown[]> {
  const pods = due(world, platform);
  try {
    if (pods.length === 0 || (await storedAtHome(world, platform)) === undefined) return [];
  } catch (error) {
    return [error];
  }
  const outcomes = await Promise.allSettled(
    pods.map(({ metadata: { name, uid, resourceVersion } }) =>
      tell(world, platform, { name, uid, resourceVersion }),
    ),
  );
  return outcomes.flatMap((outcome): unknown[] => (outcome.status === 'rejected' ? [outcome.reason] : []));
}

function due({ cache }: Telling, platform: MessagePlatform): Pod[] {
  return planHomeNotices(platform, cache.ofPlatform(KIND.pod, platform.metadata));
}

async function tell(
  { kube }: Telling,
  platform: MessagePlatform,
  { name, ...seen }: { name: string; uid: string | undefined; resourceVersion?: string | undefined },
): Promise<void> {
  const annotations = { [ANNOTATION.home]: homeNotice(homeOf(platform), epochOf(platform)) };
  const { namespace } = platform.metadata;
  try {
    await kube.mergePatch(KIND.pod, { namespace, name }, { metadata: { ...seen, annotations } });
  } catch (error) {
    // It went, or changed meanwhile: what is there then is seen at the next look.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
