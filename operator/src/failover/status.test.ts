import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ZoneFailover } from '@causeway/crds';
import type { FailoverObject } from './ports.ts';
import { queueOf } from './queue.ts';
import { BEGIN, enter, waitingAt, type FailoverState } from './state.ts';
import { failoverStatus, isOnlyProgress, stateOf } from './status.ts';

const NOW = Date.UTC(2026, 10, 25, 12);

function failover(change: {
  name?: string;
  spec?: Partial<ZoneFailover['spec']>;
  state?: FailoverState;
  created?: string;
}): FailoverObject {
  const { name = 'drill', spec = {}, state, created = '2026-11-25T11:00:00Z' } = change;
  const made = {
    apiVersion: 'causeway.dev/v1alpha1' as const,
    kind: 'ZoneFailover' as const,
    metadata: {
      name,
      namespace: 'messaging',
      uid: name,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: created,
    },
    spec: {
      platform: 'orders',
      fromZone: 'zone-a',
      mode: 'Drill' as const,
      limits: { timeout: '5m', maxReplicationLag: 100, minReadyPerZone: 1 },
      ...spec,
    },
  };
  return state === undefined ? made : { ...made, status: failoverStatus(made, state, NOW) };
}

const draining = waitingAt(
  {
    ...enter(enter(enter(BEGIN, NOW, { phase: 'Preflight' }), NOW + 1, { phase: 'Prepare' }), NOW + 2, {
      phase: 'Drain',
    }),
    startedAt: NOW,
    pausedMs: 7,
    home: { from: 'zone-a', to: 'zone-b' },
    epoch: 2,
    replicas: 3,
    holds: true,
    zones: [{ name: 'zone-a', ready: 2, desired: 2, connections: 120 }],
    figures: { connectionsAtStart: 200, connectionsMoved: 80 },
  },
  { name: 'Drained', waitingFor: 'zone-a: 120 clients are left on 2 gateways.' },
);

describe('a state in status', () => {
  it('is read as it was written', () => {
    assert.deepEqual(stateOf(failover({ state: draining })), draining);
    const over = enter({ ...draining, phase: 'RollingBack' }, NOW + 9, {
      phase: 'Failed',
      cause: 'HomeStays',
      message: 'The home stays.',
    });
    assert.deepEqual(stateOf(failover({ state: over })), over);
  });

  it('of a failover that nobody has looked at is the beginning', () => {
    assert.deepEqual(stateOf(failover({})), BEGIN);
  });

  it('speaks kstatus', () => {
    const said = (state: FailoverState): Record<string, string> =>
      Object.fromEntries(
        (failover({ state }).status?.conditions ?? []).map(({ type, status, reason }) => [
          type,
          `${status} ${reason}`,
        ]),
      );
    assert.deepEqual(said(draining), {
      Ready: 'False Drain',
      Reconciling: 'True Drain',
      Stalled: 'False Drain',
    });
    const failed = { ...draining, phase: 'Failed', cause: 'KafkaSurvives' } as const;
    assert.equal(said(failed)['Stalled'], 'True KafkaSurvives');
    assert.equal(said({ ...draining, phase: 'Succeeded' })['Ready'], 'True Succeeded');
  });

  it('knows what only people read', () => {
    const status = failoverStatus(failover({}), draining, NOW);
    const counted = { ...draining, zones: [{ name: 'zone-a', ready: 2, desired: 2, connections: 3 }] };
    assert.equal(isOnlyProgress(status, failoverStatus(failover({}), counted, NOW)), true);
    const next = failoverStatus(failover({}), enter(draining, NOW, { phase: 'Fence' }), NOW);
    assert.equal(isOnlyProgress(status, next), false);
    assert.equal(isOnlyProgress(undefined, status), false);
  });
});

describe('the queue of a platform', () => {
  const own = failover({ name: 'own', created: '2026-11-25T11:00:02Z' });
  const older = failover({ name: 'older', created: '2026-11-25T11:00:01Z' });
  const younger = failover({ name: 'younger', created: '2026-11-25T11:00:03Z' });
  const ahead = (...all: FailoverObject[]): string | undefined => queueOf(own, [own, ...all]).ahead;

  it('goes by age', () => {
    assert.equal(ahead(younger), undefined);
    assert.equal(ahead(younger, older), 'older');
  });

  it('waits for one that is under way, and for none that has ended', () => {
    assert.equal(ahead({ ...younger, status: failoverStatus(younger, draining, NOW) }), 'younger');
    const ended = failoverStatus(older, { ...draining, phase: 'RolledBack' }, NOW);
    assert.equal(ahead({ ...older, status: ended }), undefined);
  });

  it('is that of one platform', () => {
    assert.equal(
      ahead(failover({ name: 'other', spec: { platform: 'payments' }, created: '2026-11-25T10:00:00Z' })),
      undefined,
    );
  });

  it('lets an emergency go first, and tells the one under way', () => {
    const fire = failover({ name: 'fire', spec: { mode: 'Emergency' }, created: '2026-11-25T11:00:09Z' });
    assert.equal(ahead(fire), 'fire');
    assert.equal(
      queueOf({ ...own, status: failoverStatus(own, draining, NOW) }, [own, fire]).emergency,
      'fire',
    );
    const begun = { ...fire, status: failoverStatus(fire, draining, NOW) };
    assert.equal(queueOf(own, [own, begun]).emergency, 'fire', 'a drill does not wait for its end');
    const planned = failover({ name: 'planned', spec: { mode: 'Planned' } });
    assert.deepEqual(queueOf(planned, [planned, begun]), {
      ahead: 'fire',
      emergency: undefined,
      emergencyZones: [],
    });
    const over = { ...fire, status: failoverStatus(fire, { ...draining, phase: 'Succeeded' as const }, NOW) };
    assert.equal(queueOf(own, [own, over]).emergency, undefined);
    assert.equal(queueOf(own, [own, younger]).emergency, undefined);
    const off = failover({ name: 'off', spec: { mode: 'Emergency', abort: true } });
    assert.equal(queueOf(own, [own, off]).emergency, undefined);
    const other = failover({ name: 'other', spec: { mode: 'Emergency', fromZone: 'zone-c' } });
    assert.deepEqual(queueOf(own, [own, younger, other, fire, off]).emergencyZones, ['zone-c', 'zone-a']);
  });
});
