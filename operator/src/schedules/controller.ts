/** The controller of DrillSchedules: looks, decides, saves, makes a ZoneFailover when one is due. */
import { ANNOTATION, API_GROUP_VERSION, LABEL, parseDuration } from '@causeway/crds';
import { applyStatus, isStored } from '../controller/apply-status.ts';
import type { Clock } from '../controller/clock.ts';
import { toRfc3339 } from '../controller/conditions.ts';
import type { Reconciler, ReconcileResult } from '../controller/controller.ts';
import type { EventRecorder } from '../controller/events.ts';
import {
  isConflict,
  isNotFound,
  type KubeApi,
  type KubeObject,
  type ObjectRef,
} from '../controller/kube-api.ts';
import { KeyedLock } from '../controller/keyed-lock.ts';
import { keyOf, refOf } from '../controller/keys.ts';
import { controllerReference } from '../controller/owner-reference.ts';
import { FAILOVER_KIND, type FailoverObject } from '../failover/index.ts';
import { next, type Decision } from './decide.ts';
import { SCHEDULE_KIND } from './kind.ts';
import type { ScheduleMetrics } from './metrics.ts';
import { isOwn, sightOf, type Observed } from './observed.ts';
import type { ScheduleObject, SchedulePorts } from './ports.ts';
import { stateOf, type ActiveDrill } from './state.ts';
import { scheduleStatus } from './status.ts';
import type { Story } from './story.ts';

export interface ScheduleWorld {
  clock: Clock;
  kube: KubeApi;
  cache: {
    get(ref: ObjectRef): ScheduleObject | undefined;
    /** Those of a namespace. */
    schedules(namespace: string): ScheduleObject[];
    /** ZoneFailovers of a namespace. */
    failovers(namespace: string): FailoverObject[];
    /** False while the cache shows the schedule as it was before our last write of it. */
    hasSeenOurWrites(ref: ObjectRef): boolean;
    /** The same for a ZoneFailover. */
    hasSeenFailover(ref: ObjectRef): boolean;
  };
  events: EventRecorder;
  ports: SchedulePorts;
  metrics: ScheduleMetrics;
}

/** While the cache is behind our own writes, how soon to look again; milliseconds. */
const CATCH_UP_MS = 50;
/** A wait is looked at again this often, so that a clock that was set counts; milliseconds. */
const LONGEST_MS = 60 * 60_000;

/** The reconciler of DrillSchedules. */
export function scheduleReconciler(world: ScheduleWorld): Reconciler {
  // Of two schedules that are due in the same minute the second is to see the drill of the first.
  const platforms = new KeyedLock();
  return async (ref, { signal }) => {
    const platform = world.cache.get(ref)?.spec.platform;
    if (platform === undefined) return {};
    return platforms.run(keyOf({ ...ref, name: platform }), () => pass(world, ref, signal));
  };
}

async function pass(world: ScheduleWorld, ref: ObjectRef, signal: AbortSignal): Promise<ReconcileResult> {
  signal.throwIfAborted();
  const schedule = world.cache.get(ref);
  // Its drills go with it: their owner is gone, and a finalizer gives back what one that is under way holds.
  if (schedule === undefined || schedule.metadata.deletionTimestamp !== undefined) return {};
  const rivals = rivalsOf(world, schedule);
  const isBehind = [schedule, ...rivals].some((one) => !world.cache.hasSeenOurWrites(refOf(one)));
  if (isBehind) return { requeueAfterMs: CATCH_UP_MS };
  const observed = await look(world, schedule, rivals);
  if (observed === 'behind') return { requeueAfterMs: CATCH_UP_MS };
  const now = world.clock.now();
  const decision = await decide(world, schedule, { observed, now });
  await save(world, schedule, decision);
  signal.throwIfAborted();
  if (decision.start !== undefined) {
    await make(world, schedule, decision.start);
    return { requeueAfterMs: CATCH_UP_MS };
  }
  for (const { name, uid } of decision.remove) await remove(world, schedule, { name, uid });
  return again(decision, now);
}

/** The platform's other schedules. */
function rivalsOf({ cache }: ScheduleWorld, { metadata, spec }: ScheduleObject): ScheduleObject[] {
  return cache
    .schedules(metadata.namespace)
    .filter((one) => one.spec.platform === spec.platform && one.metadata.uid !== metadata.uid)
    .filter((one) => one.metadata.deletionTimestamp === undefined);
}

/**
 * Decides; whose the name of a drill that is to be made is, is asked before anything is saved. A decision that names a drill
 * which cannot be made would be taken back at the next look, and made again, for as long as somebody else has its name.
 */
