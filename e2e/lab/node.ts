import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { flags, succeeds, waitFor } from '../tools/index.ts';
import { isUnified, nodeCgroup } from './cgroups.ts';
import { cniNetwork } from './cleanup.ts';
import { labPath, network, paths } from './config.ts';
import type { LabNode } from './config.ts';
import type { Binaries } from './control-plane.ts';
import { assertDaemon, startDaemon } from './daemon.ts';
import type { LabState } from './state.ts';

/** The pod sandbox's image. */
export const pauseImage = 'localhost/causeway/pause:1';

const cniConfig = (node: LabNode): unknown => ({
  cniVersion: '0.4.0',
  name: cniNetwork,
  plugins: [
    {
      // ptp, not bridge: every packet between pods is routed, so that kube-proxy's translation sees the answers too.
      type: 'ptp',
      ipMasq: false,
      ipam: {
        type: 'host-local',
        dataDir: labPath(node.name, 'ipam'),
        ranges: [[{ subnet: node.podCidr }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
});

const containerdConfig = (node: LabNode): string => `version = 2
root = "${labPath(node.name, 'containerd')}"
state = "${labPath(node.name, 'run')}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "${paths.containerdSocket(node)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE a negative score is refused, and every sandbox with it.
  restrict_oom_score_adj = true
  # Pods' network namespaces below the lab's own folder, where "down" finds them.
  netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "${labPath(node.name, 'cni')}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "${labPath(node.name, 'run', 'runc')}"
`;

const kubeletConfig = (node: LabNode): unknown => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  ...(isUnified() ? {} : { failCgroupV1: false }),
  cgroupDriver: 'cgroupfs',
  cgroupRoot: nodeCgroup(node),
  cgroupsPerQOS: false,
  enforceNodeAllocatable: [],
  failSwapOn: false,
  authentication: {
    anonymous: { enabled: false },
    x509: { clientCAFile: paths.pki('ca.crt') },
    webhook: { enabled: true },
  },
  authorization: { mode: 'Webhook' },
  containerRuntimeEndpoint: `unix://${paths.containerdSocket(node)}`,
  tlsCertFile: paths.pki(`${node.name}.crt`),
  tlsPrivateKeyFile: paths.pki(`${node.name}.key`),
  clusterDNS: [network.dnsIp],
  clusterDomain: 'cluster.local',
  resolvConf: '',
  nodeStatusUpdateFrequency: '4s',
  evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
  imageGCHighThresholdPercent: 100,
  localStorageCapacityIsolation: false,
  podLogsDir: labPath(node.name, 'podlogs'),
  serializeImagePulls: false,
});

const proxyConfig = (node: LabNode): unknown => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  mode: 'nftables',
  hostnameOverride: node.name,
  clusterCIDR: network.podCidr,
  clientConnection: { kubeconfig: paths.pki('kube-proxy.kubeconfig') },
  conntrack: { maxPerCore: 0 },
});

/** Writes a node's configuration files. */
export function writeNodeFiles(node: LabNode): void {
  const dir = labPath(node.name);
  for (const name of ['cni', 'kubelet', 'volumes']) mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(join(dir, 'cni', '10-lab.conflist'), JSON.stringify(cniConfig(node)));
  writeFileSync(join(dir, 'containerd.toml'), containerdConfig(node));
  writeFileSync(join(dir, 'kubelet.yaml'), stringify(kubeletConfig(node)));
  writeFileSync(join(dir, 'kube-proxy.yaml'), stringify(proxyConfig(node)));
}

/** Starts a node's containerd and waits until it answers. */
export async function startContainerd(state: LabState, node: LabNode): Promise<void> {
  const name = `containerd-${node.name}`;
  const args = ['--config', labPath(node.name, 'containerd.toml'), '--log-level', 'warn'];
  await startDaemon(state, { name, command: 'containerd', args, node });
  const ask = ['--address', paths.containerdSocket(node), '--timeout', '2s', 'version'];
  await waitFor(`containerd of ${node.name}`, () => succeeds('ctr', ask), {
    timeoutMs: 60_000,
    check: () => assertDaemon(state, name),
  });
}

/** Starts a node's kubelet and kube-proxy. */
export async function startNode(state: LabState, node: LabNode, binaries: Binaries): Promise<void> {
  const args = flags({
    config: labPath(node.name, 'kubelet.yaml'),
    kubeconfig: paths.pki(`${node.name}.kubeconfig`),
    'hostname-override': node.name,
    'node-ip': node.ip,
    'root-dir': labPath(node.name, 'kubelet'),
    'cert-dir': labPath(node.name, 'kubelet', 'pki'),
    'node-labels': `topology.kubernetes.io/zone=${node.zone},topology.kubernetes.io/region=lab`,
  });
  await startDaemon(state, { name: `kubelet-${node.name}`, command: binaries.kubelet, args, node });
  const proxyArgs = flags({ config: labPath(node.name, 'kube-proxy.yaml') });
  await startDaemon(state, {
    name: `kube-proxy-${node.name}`,
    command: binaries['kube-proxy'],
    args: proxyArgs,
    node,
  });
}

/** The names of a node's daemons. */
export function nodeDaemons(node: LabNode): string[] {
  return ['containerd', 'kubelet', 'kube-proxy'].map((program) => `${program}-${node.name}`);
}
