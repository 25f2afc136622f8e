/** Takes a rotation of the gateways' certificate one step on: looks at the pods, decides, tells pods. */
import { ANNOTATION, COMPONENT, LABEL, PORT, SECRET_KEY, objectName, parseDuration } from '@causeway/crds';
import {
  heldVersions,
  nextRotation,
  podsToAsk,
  replacedRotation,
  servedVersion,
  versionShown,
  type CertificatePlan,
  type HeldSecrets,
  type RotatingPod,
  type RotationPolicy,
} from '../certificates/index.ts';
import { toMicroTime, type ConditionInput } from '../controller/conditions.ts';
import { isConflict, isNotFound } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import {
  rotatingCondition,
  rotationControl,
  rotationRecord,
  type RotationRecord,
} from './rotation-status.ts';
import { homeOf, type MessagePlatform } from './types.ts';
import { isServing, type Pod } from './workloads.ts';
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
  const versions = heldVersions(held.served);
  const now = world.clock.now();
  const known = gatewayPods(world, platform);
  const asked = new Set(podsToAsk(rotation, known).map((pod) => pod.uid));
  const pods = await Promise.all(
    known.map(async (pod) => (asked.has(pod.uid) ? askPod(world, platform, { pod, held, versions }) : pod)),
  );
  const request = platform.metadata.annotations?.[ANNOTATION.rotate];
  const isNew = platform.status?.certificates === undefined;
  const isRequested = request !== undefined && !isNew && request !== record.observedRotate;
  const control = rotationControl(platform, rotation);
  // What had to be replaced at once leaves nothing to roll out.
  const step = plan.atOnce
    ? {
        rotation: undefined,
        last: rotation ? replacedRotation(rotation, now) : record.last,
        tell: [],
        lookAfter: 0,
      }
    : nextRotation({
        now,
        rotation,
        last: record.last,
        due: isRequested ? 'Requested' : plan.due,
        nextVersion: plan.nextVersion,
        held: { current: servedVersion(held.served), versions },
        control,
        pods,
        policy: policyOf(platform),
      });
  await Promise.all(step.tell.map(({ pod, version }) => tellPod(world, platform, { pod, version, now })));
  const begins = rotation === undefined && step.rotation !== undefined;
  const answered = begins || isNew ? request : record.observedRotate;
  const after = { rotation: step.rotation, last: step.last, observedRotate: answered };
  return { record: after, condition: rotatingCondition(after, { pods, control }), lookAfter: step.lookAfter };
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

/** A gateway pod and its address. */
type AddressedPod = RotatingPod & { address: string | undefined };

function gatewayPods(world: PlatformWorld, platform: MessagePlatform): AddressedPod[] {
  const pods: Pod[] = world.cache.ofPlatform(KIND.pod, platform.metadata);
  return pods
    .filter(
      ({ metadata }) =>
        metadata.labels?.[LABEL.component] === COMPONENT.gateway && metadata.deletionTimestamp === undefined,
    )
    .map(gatewayPod);
}

function gatewayPod(pod: Pod): AddressedPod {
  const { name, uid = '', labels, annotations } = pod.metadata;
  const told = Number(annotations?.[ANNOTATION.certificate]);
  const since = Date.parse(annotations?.[ANNOTATION.certificateSince] ?? '');
  return {
    name,
    uid,
    zone: labels?.[LABEL.zone] ?? '',
    ready: isServing(pod) && pod.status?.podIP !== undefined,
    told: Number.isSafeInteger(told) && told > 0 ? told : undefined,
    toldAt: Number.isNaN(since) ? undefined : since,
    shows: undefined,
    address: pod.status?.podIP,
  };
}

async function askPod(
  world: PlatformWorld,
  platform: MessagePlatform,
  { pod, held, versions }: { pod: AddressedPod; held: HeldSecrets; versions: readonly number[] },
): Promise<RotatingPod> {
  const { namespace, name } = platform.metadata;
  const isSupplied = platform.spec.tls.issuer?.secretRef !== undefined;
  try {
    const shown = await world.gateways.shake({
      host: pod.address ?? '',
      port: PORT.gateway,
      // The name that every version of ours has. A supplied one may have others, and its clients a trust of their own.
      servername: `${objectName.gateway(name)}.${namespace}.svc`,
      ca: isSupplied ? undefined : held.served?.[SECRET_KEY.ca],
    });
    return { ...pod, ...versionShown(shown, held.served, versions) };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return { ...pod, trouble: `no handshake with ${pod.address ?? 'it'}: ${what}` };
  }
}

async function tellPod(
  world: PlatformWorld,
  { metadata: { namespace } }: MessagePlatform,
  { pod, version, now }: { pod: RotatingPod; version: number; now: number },
): Promise<void> {
  const annotations = {
    [ANNOTATION.certificate]: String(version),
    [ANNOTATION.certificateSince]: toMicroTime(now),
  };
  try {
    // The UID guards it: another pod of that name is not the one that was looked at.
    const patch = { metadata: { uid: pod.uid, annotations } };
    await world.kube.mergePatch(KIND.pod, { namespace, name: pod.name }, patch);
  } catch (error) {
    // It went meanwhile: the pod that takes its place is seen at the next look.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
