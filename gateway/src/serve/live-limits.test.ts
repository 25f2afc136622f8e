import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import type { GatewayConfig } from '@causeway/crds';
import { LiveLimits } from './live-limits.ts';

const KEY = '/config/gateway-limits';
const spec = { messagesPerSecond: 1, burst: 2, tiers: [] };
const sender = { user: 'ann', tier: undefined, tenant: undefined };

/** Live limits, and all that they say. */
class World {
  away: number | undefined = 0;
  readonly registry = new Registry();
  readonly lines: string[] = [];
  readonly live: LiveLimits;

  constructor(change: Partial<GatewayConfig['limits']> = { etcdKey: KEY }) {
    const note =
      (level: string) =>
      (message: string, fields: Record<string, unknown> = {}): void =>
        void this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    this.live = new LiveLimits({
      limits: { connections: 7, ...spec, ...change },
      log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      registry: this.registry,
      away: () => this.away,
    });
  }

  tell(value: unknown, revision: number): void {
    const bytes =
      value === undefined
        ? undefined
        : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    this.live.followed?.changed(bytes, BigInt(revision));
  }

  async metric(name: string, label = ''): Promise<number> {
    const text = await this.registry.metrics();
    const line = text.split('\n').find((one) => one.startsWith(`causeway_gateway_limits_${name}${label} `));
    return Number(line?.split(' ').at(-1));
  }

  get allowed(): number {
    let count = 0;
    while (this.live.send.allow(sender, performance.now())) count += 1;
    return count;
  }
}

describe('limits that change while the gateway runs', () => {
  it('are those of the spec where no key is followed, and need no etcd', async () => {
    const world = new World({});
    world.away = undefined;
    assert.equal(world.live.followed, undefined);
    assert.deepEqual(world.live.state, { limits: spec, from: 'spec' });
    assert.equal(await world.metric('problem', '{problem="etcd"}'), 0);
    assert.deepEqual(world.lines, []);
  });

  it('are those of the spec until etcd is read, which is said', async () => {
    const world = new World();
    world.away = 1_500;
    assert.match(world.lines[0] ?? '', /the platform's limits apply until those in etcd are read/);
    assert.deepEqual(world.live.state, {
      limits: spec,
      from: 'spec',
      etcd: { key: KEY, followed: false },
      problem: "this zone's etcd has not been reached yet: the platform's limits apply until it is",
    });
    assert.equal(await world.metric('problem', '{problem="etcd"}'), 1);
    world.away = 0;
    world.tell(undefined, 5);
    assert.deepEqual(world.live.state, { limits: spec, from: 'spec', etcd: { key: KEY, followed: true } });
    assert.equal(world.lines.length, 1, 'no value is what there was');
  });

  it('follow the value, and go back to the spec when it is deleted', async () => {
    const world = new World();
    assert.equal(world.allowed, 2);
    world.tell({ burst: 10 }, 8);
    world.tell({ burst: 10 }, 8);
    assert.deepEqual(world.live.state, {
      limits: { ...spec, burst: 10 },
      from: 'etcd',
      etcd: { key: KEY, revision: 8, followed: true },
    });
    assert.equal(world.allowed, 0, 'what was taken stays taken');
    assert.equal(await world.metric('from_etcd'), 1);
    assert.equal(await world.metric('changes_total'), 1, 'told twice, it changed once');
    world.tell(undefined, 9);
    assert.equal(world.live.state.from, 'spec');
    assert.equal(await world.metric('from_etcd'), 0);
    assert.equal(await world.metric('changes_total'), 2);
  });

  it('stay as they are while the value is wrong', async () => {
    const world = new World();
    world.tell({ messagesPerSecond: 3, burst: 4 }, 8);
    world.tell({ burst: 'hush' }, 9);
    world.tell('{', 10);
    const { limits, etcd, problem } = world.live.state;
    assert.deepEqual([limits.burst, etcd?.revision], [4, 8]);
    assert.equal(
      problem,
      `etcd key ${KEY}: is not JSON (revision 10): put another value, or delete the key; until then what was last good applies`,
    );
    assert.equal(await world.metric('problem', '{problem="value"}'), 1);
    assert.equal(world.lines.filter((line) => line.startsWith('warn')).length, 2);
    world.tell({ burst: 5 }, 11);
    assert.equal(world.live.state.problem, undefined);
    assert.equal(world.live.state.limits.burst, 5);
    assert.equal(await world.metric('problem', '{problem="value"}'), 0);
  });

  it('are those of the spec when a value that was wrong from the beginning is deleted', () => {
    const world = new World();
    world.tell('{', 3);
    assert.deepEqual(world.live.state.limits, spec);
    world.tell(undefined, 4);
    assert.equal(world.live.state.problem, undefined);
  });

  it('stay while etcd is away, which is said', () => {
    const world = new World();
    world.tell({ burst: 9 }, 8);
    world.away = 12_345;
    const { from, etcd, problem } = world.live.state;
    assert.deepEqual([from, etcd?.followed], ['etcd', false]);
    assert.match(problem ?? '', /has been away for 13 s/);
    world.away = undefined;
    assert.match(world.live.state.problem ?? '', /no etcd in gateway.json/);
  });
});
