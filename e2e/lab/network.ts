import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { run, succeeds, waitFor } from '../tools/index.ts';
import { inNetns, network, nodes } from './config.ts';
import type { LabNode } from './config.ts';
import type { LabState } from './state.ts';

/** Kernel settings that the lab or its kubelets change for the whole machine. */
const changedSysctls = [
  'net/ipv4/ip_forward',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];

/** Remembers the kernel settings that are about to change. */
export function rememberSysctls(state: LabState): void {
  for (const name of changedSysctls) {
    const file = `/proc/sys/${name}`;
    if (existsSync(file)) state.sysctls[name] ??= readFileSync(file, 'utf8').trim();
  }
}

/** Puts the kernel settings back. A setting that can't be written back is reported, not fatal. */
export function restoreSysctls(state: LabState): string[] {
  const failed: string[] = [];
  for (const [name, value] of Object.entries(state.sysctls)) {
    try {
      const file = `/proc/sys/${name}`;
      if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value);
    } catch (error) {
      failed.push(`sysctl ${name} could not be set back to ${value}: ${(error as Error).message}`);
    }
  }
  return failed;
}

/** Makes the bridge, and for each node a network namespace with a veth to the bridge and routes to all pods. */
export async function createNetwork(): Promise<void> {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  const bridge = network.bridge;
  await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  await run('ip', ['addr', 'add', `${network.hostIp}/${network.prefixLength}`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
  await Promise.all(nodes.map(createNode));
  for (const node of nodes) await run('ip', ['route', 'replace', node.podCidr, 'via', node.ip]);
  await routeServices([]);
}

async function createNode(node: LabNode): Promise<void> {
  const inside = (...args: string[]): Promise<unknown> => run('ip', ['-n', node.netns, ...args]);
  await run('ip', ['netns', 'add', node.netns]);
  await run('ip', ['link', 'add', node.veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node.netns]);
  await run('ip', ['link', 'set', node.veth, 'master', network.bridge, 'up']);
  await inside('link', 'set', 'lo', 'up');
  await inside('addr', 'add', `${node.ip}/${network.prefixLength}`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await addNodeRoutes(node);
  await run('nsenter', inNetns(node, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'));
}

/** The routes of a node: the default to the host, and the other nodes' pods. A link that goes down loses them. */
async function addNodeRoutes(node: LabNode): Promise<void> {
  const routes = nodes
    .filter((other) => other !== node)
    .map((other) => ['route', 'replace', other.podCidr, 'via', other.ip]);
  for (const route of [['route', 'replace', 'default', 'via', network.hostIp], ...routes]) {
    await run('ip', ['-n', node.netns, ...route]);
  }
}

/**
 * Sends the host's own traffic to Service addresses through the first node that isn't `out`: cut off, or killed, when
 * nobody keeps the rules of its kube-proxy up to date. A load balancer before a real cluster leaves such a node out too.
 */
export async function routeServices(out: readonly string[]): Promise<void> {
  const node = nodes.find((candidate) => !out.includes(candidate.zone));
  if (node) await run('ip', ['route', 'replace', network.serviceCidr, 'via', node.ip]);
}

/** Takes a node's link down, at the host's end. */
export async function cutNode(node: LabNode, cut: readonly string[]): Promise<void> {
  await run('ip', ['link', 'set', node.veth, 'down']);
  await routeServices(cut);
}

/** Brings a node's link up again, with the routes that it lost, and waits until the host reaches the node. */
export async function healNode(node: LabNode, cut: readonly string[]): Promise<void> {
  await run('ip', ['link', 'set', node.veth, 'up']);
  await addNodeRoutes(node);
  await run('ip', ['route', 'replace', node.podCidr, 'via', node.ip]);
  await routeServices(cut);
  await waitFor(`${node.name} to answer a ping`, () => succeeds('ping', ['-c1', '-W1', node.ip]), {
    timeoutMs: 15_000,
    intervalMs: 200,
  });
}

/** Table of packet rules that a muted node has. */
const MUTE = 'causeway_mute';

/** Drops all that leaves a node, its own and its pods'; what comes still arrives. Twice is no error. */
export async function muteNode(node: LabNode): Promise<void> {
  const chain = (hook: string): string =>
    `add chain inet ${MUTE} ${hook} { type filter hook ${hook} priority 0 ; }\n` +
    `add rule inet ${MUTE} ${hook} oifname "eth0" drop\n`;
  await nftables(
    node,
    `add table inet ${MUTE}\nflush table inet ${MUTE}\n${chain('output')}${chain('forward')}`,
  );
}

/** Undoes {@link muteNode}. One that isn't muted is no error. */
export async function unmuteNode(node: LabNode): Promise<void> {
  await nftables(node, `add table inet ${MUTE}\ndelete table inet ${MUTE}\n`);
}

async function nftables(node: LabNode, input: string): Promise<void> {
  await run('nsenter', inNetns(node, 'nft', '-f', '-'), { input });
}

/** Removes every link, namespace and route of the lab that exists; those that don't are no error. */
export async function removeNetwork(): Promise<void> {
  for (const node of nodes) {
    // The veth by its name first: a namespace that a process still holds would keep it alive.
    if (existsSync(`/sys/class/net/${node.veth}`)) await run('ip', ['link', 'del', node.veth]);
    if (existsSync(`/run/netns/${node.netns}`)) await run('ip', ['netns', 'del', node.netns]);
  }
  // Its address goes with the bridge, and with the address every route that used it.
  if (existsSync(`/sys/class/net/${network.bridge}`)) await run('ip', ['link', 'del', network.bridge]);
  const links = [network.bridge, ...nodes.map((node) => node.veth)];
  await waitFor('the links to be gone', () => links.every((link) => !existsSync(`/sys/class/net/${link}`)));
}
