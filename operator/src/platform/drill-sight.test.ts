import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATION } from '@causeway/crds';
import { drillSight } from './drill-sight.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';

function ready(change: (platform: MessagePlatform) => void = () => undefined): MessagePlatform {
  return ordersPlatform((platform) => {
    platform.status = {
      observedGeneration: 1,
      homeZone: 'zone-b',
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'AllPartsReady',
          message: 'All is well.',
          lastTransitionTime: '2026-11-24T10:00:00Z',
        },
      ],
    };
    change(platform);
  });
}

describe('a drill', () => {
  it('may start on a platform that is ready, with the zones and the home that it has', () => {
    assert.deepEqual(drillSight(ready()), {
      zones: ['zone-a', 'zone-b', 'zone-c'],
      home: 'zone-b',
      blocked: undefined,
    });
  });

  const cases: { reason: string; change: (platform: MessagePlatform) => void }[] = [
    {
      reason: 'PlatformDeleting',
      change: ({ metadata }) => (metadata.deletionTimestamp = '2026-11-24T10:00:00Z'),
    },
    {
      reason: 'PlatformPaused',
      change: ({ metadata }) => (metadata.annotations = { [ANNOTATION.paused]: 'true' }),
    },
    { reason: 'OtherFailover', change: ({ status }) => (status!.failover = { name: 'by-hand' } as never) },
    { reason: 'ZoneAway', change: ({ status }) => (status!.away = [{ zone: 'zone-c', failover: 'gone' }]) },
    {
      reason: 'CertificateRotation',
      change: ({ status }) => (status!.certificates = { rotation: {} } as never),
    },
    { reason: 'PlatformChanging', change: ({ metadata }) => (metadata.generation = 2) },
    { reason: 'PlatformNotReady', change: ({ status }) => (status!.conditions![0]!.status = 'False') },
    { reason: 'PlatformNotReady', change: ({ status }) => (status!.conditions = []) },
  ];
  for (const { reason, change } of cases)
    it(`waits: ${reason}`, () => assert.equal(drillSight(ready(change)).blocked?.reason, reason));
});
