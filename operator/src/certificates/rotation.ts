/**
 * A rotation of a platform's certificates, as a rollout: what comes next, as a pure decision
 * (docs/adr/0040-certificate-rotation.md). The state has only what cannot be read off the pods.
 */
/** Where a rotation is. `RollBack`: the pods that moved go back. */
export type RotationStage = 'Issue' | 'Trust' | 'Canary' | 'Roll' | 'Verify' | 'Retire' | 'RollBack';

/** Why something is issued: for events and logs. */
export type DueReason =
  'Missing' | 'Broken' | 'Expiring' | 'NamesChanged' | 'AuthorityChanged' | 'SuppliedChanged';

/** Why a rotation began: `Requested` by a person, else what {@link DueReason} says. */
export type RotationReason = 'Requested' | DueReason;

/** A rotation that is under way. Times in milliseconds since the epoch. */
export interface Rotation {
  /** Version that is served by pods that say nothing else, until `Verify` has passed. */
  from: number;
  to: number;
  reason: RotationReason;
  /** The authority is replaced too. */
  authority?: boolean;
  stage: RotationStage;
  startedAt: number;
  stageSince: number;
  /** Why it rolls back. */
  message?: string;
  /** The pod that stopped it. */
  pod?: string;
}

/** A rotation that ended. */
export interface EndedRotation extends Pick<
  Rotation,
  'from' | 'to' | 'reason' | 'authority' | 'startedAt' | 'message' | 'pod'
> {
  /** `Replaced`: another certificate had to be issued at once, without stages. */
  result: 'Completed' | 'RolledBack' | 'Replaced';
  finishedAt: number;
}

/** A gateway pod that is not on its way out, and what is known of it. */
export interface RotatingPod {
  name: string;
  uid: string;
  zone: string;
  ready: boolean;
  /** Version that it is told to serve; undefined: the Secret's current one. */
  told: number | undefined;
  /** Since when it is told so, milliseconds since the epoch. */
  toldAt: number | undefined;
  /** Version that it showed in a TLS handshake just now; undefined: it was not asked, or showed none of ours. */
  shows: number | undefined;
  /** Somebody asked for it to be empty: it works, though it is not ready. */
  drains?: boolean;
  /** What is wrong with what it showed, for a person. */
  trouble?: string;
  /** What is wrong with its clients since it serves the version that it is told, for a person. */
  failing?: string;
}

/** A pod at an end of an inner link: Redis, etcd, or one that connects to them. */
export interface RotatingLink {
  name: string;
  zone: string;
  ready: boolean;
  /** It accepts what all authorities in use have signed, as far as it says; undefined: it was not asked, or says nothing. */
  trusts: boolean | undefined;
  /** Version of the pair that it uses, as it shows or says; undefined: not asked, or none of ours. */
  shows: number | undefined;
  /** As of a {@link RotatingPod}. */
  drains?: boolean;
  trouble?: string;
}

/** How carefully to go. Durations in milliseconds. */
export interface RotationPolicy {
  /** Zones in the order in which they are rolled. */
  zones: readonly string[];
  /** Pods that may at most be told the new version without having shown it. */
  maxUnverified: number;
  /** How long the first pod serves the new version before the others follow. */
  canaryPause: number;
  pauseBetweenZones: number;
  /** How long a ready pod may take to show what it is told. */
  podTimeout: number;
  /** A zone whose pods are all not ready: wait for it, or go on without it. */
  unavailableZone: 'Wait' | 'Skip';
}

export interface RotationInput {
  now: number;
  rotation: Rotation | undefined;
  last: EndedRotation | undefined;
  /** Why another certificate is due, if one is. */
  due: RotationReason | undefined;
  /** Number for the next version: higher than any before. */
  nextVersion: number;
  /** The authority is due too, or asked for. */
  authority: boolean;
  /** What the Secrets hold. `versions`: those that are whole; `trustsOld`: an authority from before is trusted. */
  held: { current: number; versions: readonly number[]; trustsOld: boolean };
  /** What a person asked for. */
  control: 'Run' | 'Pause' | 'Abort';
  /** The failover of the platform that is under way, as a person would name it: nothing begins or goes forward meanwhile. */
  failover: string | undefined;
  pods: readonly RotatingPod[];
  links: readonly RotatingLink[];
  policy: RotationPolicy;
}

/** What comes next: the state to save, or pods to tell; never both, so that the state is saved before each act. */
export interface RotationStep {
  rotation: Rotation | undefined;
  last: EndedRotation | undefined;
  /** Tell these pods to serve that version. */
  tell: readonly { pod: RotatingPod; version: number }[];
  /** Look again after so many milliseconds; undefined: only when something changes. */
  lookAfter: number | undefined;
  /** Pods, zones or a failover that it waits for, by name. */
  waitsFor: readonly string[];
}

