import type { MessagePlatformSpec, MessagePlatformStatus } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';

/** A MessagePlatform as the API server stores it: defaults are filled in. */
export interface MessagePlatform extends KubeObject {
  spec: MessagePlatformSpec;
  status?: MessagePlatformStatus;
}

/** Images of the parts that the operator runs. */
export interface Images {
  gatewayBun: string;
  gatewayNode: string;
  redis: string;
  etcd: string;
  /** Names of image pull Secrets, which must be in the platform's namespace. */
  pullSecrets?: string[];
}

/** The parts of a platform; each has a condition of its own. */
export type Part = 'Gateways' | 'Topics' | 'Redis' | 'Etcd' | 'Replication' | 'Certificates';

/**
 * Something that cannot work until the world changes. A problem never stops the other parts.
 * `reason` is CamelCase for programs and becomes the condition's reason; `message` says what, where and what to do.
 */
export interface Problem {
  part: Part;
  reason: string;
  message: string;
  /** Nobody but a person can solve it (kstatus Stalled); otherwise it is waited for. */
  needsPerson: boolean;
}

/** Metadata of a platform that has been stored: namespace and uid are there. */
export function identity(platform: MessagePlatform): { namespace: string; name: string; uid: string } {
  const { namespace, name, uid } = platform.metadata;
  if (namespace === undefined || uid === undefined) {
    throw new Error(`MessagePlatform ${name} has no namespace or uid: it did not come from the API server`);
  }
  return { namespace, name, uid };
}

/** The zone that is home now: where a failover moved it, or where the platform began. */
export function homeOf(platform: MessagePlatform): string {
  const moved = platform.status?.homeZone;
  const known = platform.spec.zones.some((zone) => zone.name === moved);
  return moved !== undefined && known ? moved : platform.spec.homeZone;
}

/** Grows with each change of home; the first home has epoch 1. */
export function epochOf(platform: MessagePlatform): number {
  return platform.status?.epoch ?? 1;
}
