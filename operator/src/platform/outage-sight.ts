/** Looks at a platform for automatic Emergencies: what its gateways say of each other's zones, and what in a zone lives. */
import { COMPONENT, type ZoneView } from '@causeway/crds';
import { SILENT_LOOK_MS } from '../failover/index.ts';
import type { AutomaticLook, AutomaticPorts, ZoneKnown } from '../failover/index.ts';
import { managesEtcd } from './etcd.ts';
import type { SilenceMemory } from './failover-memory.ts';
import {
  answerOf,
  podAddress,
  storeSecrets,
  type FailoverPlatformWorld,
  type StoreSecrets,
} from './failover-sight.ts';
import { KIND } from './kinds.ts';
import { redisAddress } from './observe.ts';
import { managesRedis } from './redis.ts';
import { homeOf, isPaused, type MessagePlatform } from './types.ts';
import { isOf, isServing, nodesIn, type Node, type Pod } from './workloads.ts';

/** Gateways of each zone that are asked. */
const ASKED = 3;

/** Implements what the controller of automatic Emergencies needs. */
export function automaticPorts(world: FailoverPlatformWorld, silence: SilenceMemory): AutomaticPorts {
  return {
    kind: KIND.platform,
    platform: (ref) => {
      if (!world.cache.hasSeenOurWrites(KIND.platform, ref)) return 'behind';
      const platform = world.cache.get(KIND.platform, ref) as MessagePlatform | undefined;
      return platform?.metadata.deletionTimestamp === undefined ? platform : undefined;
    },
    look: async (platform, suspects) => {
      const look = new Look(world, platform);
      // The silent take a second, by which what the others say would be out of date.
      const names = platform.spec.zones.map(({ name }) => name);
      const suspected = new Map(
        names.filter((name) => suspects.includes(name)).map((name) => [name, look.zone(name, true)]),
      );
      for (const { known } of await Promise.all(suspected.values())) {
        // The Emergency that may follow need not find that out again.
        silence.noted(platform, known.name, known.answers !== true);
      }
      const asked = await Promise.all(names.map((name) => suspected.get(name) ?? look.zone(name, false)));
      return {
        views: asked.flatMap(({ views }) => views),
        zones: asked.map(({ known }) => known),
        home: homeOf(platform),
        paused: isPaused(platform),
      } satisfies AutomaticLook;
    },
  };
}

class Look {
  readonly #world: FailoverPlatformWorld;
  readonly #platform: MessagePlatform;
  readonly #pods: readonly Pod[];
  readonly #nodes: readonly Node[];

  constructor(world: FailoverPlatformWorld, platform: MessagePlatform) {
    this.#world = world;
    this.#platform = platform;
    const pods: Pod[] = world.cache.ofPlatform(KIND.pod, platform.metadata);
    this.#pods = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    this.#nodes = world.cache.all(KIND.node);
  }

  /** `deeply`: all that runs there is asked for a sign of life. */
  async zone(name: string, deeply: boolean): Promise<{ known: ZoneKnown; views: ZoneView[] }> {
    const gateways = this.#of(COMPONENT.gateway, name);
    const [views, life] = await Promise.all([this.#views(gateways), deeply ? this.#lives(name) : undefined]);
    const ready = gateways.filter(isServing).length;
    const { status } = this.#platform;
    const hasStores = managesRedis(this.#platform) || managesEtcd(this.#platform);
    return {
      views: views.filter(({ zone }) => zone === name),
      known: {
        name,
        ready,
        away: (status?.away ?? []).some(({ zone }) => zone === name),
        answers: views.length > 0 ? true : life,
        gatewaysDown: !hasStores && gateways.length > 0 && ready === 0 && nodesIn(name, this.#nodes) > 0,
      },
    };
  }

  #of(component: string, zone: string): Pod[] {
    return this.#pods.filter((pod) => isOf(pod, component, zone));
  }

  /** Ready ones first. */
  async #views(gateways: readonly Pod[]): Promise<ZoneView[]> {
    const asked = gateways.toSorted((a, b) => Number(isServing(b)) - Number(isServing(a))).slice(0, ASKED);
    const views = await Promise.all(
      asked.flatMap(({ status }) =>
        status?.podIP === undefined ? [] : [this.#answer(this.#world.gateways.zones(status.podIP))],
      ),
    );
    return views.filter((view) => view !== undefined);
  }

  /** Whether its stores or its replicator answer. */
  async #lives(zone: string): Promise<boolean> {
    const secrets = await storeSecrets(this.#world, this.#platform);
    const answers = await Promise.all([
      this.#redis(zone, secrets),
      this.#etcd(zone, secrets),
      ...this.#of(COMPONENT.replicator, zone).flatMap(({ status }) =>
        status?.podIP === undefined ? [] : [this.#answer(this.#world.gateways.replication(status.podIP))],
      ),
    ]);
    return answers.some((answer) => answer !== undefined);
  }

  async #redis(zone: string, { inner }: StoreSecrets): Promise<unknown> {
    const at = podAddress(this.#pods, COMPONENT.redis, zone);
    if (!managesRedis(this.#platform) || at === undefined) return undefined;
    return this.#answer(this.#world.redis.look(redisAddress(this.#platform, zone, inner, at)));
  }

  async #etcd(zone: string, { etcd }: StoreSecrets): Promise<unknown> {
    if (!managesEtcd(this.#platform)) return undefined;
    const admin = this.#world.etcd(this.#platform, etcd, (of) => podAddress(this.#pods, COMPONENT.etcd, of));
    const state = await this.#answer(admin.state(zone));
    return state?.reachable === true ? state : undefined;
  }

  #answer<T>(asked: Promise<T>): Promise<T | undefined> {
    return answerOf(this.#world.clock, asked, SILENT_LOOK_MS);
  }
}
