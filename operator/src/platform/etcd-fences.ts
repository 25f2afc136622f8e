/** Once the home has moved: every other zone's etcd is fenced, also one that comes back later. Level-triggered. */
import { COMPONENT } from '@causeway/crds';
import type { SecretData } from '../certificates/index.ts';
import type { EtcdAdmin, EtcdState } from './etcd-admin.ts';
import { managesEtcd } from './etcd.ts';
import { epochOf, homeOf, type MessagePlatform, type Problem } from './types.ts';
import { isOf, isServing, type Pod } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

/** What is to be done with one zone's etcd. */
export type EtcdAct = { zone: string; act: 'fence' | 'release' };

/**
 * What each etcd needs so that only the home can be written. The home is released only where its own record says that it
 * is the home, and a promotion was cut short before applications could write.
 */
export function planEtcdFences(
  { epoch, home }: { epoch: number; home: string },
  states: ReadonlyMap<string, EtcdState>,
): EtcdAct[] {
  return [...states].flatMap(([zone, state]): EtcdAct[] => {
    // One that is further knows of a move that our copy of the platform has not seen yet.
    if (!state.reachable || (state.epoch ?? 0) > epoch) return [];
    if (zone !== home) {
      const done = state.fenced === true && state.fence?.epoch === epoch;
      return done ? [] : [{ zone, act: 'fence' }];
    }
    const isHome = state.homes?.some((record) => record.epoch === epoch && record.zone === zone) ?? false;
    return isHome && state.applications === 'MayRead' ? [{ zone, act: 'release' }] : [];
  });
}

/**
 * Looks at the etcds of a platform whose home has moved, and does what is due. While a failover has the platform, the home
 * is its own, and who does not answer is no news; but an old home that comes back meanwhile is fenced all the same: a
 * failover that waits for that zone to follow would wait for ever, and applications would write there for as long.
 */
export async function reconcileEtcdFences(
  world: Pick<PlatformWorld, 'etcd'>,
  platform: MessagePlatform,
  seen: { pods: readonly Pod[]; secret: SecretData | undefined; paused: boolean },
): Promise<Problem[]> {
  const epoch = epochOf(platform);
  if (epoch <= 1 || seen.paused) return [];
  const home = homeOf(platform);
  const isMoving = platform.status?.failover !== undefined;
  const admin = world.etcd(platform, seen.secret);
  const zones = platform.spec.zones
    .map(({ name }) => name)
    .filter((zone) => answers(platform, zone, seen.pods) && !(isMoving && zone === home));
  const states = new Map(
    await Promise.all(zones.map(async (zone) => [zone, await admin.state(zone)] as const)),
  );
  const problems = [...states]
    .filter(([, { reachable }]) => !reachable && !isMoving)
    .map(([zone, { trouble = '' }]) => etcdProblem(zone, trouble));
  for (const { zone, act } of planEtcdFences({ epoch, home }, states)) {
    try {
      await perform(admin, { zone, act, epoch });
    } catch (error) {
      problems.push(etcdProblem(zone, error instanceof Error ? error.message : String(error)));
    }
  }
  return problems;
}

async function perform(admin: EtcdAdmin, { zone, act, epoch }: EtcdAct & { epoch: number }): Promise<void> {
  if (act === 'fence') await admin.fence(zone, epoch);
  else await admin.promote(zone, epoch, zone);
}

/** Whether it is to be expected that it answers: no pod of it is known to be down. */
function answers(platform: MessagePlatform, zone: string, pods: readonly Pod[]): boolean {
  if (!managesEtcd(platform)) return true;
  return pods.some((pod) => isOf(pod, COMPONENT.etcd, zone) && isServing(pod));
}

function etcdProblem(zone: string, trouble: string): Problem {
  const message = `The etcd of ${zone} does not answer the operator: ${trouble}. It is tried again.`;
  return { part: 'Etcd', reason: 'EtcdUnreachable', message, needsPerson: false };
}
