import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMPONENT, LABEL } from '@causeway/crds';
import { etcdToRestart } from './restart-etcd.ts';
import type { Pod } from './workloads.ts';

const MADE = Date.parse('2026-11-24T12:00:00Z');

function etcd(zone: string, startedAt: number, ready = true): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `orders-etcd-${zone}-0`,
      namespace: 'messaging',
      labels: { [LABEL.component]: COMPONENT.etcd, [LABEL.zone]: zone },
    },
    status: {
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [{ state: { running: { startedAt: new Date(startedAt).toISOString() } } }],
    },
  };
}

function next(pods: Pod[]): string | undefined {
  return etcdToRestart(pods, { zones: 3, home: 'zone-a', neededSince: MADE })?.metadata.labels?.[LABEL.zone];
}

describe('an etcd that does not know the authority', () => {
  const [before, after] = [MADE - 1000, MADE];

  it('restarts, the home zone last', () => {
    assert.equal(next([etcd('zone-a', before), etcd('zone-b', before), etcd('zone-c', before)]), 'zone-b');
    assert.equal(next([etcd('zone-a', before), etcd('zone-b', after), etcd('zone-c', before)]), 'zone-c');
    assert.equal(next([etcd('zone-a', before), etcd('zone-b', after), etcd('zone-c', after)]), 'zone-a');
    assert.equal(next([etcd('zone-a', after), etcd('zone-b', after), etcd('zone-c', after)]), undefined);
  });

  it('is left alone when it does not say when it started', () => {
    assert.equal(next([etcd('zone-a', 0), etcd('zone-b', 0), etcd('zone-c', 0)]), undefined);
  });

  it('waits while another one is away or not ready', () => {
    assert.equal(next([etcd('zone-a', before), etcd('zone-b', before)]), undefined);
    assert.equal(
      next([etcd('zone-a', before), etcd('zone-b', before), etcd('zone-c', before, false)]),
      undefined,
    );
  });
});
