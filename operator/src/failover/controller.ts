/** The controller of ZoneFailovers: looks, decides, saves, acts. Level-triggered, one step for each pass. */
import { isDeepStrictEqual } from 'node:util';
import { LABEL } from '@causeway/crds';
import { applyStatus, isStored } from '../controller/apply-status.ts';
import type { Clock } from '../controller/clock.ts';
import type { ReconcileContext, Reconciler, ReconcileResult } from '../controller/controller.ts';
import type { EventRecorder } from '../controller/events.ts';
import { addFinalizer, hasFinalizer, removeFinalizer } from '../controller/finalizers.ts';
import { keyOf } from '../controller/keys.ts';
import { isConflict, isNotFound, type KubeApi, type ObjectRef } from '../controller/kube-api.ts';
import { FAILOVER_FINALIZER, FAILOVER_KIND } from './kind.ts';
import { nextStep, type FailoverStep } from './machine.ts';
import type { FailoverMetrics } from './metrics.ts';
import { needsOf, type Needs } from './needs.ts';
import type { Act, FailoverWish, Observed } from './observed.ts';
import type { FailoverObject, FailoverPorts } from './ports.ts';
import { queueOf } from './queue.ts';
import { enter, isOver, type FailoverState } from './state.ts';
import { failoverStatus, isOnlyProgress, stateOf } from './status.ts';

export interface FailoverWorld {
  clock: Clock;
  kube: KubeApi;
  cache: {
    get(ref: ObjectRef): FailoverObject | undefined;
    /** Of a namespace. */
    all(namespace: string): FailoverObject[];
    /** False while the cache shows the object as it was before our last write of it. */
    hasSeenOurWrites(ref: ObjectRef): boolean;
  };
  events: EventRecorder;
  ports: FailoverPorts;
  metrics: FailoverMetrics;
}

/** While the cache is behind our own writes, how soon to look again; milliseconds. */
const CATCH_UP_MS = 50;
/** How soon to look again at a failover that changed under our hands, if the cache does not say so before; milliseconds. */
const CHANGED_MS = 200;
/** What only people read is written this often, milliseconds. */
const PROGRESS_MS = 1_000;
/** While there is a home the next look comes so long after the last one, however much changes meanwhile; milliseconds. */
const LOOKS_APART_MS = 500;
/** Phases, and steps of the way back, in which many things change that are only waited for: gateways start, clients come to them. */
const UNHURRIED: ReadonlySet<string> = new Set([
  'Preflight',
  'Prepare',
  'Drain',
  'Verify',
  'Hold',
  'GiveBack',
]);
/** Phases that one look is used for at most: more than follow each other. */
const MOST_PHASES = 5;
/** How soon a platform that is not there is looked for again, milliseconds. */
const MISSING_MS = 5_000;

/** The reconciler of ZoneFailovers. */
export function failoverReconciler(world: FailoverWorld): Reconciler {
  const pass = new Passes(world);
  return async (ref, context) => {
    try {
      return await pass.run(ref, context);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // It is not as the cache has it: what was decided on that is worth nothing.
      return { requeueAfterMs: CHANGED_MS };
    }
  };
}

/** What is known of a failover beside its status. Lost with the process, and not missed. */
interface Memory {
  /** When its progress was last written, milliseconds. */
  writtenAt: number;
  /** When stores were last asked for it. */
  storesAt: number;
  /** Until when nothing is looked at, of that generation of it. */
  rest: { until: number; generation: number | undefined } | undefined;
  /** Why its last act failed. */
  trouble: string | undefined;
}

class Passes {
  readonly #world: FailoverWorld;
  readonly #memory = new Map<string, Memory>();

  constructor(world: FailoverWorld) {
    this.#world = world;
  }

