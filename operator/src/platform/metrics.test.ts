import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { registerPlatformMetrics } from './metrics.ts';
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
    assert.equal((await lines()).length, 4);
    platforms = [];
    assert.deepEqual(await lines(), []);
  });
});
