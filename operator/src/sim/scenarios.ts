/** What users do to a platform. Each scenario is run without a fault, and then with every fault there is. */
import { ANNOTATION, AUTHORITY_REQUEST, COMPONENT, LABEL } from '@causeway/crds';
import { refOf } from '../controller/keys.ts';
import { FAILOVER_KIND, isOver, type FailoverObject } from '../failover/index.ts';
import type { DnsEndpoint } from '../platform/dns.ts';
import { planHomeNotices } from '../platform/home-notice.ts';
import { KIND } from '../platform/kinds.ts';
import { homeOf, type MessagePlatform } from '../platform/types.ts';
import { SCHEDULE_KIND, type ScheduleObject } from '../schedules/index.ts';
import { onceIn } from './turns.ts';
import { createPlatform, editPlatform, NAMESPACE, PLATFORM, type World } from './world.ts';

type Spec = MessagePlatform['spec'];

/** One thing that a user does, and what must come of it. */
export interface Step {
  name: string;
  act(world: World): void;
  isDone(world: World): boolean;
}

export interface Scenario {
  name: string;
  /** What is there before: nothing of Causeway, or a platform that is ready, made from the example and changed so. */
  base: 'empty' | { name: string; change: (spec: Spec) => void };
  steps: readonly Step[];
  /**
   * It takes objects away. Then nobody may hide one from the operator (by its label or its owner) before: what it
   * cannot know to be its own it must leave alone.
   */
  takesAway?: boolean;
  /** Under faults it may end otherwise than without. */
  mayTurnBack?: boolean;
}

/** True when the platform says that it is ready, as it is asked for now, and no rotation is under way. */
export function isReady(world: World): boolean {
  const { platform } = world;
  if (platform?.status?.observedGeneration !== platform?.metadata.generation) return false;
  if (platform?.status?.certificates?.rotation !== undefined) return false;
  return (
    platform?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
  );
}

/** True when nothing is left of the platform but what it never owned. */
export function isGone(world: World): boolean {
  return !world.kube
    .all()
    .some(
      ({ object }) =>
        object.kind === 'MessagePlatform' ||
        object.metadata.ownerReferences?.some(({ kind }) =>
          ['MessagePlatform', 'Deployment', 'StatefulSet'].includes(kind),
        ),
    );
}

function edit(name: string, change: (spec: Spec) => void): Step {
  return { name, act: (world) => editPlatform(world, change), isDone: isReady };
}

function scale(replicas: number): Step {
  return edit(`scale to ${replicas}`, (spec) => {
    spec.gateway.replicasPerZone = replicas;
  });
}

const remove: Step = {
  name: 'delete the platform',
  act: (world) => world.kube.delete(KIND.platform, PLATFORM),
  isDone: isGone,
};

function pause(paused: string | undefined): Step {
  return {
    name: paused === undefined ? 'go on' : 'pause',
    act: (world) => {
      const annotations = { [ANNOTATION.paused]: paused ?? null };
      world.kube.patch(KIND.platform, PLATFORM, { metadata: { annotations } }, { manager: 'kubectl' });
    },
    isDone: (world) => {
      const saysPaused = world.platform?.status?.conditions?.some(({ type }) => type === 'Paused') ?? false;
      // While it is paused it repairs nothing: it need not stay ready.
      return paused === undefined ? !saysPaused && isReady(world) : saysPaused;
    },
  };
}

/** Somebody asks for a new certificate, or with `authority…` for a new authority. `isWell`: the platform's state then. */
function rotate(request: string, isWell = isReady): Step {
  return {
    name: `rotate: ${request}`,
    act: (world) => {
      if (request.startsWith(AUTHORITY_REQUEST)) world.invariants.allowNewAuthority();
      const annotations = { [ANNOTATION.rotate]: request };
      world.kube.patch(KIND.platform, PLATFORM, { metadata: { annotations } }, { manager: 'kubectl' });
    },
    isDone: (world) => {
      const { observedRotate, rotation } = world.platform?.status?.certificates ?? {};
      return isWell(world) && observedRotate === request && rotation === undefined;
    },
  };
}

