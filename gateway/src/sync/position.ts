/** Where in the home's history something is: what clients resume from. See docs/adr/0053. */
import type { ReplicationCheckpoint } from '@causeway/crds';

/** A revision of the home's etcd. Those of different epochs are of different etcds. */
export interface Position {
  /** Which home: grows each time that another zone becomes home. */
  epoch: number;
  revision: bigint;
}

/** Negative, 0 or positive as `a` is before, at or after `b`. */
export function comparePositions(a: Position, b: Position): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  return a.revision < b.revision ? -1 : Number(a.revision > b.revision);
}

/** A checkpoint in this zone's etcd. */
export interface Mark {
  checkpoint: ReplicationCheckpoint;
  /** Revision of this zone's etcd that wrote it. */
  at: bigint;
}

/** Where the zone was in the home's history with this mark; undefined while a snapshot or a revision was half written. */
export function wholeAt({ checkpoint }: Mark): Position | undefined {
  const { epoch, revision, snapshot, partial } = checkpoint;
  if (snapshot !== undefined || partial !== undefined) return undefined;
  return { epoch, revision: BigInt(revision) };
}

/** The home's revision that is being written with this mark, for events. */
export function revisionOf({ revision, snapshot, partial }: ReplicationCheckpoint): bigint {
  return BigInt(partial?.revision ?? snapshot?.revision ?? revision);
}

/** Whether a mark lies after `target`. One that is half way to a revision lies before it, and after all earlier ones. */
export function isAfter({ checkpoint }: Mark, target: Position): boolean {
  return comparePositions({ epoch: checkpoint.epoch, revision: revisionOf(checkpoint) }, target) > 0;
}