  async run(ref: ObjectRef, context: ReconcileContext): Promise<ReconcileResult> {
    const { cache, ports } = this.#world;
    const { namespace = '', name } = ref;
    const stored = cache.get(ref);
    if (stored === undefined) {
      this.#memory.delete(keyOf(ref));
      await ports.release({ namespace, name });
      return {};
    }
    if (!cache.hasSeenOurWrites(ref)) return { requeueAfterMs: CATCH_UP_MS };
    const state = stateOf(stored);
    if (isOver(state.phase) && !state.holds) return this.#afterEnd(stored, state);
    const failover = await this.#held(stored);
    if (failover === undefined) return {};
    const queue = queueOf(failover, cache.all(namespace));
    const early = queue.emergency === undefined ? this.#restOf(failover) : 0;
    if (early > 0) return { requeueAfterMs: early };
    const needs = this.#needsOf(failover, state);
    const seen = await ports.observe(failover, needs);
    if (seen === 'behind') return { requeueAfterMs: CATCH_UP_MS };
    if (seen === undefined) return this.#withoutPlatform(failover, state);
    const memory = this.#memoryOf(failover);
    if (needs.stores) memory.storesAt = seen.now;
    return this.#advance(failover, { ...seen, ...queue }, { needs, context });
  }

  #needsOf(failover: FailoverObject, state: FailoverState): Needs {
    const age = this.#world.clock.now() - this.#memoryOf(failover).storesAt;
    // The clock may have been set back.
    return needsOf(state, failover.spec.mode, age < 0 ? Infinity : age);
  }

  /** How long it still waits for the next look, milliseconds. Who changed what it is to do, or deleted it, is heard at once. */
  #restOf(failover: FailoverObject): number {
    const { rest } = this.#memoryOf(failover);
    const { generation, deletionTimestamp } = failover.metadata;
    if (rest === undefined || rest.generation !== generation || deletionTimestamp !== undefined) return 0;
    const left = rest.until - this.#world.clock.now();
    // Or the clock was set back.
    return left <= LOOKS_APART_MS ? left : 0;
  }

  /** Takes the next step; what that look decides further is done at once, since between two phases nobody may have a home. */
  async #advance(
    failover: FailoverObject,
    seen: Observed,
    { needs, context }: { needs: Needs; context: ReconcileContext },
  ): Promise<ReconcileResult> {
    const wish = wishOf(failover);
    const states = [stateOf(failover)];
    for (;;) {
      const before = states.at(-1) ?? stateOf(failover);
      const step = nextStep(wish, before, seen);
      states.push(step.state);
      const isEnough = isDeepStrictEqual(this.#needsOf(failover, step.state), needs);
      if (states.length <= MOST_PHASES && isEnough && isNextPhase(step, before)) continue;
      await this.#save(failover, states);
      return this.#take(failover, step, { seen, context });
    }
  }

  /** What it holds is given back before it goes: not by the API server, but by us. */
  async #held(failover: FailoverObject): Promise<FailoverObject | undefined> {
    if (hasFinalizer(failover, FAILOVER_FINALIZER)) return failover;
    if (failover.metadata.deletionTimestamp !== undefined) return undefined;
    return addFinalizer(this.#world.kube, FAILOVER_KIND, failover, FAILOVER_FINALIZER);
  }

  /** Acts, once that is saved. What could not be done is tried at the next look, and said. */
  async #take(
    failover: FailoverObject,
    { state, acts, lookAfter }: FailoverStep,
    { seen, context }: { seen: Pick<Observed, 'claim'>; context: ReconcileContext },
  ): Promise<ReconcileResult> {
    if (acts.length === 0) this.#memoryOf(failover).trouble = undefined;
    let done = acts.length > 0;
    for (const alike of runsOf(acts)) {
      context.signal.throwIfAborted();
      const outcomes = await Promise.all(alike.map((act) => this.#perform(failover, act, context)));
      done = outcomes.every(Boolean);
      // Each may rest on the one before.
      if (!done) break;
    }
    if (isOver(state.phase) && seen.claim === failover.metadata.name)
      await this.#world.ports.release(failover.metadata);
    if (isOver(state.phase) && !state.holds) return { requeueAfterMs: CATCH_UP_MS };
    if (lookAfter === undefined) return {};
    this.#memoryOf(failover).rest =
      acts.length > 0 ? undefined : restAfter(failover, state, { lookAfter, now: this.#world.clock.now() });
    // What was done is seen in a moment, and while the home moves each counts.
    return { requeueAfterMs: Math.max(1, Math.min(lookAfter, done ? CATCH_UP_MS : lookAfter)) };
  }

  /** True when it was done. */
  async #perform(failover: FailoverObject, act: Act, { log }: ReconcileContext): Promise<boolean> {
    const memory = this.#memoryOf(failover);
    const { clock } = this.#world;
    const began = clock.now();
    try {
      await this.#world.ports.perform(failover, act);
      memory.trouble = undefined;
      // Who reads this at night wants to know when each store was told.
      log.info('an act of a failover is done', {
        act: act.act,
        ...('zone' in act ? { actZone: act.zone } : {}),
        tookMs: clock.now() - began,
      });
      return true;
    } catch (error) {
      memory.trouble = error instanceof Error ? error.message : String(error);
      this.#world.metrics.failed(act.act);
      log.warn('an act of a failover failed', { act: act.act, error });
      return false;
    }
  }

  #memoryOf({ metadata }: FailoverObject): Memory {
    const key = keyOf(metadata);
    const none: Memory = { writtenAt: 0, storesAt: -Infinity, rest: undefined, trouble: undefined };
    const memory = this.#memory.get(key) ?? none;
    this.#memory.set(key, memory);
    return memory;
  }

  /** Saves the last of the states that followed each other; the first is the one that is stored. */
  async #save(failover: FailoverObject, states: readonly FailoverState[]): Promise<void> {
    const { clock, kube, metrics } = this.#world;
    const memory = this.#memoryOf(failover);
    const now = clock.now();
    const last = states.at(-1) ?? stateOf(failover);
    const status = failoverStatus(failover, withTrouble(last, memory.trouble), now);
    if (isStored(status, failover.status)) return;
    if (isOnlyProgress(failover.status, status) && now - memory.writtenAt < PROGRESS_MS) return;
    memory.writtenAt = now;
    await applyStatus(kube, FAILOVER_KIND, failover, status);
    for (const [index, after] of states.slice(1).entries()) {
      const before = states[index] ?? after;
      metrics.stepped(failover.spec.mode, before, after, now);
      this.#tell(failover, before, after);
    }
  }

  /** An event for each phase, as a person would follow it. */
  #tell(failover: FailoverObject, before: FailoverState, after: FailoverState): void {
    if (before.phase === after.phase && before.step === after.step) return;
    const { fromZone, mode } = failover.spec;
    const step = after.step === undefined ? '' : ` (${after.step})`;
    const said = after.message === '' ? `${mode} of ${fromZone}: ${after.phase}${step}.` : after.message;
    const isTrouble = ['RollingBack', 'RolledBack', 'Failed'].includes(after.phase);
    this.#world.events.event(failover, {
      type: isTrouble ? 'Warning' : 'Normal',
      reason: after.phase,
      action: 'Failover',
      note: said,
    });
  }

  /** Nothing is left to be done: it may go, at once when somebody deletes it, or when its time is over. */
  async #afterEnd(failover: FailoverObject, { finishedAt = 0 }: FailoverState): Promise<ReconcileResult> {
    const { clock, kube, ports } = this.#world;
    const { namespace, name, uid } = failover.metadata;
    await ports.release({ namespace, name });
    try {
      if (hasFinalizer(failover, FAILOVER_FINALIZER))
        await removeFinalizer(kube, FAILOVER_KIND, failover, FAILOVER_FINALIZER);
      const { ttlSecondsAfterFinished } = failover.spec;
      if (ttlSecondsAfterFinished === undefined || failover.metadata.deletionTimestamp !== undefined)
        return {};
      const left = finishedAt + ttlSecondsAfterFinished * 1000 - clock.now();
      if (left > 0) return { requeueAfterMs: left };
      await kube.delete(FAILOVER_KIND, { namespace, name }, { uid });
    } catch (error) {
      // It went meanwhile, or another one has its name.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    return {};
  }

  /** With its platform all that it could give back is gone too. */
  async #withoutPlatform(failover: FailoverObject, state: FailoverState): Promise<ReconcileResult> {
    const message = `There is no MessagePlatform ${failover.spec.platform} in namespace ${failover.metadata.namespace}.`;
    const now = this.#world.clock.now();
    // A platform that is applied together with it may come a moment later.
    const age = now - Date.parse(failover.metadata.creationTimestamp);
    if (state.phase === 'Queued' && age < MISSING_MS && failover.metadata.deletionTimestamp === undefined) {
      await this.#save(failover, [state, { ...state, message }]);
      return { requeueAfterMs: MISSING_MS };
    }
    const lost = { phase: 'Failed', cause: 'UnknownPlatform', message } as const;
    const ended = isOver(state.phase) ? { ...state, message } : failedNow(state, lost, now);
    await this.#save(failover, [state, { ...ended, holds: false }]);
    return { requeueAfterMs: CATCH_UP_MS };
  }
}

