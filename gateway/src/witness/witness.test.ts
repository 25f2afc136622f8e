import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import type { GatewayConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { Witness } from './witness.ts';

const PEERS: GatewayConfig['peers'] = ['zone-a', 'zone-b', 'zone-c'].map((zone) => ({
  zone,
  host: `orders-peers-${zone}`,
  port: 8081,
}));

describe('a witness', () => {
  let clock = 0;
  const ends: (() => void)[] = [];
  beforeEach(() => {
    clock = 1_000_000;
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => {
    for (const end of ends.splice(0)) end();
    mock.timers.reset();
  });

  /** Promises that are settled have their say. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms; step += 50) {
      clock += 50;
      mock.timers.tick(50);
      await settle();
    }
  };

  const make = () => {
    const world = {
      /** Addresses by name; a name without any is unknown to the name server. */
      names: new Map<string, string[]>([
        ['orders-peers-zone-b', ['10.0.2.1', '10.0.2.2', '10.0.2.3', '10.0.2.4']],
        ['orders-peers-zone-c', ['10.0.3.1']],
      ]),
      dns: 'up' as 'up' | 'down' | 'hangs',
      away: new Set<string>(),
      /** How much longer a probe takes than it should. */
      stallMs: 0,
    };
    const asked: string[] = [];
    const lookups: string[] = [];
    const lines: string[] = [];
    let atOnce = 0;
    const line = (text: string): void => void lines.push(text);
    const witness = new Witness({
      zone: 'zone-a',
      peers: PEERS,
      log: { debug: () => undefined, warn: line, info: line } as unknown as Log,
      lookup: async (host) => {
        lookups.push(host);
        atOnce += 1;
        assert.equal(atOnce, 1, 'one lookup at a time');
        if (world.dns === 'hangs') await new Promise(() => undefined);
        atOnce -= 1;
        if (world.dns === 'down') throw Object.assign(new Error('EAI_AGAIN'), { code: 'EAI_AGAIN' });
        return world.names.get(host) ?? [];
      },
      ask: async (address, port) => {
        assert.equal(port, 8081);
        asked.push(address);
        clock += world.stallMs;
        return !world.away.has(address);
      },
      now: () => clock,
      unixNow: () => clock,
      random: Math.random,
    });
    ends.push(() => witness.stop());
    const of = (zone: string) => {
      const seen = witness.view.seen.find((one) => one.zone === zone);
      assert.ok(seen);
      return seen;
    };
    return { world, witness, asked, lookups, lines, of };
  };
  const loseZone = (world: { away: Set<string> }): void => {
    for (const n of [1, 2, 3, 4]) world.away.add(`10.0.2.${n}`);
  };

  it('asks a few gateways of each other zone about once a second', async () => {
    const { witness, asked, of } = make();
    witness.start();
    await pass(20_000);
    assert.equal(witness.view.zone, 'zone-a');
    assert.deepEqual(
      witness.view.seen.map(({ zone }) => zone),
      ['zone-b', 'zone-c'],
      'not its own zone',
    );
    const { reachable, total, unreachableMs } = of('zone-b');
    assert.deepEqual([reachable, total, unreachableMs], [4, 4, 0]);
    const perSecond = (prefix: string): number => asked.filter((pod) => pod.startsWith(prefix)).length / 20;
    assert.ok(perSecond('10.0.2.') > 2.5 && perSecond('10.0.2.') < 4, 'three of four');
    assert.ok(perSecond('10.0.3.') > 0.8 && perSecond('10.0.3.') < 1.3);
  });

  it('sees a zone go and come back, and says both once', async () => {
    const { world, witness, lines, of } = make();
    witness.start();
    await pass(5_000);
    loseZone(world);
    await pass(10_000);
    const gone = of('zone-b');
    assert.ok(gone.unreachableMs > 8_500 && gone.unreachableMs <= 11_500, String(gone.unreachableMs));
    assert.deepEqual([gone.reachable, gone.total, of('zone-c').unreachableMs], [0, 4, 0]);
    const [sight, other] = witness.sights;
    assert.deepEqual([sight?.zone, other?.zone, other?.unreachableMs], ['zone-b', 'zone-c', 0]);
    assert.deepEqual([...(sight?.pods.keys() ?? [])].toSorted(), world.names.get('orders-peers-zone-b'));
    assert.equal(sight?.unreachableMs, clock - (sight?.answeredAt ?? 0), 'since its last answer');
    world.away.delete('10.0.2.3');
    await pass(3_000);
    assert.deepEqual([of('zone-b').reachable, of('zone-b').unreachableMs], [1, 0]);
    assert.deepEqual(lines, ['no gateway of a zone answers', 'gateways of a zone answer again']);
  });

  it('goes on with the addresses that it has while DNS is down, or hangs', async () => {
    for (const dns of ['down', 'hangs'] as const) {
      const { world, witness, asked, of } = make();
      witness.start();
      await pass(5_000);
      world.dns = dns;
      await pass(30_000);
      const before = asked.length;
      await pass(10_000);
      assert.ok(asked.length - before > 25, 'it goes on asking');
      assert.deepEqual([of('zone-b').total, of('zone-b').unreachableMs], [4, 0]);
      loseZone(world);
      await pass(5_000);
      assert.ok(of('zone-b').unreachableMs > 3_000);
      world.dns = 'up';
      if (dns === 'down') {
        world.names.set('orders-peers-zone-b', ['10.0.2.9']);
        await pass(6_000);
        assert.deepEqual([of('zone-b').total, of('zone-b').unreachableMs], [1, 0], 'it was looked up again');
      }
      witness.stop();
    }
  });

  it('finds pods that were replaced all at once within seconds', async () => {
    for (let n = 0; n < 20; n++) {
      const { world, witness, of } = make();
      witness.start();
      // Wherever it is between two lookups.
      await pass(5_000 + n * 500);
      loseZone(world);
      world.names.set('orders-peers-zone-b', ['10.0.2.9']);
      let longest = 0;
      for (let step = 0; step < 60; step++) {
        await pass(100);
        longest = Math.max(longest, of('zone-b').unreachableMs);
      }
      assert.equal(of('zone-b').unreachableMs, 0);
      assert.ok(longest < 4_500, `${longest} ms`);
      witness.stop();
    }
  });

  it('knows nothing of a zone without gateways, and looks for them often', async () => {
    const { world, witness, lookups, of } = make();
    world.names.delete('orders-peers-zone-c');
    witness.start();
    await pass(20_000);
    assert.deepEqual([of('zone-c').total, of('zone-c').unreachableMs], [0, 0]);
    assert.ok(lookups.filter((name) => name.endsWith('zone-c')).length >= 7);
    world.names.set('orders-peers-zone-c', ['10.0.3.7']);
    await pass(4_000);
    assert.equal(of('zone-c').reachable, 1);
  });

  it('does not take its own standstill for an outage', async () => {
    const { world, witness, of } = make();
    witness.start();
    await pass(5_000);
    loseZone(world);
    world.stallMs = 2_000;
    await pass(2_000);
    assert.equal(of('zone-b').unreachableMs, 0);
    world.stallMs = 0;
    await pass(3_000);
    assert.ok(of('zone-b').unreachableMs > 0);
  });

  it('that is cut off alone sees nobody: the verdict is not its own', async () => {
    const { world, witness, of } = make();
    witness.start();
    await pass(5_000);
    loseZone(world);
    world.away.add('10.0.3.1');
    await pass(5_000);
    assert.ok(of('zone-b').unreachableMs > 3_000 && of('zone-c').unreachableMs > 3_000);
  });

  it('asks nobody any more once it is stopped', async () => {
    const { witness, asked, lookups } = make();
    witness.start();
    await pass(3_000);
    witness.stop();
    await settle();
    const before = [asked.length, lookups.length];
    await pass(30_000);
    assert.deepEqual([asked.length, lookups.length], before);
  });
});