function emptiedGateways(world: World): string[] {
  const pods = world.kube.all().filter(({ kind }) => kind === KIND.pod);
  const emptied = pods.filter(({ object }) => object.metadata.annotations?.[ANNOTATION.drain] === '200');
  return emptied.map(({ object }) => object.metadata.name);
}

/** Somebody empties a gateway by hand. The annotation is theirs. */
const emptyGateway: Step = {
  name: 'empty a gateway',
  act: (world) => {
    const gateway = world.kube
      .all()
      .find(
        ({ kind, object }) =>
          kind === KIND.pod && object.metadata.labels?.[LABEL.component] === COMPONENT.gateway,
      );
    if (gateway === undefined) throw new Error('there is no gateway');
    const annotations = { [ANNOTATION.drain]: '200' };
    world.kube.patch(KIND.pod, refOf(gateway.object), { metadata: { annotations } }, { manager: 'kubectl' });
  },
  isDone: isEmptied,
};

/** While one gateway is empty it is not ready, nor is the platform; a fault may put a pod in its place that serves. */
function isEmptied(world: World): boolean {
  return isReady(world) === (emptiedGateways(world).length === 0);
}

/** Somebody deletes and edits what the platform owns; it must all come back. */
const vandalize: Step = {
  name: 'delete and edit children',
  act: (world) => {
    const owned = world.kube
      .all()
      .filter(({ object }) => object.metadata.ownerReferences?.[0]?.kind === 'MessagePlatform');
    for (const { kind, object } of owned) {
      if (kind === KIND.service || kind === KIND.networkPolicy) world.kube.delete(kind, refOf(object));
      if (kind === KIND.configMap && object.metadata.name === `${PLATFORM.name}-gateway`) {
        world.kube.patch(kind, refOf(object), { data: { 'gateway.json': 'mine' } }, { manager: 'vandal' });
        world.kube.patch(
          kind,
          refOf(object),
          { metadata: { labels: { [ANNOTATION.paused]: null } } },
          { manager: 'vandal' },
        );
      }
      if (kind === KIND.deployment)
        world.kube.patch(kind, refOf(object), { spec: { replicas: 5 } }, { manager: 'vandal' });
    }
    for (const topic of world.kafka.snapshot().values())
      world.kafka.put({ ...topic, config: { 'min.insync.replicas': '1' } });
  },
  isDone: isReady,
};

/** The failover of the scenarios. */
const MOVE = { namespace: NAMESPACE, name: 'move' };

function failoverOf(world: World): FailoverObject | undefined {
  return world.kube.get(FAILOVER_KIND, MOVE) as FailoverObject | undefined;
}

/** True when the failover has ended. */
function isFinished(world: World): boolean {
  const phase = failoverOf(world)?.status?.phase;
  return phase !== undefined && isOver(phase);
}

/** True when nothing of it is left: pods serve, capacity is as before, Kafka has its leaders, and the platform is nobody's. */
function isGivenBack(world: World): boolean {
  const { failover, away } = world.platform?.status ?? {};
  const marked = world.kube.all(KIND.pod).some(({ object: { metadata } }) => {
    const { annotations = {}, labels = {} } = metadata;
    const told = annotations[ANNOTATION.drain] ?? annotations[ANNOTATION.failover];
    return told !== undefined || labels[LABEL.serving] === 'false';
  });
  const holds = failoverOf(world)?.status?.holds === true || world.kafka.disordered.length > 0;
  return failover === undefined && away === undefined && !marked && !holds && isTold(world);
}

/** True when all gateways know who is home. */
function isTold({ platform, kube }: World): boolean {
  const pods = kube.all(KIND.pod).map(({ object }) => object);
  return platform !== undefined && planHomeNotices(platform, pods).length === 0;
}

/** Somebody asks for a failover of zone-a. */
function moveAway(
  spec: Omit<FailoverObject['spec'], 'platform' | 'fromZone' | 'limits'> & { limits?: { timeout: string } },
): Pick<Step, 'act'> {
  return {
    act: (world) => {
      const failover = {
        apiVersion: FAILOVER_KIND.apiVersion,
        kind: FAILOVER_KIND.kind,
        metadata: MOVE,
        spec: { platform: PLATFORM.name, fromZone: 'zone-a', ...spec },
      };
      world.kube.create(FAILOVER_KIND, failover, { manager: 'kubectl' });
    },
  };
}

