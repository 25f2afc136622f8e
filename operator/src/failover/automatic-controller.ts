/** Makes Emergencies by itself, for platforms that ask for it: looks, decides, saves, makes. Level-triggered. */
import { API_GROUP_VERSION, LABEL, parseDuration, type MessagePlatform } from '@causeway/crds';
import { applyShare, isStored } from '../controller/apply-status.ts';
import type { Clock } from '../controller/clock.ts';
import type { Reconciler, ReconcileResult } from '../controller/controller.ts';
import type { EventRecorder } from '../controller/events.ts';
import { keyOf } from '../controller/keys.ts';
import {
  isConflict,
  type KubeApi,
  type KubeObject,
  type ObjectRef,
  type ResourceKind,
} from '../controller/kube-api.ts';
import {
  decideAutomatic,
  WORKING_REASONS,
  type AutomaticDecision,
  type HomeMove,
  type MadeEmergency,
  type OutageSight,
} from './automatic.ts';
import { automaticStateOf, automaticStatus, type AutomaticStatus } from './automatic-status.ts';
import type { AutomaticMetrics } from './automatic-metrics.ts';
import { FAILOVER_KIND } from './kind.ts';
import type { FailoverObject } from './ports.ts';
import { isOver } from './state.ts';
import { stateOf } from './status.ts';

/** Field manager of what is written into a platform's status. */
const MANAGER = 'causeway-automatic';
/** While the cache is behind our own writes, how soon to look again; milliseconds. */
const CATCH_UP_MS = 50;
/** How soon to look again at a platform that changed under our hands, if the cache does not say so before; milliseconds. */
const CHANGED_MS = 200;
/** The bounds of how often it is looked else, which goes by `unhealthyAfter`; milliseconds. */
const CALM_MS = { least: 1_000, most: 10_000 } as const;
/** A look or two at which nobody answered is said to nobody; milliseconds. */
const SAID_AFTER_MS = 5_000;

/** What is looked at anew each time. */
export type AutomaticLook = Pick<OutageSight, 'views' | 'zones' | 'home' | 'paused'>;

export interface AutomaticPorts {
  /** What kind platforms are of. */
  kind: ResourceKind;
  /** The platform; undefined: there is none, or it is going. `behind`: the cache has not seen our last write of it. */
  platform(ref: ObjectRef): (MessagePlatform & KubeObject) | 'behind' | undefined;
  /**
   * Asks all that runs in `suspects` for a sign of life, and then gateways of the other zones which others they reach: what they say
   * is to be of now. Who does not answer in about a second is silent; it never throws for that.
   */
  look(platform: MessagePlatform, suspects: readonly string[]): Promise<AutomaticLook>;
}

export interface AutomaticWorld {
  clock: Clock;
  kube: KubeApi;
  cache: {
    /** ZoneFailovers of a namespace. */
    all(namespace: string): FailoverObject[];
    /** False while the cache shows the ZoneFailover as it was before our last write of it. */
    hasSeenOurWrites(ref: ObjectRef): boolean;
  };
  events: EventRecorder;
  ports: AutomaticPorts;
  metrics: AutomaticMetrics;
}

/** The reconciler of automatic Emergencies; its keys are platforms. */
export function automaticReconciler(world: AutomaticWorld): Reconciler {
  const pass = new Pass(world);
  return async (ref, { signal }) => {
    try {
      return await pass.run(ref, signal);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // It is not as the cache has it: what was decided on that is worth nothing.
      return { requeueAfterMs: CHANGED_MS };
    }
  };
}

class Pass {
  readonly #world: AutomaticWorld;
  /** Since when witnesses are missing, by platform. Lost with the process, and not missed: it only delays words. */
  readonly #missingSince = new Map<string, number>();

  constructor(world: AutomaticWorld) {
    this.#world = world;
  }