/** How often pods are asked while something is waited for. */
const POLL = 150;
/**
 * Time between the last pod's move and the end; milliseconds. Tickets of before end in it (design, "Certificates"), and
 * until then what the old authority signed is trusted.
 */
export const RETIRE_GRACE = 30_000;
/** After a rotation that failed, how long until the next try that nobody asked for. */
const RETRY = 600_000;

/** Decides the next step of a rotation, or whether one begins. */
export function nextRotation(input: RotationInput): RotationStep {
  const { rotation } = input;
  if (rotation === undefined) return beginOrRest(input);
  if (rotation.stage === 'RollBack') return rollBack(input, rotation);
  if (rotation.stage === 'Retire') return retire(input, rotation);
  if (input.control === 'Abort')
    return toRollBack(input, rotation, { message: 'A person stopped it (causeway rotate --abort).' });
  if (input.control === 'Pause') return rest(input);
  if (input.failover !== undefined) return { ...rest(input), waitsFor: [input.failover] };
  switch (rotation.stage) {
    case 'Issue':
      return input.held.versions.includes(rotation.to)
        ? toStage(input, rotation, 'Trust')
        : rest(input, POLL);
    case 'Trust':
      return trust(input, rotation);
    case 'Canary':
      return canary(input, rotation);
    default:
      return roll(input, rotation);
  }
}

/** Pods that {@link nextRotation} needs the answer of; asking the others would only cost time. */
export function podsToAsk(
  rotation: Rotation | undefined,
  pods: readonly RotatingPod[],
): readonly RotatingPod[] {
  if (rotation === undefined || rotation.stage === 'Issue' || rotation.stage === 'Trust') return [];
  const ready = pods.filter((pod) => pod.ready);
  return rotation.stage === 'Verify' ? ready : ready.filter((pod) => pod.told !== undefined);
}

/** True when {@link nextRotation} needs to know of the inner links. */
export function asksLinks(rotation: Rotation | undefined): boolean {
  if (rotation === undefined) return false;
  const { stage, authority } = rotation;
  return stage === 'Verify' || stage === 'RollBack' || (stage === 'Trust' && authority === true);
}

function beginOrRest(input: RotationInput): RotationStep {
  const { due, last, now, held, nextVersion, failover } = input;
  if (due === undefined || held.current === 0) return catchUp(input);
  if (failover !== undefined) return { ...catchUp(input), waitsFor: [failover] };
  const wait = last?.result === 'RolledBack' ? last.finishedAt + RETRY - now : 0;
  if (wait > 0 && due !== 'Requested') return { ...catchUp(input), lookAfter: wait };
  const rotation: Rotation = {
    from: held.current,
    to: nextVersion,
    reason: due,
    ...(input.authority ? { authority: true } : {}),
    stage: 'Issue',
    startedAt: now,
    stageSince: now,
  };
  return { rotation, last, tell: [], lookAfter: 0, waitsFor: [] };
}

/**
 * Nobody is shown a certificate before everybody who may meet it trusts its authority. With the same authority nothing
 * new must be trusted. Nothing has moved yet, so it may wait as long as it takes.
 */
function trust(input: RotationInput, rotation: Rotation): RotationStep {
  const open =
    rotation.authority === true ? input.links.filter(({ ready, trusts }) => ready && trusts !== true) : [];
  if (open.length === 0) return toStage(input, rotation, 'Canary');
  return { ...rest(input, POLL), waitsFor: namesOf(open) };
}

/** A pod that was away when the others moved is told by now. */
function catchUp(input: RotationInput): RotationStep {
  const { current } = input.held;
  const late = input.pods.filter((pod) => pod.told !== undefined && pod.told !== current);
  return { ...rest(input), tell: late.map((pod) => ({ pod, version: current })) };
}

function canary(input: RotationInput, rotation: Rotation): RotationStep {
  const { policy } = input;
  const failed = failedPod(input, rotation.to);
  if (failed !== undefined) return toRollBack(input, rotation, failed);
  const [first] = inOrder(input).filter((pod) => pod.ready);
  const moved = input.pods.find((pod) => pod.ready && pod.told === rotation.to);
  if (moved === undefined) {
    if (input.pods.length === 0) return toStage(input, rotation, 'Verify');
    if (first === undefined) return { ...rest(input, POLL * 10), waitsFor: policy.zones };
    return { ...rest(input, POLL), tell: [{ pod: first, version: rotation.to }] };
  }
  if (moved.shows !== rotation.to) return { ...rest(input, POLL), waitsFor: [moved.name] };
  const wait = (moved.toldAt ?? input.now) + policy.canaryPause - input.now;
  return wait > 0 ? rest(input, wait) : toStage(input, rotation, 'Roll');
}

