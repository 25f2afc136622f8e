/** Failovers as an operator would have written them, one of each kind of end, for tests of reports. */
import type { FailoverPhaseStatus, FailoverSample, ZoneFailoverStatus } from '@causeway/crds';
import { isOver, type FailoverObject } from '../../../failover/index.ts';
import type { Measurements } from '../measurements.ts';

/** When each of them starts. */
export const START = Date.UTC(2026, 10, 24, 9, 30, 5);
/** When a report of one that is under way is written. */
export const NOW = START + 14_200;

const ZONES = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'];
const [A = '', B = '', C = ''] = ZONES;

/** A phase: its name (`Restore/Fence`), how long it took in milliseconds, its gate, and what it still waits for. */
type Chapter = [name: string, ms: number, gate?: string, waitingFor?: string];

function phasesOf(chapters: readonly Chapter[]): FailoverPhaseStatus[] {
  let at = START;
  return chapters.map(([full, ms, gate, waitingFor]) => {
    const [name = '', step] = full.split('/');
    const startedAt = rfc3339(at);
    at += ms;
    return {
      name,
      ...(step === undefined ? {} : { step }),
      startedAt,
      ...(waitingFor === undefined ? { endedAt: rfc3339(at) } : { waitingFor }),
      ...(gate === undefined ? {} : { gate }),
    };
  });
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

function lengthOf(chapters: readonly Chapter[]): number {
  return chapters.reduce((sum, [, ms]) => sum + ms, 0);
}

/** Clients of the zone that is left leave at `perSecond` from `fromMs` on, and are with the others a second later. */
function draining(fromMs: number, perSecond: number, atMs: number): Record<string, number> {
  const gone = (at: number): number =>
    Math.min(680, Math.max(0, Math.floor(((at - fromMs) * perSecond) / 1000)));
  const back = gone(atMs - 900);
  return { [A]: 680 - gone(atMs), [B]: 655 + Math.floor(back / 2), [C]: 665 + Math.ceil(back / 2) };
}

function samples(endMs: number, values: (atMs: number) => Omit<FailoverSample, 'atMs'>): FailoverSample[] {
  const times = [...Array.from({ length: Math.ceil(endMs / 1000) }, (_, n) => n * 1000), endMs];
  return times.map((atMs) => ({ atMs, ...values(atMs) }));
}

function failover(
  name: string,
  mode: FailoverObject['spec']['mode'],
  status: ZoneFailoverStatus,
): FailoverObject {
  const { phase = 'Queued' } = status;
  return {
    apiVersion: 'causeway.dev/v1alpha1',
    kind: 'ZoneFailover',
    metadata: {
      name,
      namespace: 'messaging',
      uid: name,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: rfc3339(START),
    },
    spec: {
      platform: 'orders',
      fromZone: A,
      mode,
      limits: { timeout: '5m', maxReplicationLag: 100, maxMirrorLag: 1_000, minReadyPerZone: 1 },
      ...(mode === 'Drill' ? { drill: { holdFor: '20s' } } : {}),
    },
    status: { startedAt: rfc3339(START), ...status, conditions: [], holds: !isOver(phase) },
  };
}

function zonesWith(
  connections: Readonly<Record<string, number>>,
  away?: string,
): NonNullable<ZoneFailoverStatus['zones']> {
  return ZONES.map((name) => ({
    name,
    ready: name === away ? 0 : 3,
    desired: 3,
    ...(connections[name] === undefined ? {} : { connections: connections[name] }),
  }));
}

const MOVE: Chapter[] = [
  ['Fence', 310, 'CaughtUp'],
  ['Promote', 270, 'HomeMoved'],
  ['Shift', 640, 'RedisFollows'],
];

/** A drill that went well. */
export function drill(): FailoverObject {
  const chapters: Chapter[] = [
    ['Preflight', 420],
    ['Prepare', 6_350, 'CapacityReady'],
    ['Drain', 14_900, 'Drained'],
    ...MOVE,
    ['Verify', 2_100, 'Replicating'],
    ['Hold', 20_000, 'Held'],
    ['Restore/CatchUp', 400, 'Replicating'],
    ['Restore/Fence', 330, 'CaughtUp'],
    ['Restore/Promote', 280, 'RedisPromoted'],
    ['Restore/Shift', 590, 'RedisFollows'],
    ['Restore/GiveBack', 5_200, 'Serving'],
  ];
  const end = lengthOf(chapters);
  const drainFrom = 6_770 + 7_000;
  const clients = (atMs: number): Record<string, number> => draining(drainFrom, 90, atMs);
  const verified = 24_990;
  return failover('orders-drill-20261124-093005', 'Drill', {
    phase: 'Succeeded',
    message: `${A} serves again.`,
    verifiedAt: rfc3339(START + verified),
    finishedAt: rfc3339(START + end),
    home: { from: A, to: B },
    epoch: 3,
    moved: false,
    phases: phasesOf(chapters),
    zones: zonesWith(clients(end)),
    figures: {
      connectionsAtStart: 680,
      connectionsMoved: 680,
      drainMs: 14_900,
      replicationLag: 3,
      redisLag: 1_840,
      homelessMs: 580,
      partitionsLed: 4,
      leadersMoved: 4,
      mirrorLag: 12,
      recovery: '25.0s',
    },
    timeline: {
      everyMs: 1_000,
      samples: samples(end, (atMs) => ({
        connections: clients(atMs),
        etcdLag: lag(atMs, atMs > 23_000 && atMs < 46_000 ? [A, C] : [B, C], 4),
        redisLag: lag(atMs, atMs > 23_000 && atMs < 46_000 ? [A, C] : [B, C], 900),
      })),
    },
  });
}

/** Something that goes up and down, the same each time. */
function lag(atMs: number, zones: readonly string[], most: number): Record<string, number> {
  return Object.fromEntries(
    zones.map((zone, n) => [zone, Math.round(most * Math.abs(Math.sin(atMs / 1_700 + 2 * n)))]),
  );
}

/** A planned move of the home that stays. */
export function planned(): FailoverObject {
  const chapters: Chapter[] = [
    ['Preflight', 380],
    ['Prepare', 5_100, 'CapacityReady'],
    ['Drain', 14_600, 'Drained'],
    ...MOVE,
    ['Verify', 1_900, 'Replicating'],
    ['Restore/GiveBack', 6_400, 'CapacityReturned'],
  ];
  const end = lengthOf(chapters);
  const clients = (atMs: number): Record<string, number> => draining(12_480, 92, atMs);
  return failover('orders-planned-20261124-093005', 'Planned', {
    phase: 'Succeeded',
    message: `${A} serves again. The home is in ${B} now.`,
    verifiedAt: rfc3339(START + 23_200),
    finishedAt: rfc3339(START + end),
    home: { from: A, to: B },
    epoch: 2,
    moved: true,
    phases: phasesOf(chapters),
    zones: zonesWith(clients(end)),
    figures: {
      connectionsAtStart: 680,
      connectionsMoved: 680,
      drainMs: 14_600,
      replicationLag: 0,
      redisLag: 0,
      homelessMs: 580,
      recovery: '23.2s',
    },
    timeline: {
      everyMs: 1_000,
      samples: samples(end, (atMs) => ({ connections: clients(atMs), etcdLag: lag(atMs, [B, C], 2) })),
    },
  });
}

/** The zone was gone, and is not back. Its gateways do not answer, and its stores neither. */
export function emergency(): FailoverObject {
  const chapters: Chapter[] = [
    ['Preflight', 1_050, 'TargetReady'],
    ['Prepare', 240, 'CapacityAsked'],
    ['Drain', 310, 'OutOfService'],
    ['Fence', 1_180, 'OldHomeFenced'],
    ['Promote', 1_420, 'HomeMoved'],
    ['Shift', 1_230, 'RedisFollows'],
    ['Verify', 640, 'Replicating'],
  ];
  const end = lengthOf(chapters);
  const made = failover('orders-emergency-20261124-093005', 'Emergency', {
    phase: 'Succeeded',
    message: `The platform runs without ${A}, with its home in ${C}.`,
    verifiedAt: rfc3339(START + end),
    finishedAt: rfc3339(START + end),
    home: { from: A, to: C },
    epoch: 2,
    moved: true,
    phases: phasesOf(chapters),
    zones: zonesWith({ [B]: 941, [C]: 988 }, A),
    figures: { connectionsMoved: 0, drainMs: 310, homelessMs: 2_600, recovery: '6.1s' },
    timeline: {
      everyMs: 1_000,
      samples: [
        { atMs: 40, etcdLag: {}, redisLag: {} },
        { atMs: 5_600, connections: { [B]: 871, [C]: 902 }, etcdLag: { [B]: 12 }, redisLag: { [B]: 0 } },
        { atMs: end, connections: { [B]: 941, [C]: 988 }, etcdLag: { [B]: 0 }, redisLag: { [B]: 0 } },
      ],
    },
  });
  return { ...made, status: { ...made.status, holds: true } };
}

/** A drill that a person took back in the middle of the drain. */
export function rolledBack(): FailoverObject {
  const chapters: Chapter[] = [
    ['Preflight', 410],
    ['Prepare', 5_900, 'CapacityReady'],
    ['Drain', 9_700, 'Drained'],
    ['RollingBack/GiveBack', 4_800, 'Serving'],
  ];
  const end = lengthOf(chapters);
  const clients = (atMs: number): Record<string, number> => draining(13_310, 90, Math.min(atMs, 16_010));
  return failover('orders-drill-20261124-110000', 'Drill', {
    phase: 'RolledBack',
    cause: 'Aborted',
    message: 'A person aborted it (spec.abort).',
    finishedAt: rfc3339(START + end),
    home: { from: A, to: B },
    epoch: 1,
    phases: phasesOf(chapters),
    zones: zonesWith(clients(end)),
    figures: { connectionsAtStart: 680, connectionsMoved: 243 },
    timeline: {
      everyMs: 1_000,
      samples: samples(end, (atMs) => ({ connections: clients(atMs), etcdLag: lag(atMs, [B, C], 3) })),
    },
  });
}

/** One that is in its drain, while a gateway of another zone does not answer for some seconds. */
export function underWay(): FailoverObject {
  const chapters: Chapter[] = [
    ['Preflight', 410],
    ['Prepare', 3_900, 'CapacityReady'],
    ['Drain', 9_890, 'Drained', `${A}: 411 clients are left on 3 gateways.`],
  ];
  const clients = (atMs: number): Record<string, number> => draining(11_310, 90, atMs);
  return failover('orders-drill-20261124-093005', 'Drill', {
    phase: 'Drain',
    message: `${A}: 411 clients are left on 3 gateways.`,
    home: { from: A, to: B },
    epoch: 1,
    phases: phasesOf(chapters),
    zones: zonesWith(clients(14_000)),
    figures: { connectionsAtStart: 680, connectionsMoved: 243 },
    timeline: {
      everyMs: 1_000,
      samples: samples(14_000, (atMs) => {
        const all = clients(atMs);
        return { connections: atMs > 5_500 && atMs < 9_500 ? { [A]: all[A] ?? 0, [B]: all[B] ?? 0 } : all };
      }),
    },
  });
}

/** One that was refused: a partition would not outlive the zone. */
export function refused(): FailoverObject {
  const message = `Without the brokers of ${A}, partition orders.chat-3 and 2 more would have fewer in-sync replicas than min.insync.replicas.`;
  const chapters: Chapter[] = [['Preflight', 30_200, 'KafkaSurvives']];
  return failover('orders-drill-20261124-080000', 'Drill', {
    phase: 'Failed',
    cause: 'KafkaSurvives',
    message,
    finishedAt: rfc3339(START + 30_200),
    phases: phasesOf(chapters),
    zones: zonesWith({ [A]: 680, [B]: 655, [C]: 665 }),
    figures: {},
    timeline: {
      everyMs: 1_000,
      samples: [
        { atMs: 0, connections: { [A]: 680, [B]: 655, [C]: 665 }, etcdLag: { [B]: 0, [C]: 0 } },
        { atMs: 30_200, connections: { [A]: 680, [B]: 655, [C]: 665 }, etcdLag: { [B]: 0, [C]: 0 } },
      ],
    },
  });
}

/** One that has only been made. */
export function waiting(): FailoverObject {
  const { status: _status, ...made } = refused();
  return made;
}

/** Every example, by its name. */
export function examples(): Record<string, FailoverObject> {
  return {
    drill: drill(),
    planned: planned(),
    emergency: emergency(),
    'rolled-back': rolledBack(),
    'under-way': underWay(),
    refused: refused(),
    waiting: waiting(),
  };
}

/** What 680 clients would have measured in the drill. */
export function measured(): Measurements {
  const wave = (n: number): number => Math.abs(Math.sin(n * 12.9898) * 43_758.5453) % 1;
  const reconnectSeconds = Array.from(
    { length: 680 },
    (_, n) => 0.25 + 0.9 * wave(n) ** 3 + (n % 97 === 0 ? 0.8 : 0),
  );
  return {
    reconnectSeconds,
    blackoutSeconds: reconnectSeconds.map((value, n) => value * 0.6 + 0.3 * wave(n + 1)),
    acknowledged: 12_840,
    lost: 0,
    duplicated: 0,
  };
}
