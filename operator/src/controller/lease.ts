/** The Lease of leader election (coordination.k8s.io/v1), and what a candidate concludes from it. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { toMicroTime } from './conditions.ts';
import type { KubeObject, ObjectRef, ResourceKind } from './kube-api.ts';
import { askIn, withHolder, withoutHolder } from './lease-notes.ts';
import type { Ask } from './lease-notes.ts';

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

/**
 * The observation after looking at `lease`. What the holder writes is the spec; a change of anything else, such as a note in an
 * annotation, is no renewal, and must not make the lease last longer.
 */
export function observe(
  before: LeaseObservation | undefined,
  lease: Lease,
  seenAt: number,
): LeaseObservation {
  const same =
    before !== undefined &&
    before.lease.metadata.uid === lease.metadata.uid &&
    isDeepStrictEqual(before.lease.spec, lease.spec);
  return { lease, seenAt: same ? before.seenAt : seenAt };
}

/** What a candidate goes by. */
export interface Candidate {
  identity: string;
  leaseDurationMs: number;
  /** How long a lease that was given back for another process is left to that one. */
  deferMs: number;
}

/** True when the holder gave it back, or hasn't renewed it for as long as it, or we, said that it lasts. */
export function mayTake(observation: LeaseObservation, now: number, candidate: Candidate): boolean {
  const { lease, seenAt } = observation;
  const { holderIdentity, leaseDurationSeconds } = lease.spec;
  if (holderIdentity === undefined || holderIdentity === '') {
    const askedBy = askIn(lease)?.identity;
    return askedBy === undefined || askedBy === candidate.identity || now >= seenAt + candidate.deferMs;
  }
  return now >= seenAt + Math.max(candidate.leaseDurationMs, (leaseDurationSeconds ?? 0) * 1000);
}

/** The lease that `identity`, in `zone` if it is known, writes to take or to renew it over `before`. */
export function claim(
  ref: ObjectRef,
  before: Lease | undefined,
  options: { identity: string; zone: string | undefined; now: number; leaseDurationMs: number },
): Lease {
  const { identity, zone, now, leaseDurationMs } = options;
  const held = before?.spec.holderIdentity === identity;
  const transitions = before?.spec.leaseTransitions ?? 0;
  return {
    apiVersion: LEASE_KIND.apiVersion,
    kind: LEASE_KIND.kind,
    metadata: withHolder(before?.metadata ?? { ...ref }, zone === undefined ? undefined : { identity, zone }),
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      acquireTime: held ? (before.spec.acquireTime ?? toMicroTime(now)) : toMicroTime(now),
      renewTime: toMicroTime(now),
      leaseTransitions: held || before === undefined ? transitions : transitions + 1,
    },
  };
}

/** The lease that its holder writes to give it back: anybody may take it at once, or whoever asked for it before the others. */
export function giveBack(lease: Lease, now: number, ask: Ask | undefined): Lease {
  return {
    ...lease,
    metadata: withoutHolder(lease.metadata, ask),
    spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: toMicroTime(now) },
  };
}
