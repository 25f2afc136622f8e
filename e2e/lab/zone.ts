import { ensureBinaries } from '../binaries/index.ts';
import { createProgress, waitFor } from '../tools/index.ts';
import { removeShimSockets } from './cleanup.ts';
import { nodeOf } from './config.ts';
import type { LabNode } from './config.ts';
import { kubectlJson } from './kubectl.ts';
import { cutNode, healNode, muteNode, routeServices, unmuteNode } from './network.ts';
import { nodeDaemons, startContainerd, startNode } from './node.ts';
import { killProcesses } from './processes.ts';
import { requireState, writeState } from './state.ts';
import type { LabState } from './state.ts';

/** Cuts a zone off: its node keeps running, and nothing reaches it or comes from it. Twice is no error. */
export async function cut(zone: string): Promise<void> {
  const node = nodeOf(zone);
  const state = requireState();
  await createProgress().step(`cut ${zone} off`, async () => {
    state.cut = [...new Set([...state.cut, node.zone])];
    writeState(state);
    await cutNode(node, outOf(state));
  });
}

/** Undoes {@link cut} and waits until the host reaches the node. */
export async function heal(zone: string): Promise<void> {
  const node = nodeOf(zone);
  const state = requireState();
  await createProgress().step(`heal ${zone}`, async () => {
    state.cut = state.cut.filter((other) => other !== node.zone);
    await healNode(node, outOf(state));
    writeState(state);
  });
}

/** Cuts a zone off in one direction: it hears all, and nobody hears it. Twice is no error. */
export async function mute(zone: string): Promise<void> {
  const node = nodeOf(zone);
  const state = requireState();
  await createProgress().step(`mute ${zone}`, async () => {
    state.cut = [...new Set([...state.cut, node.zone])];
    writeState(state);
    await muteNode(node);
    await routeServices(outOf(state));
  });
}

/** Undoes {@link mute}. */
export async function unmute(zone: string): Promise<void> {
  const node = nodeOf(zone);
  const state = requireState();
  await createProgress().step(`unmute ${zone}`, async () => {
    await unmuteNode(node);
    state.cut = state.cut.filter((other) => other !== node.zone);
    await routeServices(outOf(state));
    writeState(state);
  });
}

/** Zones that carry nothing of the host's. */
function outOf({ cut: apart, killed }: LabState): string[] {
  return [...apart, ...killed];
}

/** Kills every process of a zone's node at once: kubelet, containerd, kube-proxy, shims, containers. */
export async function kill(zone: string): Promise<void> {
  const node = nodeOf(zone);
  const state = requireState();
  await createProgress().step(`kill ${zone}`, async () => {
    state.killed = [...new Set([...state.killed, node.zone])];
    for (const name of nodeDaemons(node)) delete state.processes[name];
    writeState(state);
    await killProcesses(node);
    // containerd forgets them when it starts again.
    removeShimSockets([node]);
    await routeServices(outOf(state));
  });
}

/** Starts a killed zone's node again with what it had on disk, and waits until it is Ready. */
export async function revive(zone: string): Promise<void> {
  const node = nodeOf(zone);
  const state = requireState();
  if (!state.killed.includes(node.zone))
    throw new Error(`${zone} was not killed: there is nothing to revive`);
  const binaries = await ensureBinaries([
    ...([
      'etcd',
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kubelet',
      'kube-proxy',
    ] as const),
    'kubectl',
  ]);
  const since = Date.now();
  await createProgress().step(`revive ${zone}`, async () => {
    // What a first try may have left.
    await killProcesses(node);
    await startContainerd(state, node);
    await startNode(state, node, binaries);
    state.killed = state.killed.filter((other) => other !== node.zone);
    writeState(state);
    await waitFor(`${node.name} to be Ready again`, () => readySince(node, since), {
      timeoutMs: 90_000,
      intervalMs: 300,
    });
    await routeServices(outOf(state));
  });
}

interface Node {
  status: { conditions?: { type: string; status: string; lastHeartbeatTime?: string }[] };
}

/** Ready, as the new kubelet says it: just after a kill the old one's word still stands. */
async function readySince(node: LabNode, since: number): Promise<boolean> {
  const { status } = await kubectlJson<Node>(['get', 'node', node.name]);
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && Date.parse(ready.lastHeartbeatTime ?? '') >= since - 1000;
}
