/** What replicators say of themselves, and what of it people have to know. */
import { ADMIN_PATH, COMPONENT, type ReplicationState } from '@causeway/crds';
import { askPod } from './pod-admin.ts';
import { replicatedZones } from './replication.ts';
import { homeOf, type MessagePlatform, type Problem } from './types.ts';
import { isOf, type Pod } from './workloads.ts';

/** Asks the replicator at an address. Rejects when it does not answer. */
export type ReplicationProbe = (host: string) => Promise<ReplicationState>;

/** Time for an answer, the connection included; milliseconds. */
const TIMEOUT = 2_000;

/** Real replicators. */
export const replicationProbe: ReplicationProbe = (host) => askPod(host, ADMIN_PATH.replication, TIMEOUT);

/** By zone, what each replicator that runs says; one that does not answer is left out. */
export async function lookAtReplication(
  world: { replication: ReplicationProbe },
  platform: MessagePlatform,
  pods: readonly Pod[],
): Promise<Map<string, ReplicationState>> {
  const states = new Map<string, ReplicationState>();
  await Promise.all(
    replicatedZones(platform).map(async (zone) => {
      const host = pods.find((pod) => isReplicatorOf(pod, zone))?.status?.podIP;
      if (host === undefined) return;
      try {
        states.set(zone, await world.replication(host));
      } catch {
        // Its own probes say whether it works; here nothing is known of how far it is.
      }
    }),
  );
  return states;
}

function isReplicatorOf(pod: Pod, zone: string): boolean {
  const runs = pod.status?.phase === 'Running' && pod.metadata.deletionTimestamp === undefined;
  return runs && isOf(pod, COMPONENT.replicator, zone);
}

/** Lags are told in steps: a status that changed with each second would be written without end. Seconds, and words. */
const STEPS: readonly (readonly [number, string])[] = [
  [3600, 'an hour'],
  [600, '10 minutes'],
  [60, 'a minute'],
  [5, '5 seconds'],
];
/** From here on replication stands still, seconds. */
const STALLED_SECONDS = 60;

/** The longest step that a lag is over; undefined: none. */
function stepOf({ lagSeconds }: ReplicationState): string | undefined {
  return STEPS.find(([seconds]) => lagSeconds > seconds)?.[1];
}

/** What stops replication, zone by zone. */
export function replicationProblems(states: ReadonlyMap<string, ReplicationState>): Problem[] {
  return inOrder(states).flatMap(([zone, state]) => problemOf(zone, state) ?? []);
}

function problemOf(zone: string, state: ReplicationState): Problem | undefined {
  const { phase, reason, lagSeconds } = state;
  const problem = (name: string, message: string, needsPerson = false): Problem => {
    return { part: 'Replication', reason: name, message, needsPerson };
  };
  if (phase === 'Blocked')
    return problem('ReplicationBlocked', `${zone} is not replicated to: ${reason}.`, true);
  if (phase === 'Fenced') return problem('ReplicationFenced', `${zone} is not replicated to: ${reason}.`);
  if (lagSeconds <= STALLED_SECONDS) return undefined;
  const why = reason === '' ? '' : `: ${reason}`;
  return problem('ReplicationStalled', `${zone} is more than ${stepOf(state)} behind${why}.`);
}

/** How replication is while nothing stops it. */
export function replicationSummary(
  platform: MessagePlatform,
  states: ReadonlyMap<string, ReplicationState>,
): string {
  const zones = inOrder(states);
  const behind = zones.flatMap(([zone, state]) => {
    const step = stepOf(state);
    return step === undefined ? [] : [`${zone} is more than ${step} behind`];
  });
  const epochs = [...new Set(zones.map(([, { epoch }]) => epoch))].sort((a, b) => a - b);
  const of = epochs.length === 0 ? '' : ` (epoch ${epochs.join(', ')})`;
  const lag = behind.length === 0 ? '' : ` ${behind.join(', ')}.`;
  return `Every zone follows ${homeOf(platform)}${of}.${lag}`;
}

/** What old homes keep aside, for a person to decide on; undefined: nothing. */
export function keptAside(states: ReadonlyMap<string, ReplicationState>): string | undefined {
  const kept = inOrder(states).flatMap(([zone, { orphans = [] }]) =>
    orphans.map(({ epoch, keys }) => `${zone} has ${keys} keys that it wrote as home of epoch ${epoch}`),
  );
  if (kept.length === 0) return undefined;
  return `${kept.join(', ')} and no other zone has. They are kept under /causeway.dev/orphans/ in its etcd, until somebody has looked at them.`;
}

function inOrder(states: ReadonlyMap<string, ReplicationState>): [string, ReplicationState][] {
  return [...states].sort(([a], [b]) => (a < b ? -1 : 1));
}
