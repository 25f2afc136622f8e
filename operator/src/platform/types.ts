import { ANNOTATION, type MessagePlatform } from '@causeway/crds';
export type { MessagePlatform } from '@causeway/crds';

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

/** The zone that is home now: where a failover moved it, or where the platform began. */
export function homeOf(platform: MessagePlatform): string {
  const moved = platform.status?.homeZone;
  const known = platform.spec.zones.some((zone) => zone.name === moved);
  return moved !== undefined && known ? moved : platform.spec.homeZone;
}

/** True when a person asked to leave the platform alone. */
export function isPaused(platform: MessagePlatform): boolean {
  return platform.metadata.annotations?.[ANNOTATION.paused] === 'true';
}

/** Grows with each change of home; the first home has epoch 1. */
export function epochOf(platform: MessagePlatform): number {
  return platform.status?.epoch ?? 1;
}
