/** Makes a platform's DNSEndpoint, follows it, and takes it away when nobody asks for it any more. */
import { isDeepStrictEqual } from 'node:util';
import { objectName } from '@causeway/crds';
import { findCondition, type ConditionInput } from '../controller/conditions.ts';
import { isNotFound, isRefusal } from '../controller/kube-api.ts';
import { isOurs } from './children.ts';
import {
  DNS_CONDITION,
  dnsEndpoint,
  dnsEndpointName,
  weightOf,
  type DnsEndpoint,
  type FrontService,
} from './dns.ts';
import { KIND } from './kinds.ts';
import type { MessagePlatform } from './types.ts';
import type { Pod } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

/** What is said of the record. */
export type DnsCondition = Omit<ConditionInput, 'observedGeneration'>;

/**
 * Looks at the DNSEndpoint itself, not at a cache: its CRD may come at any time, and a watch of a kind that is not there
 * would never begin. Nothing is asked for a platform without `spec.gateway.dns` that never had one. Returns its condition.
 */
export async function reconcileDns(
  world: Pick<PlatformWorld, 'kube' | 'cache'>,
  platform: MessagePlatform,
  { pods, paused }: { pods: readonly Pod[]; paused: boolean },
): Promise<DnsCondition | undefined> {
  const before = dnsCondition(platform);
  if (paused) return before;
  const { namespace, name } = platform.metadata;
  const ref = { namespace, name: dnsEndpointName(platform) };
  if (platform.spec.gateway.dns === undefined) {
    if (before !== undefined) await takeAway(world, platform);
    return undefined;
  }
  // Said before it is made: whoever finds the field gone after a crash knows by it that there may be one.
  if (before === undefined) return waits('Progressing', 'The record is about to be made.');
  const front = { namespace, name: objectName.gateway(name) };
  const service: FrontService | undefined = world.cache.get(KIND.service, front);
  const wanted = dnsEndpoint(platform, { service, pods });
  if (wanted === undefined) return waits('NoTargets', NO_TARGETS);
  try {
    const live = await world.kube.get<DnsEndpoint>(KIND.dnsEndpoint, ref);
    if (live !== undefined && !isOurs(live, platform))
      return waits('NameTaken', `DNSEndpoint ${ref.name} is not this platform's: delete or rename it.`);
    if (live === undefined || !isAsWanted(live, wanted)) await world.kube.apply(KIND.dnsEndpoint, wanted);
  } catch (error) {
    if (isNotFound(error)) return waits('ExternalDnsMissing', NO_CRD);
    if (isRefusal(error)) return waits('Refused', `The API server refuses the DNSEndpoint: ${error.message}`);
    throw error;
  }
  const { hostname } = platform.spec.gateway.dns;
  const message = `DNSEndpoint ${ref.name} gives ${hostname} the weight ${weightOf(platform, pods)}.`;
  return { type: DNS_CONDITION, status: 'True', reason: 'AsDesired', message };
}

const NO_TARGETS =
  'Nobody knows where the record is to point: the front Service has no load balancer. Set spec.gateway.service.type to LoadBalancer, or spec.gateway.dns.targets.';
const NO_CRD =
  'The cluster does not know DNSEndpoints: install external-dns with its CRD, and its source "crd".';

function waits(reason: string, message: string): DnsCondition {
  return { type: DNS_CONDITION, status: 'False', reason, message };
}

/** What was said of the record last. */
export function dnsCondition({ status }: MessagePlatform): DnsCondition | undefined {
  const found = findCondition(status?.conditions, DNS_CONDITION);
  if (found === undefined) return undefined;
  const { type, status: is, reason, message } = found;
  return { type, status: is, reason, message };
}

async function takeAway(world: Pick<PlatformWorld, 'kube'>, platform: MessagePlatform): Promise<void> {
  const ref = { namespace: platform.metadata.namespace, name: dnsEndpointName(platform) };
  const live = await world.kube.get<DnsEndpoint>(KIND.dnsEndpoint, ref);
  const { uid } = live?.metadata ?? {};
  if (live === undefined || uid === undefined || !isOurs(live, platform)) return;
  await world.kube.delete(KIND.dnsEndpoint, ref, { uid });
}

function isAsWanted(live: DnsEndpoint, wanted: DnsEndpoint): boolean {
  const labels = Object.entries(wanted.metadata.labels ?? {});
  return (
    isDeepStrictEqual(live.spec, wanted.spec) &&
    labels.every(([key, value]) => live.metadata.labels?.[key] === value)
  );
}
