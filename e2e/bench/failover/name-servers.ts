/** The cluster's name servers, while the benchmark runs. */
import { zones } from '../../lab/index.ts';
import type { Kube } from '../../platform/index.ts';

const NAMESPACE = ['-n', 'kube-system'];
const ROLLOUT = ['rollout', 'status', 'deployment/coredns', '--timeout=120s'];

/** Where name servers are: `two`, as the lab and kubeadm have them, or one in each zone, which is asked by who is there. */
export type NameServers = 'two' | 'zones';

/**
 * Puts them there, and waits until they are. With two of them, brokers that are left ask one that is lost with its zone, for as long as
 * Kubernetes sends questions to it (docs/operations.md, "Kafka's names").
 */
export async function placeNameServers(kube: Kube, where: NameServers): Promise<void> {
  const replicas = where === 'two' ? 2 : zones.length;
  const trafficDistribution = where === 'two' ? null : 'PreferSameZone';
  const patch = JSON.stringify({ spec: { trafficDistribution } });
  await kube.kubectl([...NAMESPACE, 'scale', 'deployment/coredns', `--replicas=${replicas}`]);
  await kube.kubectl([...NAMESPACE, ...ROLLOUT]);
  await kube.kubectl([...NAMESPACE, 'patch', 'service', 'kube-dns', '--type=merge', '-p', patch]);
}