/** Zone by zone in `Roll`; in `Verify` all that came meanwhile. */
function roll(input: RotationInput, rotation: Rotation): RotationStep {
  const { policy } = input;
  const failed = failedPod(input, rotation.to);
  if (failed !== undefined) return toRollBack(input, rotation, failed);
  const ordered = inOrder(input);
  const open = ordered.filter((pod) => pod.ready && !isDone(pod, rotation.to));
  const [zone] = rotation.stage === 'Verify' ? [] : waitingZones(input, open);
  if (zone === undefined && open.length === 0) return afterRoll(input, rotation);
  const here = zone === undefined ? open : open.filter((pod) => pod.zone === zone);
  const unverified = open.filter((pod) => pod.told === rotation.to);
  const untold = here.filter((pod) => pod.told !== rotation.to);
  const pause = zone === undefined ? 0 : pauseBefore(input, rotation, zone);
  if (pause > 0) return rest(input, Math.min(pause, 1000));
  const waitsFor = here.length === 0 && zone !== undefined ? [zone] : namesOf(unverified);
  const room = Math.max(0, policy.maxUnverified - unverified.length);
  const tell = untold.slice(0, room).map((pod) => ({ pod, version: rotation.to }));
  return { rotation, last: input.last, tell, lookAfter: POLL, waitsFor };
}

/** All ready pods show the new version. Those that are not ready are told too, so that they come up with it. */
function afterRoll(input: RotationInput, rotation: Rotation): RotationStep {
  if (rotation.stage !== 'Verify') return toStage(input, rotation, 'Verify');
  const absent = input.pods.filter((pod) => pod.told !== rotation.to);
  if (absent.length === 0) return verifyLinks(input, rotation);
  return { ...rest(input, POLL), tell: absent.map((pod) => ({ pod, version: rotation.to })) };
}

/** The inner links use their new pair since `Verify` began: each end must show it. */
function verifyLinks(input: RotationInput, rotation: Rotation): RotationStep {
  const { links, now, policy } = input;
  const open = links.filter(({ ready, shows }) => ready && shows !== rotation.to);
  const [first] = open;
  if (first !== undefined && now - rotation.stageSince >= policy.podTimeout) {
    const why =
      first.trouble ?? (first.shows === undefined ? 'it says nothing of it' : `it uses ${first.shows}`);
    const message = `Pod ${first.name} in ${first.zone} did not use version ${rotation.to} of the inner certificate within ${policy.podTimeout / 1000} s: ${why}.`;
    return toRollBack(input, rotation, { pod: first.name, message });
  }
  if (open.length > 0) return { ...rest(input, POLL), waitsFor: namesOf(open) };
  const away = policy.zones.filter((zone) => policy.unavailableZone === 'Wait' && isAway(links, zone));
  if (away.length > 0) return { ...rest(input, POLL * 10), waitsFor: away };
  return toStage(input, rotation, 'Retire');
}

/**
 * There is something in the zone, and nothing of it is ready. A zone whose gateways were asked to be empty is not away:
 * nobody knows when it is to serve again, and then it comes up with what it was told meanwhile.
 */
function isAway(all: readonly { zone: string; ready: boolean; drains?: boolean }[], zone: string): boolean {
  const here = all.filter((one) => one.zone === zone);
  return here.length > 0 && here.every(({ ready, drains }) => !ready && drains !== true);
}

function namesOf(all: readonly { name: string }[]): string[] {
  return all.map(({ name }) => name);
}

/** Zones that are not done, in their order: those with open pods, and those waited for because none of theirs is ready. */
function waitingZones({ policy, pods }: RotationInput, open: readonly RotatingPod[]): string[] {
  return policy.zones.filter((zone) => {
    if (open.some((pod) => pod.zone === zone)) return true;
    return policy.unavailableZone === 'Wait' && isAway(pods, zone);
  });
}

/** How long to wait still before the first pod of `zone`, since the last one of the zone before it moved. */
function pauseBefore({ now, policy, pods }: RotationInput, rotation: Rotation, zone: string): number {
  const moved = pods.filter((pod) => pod.told === rotation.to);
  if (moved.some((pod) => pod.zone === zone)) return 0;
  const latest = Math.max(...moved.map((pod) => pod.toldAt ?? 0), 0);
  return latest + policy.pauseBetweenZones - now;
}