const isMovedAndReady = (world: World): boolean => isFinished(world) && isGivenBack(world) && isReady(world);

/** Emergencies that nobody asked for. */
function automaticOnes(world: World): FailoverObject[] {
  return world.kube
    .all(FAILOVER_KIND)
    .map(({ object }) => object as FailoverObject)
    .filter(({ metadata }) => metadata.labels?.[LABEL.automatic] === 'true');
}

/** All is as before, but perhaps for the home, and all zones are watched again. */
function isServedBy(world: World): boolean {
  const ended = automaticOnes(world).every(
    ({ status }) => isOver(status?.phase ?? 'Queued') && status?.holds !== true,
  );
  const watches = world.platform?.status?.automaticFailover?.reason === 'Watching';
  return ended && watches && isGivenBack(world) && isReady(world);
}

const SCHEDULE = { namespace: NAMESPACE, name: 'daily' };

/** Somebody asks for a drill each day, of which the first is due in a minute or two. */
function scheduleDrills(world: World): void {
  const due = new Date(world.time.now + 90_000);
  const schedule = {
    apiVersion: SCHEDULE_KIND.apiVersion,
    kind: SCHEDULE_KIND.kind,
    metadata: SCHEDULE,
    spec: { platform: PLATFORM.name, schedule: `${due.getUTCMinutes()} ${due.getUTCHours()} * * *` },
  };
  world.kube.create(SCHEDULE_KIND, schedule, { manager: 'kubectl' });
}

/** True when the first drill has ended, or its window; the next one is due tomorrow. */
function isDrilled(world: World): boolean {
  const schedule = world.kube.get(SCHEDULE_KIND, SCHEDULE) as ScheduleObject | undefined;
  const { lastScheduleTime, lastSkipped, active } = schedule?.status ?? {};
  const isOverNow = active === undefined && (lastScheduleTime ?? lastSkipped?.scheduledTime) !== undefined;
  return isOverNow && isGivenBack(world) && isReady(world);
}

/** The weight in the platform's DNSEndpoint; undefined: there is none. */
function weightOfRecord(world: World): string | undefined {
  const found: DnsEndpoint | undefined = world.kube.all(KIND.dnsEndpoint)[0]?.object;
  return found?.spec?.endpoints?.[0]?.providerSpecific[0]?.value;
}

/** Somebody changes what the failover is asked for. */
function amend(world: World, spec: Pick<FailoverObject['spec'], 'pause' | 'abort'>): void {
  world.kube.patch(FAILOVER_KIND, MOVE, { spec }, { manager: 'kubectl' });
}

/** True when all is as it was, and the home alone takes writes. */
function isBackHome(world: World): boolean {
  const home = world.platform === undefined ? '' : homeOf(world.platform);
  return isMovedAndReady(world) && world.etcd.writers().join() === home && world.redis.writers().length === 1;
}

/** A person who changes their mind in the middle of a drill. */
function abortedIn(phase: 'Drain' | 'Fence' | 'Hold'): Scenario {
  const act = (world: World): void => {
    moveAway({ mode: 'Drill' }).act(world);
    onceIn(world, phase, () => amend(world, { abort: true }));
  };
  const name = `abort-in-${phase.toLowerCase()}`;
  return {
    name,
    base: example,
    mayTurnBack: true,
    steps: [{ name: `a drill, and ${phase} is too far`, act, isDone: isBackHome }],
  };
}

function makesEmergencies(spec: Spec): void {
  spec.failover.automatic = true;
}

/** A move that its limits do not allow, since a zone goes in the middle of it. */
function lostIn(phase: 'Drain' | 'Shift', zone: 'zone-b' | 'zone-c'): Scenario {
  const act = (world: World): void => {
    moveAway({ mode: 'Planned', toHome: 'zone-c', limits: { timeout: '30s' } }).act(world);
    onceIn(world, phase, () => world.outage.begin(zone));
  };
  const back = { name: `${zone} comes back`, act: (world: World) => world.outage.end(zone) };
  return {
    name: `lost-in-${phase.toLowerCase()}`,
    base: example,
    mayTurnBack: true,
    steps: [
      { name: `a planned move, and ${zone} goes in ${phase}`, act, isDone: isFinished },
      { ...back, isDone: isBackHome },
    ],
  };
}

