/** Looks at the mirrors of platforms (kafka.mirror) all the time: how far one is behind matters most when nothing can be asked. */
import { Gauge, type Registry } from 'prom-client';
import type { Reconciler } from '../controller/controller.ts';
import { keyOf } from '../controller/keys.ts';
import type { MirrorSight } from '../failover/index.ts';
import { answerOf } from './failover-sight.ts';
import { KIND } from './kinds.ts';
import { lookAtMirror } from './mirror.ts';
import { userSecrets } from './observe.ts';
import type { MessagePlatform } from './types.ts';
import type { PlatformWorld } from './world.ts';

/** Between two looks at a mirror, milliseconds. One may read 20,000 offset syncs. */
const PERIOD_MS = 30_000;
/** For one look, which takes several round trips to two clusters, milliseconds. */
const PATIENCE_MS = 10_000;

/** What was last seen of each mirror, by the platform's key, for as long as the process runs. */
export class MirrorSights {
  readonly #sights = new Map<string, MirrorSight>();

  /** Registers the gauges on `registry`. `platforms`: those that there are, at the time of the scrape. */
  constructor(registry: Registry, platforms: () => readonly MessagePlatform[]) {
    this.#register(
      registry,
      { name: 'causeway_mirror_lag_offsets', help: 'Offsets that are not in the mirror; absent: unknown.' },
      { platforms, value: ({ lag }) => lag },
    );
    this.#register(
      registry,
      { name: 'causeway_mirror_lag_unknown', help: '1 while nobody knows how far the mirror is, else 0.' },
      { platforms, value: ({ lag }) => Number(lag === undefined) },
    );
  }

  /** True when what is known of it, or why it is not, is another one than before. */
  note(key: string, sight: MirrorSight): boolean {
    const before = this.#sights.get(key);
    this.#sights.set(key, sight);
    if (before === undefined) return sight.lag === undefined;
    return (before.lag === undefined) !== (sight.lag === undefined) || before.unknown !== sight.unknown;
  }

  forget(key: string): void {
    this.#sights.delete(key);
  }

  #register(
    registry: Registry,
    named: { name: string; help: string },
    of: {
      platforms: () => readonly MessagePlatform[];
      value: (sight: MirrorSight) => number | undefined;
    },
  ): void {
    const sights = this.#sights;
    const gauge: Gauge = new Gauge({
      ...named,
      labelNames: ['namespace', 'platform'],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const { metadata } of of.platforms()) {
          const sight = sights.get(keyOf(metadata));
          const value = sight === undefined ? undefined : of.value(sight);
          if (value !== undefined)
            gauge.set({ namespace: metadata.namespace, platform: metadata.name }, value);
        }
      },
    });
  }
}

/**
 * Looks at a platform's mirror every half a minute, however often the platform changes meanwhile. It writes nothing: what it
 * sees is in `sights`, and in the log when it is no longer known.
 */
export function mirrorReconciler(
  world: Pick<PlatformWorld, 'clock' | 'cache' | 'kube' | 'kafka'>,
  sights: MirrorSights,
): Reconciler {
  const { clock, kafka } = world;
  /** When the next look at each is due, milliseconds since the epoch. */
  const due = new Map<string, number>();
  return async (ref, { log }) => {
    const key = keyOf(ref);
    const platform = world.cache.get(KIND.platform, ref) as MessagePlatform | undefined;
    if (platform?.spec.kafka.mirror === undefined) {
      sights.forget(key);
      due.delete(key);
      return {};
    }
    const early = (due.get(key) ?? 0) - clock.now();
    if (early > 0) return { requeueAfterMs: early };
    const asked = userSecrets(world, platform).then((secrets) => lookAtMirror(kafka, platform, secrets));
    const sight = (await answerOf(clock, asked, PATIENCE_MS)) ?? { lag: undefined };
    if (sights.note(key, sight)) {
      const why = sight.unknown ?? 'one of the two Kafka clusters cannot be asked';
      if (sight.lag === undefined) log.warn('how far the mirror of Kafka is behind is not known', { why });
      else log.info('how far the mirror of Kafka is behind is known again', { offsets: sight.lag });
    }
    const wait = PERIOD_MS * (0.8 + 0.4 * clock.random());
    due.set(key, clock.now() + wait);
    return { requeueAfterMs: wait };
  };
}
