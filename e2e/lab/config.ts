import { join } from 'node:path';

/** The lab's three zones, as `topology.kubernetes.io/zone` names them. */
export const zones = ['zone-a', 'zone-b', 'zone-c'] as const;
/** One of {@link zones}. */
export type Zone = (typeof zones)[number];

/** One node: its own network namespace, containerd, kubelet and kube-proxy. */
export interface LabNode {
  name: string;
  zone: Zone;
  /** Address on the lab's bridge. */
  ip: string;
  /** The node's pods. One /24 for each node. */
  podCidr: string;
  /** Name of its network namespace under /run/netns. */
  netns: string;
  /** The host's end of its veth pair; `ip link set … down` cuts the zone off. */
  veth: string;
}

/** One node in each zone: node-a in zone-a, and so on. */
export const nodes: readonly LabNode[] = zones.map((zone, index) => {
  const letter = zone.slice(-1);
  return {
    name: `node-${letter}`,
    zone,
    ip: `198.18.0.${11 + index}`,
    podCidr: `10.244.${1 + index}.0/24`,
    netns: `causeway-${letter}`,
    veth: `cwv-${letter}`,
  };
});

/** What `nsenter` is given for a command in a node's network namespace. It replaces itself by the command. */
export function inNetns({ netns }: Pick<LabNode, 'netns'>, ...command: string[]): string[] {
  return [`--net=/run/netns/${netns}`, '--', ...command];
}

/** The lab's addresses: a network for benchmarks (RFC 2544) that no real host uses. */
export const network = {
  bridge: 'causeway0',
  hostIp: '198.18.0.1',
  prefixLength: 24,
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  serviceIp: '10.96.0.1',
  dnsIp: '10.96.0.10',
  apiPort: 16443,
  etcdPort: 12379,
  etcdPeerPort: 12380,
} as const;

/** Every cgroup of the lab is below this one, in each controller. */
export const cgroupRoot = 'causeway-lab';

/** The lab's state: CAUSEWAY_LAB_DIR or /var/lib/causeway-lab. Short, since sockets live in it (108 bytes at most). */
export function labDir(): string {
  return process.env['CAUSEWAY_LAB_DIR'] || '/var/lib/causeway-lab';
}

/** A path in the lab's state. */
export function labPath(...parts: string[]): string {
  return join(labDir(), ...parts);
}

/** Paths that people and tests ask for. */
export const paths = {
  kubeconfig: (): string => labPath('kubeconfig'),
  auditLog: (): string => labPath('audit', 'audit.log'),
  logs: (): string => labPath('logs'),
  state: (): string => labPath('state.json'),
  pki: (name: string): string => labPath('pki', name),
  containerdSocket: (node: LabNode): string => labPath(node.name, 'containerd.sock'),
};

/** The node of a zone; throws with the zones that there are. */
export function nodeOf(zone: string): LabNode {
  const node = nodes.find((candidate) => candidate.zone === zone);
  if (!node) throw new Error(`There is no zone "${zone}"; the lab has ${zones.join(', ')}`);
  return node;
}
