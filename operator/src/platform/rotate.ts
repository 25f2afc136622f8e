/** Takes a rotation of a platform's certificates one step on: looks at the pods, decides, tells pods. */
import { ANNOTATION, SECRET_KEY, parseDuration } from '@causeway/crds';
import {
  heldVersions,
  nextRotation,
  replacedRotation,
  servedVersion,
  splitBundle,
  type CertificatePlan,
  type HeldSecrets,
  type Rotation,
  type RotatingPod,
  type RotationPolicy,
} from '../certificates/index.ts';
import { toMicroTime, type ConditionInput } from '../controller/conditions.ts';
import { isConflict, isNotFound } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import { lookAtRotation, type LinkPod } from './rotation-look.ts';
import {
  asksForAuthority,
  failoverUnderWay,
  rotatingCondition,
  rotationControl,
  rotationRecord,
  type RotationRecord,
} from './rotation-status.ts';
import { homeOf, type MessagePlatform } from './types.ts';
import type { PlatformWorld } from './world.ts';

/** What came of a step. */
export interface RotationOutcome {
  /** To be saved before the next step. */
  record: RotationRecord;
  condition: Omit<ConditionInput, 'observedGeneration'> | undefined;
  /** When to look again, milliseconds; undefined: when something changes. */
  lookAfter: number | undefined;
}

/** One step. What it saves must be in status before the next one. */
export async function rotate(
  world: PlatformWorld,
  platform: MessagePlatform,
  { plan, held }: { plan: CertificatePlan; held: HeldSecrets },
): Promise<RotationOutcome> {
  const record = rotationRecord(platform);
  const { rotation } = record;
  const now = world.clock.now();
  const { pods, links } = await lookAtRotation(world, platform, { held, rotation });
  const request = platform.metadata.annotations?.[ANNOTATION.rotate];
  const isNew = platform.status?.certificates === undefined;
  const isRequested = request !== undefined && !isNew && request !== record.observedRotate;
  const control = rotationControl(platform, rotation);
  const failover = failoverUnderWay(platform);
  const due = isRequested ? 'Requested' : plan.due;
  // What had to be replaced at once leaves nothing to roll out.
  const step = plan.atOnce
    ? {
        rotation: undefined,
        last: rotation ? replacedRotation(rotation, now) : record.last,
        tell: [],
        lookAfter: 0,
        waitsFor: [],
      }
    : nextRotation({
        now,
        rotation,
        last: record.last,
        due,
        nextVersion: plan.nextVersion,
        authority: plan.authorityDue || (isRequested && asksForAuthority(request)),
        held: factsOf(held, rotation),
        control,
        failover,
        pods,
        links,
        policy: policyOf(platform),
      });
  await Promise.all([
    ...step.tell.map(({ pod, version }) =>
      annotate(world, platform, pod, {
        [ANNOTATION.certificate]: String(version),
        [ANNOTATION.certificateSince]: toMicroTime(now),
      }),
    ),
    ...refreshes({ links, pods }, { rotation, now }).map(({ pod, refresh }) =>
      annotate(world, platform, pod, { [ANNOTATION.refresh]: refresh }),
    ),
  ]);
  world.rotations.stepped({ before: rotation, after: step.rotation, last: step.last, now });
  const begins = rotation === undefined && step.rotation !== undefined;
  const answered = begins || isNew ? request : record.observedRotate;
  const after = { rotation: step.rotation, last: step.last, observedRotate: answered };
  const condition = rotatingCondition(after, { pods, control, due, failover, waitsFor: step.waitsFor });
  return { record: after, condition, lookAfter: step.lookAfter };
}

/** What the Secrets hold, as far as the decision goes. */
function factsOf(
  held: HeldSecrets,
  rotation: Rotation | undefined,
): { current: number; versions: number[]; trustsOld: boolean } {
  const lacks = [held.inner, held.client].some(
    (secret) => rotation !== undefined && !heldVersions(secret).includes(rotation.to),
  );
  return {
    current: servedVersion(held.served),
    // A version is whole when the inner links have it too.
    versions: heldVersions(held.served).filter((version) => !(lacks && version === rotation?.to)),
    trustsOld: splitBundle(held.inner?.[SECRET_KEY.ca]).length > 1,
  };
}

/** The home zone goes last: what goes wrong goes wrong where less depends on it. */
function policyOf(platform: MessagePlatform): RotationPolicy {
  const { maxUnverified, canaryPause, pauseBetweenZones, podTimeout, unavailableZone } =
    platform.spec.tls.rotation;
  const home = homeOf(platform);
  const zones = platform.spec.zones.map((zone) => zone.name);
  return {
    zones: [...zones.filter((zone) => zone !== home), home],
    maxUnverified,
    canaryPause: parseDuration(canaryPause),
    pauseBetweenZones: parseDuration(pauseBetweenZones),
    podTimeout: parseDuration(podTimeout),
    unavailableZone,
  };
}

/** A kubelet that was told before its own view of the Secret was new is told again after so long; milliseconds. */
const TELL_AGAIN = 3_000;

/**
 * Pods whose Secrets should be brought up to date now: ends of inner links that do not do yet what the stage waits for,
 * and gateways that still do not show what they were told a while ago.
 */
export function refreshes<L extends Omit<LinkPod, 'name' | 'zone' | 'trouble'>>(
  { links, pods }: { links: readonly L[]; pods: readonly RotatingPod[] },
  { rotation, now }: { rotation: Rotation | undefined; now: number },
): { pod: L; refresh: string }[] {
  if (rotation === undefined) return [];
  const { to, stage, stageSince } = rotation;
  const behind = new Set(pods.filter((pod) => isBehind(pod, now)).map(({ uid }) => uid));
  const refresh = `${to}-${stage}-${Math.floor((now - stageSince) / TELL_AGAIN)}`;
  return links
    .filter((link) => link.ready && (behind.has(link.uid) || !isLinkDone(link, rotation)))
    .filter((link) => link.refresh !== refresh)
    .map((pod) => ({ pod, refresh }));
}

/** True also where the stage waits for no link. */
function isLinkDone(
  { trusts, shows }: Pick<LinkPod, 'trusts' | 'shows'>,
  { from, to, stage, authority }: Rotation,
): boolean {
  if (stage === 'Trust') return authority !== true || trusts !== false;
  if (stage !== 'Verify' && stage !== 'RollBack') return true;
  return shows === (stage === 'RollBack' ? from : to);
}

/** It shows another version than it was told a while ago. */
function isBehind({ ready, told, toldAt, shows }: RotatingPod, now: number): boolean {
  if (!ready || told === undefined || shows === undefined || shows === told) return false;
  return now - (toldAt ?? now) >= TELL_AGAIN;
}

async function annotate(
  world: PlatformWorld,
  { metadata: { namespace } }: MessagePlatform,
  { name, uid }: { name: string; uid: string },
  annotations: Record<string, string>,
): Promise<void> {
  try {
    // The UID guards it: another pod of that name is not the one that was looked at.
    await world.kube.mergePatch(KIND.pod, { namespace, name }, { metadata: { uid, annotations } });
  } catch (error) {
    // It went meanwhile: the pod that takes its place is seen at the next look.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
