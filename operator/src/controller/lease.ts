/** The Lease of leader election (coordination.k8s.io/v1), and what a candidate concludes from it. Pure. */
import { toMicroTime } from './conditions.ts';
import type { KubeObject, ObjectRef, ResourceKind } from './kube-api.ts';

export const LEASE_KIND: ResourceKind = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

export interface Lease extends KubeObject {
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** A lease as this process last saw it change. The times inside it are another machine's: they are not judged. */
export interface LeaseObservation {
  lease: Lease;
  /** When this process saw it, by its own clock, in ms. */
  seenAt: number;
}

/** The observation after looking at `lease`: the old one when nothing has changed since. */
export function observe(
  before: LeaseObservation | undefined,
  lease: Lease,
  seenAt: number,
): LeaseObservation {
  const same =
    before !== undefined &&
    before.lease.metadata.resourceVersion === lease.metadata.resourceVersion &&
    before.lease.metadata.uid === lease.metadata.uid;
  return same ? before : { lease, seenAt };
}

/** True when the holder gave it back, or hasn't renewed it for as long as it, or we, said that it lasts. */
export function mayTake(observation: LeaseObservation, now: number, leaseDurationMs: number): boolean {
  const { holderIdentity, leaseDurationSeconds } = observation.lease.spec;
  if (holderIdentity === undefined || holderIdentity === '') return true;
  const lasts = Math.max(leaseDurationMs, (leaseDurationSeconds ?? 0) * 1000);
  return now >= observation.seenAt + lasts;
}

/** The lease that `identity` writes to take or to renew it over `before`. */
export function claim(
  ref: ObjectRef,
  before: Lease | undefined,
  options: { identity: string; now: number; leaseDurationMs: number },
): Lease {
  const { identity, now, leaseDurationMs } = options;
  const held = before?.spec.holderIdentity === identity;
  const transitions = before?.spec.leaseTransitions ?? 0;
  return {
    apiVersion: LEASE_KIND.apiVersion,
    kind: LEASE_KIND.kind,
    metadata: before?.metadata ?? { ...ref },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      acquireTime: held ? (before.spec.acquireTime ?? toMicroTime(now)) : toMicroTime(now),
      renewTime: toMicroTime(now),
      leaseTransitions: held || before === undefined ? transitions : transitions + 1,
    },
  };
}

/** The lease that its holder writes to give it back: anybody may take it at once. */
export function giveBack(lease: Lease, now: number): Lease {
  return {
    ...lease,
    spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: toMicroTime(now) },
  };
}