/** Every pod is told once more, which brings it the new ticket key at once; then old tickets have their time. */
function retire(input: RotationInput, rotation: Rotation): RotationStep {
  if (input.held.current !== rotation.to) return rest(input, POLL);
  const untold = input.pods.filter(
    (pod) => pod.told !== rotation.to || (pod.toldAt ?? 0) < rotation.stageSince,
  );
  if (untold.length > 0) {
    return { ...rest(input, POLL), tell: untold.map((pod) => ({ pod, version: rotation.to })) };
  }
  const last = Math.max(rotation.stageSince, ...input.pods.map((pod) => pod.toldAt ?? 0));
  const wait = last + RETIRE_GRACE - input.now;
  if (wait > 0) return rest(input, wait);
  // With the grace, the trust in the old authority ends.
  return input.held.trustsOld ? rest(input, POLL) : ended(input, rotation, 'Completed');
}

/** One pod after the other goes back. One that does not even then is named; the others still go. */
function rollBack(input: RotationInput, rotation: Rotation): RotationStep {
  const { now, policy } = input;
  const forward = inOrder(input).filter((pod) => pod.told === rotation.to);
  const waiting = input.pods.filter(
    (pod) =>
      pod.ready &&
      pod.told === rotation.from &&
      pod.shows !== rotation.from &&
      now - (pod.toldAt ?? now) < policy.podTimeout,
  );
  if (waiting.length > 0) return { ...rest(input, POLL), waitsFor: namesOf(waiting) };
  const [next] = forward;
  if (next !== undefined) return { ...rest(input, POLL), tell: [{ pod: next, version: rotation.from }] };
  const links = input.links.filter(({ ready, shows }) => ready && shows !== rotation.from);
  if (links.length > 0 && now - rotation.stageSince < policy.podTimeout)
    return { ...rest(input, POLL), waitsFor: namesOf(links) };
  return ended(input, rotation, 'RolledBack');
}

function inOrder({ pods, policy }: RotationInput): RotatingPod[] {
  const place = (zone: string): number => policy.zones.indexOf(zone) + 1 || policy.zones.length + 1;
  return [...pods].sort((a, b) => place(a.zone) - place(b.zone) || (a.name < b.name ? -1 : 1));
}

function isDone(pod: RotatingPod, version: number): boolean {
  return pod.told === version && pod.shows === version;
}

function failedPod(
  { now, pods, policy }: RotationInput,
  version: number,
): { pod: string; message: string } | undefined {
  const failing = pods.find((pod) => pod.told === version && pod.failing !== undefined);
  if (failing !== undefined) {
    const message = `Pod ${failing.name} in ${failing.zone} serves version ${version}, and ${failing.failing ?? ''}.`;
    return { pod: failing.name, message };
  }
  const failed = pods.find(
    (pod) =>
      pod.ready &&
      pod.told === version &&
      pod.shows !== version &&
      now - (pod.toldAt ?? now) >= policy.podTimeout,
  );
  if (failed === undefined) return undefined;
  const seen =
    failed.shows === undefined ? (failed.trouble ?? 'it gave no answer') : `it shows ${failed.shows}`;
  const message = `Pod ${failed.name} in ${failed.zone} did not show version ${version} within ${policy.podTimeout / 1000} s: ${seen}.`;
  return { pod: failed.name, message };
}

function toStage(input: RotationInput, rotation: Rotation, stage: RotationStage): RotationStep {
  const next = { ...rotation, stage, stageSince: input.now };
  return { rotation: next, last: input.last, tell: [], lookAfter: 0, waitsFor: [] };
}

function toRollBack(
  input: RotationInput,
  rotation: Rotation,
  why: { message: string; pod?: string },
): RotationStep {
  return toStage(input, { ...rotation, ...why }, 'RollBack');
}

function ended(input: RotationInput, rotation: Rotation, result: EndedRotation['result']): RotationStep {
  const last = endOf(rotation, result, input.now);
  return { rotation: undefined, last, tell: [], lookAfter: 0, waitsFor: [] };
}

function endOf(
  { stage: _stage, stageSince: _since, ...facts }: Rotation,
  result: EndedRotation['result'],
  finishedAt: number,
): EndedRotation {
  return { ...facts, result, finishedAt };
}

/** The end of a rotation whose versions are of no use any more. */
export function replacedRotation(rotation: Rotation, now: number): EndedRotation {
  const message =
    'The certificate that was served was gone, broken or had ended: another one was issued at once.';
  return { ...endOf(rotation, 'Replaced', now), message };
}

function rest(input: RotationInput, lookAfter?: number): RotationStep {
  return { rotation: input.rotation, last: input.last, tell: [], lookAfter, waitsFor: [] };
}
