import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { failoverMetrics } from '../failover/index.ts';
import { registerPlatformMetrics } from './metrics.ts';
import { rotationMetrics } from './rotation-metrics.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';

const END = '2027-02-21T12:00:00Z';
const RENEWAL = Date.parse(END) / 1000 - 720 * 3600;

function ready(): MessagePlatform {
  return ordersPlatform((platform) => {
    platform.spec.tls.renewBefore = '720h';
    platform.status = {
      conditions: [
        { type: 'Ready', status: 'True', reason: 'AllPartsReady', message: '', lastTransitionTime: END },
      ],
      certificates: {
        version: 1,
        fingerprint: 'f',
        notAfter: END,
        innerNotAfter: '2027-02-20T12:00:00Z',
        authorityNotAfter: '2036-11-20T12:00:00Z',
      },
    };
  });
}

async function scrape(platforms: () => MessagePlatform[]): Promise<() => Promise<string[]>> {
  const registry = new Registry();
  registerPlatformMetrics(registry, platforms);
  return async () => (await registry.metrics()).split('\n').filter((line) => line.startsWith('causeway_'));
}

describe('the figures of platforms', () => {
  it('are readiness, ends of certificates, and when a renewal is due', async () => {
    const lines = await (await scrape(() => [ready()]))();
    const of = 'namespace="messaging",platform="orders"';
    assert.deepEqual(lines.sort(), [
      `causeway_certificate_expiration_timestamp_seconds{${of},certificate="authority"} ${Date.parse('2036-11-20T12:00:00Z') / 1000}`,
      `causeway_certificate_expiration_timestamp_seconds{${of},certificate="inner"} ${Date.parse('2027-02-20T12:00:00Z') / 1000}`,
      `causeway_certificate_expiration_timestamp_seconds{${of},certificate="served"} ${Date.parse(END) / 1000}`,
      `causeway_certificate_renewal_timestamp_seconds{${of}} ${RENEWAL}`,
      `causeway_platform_ready{${of}} 1`,
    ]);
  });

  it('say of one that nobody has looked at only that it is not ready', async () => {
    assert.deepEqual(await (await scrape(() => [ordersPlatform()]))(), [
      'causeway_platform_ready{namespace="messaging",platform="orders"} 0',
    ]);
  });

  it('go with their platform', async () => {
    let platforms = [ready()];
    const lines = await scrape(() => platforms);
    assert.equal((await lines()).length, 5);
    platforms = [];
    assert.deepEqual(await lines(), []);
  });
});

describe('the figures of rotations', () => {
  const at = (stage: 'Roll' | 'Retire', stageSince: number) =>
    ({ from: 1, to: 2, reason: 'Requested', stage, startedAt: 0, stageSince }) as const;

  it('are how long each stage took, and how rotations ended', async () => {
    const registry = new Registry();
    const metrics = rotationMetrics(registry);
    const [before, after] = [at('Roll', 1000), at('Retire', 3500)];
    metrics.stepped({ before, after: before, last: undefined, now: 3000 });
    metrics.stepped({ before, after, last: undefined, now: 3500 });
    const last = {
      from: 1,
      to: 2,
      reason: 'Requested',
      startedAt: 0,
      result: 'Completed',
      finishedAt: 33_500,
    } as const;
    metrics.stepped({ before: after, after: undefined, last, now: 33_500 });
    metrics.stepped({ before: undefined, after: undefined, last, now: 40_000 });
    const lines = (await registry.metrics()).split('\n');
    assert.ok(lines.includes('causeway_rotation_stage_duration_seconds_sum{stage="Roll"} 2.5'));
    assert.ok(lines.includes('causeway_rotation_stage_duration_seconds_count{stage="Roll"} 1'));
    assert.ok(lines.includes('causeway_rotation_stage_duration_seconds_sum{stage="Retire"} 30'));
    assert.ok(lines.includes('causeway_rotations_total{result="Completed"} 1'));
  });

  it('count the handshakes with pods', async () => {
    const registry = new Registry();
    const shown = { chain: [], protocol: 'TLSv1.3', refusal: undefined };
    const answers = [
      Promise.resolve(shown),
      Promise.resolve({ ...shown, refusal: 'EXPIRED' }),
      Promise.reject(new Error('no')),
    ];
    const probe = rotationMetrics(registry).counted({
      shake: async () => answers.shift() ?? assert.fail('asked too often'),
      report: async () => ({}),
    });
    const target = { host: '10.0.0.1', port: 8443, servername: 'orders', ca: undefined };
    assert.deepEqual(await probe.shake(target), shown);
    assert.equal((await probe.shake(target)).refusal, 'EXPIRED');
    await assert.rejects(probe.shake(target), /no/);
    const lines = (await registry.metrics()).split('\n');
    for (const outcome of ['ok', 'refused', 'failed'])
      assert.ok(lines.includes(`causeway_rotation_handshakes_total{outcome="${outcome}"} 1`), outcome);
  });
});

describe('what an alert takes the increase of', () => {
  it('is there before anything happens: an increase from nothing is none', async () => {
    const registry = new Registry();
    rotationMetrics(registry);
    failoverMetrics(registry, () => 0);
    const lines = (await registry.metrics()).split('\n');
    const rules = await readFile(
      join(import.meta.dirname, '../../../charts/causeway/templates/monitoring.yaml'),
      'utf8',
    );
    const asked = [...rules.matchAll(/increase\((\w+)\{result=~?"([\w|]+)"\}/g)];
    assert.equal(asked.length, rules.split('increase(').length - 1);
    assert.ok(asked.length > 0);
    for (const [, name = '', results = ''] of asked)
      for (const result of results.split('|')) {
        const found = lines.filter(
          (line) => line.startsWith(`${name}{`) && line.includes(`result="${result}"`),
        );
        const modes = name === 'causeway_failovers_total' ? 3 : 1;
        assert.deepEqual(
          found.map((line) => line.split(' ').at(-1)),
          Array(modes).fill('0'),
          `${name} ${result}`,
        );
      }
  });
});
