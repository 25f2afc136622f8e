import { API_GROUP_VERSION } from '@causeway/crds';
import type { ResourceKind } from '../controller/kube-api.ts';

function namespaced(apiVersion: string, kind: string, plural: string): ResourceKind {
  return { apiVersion, kind, plural, namespaced: true };
}

/** Every kind that the platform reconciler reads or writes. */
export const KIND = {
  platform: namespaced(API_GROUP_VERSION, 'MessagePlatform', 'messageplatforms'),
  deployment: namespaced('apps/v1', 'Deployment', 'deployments'),
  statefulSet: namespaced('apps/v1', 'StatefulSet', 'statefulsets'),
  service: namespaced('v1', 'Service', 'services'),
  configMap: namespaced('v1', 'ConfigMap', 'configmaps'),
  secret: namespaced('v1', 'Secret', 'secrets'),
  serviceAccount: namespaced('v1', 'ServiceAccount', 'serviceaccounts'),
  pod: namespaced('v1', 'Pod', 'pods'),
  podDisruptionBudget: namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  networkPolicy: namespaced('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  /** Of external-dns: it need not be there. */
  dnsEndpoint: namespaced('externaldns.k8s.io/v1alpha1', 'DNSEndpoint', 'dnsendpoints'),
  node: { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false },
} as const satisfies Record<string, ResourceKind>;

/** Kinds of the objects that a platform owns; drift in them is repaired, and leftovers are deleted. */
export const CHILD_KINDS: readonly ResourceKind[] = [
  KIND.serviceAccount,
  KIND.configMap,
  KIND.secret,
  KIND.service,
  KIND.networkPolicy,
  KIND.podDisruptionBudget,
  KIND.statefulSet,
  KIND.deployment,
];
