/** A rotation as `.status.certificates` has it, and as a condition for people. Pure. */
import { ANNOTATION, AUTHORITY_REQUEST, type MessagePlatformStatus } from '@causeway/crds';
import type { EndedRotation, RotatingPod, Rotation, RotationReason } from '../certificates/index.ts';
import { toMicroTime, type ConditionInput } from '../controller/conditions.ts';
import type { MessagePlatform } from './types.ts';

type CertificatesStatus = NonNullable<MessagePlatformStatus['certificates']>;

/** Reason of the condition `Rotating` when a rotation is due and may not begin. */
export const WAITING_FOR_FAILOVER = 'WaitingForFailover';

/** What status keeps of rotations. */
export interface RotationRecord {
  rotation: Rotation | undefined;
  last: EndedRotation | undefined;
  /** The request that was answered last. */
  observedRotate: string | undefined;
}

/** Reads what {@link rotationStatus} wrote. */
export function rotationRecord({ status }: MessagePlatform): RotationRecord {
  const { rotation, lastRotation, observedRotate } = status?.certificates ?? {};
  return {
    rotation: rotation && {
      ...rotation,
      reason: rotation.reason as Rotation['reason'],
      startedAt: Date.parse(rotation.startedAt),
      stageSince: Date.parse(rotation.stageSince),
    },
    last: lastRotation && {
      ...lastRotation,
      reason: lastRotation.reason as Rotation['reason'],
      startedAt: Date.parse(lastRotation.startedAt),
      finishedAt: Date.parse(lastRotation.finishedAt),
    },
    observedRotate,
  };
}

/** The part of `.status.certificates` that is about rotations. */
export function rotationStatus({
  rotation,
  last,
  observedRotate,
}: RotationRecord): Pick<CertificatesStatus, 'rotation' | 'lastRotation' | 'observedRotate'> {
  return {
    ...(observedRotate === undefined ? {} : { observedRotate }),
    ...(rotation === undefined
      ? {}
      : {
          rotation: {
            ...rotation,
            startedAt: toMicroTime(rotation.startedAt),
            stageSince: toMicroTime(rotation.stageSince),
          },
        }),
    ...(last === undefined
      ? {}
      : {
          lastRotation: {
            ...last,
            startedAt: toMicroTime(last.startedAt),
            finishedAt: toMicroTime(last.finishedAt),
          },
        }),
  };
}

/** What a person wants of the rotation, by the annotation causeway.dev/rotation. */
export function rotationControl(
  { metadata }: MessagePlatform,
  rotation: Rotation | undefined,
): 'Run' | 'Pause' | 'Abort' {
  const word = metadata.annotations?.[ANNOTATION.rotation];
  if (word === 'pause') return 'Pause';
  return rotation !== undefined && word === `abort-${rotation.to}` ? 'Abort' : 'Run';
}

/** The failover of the platform that is under way, as a person would name it. */
export function failoverUnderWay({ status }: MessagePlatform): string | undefined {
  return status?.failover === undefined ? undefined : `ZoneFailover ${status.failover.name}`;
}

/** True when a request (the value of causeway.dev/rotate) is for a new authority too. */
export function asksForAuthority(request: string | undefined): boolean {
  return request?.startsWith(AUTHORITY_REQUEST) ?? false;
}

/** The condition `Rotating`; undefined while there never was a rotation. */
export function rotatingCondition(
  { rotation, last }: RotationRecord,
  seen: {
    pods: readonly RotatingPod[];
    control: 'Run' | 'Pause' | 'Abort';
    /** Why a certificate is due that nothing is done about yet. */
    due: RotationReason | undefined;
    failover: string | undefined;
    /** Names of pods and zones, or a failover. */
    waitsFor: readonly string[];
  },
): Omit<ConditionInput, 'observedGeneration'> | undefined {
  if (rotation !== undefined) {
    const { from, to, stage, message, authority } = rotation;
    const moved = seen.pods.filter((pod) => pod.told === to).length;
    const paused = seen.control === 'Pause' && !['Retire', 'RollBack'].includes(stage);
    const text = [
      `Certificate version ${from} to ${to}${authority === true ? ', with a new authority' : ''}: ${moved} of ${seen.pods.length} gateway pods are told the new one.`,
      ...(seen.waitsFor.length === 0 ? [] : [`It waits for ${shortened(seen.waitsFor)}.`]),
      ...(message === undefined ? [] : [message]),
      ...(paused ? ['It is paused: causeway rotate --resume goes on.'] : []),
    ].join(' ');
    return { type: 'Rotating', status: 'True', reason: paused ? 'Paused' : stage, message: text };
  }
  if (seen.due !== undefined && seen.failover !== undefined) {
    const text = `A new certificate is due (${seen.due}). It waits for ${seen.failover}.`;
    return { type: 'Rotating', status: 'False', reason: WAITING_FOR_FAILOVER, message: text };
  }
  if (last === undefined) return undefined;
  const { from, to, result, message, authority } = last;
  const text = {
    Completed: `Certificate version ${to}${authority === true ? ', of a new authority,' : ''} took the place of ${from}.`,
    RolledBack: `All pods went back from certificate version ${to} to ${from}. ${message ?? ''}`.trim(),
    Replaced: message ?? '',
  }[result];
  return { type: 'Rotating', status: 'False', reason: result, message: text };
}

/** The first names, and how many more. */
function shortened(names: readonly string[]): string {
  const first = [...names].sort().slice(0, 3).join(', ');
  return names.length > 3 ? `${first} and ${names.length - 3} more` : first;
}