async function decide(
  { kube }: ScheduleWorld,
  schedule: ScheduleObject,
  { observed, now }: { observed: Observed; now: number },
): Promise<Decision> {
  const decision = next(schedule, observed, now);
  if (decision.start === undefined) return decision;
  const ref = { namespace: schedule.metadata.namespace, name: decision.start.name };
  const stored = await kube.get<FailoverObject>(FAILOVER_KIND, ref);
  const nameTaken = stored !== undefined && !isOwn(schedule, stored);
  return nameTaken ? next(schedule, { ...observed, nameTaken }, now) : decision;
}

/** What is decided on. `behind`: the cache has not seen our last write of a drill. */
async function look(
  { cache, kube, ports }: ScheduleWorld,
  schedule: ScheduleObject,
  rivals: readonly ScheduleObject[],
): Promise<Observed | 'behind'> {
  const { namespace } = schedule.metadata;
  const { platform } = schedule.spec;
  const all = cache.failovers(namespace);
  const own = all.filter((one) => isOwn(schedule, one));
  const { active } = stateOf(schedule.status);
  const names = [...own.map(({ metadata }) => metadata.name), ...(active === undefined ? [] : [active.name])];
  if (!names.every((name) => cache.hasSeenFailover({ namespace, name }))) return 'behind';
  if (active !== undefined && !own.some(({ metadata }) => metadata.name === active.name)) {
    // The cache alone is no proof that it was never made, or is gone.
    const stored = await kube.get<FailoverObject>(FAILOVER_KIND, { namespace, name: active.name });
    if (stored !== undefined && isOwn(schedule, stored)) own.push(stored);
  }
  const coming = rivals
    .map(({ status }) => stateOf(status).active)
    .find((drill) => drill !== undefined && !all.some(({ metadata }) => metadata.name === drill.name));
  const others = all.filter((one) => !isOwn(schedule, one) && one.spec.platform === platform);
  return {
    platform: ports.platform({ namespace, name: platform }),
    drills: own.map(sightOf),
    others: others.map(sightOf),
    coming: coming?.name,
    nameTaken: false,
  };
}

/** Over the version that was decided on: of two operators one finds that it was late, and makes nothing. */
async function save(
  { clock, kube, events, metrics }: ScheduleWorld,
  schedule: ScheduleObject,
  decision: Decision,
): Promise<void> {
  const status = scheduleStatus(schedule, decision, clock.now());
  if (!isStored(status, schedule.status)) await applyStatus(kube, SCHEDULE_KIND, schedule, status);
  for (const story of decision.stories) {
    metrics.told(story);
    events.event(schedule, eventOf(story));
  }
}

function eventOf({ what, note }: Story): Parameters<EventRecorder['event']>[1] {
  const isTrouble = what === 'Failed' || what === 'Skipped';
  return { type: isTrouble ? 'Warning' : 'Normal', reason: `Drill${what}`, action: 'Drill', note };
}

/** Makes the drill that the status names. One that is there already was made before a crash, or is somebody else's. */
async function make(
  { kube, clock }: ScheduleWorld,
  { metadata, spec }: ScheduleObject,
  { name, zone, scheduledAt }: ActiveDrill,
): Promise<void> {
  const leftMs = scheduledAt + parseDuration(spec.window) - clock.now();
  const failover: KubeObject & { spec: object } = {
    apiVersion: API_GROUP_VERSION,
    kind: FAILOVER_KIND.kind,
    metadata: {
      namespace: metadata.namespace,
      name,
      labels: { [LABEL.drillSchedule]: metadata.name },
      annotations: { [ANNOTATION.scheduledAt]: toRfc3339(scheduledAt) },
      ownerReferences: [controllerReference(SCHEDULE_KIND, metadata)],
    },
    spec: {
      platform: spec.platform,
      fromZone: zone,
      mode: 'Drill',
      // It was nobody's turn when this was decided; whoever comes first all the same does not make it begin after its window.
      startingDeadlineSeconds: Math.max(1, Math.ceil(leftMs / 1000)),
      limits: spec.limits,
      ...(spec.drill === undefined ? {} : { drill: spec.drill }),
    },
  };
  try {
    await kube.create(FAILOVER_KIND, failover);
  } catch (error) {
    // The next look finds out whose it is.
    if (!isConflict(error)) throw error;
  }
}

async function remove(
  { kube }: ScheduleWorld,
  { metadata: { namespace } }: ScheduleObject,
  { name, uid }: { name: string; uid: string },
): Promise<void> {
  try {
    await kube.delete(FAILOVER_KIND, { namespace, name }, { uid });
  } catch (error) {
    // It went meanwhile, or another one has its name.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

function again({ lookAt }: Decision, now: number): ReconcileResult {
  return lookAt === undefined ? {} : { requeueAfterMs: Math.min(LONGEST_MS, Math.max(1, lookAt - now)) };
}