  async run(ref: ObjectRef, signal: AbortSignal): Promise<ReconcileResult> {
    const { ports, clock } = this.#world;
    const platform = ports.platform(ref);
    if (platform === 'behind') return { requeueAfterMs: CATCH_UP_MS };
    if (platform?.spec.failover.automatic !== true) {
      this.#missingSince.delete(keyOf(ref));
      if (platform?.status?.automaticFailover !== undefined) await this.#save(platform, undefined);
      return {};
    }
    const unhealthyAfterMs = parseDuration(platform.spec.failover.unhealthyAfter);
    const before = automaticStateOf(platform.status);
    const suspects = before.zones.filter(({ unreachableSince }) => unreachableSince !== undefined);
    const look = await ports.look(
      platform,
      suspects.map(({ zone }) => zone),
    );
    const failovers = await this.#failovers(platform, before.emergencies.at(-1));
    if (failovers === 'behind') return { requeueAfterMs: CATCH_UP_MS };
    signal.throwIfAborted();
    const seen: OutageSight = { ...look, ...failovers, now: clock.now() };
    const decision = decideAutomatic({ platform: ref.name, unhealthyAfterMs }, before, seen);
    const status = automaticStatus(this.#withPatience(platform, decision));
    if (!isStored(status, platform.status?.automaticFailover)) await this.#save(platform, status);
    signal.throwIfAborted();
    if (decision.make !== undefined) {
      await this.#make(platform, decision.make);
      return { requeueAfterMs: CATCH_UP_MS };
    }
    const calm = Math.min(CALM_MS.most, Math.max(CALM_MS.least, unhealthyAfterMs / 4));
    return { requeueAfterMs: decision.lookAfterMs ?? calm };
  }

  /** Those that have not ended, and whether the one that was decided on last is there. */
  async #failovers(
    { metadata: { namespace, name } }: MessagePlatform & KubeObject,
    last: MadeEmergency | undefined,
  ): Promise<Pick<OutageSight, 'failover' | 'move' | 'made'> | 'behind'> {
    const { cache, kube } = this.#world;
    if (last !== undefined && !cache.hasSeenOurWrites({ namespace, name: last.failover })) return 'behind';
    const own = cache.all(namespace ?? '').filter(({ spec }) => spec.platform === name);
    const unfinished = own.filter((one) => !isOver(stateOf(one).phase));
    const move = unfinished.map(moveOf).find((one) => one !== undefined);
    const failover = unfinished.find(({ metadata }) => metadata.name !== move?.failover)?.metadata.name;
    const others = { failover, move };
    if (last === undefined || last.uid !== undefined) return { ...others, made: undefined };
    const ref = { namespace, name: last.failover };
    // The cache alone is no proof that it was never made.
    const made =
      own.find(({ metadata }) => metadata.name === last.failover) ??
      (await kube.get<FailoverObject>(FAILOVER_KIND, ref));
    return { ...others, made: made?.metadata.uid };
  }

  /** That the operator cannot ask is said when it lasts: what was said before stays said so long. */
  #withPatience(platform: MessagePlatform & KubeObject, decision: AutomaticDecision): AutomaticDecision {
    const key = keyOf(platform.metadata);
    if (decision.reason !== 'WitnessesMissing') {
      this.#missingSince.delete(key);
      return decision;
    }
    const now = this.#world.clock.now();
    const since = this.#missingSince.get(key) ?? now;
    this.#missingSince.set(key, since);
    const said = platform.status?.automaticFailover;
    if (said === undefined || now - since >= SAID_AFTER_MS) return decision;
    return { ...decision, reason: said.reason, message: said.message };
  }

  /** Over the version that was decided on: of two operators one finds that it was late, and makes nothing. */
  async #save(platform: MessagePlatform & KubeObject, status: AutomaticStatus | undefined): Promise<void> {
    const { kube, ports, events } = this.#world;
    const share = status === undefined ? {} : { automaticFailover: status };
    await applyShare(kube, { kind: ports.kind, manager: MANAGER }, platform, share);
    const before = platform.status?.automaticFailover;
    if (status === undefined || status.reason === before?.reason || status.reason === 'Watching') return;
    if (before === undefined && status.reason === 'WitnessesMissing') return; // It has just begun to look.
    const isTrouble = !WORKING_REASONS.has(status.reason) || status.reason === 'EmergencyMade';
    events.event(platform, {
      type: isTrouble ? 'Warning' : 'Normal',
      reason: status.reason,
      action: 'AutomaticFailover',
      note: status.message,
    });
  }

  /** Makes the Emergency that the status names. One that is there already was made before a crash. */
  async #make(
    { metadata: { namespace, name } }: MessagePlatform & KubeObject,
    { failover, zone }: MadeEmergency,
  ): Promise<void> {
    const { kube, metrics } = this.#world;
    const body: KubeObject & { spec: object } = {
      apiVersion: API_GROUP_VERSION,
      kind: FAILOVER_KIND.kind,
      metadata: { namespace, name: failover, labels: { [LABEL.automatic]: 'true' } },
      spec: { platform: name, fromZone: zone, mode: 'Emergency' },
    };
    try {
      await kube.create(FAILOVER_KIND, body);
      metrics.made();
    } catch (error) {
      // The next look finds it.
      if (!isConflict(error)) throw error;
    }
  }
}

/** An Emergency turns back for nobody. */
function moveOf(one: FailoverObject): HomeMove | undefined {
  const { home } = stateOf(one);
  return home === undefined || one.spec.mode === 'Emergency'
    ? undefined
    : { failover: one.metadata.name, ...home };
}