/** The home goes while a drill has it elsewhere: the drill makes room for an Emergency that nobody asks for. */
const lostWhileHeld: Scenario = {
  name: 'home-lost-in-hold',
  base: { name: 'automatic', change: makesEmergencies },
  mayTurnBack: true,
  steps: [
    {
      name: 'a drill, and the next home goes in Hold',
      act: (world) => {
        const drill = { holdFor: '10m' };
        moveAway({ mode: 'Drill', toHome: 'zone-b', drill }).act(world);
        onceIn(world, 'Hold', () => world.outage.begin('zone-b'));
      },
      isDone: (world) =>
        isFinished(world) && automaticOnes(world).every(({ status }) => isOver(status?.phase ?? 'Queued')),
    },
    {
      name: 'zone-b comes back',
      act: (world) => world.outage.end('zone-b'),
      isDone: (world) => isServedBy(world) && isBackHome(world),
    },
  ],
};

/** Longer than the drill may take altogether, milliseconds. */
const PAUSE_MS = 120_000;

/** True when it stands still, and has for so long. */
function isPaused(world: World): boolean {
  const { phase, pausedSince } = failoverOf(world)?.status ?? {};
  return phase === 'Drain' && world.time.now - Date.parse(pausedSince ?? '') >= PAUSE_MS;
}

const example = { name: 'running', change: (): void => undefined };
const fewPartitions = (spec: Spec): void => {
  for (const topic of spec.kafka.topics) topic.partitions = 3;
};
const deletesTopics = (spec: Spec): void => {
  spec.kafka.deletionPolicy = 'Delete';
};

/** Failovers that something comes between: up to there they are as others are. */
export const turned: readonly Scenario[] = [
  abortedIn('Drain'),
  abortedIn('Fence'),
  abortedIn('Hold'),
  {
    name: 'pause-in-drain',
    base: example,
    mayTurnBack: true,
    steps: [
      {
        name: 'a drill, paused in Drain',
        act: (world) => {
          moveAway({ mode: 'Drill', limits: { timeout: '60s' } }).act(world);
          onceIn(world, 'Drain', () => amend(world, { pause: true }));
        },
        isDone: (world) => isPaused(world) || isFinished(world),
      },
      { name: 'go on', act: (world) => amend(world, { pause: false }), isDone: isBackHome },
    ],
  },
  {
    name: 'time-out',
    base: {
      name: 'slow-drain',
      change: (spec) => {
        spec.failover.drainPerSecond = 1;
      },
    },
    mayTurnBack: true,
    steps: [
      {
        name: 'a drill that is given less time than its clients',
        ...moveAway({ mode: 'Drill', limits: { timeout: '15s' } }),
        isDone: isBackHome,
      },
    ],
  },
  lostIn('Drain', 'zone-c'),
  lostIn('Shift', 'zone-b'),
  lostWhileHeld,
];

