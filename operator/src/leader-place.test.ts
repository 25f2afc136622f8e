import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FailoverObject } from './failover/index.ts';
import { homesOf, isBetterPlaced, isCalm, leaderPlace, type PlaceSight } from './leader-place.ts';
import type { MessagePlatform } from './platform/index.ts';

const ZONES = ['zone-a', 'zone-b', 'zone-c'];

type Status = MessagePlatform['status'];

function platform(home: string, status: Status = {}): MessagePlatform {
  const spec = { homeZone: 'zone-a', zones: ZONES.map((name) => ({ name })) };
  return { metadata: { name: 'p' }, spec, status: { homeZone: home, ...status } } as MessagePlatform;
}

function failover(phase: string, holds = false): FailoverObject {
  return { metadata: { name: 'f' }, spec: {}, status: { phase, holds } } as unknown as FailoverObject;
}

/** A process on a node of `zone`, beside platforms with these homes. */
function sight(
  zone: string | undefined,
  homes: readonly string[],
  more: Partial<PlaceSight> = {},
): PlaceSight {
  const labels = zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone };
  return {
    hasSynced: () => true,
    node: () => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node', labels } }),
    platforms: () => homes.map((home) => platform(home)),
    failovers: () => [],
    ...more,
  };
}

test('homes are counted where they are now, not where they began', () => {
  const moved = [platform('zone-b'), platform('zone-b'), platform('zone-a')];
  const unseen = { ...platform('zone-b'), status: undefined } as unknown as MessagePlatform;
  assert.deepEqual(
    [...homesOf([...moved, unseen])],
    [
      ['zone-b', 2],
      ['zone-a', 2],
    ],
  );
  assert.equal(homesOf([]).size, 0);
});

test('property: a place is better only with fewer homes, so no two places are better than each other', () => {
  const count = fc.integer({ min: 0, max: 4 });
  fc.assert(
    fc.property(fc.tuple(count, count, count), fc.constantFrom(...ZONES), (counts, own) => {
      const homes = new Map(ZONES.map((zone, index) => [zone, counts[index] ?? 0]));
      for (const holder of ZONES) {
        const better = isBetterPlaced({ own, holder, homes });
        assert.equal(better, (homes.get(own) ?? 0) < (homes.get(holder) ?? 0));
        assert.ok(!better || !isBetterPlaced({ own: holder, holder: own, homes }));
      }
    }),
  );
  assert.equal(isBetterPlaced({ own: 'new', holder: 'zone-a', homes: new Map([['zone-a', 1]]) }), true);
  assert.equal(isBetterPlaced({ own: 'new', holder: 'other', homes: new Map() }), false);
});

test('it is calm when nothing is under way', () => {
  assert.equal(isCalm([], []), true);
  assert.equal(isCalm([platform('zone-a')], [failover('Succeeded'), failover('RolledBack')]), true);
});

const phases = ['Queued', 'Preflight', 'Prepare', 'Drain', 'Fence', 'Promote', 'Shift', 'Verify', 'Hold'];
for (const phase of [...phases, 'Restore', 'RollingBack'])
  test(`it is not calm while a failover is in ${phase}`, () => {
    assert.equal(isCalm([platform('zone-a')], [failover('Failed'), failover(phase)]), false);
  });

test('it is not calm while a failover that is over has something to give back', () => {
  assert.equal(isCalm([], [failover('Succeeded', true)]), false);
});

test('a failover that nobody has looked at is under way', () => {
  assert.equal(isCalm([], [{ metadata: { name: 'f' }, spec: {} } as unknown as FailoverObject]), false);
});

const rotation = { from: 1, to: 2, stage: 'Roll', reason: 'Requested', startedAt: '', stageSince: '' };
const busy: [string, NonNullable<Status>][] = [
  ['is claimed by a failover', { failover: { name: 'f' } }],
  ['has a zone away', { away: [{ zone: 'zone-b', failover: 'f' }] }],
  ['changes its certificate', { certificates: { rotation } } as unknown as NonNullable<Status>],
  [
    'misses a zone',
    {
      automaticFailover: {
        reason: 'Unreachable',
        message: '',
        zones: [{ zone: 'zone-a' }, { zone: 'zone-b', unreachableSince: '2026-01-01T00:00:00Z' }],
      },
    },
  ],
];
for (const [what, status] of busy)
  test(`it is not calm while one platform ${what}`, () => {
    assert.equal(isCalm([platform('zone-a'), platform('zone-a', status)], []), false);
  });

test('a platform that is watched, and misses no zone, is calm', () => {
  const automaticFailover = { reason: 'Watching', message: '', zones: [{ zone: 'zone-a' }] };
  assert.equal(isCalm([platform('zone-a', { automaticFailover, certificates: {} })], []), true);
});

test('a process knows its zone by its node, and is better placed where fewer platforms are at home', () => {
  const place = leaderPlace(sight('zone-b', ['zone-a', 'zone-a', 'zone-b']));
  assert.equal(place.zone(), 'zone-b');
  assert.equal(place.isBetterThan('zone-a'), true);
  assert.equal(place.isBetterThan('zone-b'), false);
  assert.equal(place.isBetterThan('zone-c'), false);
  assert.equal(place.mayYieldTo('zone-c'), true);
  assert.equal(place.mayYieldTo('zone-a'), false);
});

test('a process that does not know its zone, or its platforms, has no preference', () => {
  const blind = [
    sight(undefined, ['zone-a']),
    sight('zone-b', ['zone-a'], { node: () => undefined }),
    sight('zone-b', ['zone-a'], { hasSynced: () => false }),
    sight('zone-b', []),
  ];
  for (const each of blind) assert.equal(leaderPlace(each).isBetterThan('zone-a'), false);
  const leading = [
    sight(undefined, ['zone-a']),
    sight('zone-a', ['zone-a'], { node: () => undefined }),
    sight('zone-a', ['zone-a'], { hasSynced: () => false }),
    sight('zone-a', []),
  ];
  for (const each of leading) assert.equal(leaderPlace(each).mayYieldTo('zone-b'), false);
});

test('a leader stays while something is under way, and a standby asks all the same', () => {
  const more = { failovers: () => [failover('Drain')] };
  const world = sight('zone-a', ['zone-a'], more);
  assert.equal(leaderPlace(world).mayYieldTo('zone-b'), false);
  assert.equal(leaderPlace({ ...world, failovers: () => [] }).mayYieldTo('zone-b'), true);
  assert.equal(leaderPlace(sight('zone-b', ['zone-a'], more)).isBetterThan('zone-a'), true);
});
