/** Moves that do not go through: by a person, or since the next home is lost. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../homes/index.ts';
import { waitFor } from '../tools/index.ts';
import type { Network, Zone } from './network.ts';
import type { Cluster } from './operators.ts';
import type { Turn } from './plan.ts';

/** How long it stands still, milliseconds: longer than Drain takes. */
const PAUSE_MS = 2_000;
/** How long the phase at which it is paused may be away, milliseconds. */
const PATIENCE_MS = 30_000;

interface Parts {
  cluster: Cluster;
  network: Network;
  /** Writes that were acknowledged so far. */
  written: () => Record<Store, number>;
}

/**
 * What comes between the failover of that name; to be called before it is asked for. Resolves when the person has done their
 * part; throws when a pause does not hold. Call what it resolves with once the failover has ended.
 */
export async function takeTurn(
  turn: Turn,
  { name, target }: { name: string; target: Zone },
  parts: Parts,
): Promise<() => void> {
  const { cluster, network } = parts;
  if (turn === 'person') {
    await pauseAndAbort(name, parts);
    return () => undefined;
  }
  let mend = (): void => undefined;
  cluster.onceIn('Drain', () => {
    mend = network.part({ side: 'zones', zone: target }, 'cut');
  });
  return () => mend();
}

async function pauseAndAbort(name: string, { cluster, written }: Parts): Promise<void> {
  cluster.onceIn('Drain', () => cluster.change(name, { pause: true }));
  cluster.onceIn('Hold', () => cluster.change(name, { abort: true }));
  const isPaused = (): boolean => cluster.failover(name)?.pausedSince !== undefined;
  await waitFor(`${name} is paused`, isPaused, { timeoutMs: PATIENCE_MS });
  const before = written();
  await delay(PAUSE_MS);
  const { phase, epoch } = cluster.failover(name) ?? {};
  if (phase !== 'Drain') throw new Error(`${name} was paused in Drain, and is in ${phase} of epoch ${epoch}`);
  const now = written();
  if (now.etcd === before.etcd || now.redis === before.redis)
    throw new Error(`${name} was paused in Drain, and nobody takes writes`);
  cluster.change(name, { pause: false });
}
