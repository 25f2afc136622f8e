/** The weighted record of a platform that several clusters share, as an object of external-dns. Pure. */
import { isIP } from 'node:net';
import { COMPONENT, LABEL, objectName } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import { owned } from './objects.ts';
import type { MessagePlatform } from './types.ts';
import { isServing, type Pod } from './workloads.ts';

/** The condition that says how the record is; it does not count for Ready. */
export const DNS_CONDITION = 'DnsReady';

/** The front Service, as far as a record depends on it. */
export interface FrontService extends KubeObject {
  status?: { loadBalancer?: { ingress?: readonly { ip?: string; hostname?: string }[] } };
}

/** One record, as in external-dns' v1alpha1. */
interface Endpoint {
  dnsName: string;
  recordType: 'A' | 'AAAA' | 'CNAME';
  targets: string[];
  recordTTL: number;
  setIdentifier: string;
  providerSpecific: { name: string; value: string }[];
}

/** A DNSEndpoint of external-dns (externaldns.k8s.io/v1alpha1). */
export type DnsEndpoint = KubeObject & { spec?: { endpoints?: Endpoint[] } };

/** Name of the DNSEndpoint of a platform. */
export function dnsEndpointName(platform: MessagePlatform): string {
  return objectName.gateway(platform.metadata.name);
}

/**
 * The record that should be. Undefined: the platform asks for none, or nobody knows yet where it is to point.
 * `pods`: of the platform.
 */
export function dnsEndpoint(
  platform: MessagePlatform,
  { service, pods }: { service: FrontService | undefined; pods: readonly Pod[] },
): DnsEndpoint | undefined {
  const { dns } = platform.spec.gateway;
  if (dns === undefined) return undefined;
  const targets = (dns.targets ?? addressesOf(service)).toSorted();
  if (targets.length === 0) return undefined;
  const value = String(weightOf(platform, pods));
  const endpoints = recordSets(targets).map(([recordType, of]): Endpoint => ({
    dnsName: dns.hostname,
    recordType,
    targets: of,
    recordTTL: dns.recordTTL,
    setIdentifier: dns.setIdentifier,
    providerSpecific: [{ name: dns.weightProperty, value }],
  }));
  const meta = { name: dnsEndpointName(platform), component: COMPONENT.gateway };
  return owned(platform, KIND.dnsEndpoint, meta, { spec: { endpoints } });
}

function addressesOf(service: FrontService | undefined): string[] {
  const ingress = service?.status?.loadBalancer?.ingress ?? [];
  return ingress.flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
}

/** A name stands alone: a CNAME is the only record of its name, and has one target. */
function recordSets(targets: readonly string[]): [Endpoint['recordType'], string[]][] {
  const name = targets.find((target) => isIP(target) === 0);
  if (name !== undefined) return [['CNAME', [name]]];
  const sets: [Endpoint['recordType'], string[]][] = [
    ['A', targets.filter((target) => isIP(target) === 4)],
    ['AAAA', targets.filter((target) => isIP(target) === 6)],
  ];
  return sets.filter(([, of]) => of.length > 0);
}

/** The weight asked for, in proportion to the zones that serve; never 0 while one does, unless 0 was asked for. */
export function weightOf(platform: MessagePlatform, pods: readonly Pod[]): number {
  const { zones, gateway } = platform.spec;
  const serving = zonesInService(platform, pods).length;
  return Math.ceil(((gateway.dns?.weight ?? 0) * serving) / zones.length);
}

/** Zones with a gateway that is ready and takes clients, but for those that a failover took out. */
export function zonesInService(platform: MessagePlatform, pods: readonly Pod[]): string[] {
  const away = new Set((platform.status?.away ?? []).map(({ zone }) => zone));
  const serving = pods.filter(
    (pod) =>
      pod.metadata.labels?.[LABEL.component] === COMPONENT.gateway &&
      pod.metadata.labels[LABEL.serving] === 'true' &&
      isServing(pod),
  );
  const zones = new Set(serving.map(({ metadata }) => metadata.labels?.[LABEL.zone]));
  return platform.spec.zones.map(({ name }) => name).filter((name) => zones.has(name) && !away.has(name));
}