/** It went on to another phase, and nothing is to be done before that is decided on. */
function isNextPhase({ state, acts, lookAfter }: FailoverStep, before: FailoverState): boolean {
  const wentOn = state.phase !== before.phase || state.step !== before.step;
  return wentOn && acts.length === 0 && lookAfter === 0 && !isOver(state.phase);
}

/** Until when it is not looked again, after a look at which nothing was to be done. */
function restAfter(
  { metadata, spec }: FailoverObject,
  { phase, step }: FailoverState,
  { lookAfter, now }: { lookAfter: number; now: number },
): Memory['rest'] {
  if (spec.mode === 'Emergency' || !UNHURRIED.has(step ?? phase)) return undefined;
  return { until: now + Math.min(lookAfter, LOOKS_APART_MS), generation: metadata.generation };
}

/** Acts of one kind that follow each other are for different zones or pods, and need not wait for each other. */
function runsOf(acts: readonly Act[]): Act[][] {
  const runs: Act[][] = [];
  for (const act of acts) {
    const last = runs.at(-1);
    if (last?.[0]?.act === act.act) last.push(act);
    else runs.push([act]);
  }
  return runs;
}

/** From any phase: there is nothing that a way back could lead to. */
function failedNow(
  state: FailoverState,
  lost: { phase: 'Failed'; cause: string; message: string },
  now: number,
): FailoverState {
  return enter({ ...state, phase: 'RollingBack' }, now, lost);
}

function wishOf({ metadata, spec }: FailoverObject): FailoverWish {
  const automatic = metadata.labels?.[LABEL.automatic] === 'true';
  const { startingDeadlineSeconds: seconds } = spec;
  const startBy = seconds === undefined ? undefined : Date.parse(metadata.creationTimestamp) + seconds * 1000;
  const deleted = metadata.deletionTimestamp !== undefined;
  return { name: metadata.name, spec, deleted, automatic, startBy };
}

/** What is waited for, and why the last try failed. */
function withTrouble(state: FailoverState, trouble: string | undefined): FailoverState {
  const last = state.phases.at(-1);
  if (trouble === undefined || last?.waitingFor === undefined || isOver(state.phase)) return state;
  const waitingFor = `${last.waitingFor} The last try failed: ${trouble}`;
  const message = state.message === last.waitingFor ? waitingFor : state.message;
  return { ...state, message, phases: [...state.phases.slice(0, -1), { ...last, waitingFor }] };
}
