import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import type { ReconcileResult } from '../controller/controller.ts';
import { silentLogger, type Logger } from '../controller/log.ts';
import type { KafkaAdmin } from './kafka.ts';
import { KIND } from './kinds.ts';
import { mirrorReconciler, MirrorSights } from './mirror-watch.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';
import type { PlatformWorld } from './world.ts';

const REF = { namespace: 'messaging', name: 'orders' };
const OF = '{namespace="messaging",platform="orders"}';

function mirrored(): MessagePlatform {
  return ordersPlatform(({ spec }) => {
    spec.kafka.mirror = {
      bootstrapServers: 'kafka.west:9092',
      sourceAlias: 'east',
      targetAlias: 'west',
      replicationPolicy: 'Identity',
    };
  });
}

/** A platform with a mirror, and two Kafkas that answer as a test says. */
class Watched {
  platform: MessagePlatform | undefined = mirrored();
  now = 1_000_000;
  /** Of the one partition, in both clusters; undefined: they cannot be asked. */
  ends: { here: bigint; there: bigint } | undefined = { here: 100n, there: 100n };
  looks = 0;
  readonly said: string[] = [];
  readonly #registry = new Registry();
  readonly #sights = new MirrorSights(this.#registry, () => (this.platform ? [this.platform] : []));
  readonly #reconcile = mirrorReconciler(this.#world(), this.#sights);

  async look(): Promise<ReconcileResult> {
    const log: Logger = {
      ...silentLogger,
      info: (message) => void this.said.push(message),
      warn: (message, fields) => void this.said.push(`${message}: ${String(fields?.['why'])}`),
    };
    const { signal } = new AbortController();
    return (await this.#reconcile(REF, { log, signal, clock: this.#clock(), failures: 0 })) ?? {};
  }

  async scrape(): Promise<string[]> {
    return (await this.#registry.metrics()).split('\n').filter((line) => line.startsWith('causeway_'));
  }

  #clock(): PlatformWorld['clock'] {
    return {
      now: () => this.now,
      random: () => 0.5,
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        }),
    };
  }

  #world(): Parameters<typeof mirrorReconciler>[0] {
    const endsAt = (high: bigint): Awaited<ReturnType<KafkaAdmin['ends']>> =>
      new Map([['orders.chat', new Map([[0, { low: 0n, high }]])]]);
    const kafka: Pick<KafkaAdmin, 'ends' | 'offsetSyncs'> = {
      ends: async ({ brokers }) => {
        if (this.ends === undefined) throw new Error('away');
        const isMirror = brokers[0] === 'kafka.west:9092';
        if (isMirror) this.looks += 1;
        return endsAt(isMirror ? this.ends.there : this.ends.here);
      },
      offsetSyncs: async () => [{ topic: 'orders.chat', partition: 0, upstream: 0n, downstream: 0n }],
    };
    return {
      clock: this.#clock(),
      cache: { get: (kind: object) => (kind === KIND.platform ? this.platform : undefined) },
      kube: { get: async () => undefined },
      kafka,
    } as unknown as Parameters<typeof mirrorReconciler>[0];
  }
}

describe('the lag of a mirror', () => {
  it('is a metric between failovers, as of the last look', async () => {
    const watched = new Watched();
    assert.deepEqual(await watched.scrape(), [], 'nobody has looked yet');
    const { requeueAfterMs } = await watched.look();
    assert.deepEqual(await watched.scrape(), [
      `causeway_mirror_lag_offsets${OF} 0`,
      `causeway_mirror_lag_unknown${OF} 0`,
    ]);
    watched.ends = { here: 130n, there: 100n };
    watched.now += requeueAfterMs ?? 0;
    await watched.look();
    assert.ok((await watched.scrape()).includes(`causeway_mirror_lag_offsets${OF} 30`));
    assert.deepEqual(watched.said, [], 'that it changes is no news');
  });

  it('is absent while it is unknown, which is a metric and said once', async () => {
    const watched = new Watched();
    const later = async (ends: Watched['ends']): Promise<string[]> => {
      watched.ends = ends;
      watched.now += 60_000;
      await watched.look();
      return watched.scrape();
    };
    const unknown = [`causeway_mirror_lag_unknown${OF} 1`];
    assert.deepEqual(await later(undefined), unknown);
    assert.deepEqual(await later(undefined), unknown);
    assert.deepEqual(await later({ here: 5n, there: 9n }), unknown);
    assert.equal((await later({ here: 9n, there: 9n })).length, 2);
    assert.deepEqual(watched.said, [
      'how far the mirror of Kafka is behind is not known: one of the two Kafka clusters cannot be asked',
      'how far the mirror of Kafka is behind is not known: the copy of orders.chat/0 has records that MirrorMaker told nothing of',
      'how far the mirror of Kafka is behind is known again',
    ]);
  });

  it('is not asked for more often than every half a minute, however often the platform changes', async () => {
    const watched = new Watched();
    await watched.look();
    for (let seconds = 0; seconds < 29; seconds++) {
      watched.now += 1000;
      const { requeueAfterMs } = await watched.look();
      assert.equal(requeueAfterMs, 29_000 - seconds * 1000);
    }
    assert.equal(watched.looks, 1);
    watched.now += 1000;
    await watched.look();
    assert.equal(watched.looks, 2);
  });

  it('goes with the mirror, and with the platform', async () => {
    const watched = new Watched();
    await watched.look();
    watched.platform = ordersPlatform();
    assert.deepEqual(await watched.look(), {});
    assert.deepEqual(await watched.scrape(), []);
    watched.platform = mirrored();
    await watched.look();
    assert.equal((await watched.scrape()).length, 2, 'a new mirror is looked at at once');
    watched.platform = undefined;
    await watched.look();
    assert.deepEqual(await watched.scrape(), []);
  });
});