export const scenarios: readonly Scenario[] = [
  {
    name: 'create',
    base: 'empty',
    steps: [{ name: 'create the platform', act: (world) => createPlatform(world), isDone: isReady }],
  },
  {
    name: 'create-delete-policy',
    base: 'empty',
    steps: [
      { name: 'create the platform', act: (world) => createPlatform(world, deletesTopics), isDone: isReady },
    ],
  },
  { name: 'rotate', base: example, steps: [rotate('please')] },
  { name: 'rotate-authority', base: example, steps: [rotate('authority, please')] },
  {
    name: 'rotate-emptied',
    base: example,
    mayTurnBack: true,
    steps: [emptyGateway, rotate('please', isEmptied)],
  },
  { name: 'scale', base: example, steps: [scale(2), scale(1)] },
  {
    name: 'partitions',
    base: { name: 'few-partitions', change: fewPartitions },
    steps: [
      edit('6 partitions', (spec) => {
        for (const topic of spec.kafka.topics) topic.partitions = 6;
      }),
    ],
  },
  {
    name: 'topics',
    base: { name: 'delete-policy', change: deletesTopics },
    steps: [
      edit('one topic more', (spec) => {
        for (const { channels } of spec.kafka.topics.slice(0, 1)) {
          spec.kafka.topics.push({ name: 'news', partitions: 1, replicationFactor: 3, channels });
        }
      }),
      edit('that topic goes, and another changes', (spec) => {
        spec.kafka.topics = spec.kafka.topics.filter(({ name }) => name !== 'news');
        for (const topic of spec.kafka.topics) topic.config = { 'retention.ms': '60000' };
      }),
    ],
  },
  {
    name: 'drop-zone',
    base: example,
    takesAway: true,
    steps: [
      edit('without zone-c', (spec) => {
        spec.zones = spec.zones.filter(({ name }) => name !== 'zone-c');
      }),
    ],
  },
  {
    name: 'add-zone',
    base: example,
    steps: [edit('with zone-d', (spec) => spec.zones.push({ name: 'zone-d' }))],
  },
  {
    name: 'config',
    base: example,
    steps: [
      edit('another limit', (spec) => {
        spec.gateway.limits.messagesPerSecond = 100;
        spec.gateway.resources = { requests: { cpu: '1000m', memory: '128Mi' } };
        spec.gateway.service.annotations = { 'example.com/balancer': 'yes' };
      }),
      edit('another prefix and runtime', (spec) => {
        spec.etcd.prefixes = ['/config/'];
        spec.gateway.runtime = 'Node';
        delete spec.gateway.service.annotations;
      }),
    ],
  },
  {
    name: 'weighted-record',
    base: example,
    steps: [
      {
        ...edit('a weighted record', (spec) => {
          spec.gateway.dns = {
            hostname: 'chat.example.com',
            setIdentifier: 'eu',
            weight: 100,
            weightProperty: 'aws/weight',
            recordTTL: 60,
            targets: ['192.0.2.1'],
          };
        }),
        isDone: (world) => isReady(world) && weightOfRecord(world) === '100',
      },
      {
        ...edit('no record any more', (spec) => {
          delete spec.gateway.dns;
        }),
        isDone: (world) => isReady(world) && weightOfRecord(world) === undefined,
      },
    ],
  },
  { name: 'pause', base: example, steps: [pause('true'), pause(undefined)] },
  {
    name: 'drill',
    base: example,
    mayTurnBack: true,
    steps: [{ name: 'a drill', ...moveAway({ mode: 'Drill' }), isDone: isMovedAndReady }],
  },
  {
    name: 'planned',
    base: example,
    mayTurnBack: true,
    steps: [
      { name: 'a planned move', ...moveAway({ mode: 'Planned', toHome: 'zone-c' }), isDone: isMovedAndReady },
    ],
  },
  {
    name: 'emergency',
    base: example,
    mayTurnBack: true,
    steps: [
      {
        name: 'zone-a goes, and somebody says so',
        act: (world) => {
          world.outage.begin('zone-a');
          moveAway({ mode: 'Emergency' }).act(world);
        },
        isDone: isFinished,
      },
      {
        name: 'zone-a comes back',
        act: (world) => world.outage.end('zone-a'),
        isDone: isMovedAndReady,
      },
    ],
  },
  {
    name: 'outage',
    base: { name: 'automatic', change: makesEmergencies },
    mayTurnBack: true,
    steps: [
      {
        name: 'zone-a goes, and nobody says so',
        act: (world) => world.outage.begin('zone-a'),
        isDone: (world) => automaticOnes(world).some(({ status }) => isOver(status?.phase ?? 'Queued')),
      },
      {
        name: 'zone-a comes back',
        act: (world) => world.outage.end('zone-a'),
        isDone: (world) => isServedBy(world) && automaticOnes(world).length > 0,
      },
    ],
  },
  {
    name: 'drill-schedule',
    base: example,
    mayTurnBack: true,
    steps: [{ name: 'a schedule of drills', act: scheduleDrills, isDone: isDrilled }],
  },
  ...turned,
  { name: 'drift', base: example, steps: [vandalize] },
  { name: 'delete-retain', base: example, steps: [remove] },
  { name: 'delete-topics', base: { name: 'delete-policy', change: deletesTopics }, steps: [remove] },
];

/** The scenario of that name; throws with the names that there are. */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) {
    throw new Error(
      `there is no scenario "${name}"; there are: ${scenarios.map((each) => each.name).join(', ')}`,
    );
  }
  return found;
}
