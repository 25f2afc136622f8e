/** The status of a platform, from what was seen: a pure function. It speaks kstatus. */
import {
  PORT,
  WEBSOCKET_PATH,
  objectName,
  type MessagePlatformStatus,
  type ReplicationState,
} from '@causeway/crds';
import {
  findCondition,
  removeCondition,
  setCondition,
  type Condition,
  type ConditionInput,
} from '../controller/conditions.ts';
import { WORKING_REASONS } from '../failover/index.ts';
import { DNS_CONDITION } from './dns.ts';
import { managesEtcd } from './etcd.ts';
import { managesRedis, type RedisState } from './redis.ts';
import { keptAside, replicationSummary } from './replication-look.ts';
import { replicatedZones } from './replication.ts';
import type { TopicStatus } from './topics.ts';
import { epochOf, homeOf, type MessagePlatform, type Part, type Problem } from './types.ts';
import type { Readiness, ZoneFacts } from './workloads.ts';

/** All that a status is made of. */
export interface StatusInput {
  platform: MessagePlatform;
  zones: readonly ZoneFacts[];
  /** By zone; a zone whose Redis could not be asked is not in it. */
  redis: ReadonlyMap<string, RedisState>;
  /** By zone; a zone whose replicator did not answer is not in it. */
  replication: ReadonlyMap<string, ReplicationState>;
  topics: readonly TopicStatus[];
  certificates: NonNullable<MessagePlatformStatus['certificates']> | undefined;
  /** The condition `Rotating`; undefined: there never was a rotation, or nothing is done now. */
  rotating?: Omit<ConditionInput, 'observedGeneration'> | undefined;
  /** The condition `DnsReady`; undefined: no record is asked for. It does not count for Ready. */
  dns?: Omit<ConditionInput, 'observedGeneration'> | undefined;
  problems: readonly Problem[];
  paused: boolean;
  /** Milliseconds since the epoch. */
  now: number;
}

/** One part's verdict. */
interface Verdict {
  part: Part;
  ok: boolean;
  reason: string;
  message: string;
  needsPerson: boolean;
}

/** The condition type of each part. */
export const PART_CONDITION: Readonly<Record<Part, string>> = {
  Gateways: 'GatewaysReady',
  Topics: 'TopicsReady',
  Redis: 'RedisReady',
  Etcd: 'EtcdReady',
  Replication: 'ReplicationReady',
  Certificates: 'CertificatesReady',
};

/** What spec.failover.automatic does. */
const AUTOMATIC_CONDITION = 'AutomaticFailover';
/** Replication works, and an old home has keys that somebody must look at. */
const KEPT_ASIDE = 'KeysKeptAside';

/** The whole status. The same input, a moment later, gives the same status: at steady state nothing is written. */
export function platformStatus(input: StatusInput): MessagePlatformStatus {
  const { platform } = input;
  const gateways = sum(input.zones.map((zone) => zone.gateways));
  const wanted = platform.spec.kafka.topics.length;
  const good = input.topics.filter((topic) => topic.state === 'Ready').length;
  return {
    observedGeneration: platform.metadata.generation ?? 0,
    homeZone: homeOf(platform),
    epoch: epochOf(platform),
    conditions: conditions(input, verdicts(input)),
    gateways: { ...gateways, summary: `${gateways.ready}/${gateways.desired}` },
    zones: input.zones.map((zone) => zoneStatus(input, zone)),
    topics: [...input.topics],
    topicsSummary: `${good}/${wanted}`,
    ...(input.certificates === undefined ? {} : { certificates: input.certificates }),
    endpoints: endpoints(platform),
  };
}

function endpoints(platform: MessagePlatform): { gateway: string; etcd?: string } {
  const { namespace, name } = platform.metadata;
  const { port } = platform.spec.gateway.service;
  const at = port === 443 ? '' : `:${port}`;
  return {
    gateway: `wss://${objectName.gateway(name)}.${namespace}.svc${at}${WEBSOCKET_PATH}`,
    ...(managesEtcd(platform)
      ? { etcd: `https://${objectName.etcd(name)}.${namespace}.svc:${PORT.etcd}` }
      : {}),
  };
}

function zoneStatus(
  input: StatusInput,
  zone: ZoneFacts,
): NonNullable<MessagePlatformStatus['zones']>[number] {
  const { platform } = input;
  const replicated = replicatedZones(platform).includes(zone.name);
  return {
    name: zone.name,
    home: zone.name === homeOf(platform),
    nodes: zone.nodes,
    gatewaysReady: zone.gateways.ready,
    gatewaysDesired: zone.gateways.desired,
    redis: managesRedis(platform) ? redisWord(zone, input.redis.get(zone.name)) : 'External',
    etcd: managesEtcd(platform) ? readyWord(zone.etcd) : 'External',
    replicator: replicated ? readyWord(zone.replicator) : 'None',
  };
}

function readyWord(readiness: Readiness): string {
  return readiness.settled ? 'Ready' : 'NotReady';
}

function redisWord(zone: ZoneFacts, state: RedisState | undefined): string {
  if (zone.redis.ready === 0 || state === undefined) return 'NotReady';
  if (state.role === 'primary') return 'Primary';
  return state.inSync === true ? 'Replica' : 'Syncing';
}

/** The verdict on each part, in the order in which a person would look. */
function verdicts(input: StatusInput): Verdict[] {
  const { platform, zones } = input;
  const replicated = zones.filter((zone) => replicatedZones(platform).includes(zone.name));
  return [
    verdict(
      input,
      'Certificates',
      input.certificates === undefined ? 'No certificate has been issued yet.' : undefined,
    ),
    verdict(input, 'Topics', topicsWaiting(input)),
    verdict(input, 'Redis', managesRedis(platform) ? redisWaiting(input) : undefined),
    verdict(input, 'Etcd', managesEtcd(platform) ? waiting('etcd', zones, (zone) => zone.etcd) : undefined),
    verdict(
      input,
      'Replication',
      waiting('replicator', replicated, (zone) => zone.replicator),
    ),
    verdict(
      input,
      'Gateways',
      waiting('gateway', zones, (zone) => zone.gateways),
    ),
  ];
}

/** `pending`: what is waited for, or undefined when the part is as it should be. */
function verdict(input: StatusInput, part: Part, pending: string | undefined): Verdict {
  const problems = input.problems.filter((problem) => problem.part === part);
  const first = problems.find((problem) => problem.needsPerson) ?? problems[0];
  if (first !== undefined) {
    const message = [...new Set(problems.map((problem) => problem.message))].join(' ');
    return { part, ok: false, reason: first.reason, message, needsPerson: first.needsPerson };
  }
  if (pending !== undefined)
    return { part, ok: false, reason: 'Progressing', message: pending, needsPerson: false };
  const aside = part === 'Replication' ? keptAside(input.replication) : undefined;
  const message = [readyMessage(input, part), ...(aside === undefined ? [] : [aside])].join(' ');
  const reason = aside === undefined ? 'AsDesired' : KEPT_ASIDE;
  return { part, ok: true, reason, message, needsPerson: false };
}

function waiting(
  what: string,
  zones: readonly ZoneFacts[],
  of: (zone: ZoneFacts) => Readiness,
): string | undefined {
  const unsettled = zones.filter((zone) => !of(zone).settled);
  if (unsettled.length === 0) return undefined;
  const each = unsettled.map((zone) => `${zone.name} ${of(zone).ready}/${of(zone).desired}`);
  return `Waiting for ${what} pods: ${each.join(', ')} ready.`;
}

function redisWaiting(input: StatusInput): string | undefined {
  const pods = waiting('Redis', input.zones, (zone) => zone.redis);
  if (pods !== undefined) return pods;
  const home = homeOf(input.platform);
  const wrong = input.zones
    .map((zone) => ({ zone: zone.name, word: redisWord(zone, input.redis.get(zone.name)) }))
    .filter(({ zone, word }) => word !== (zone === home ? 'Primary' : 'Replica'));
  if (wrong.length === 0) return undefined;
  return `Waiting for Redis replication: ${wrong.map(({ zone, word }) => `${zone} is ${word}`).join(', ')}.`;
}

function topicsWaiting(input: StatusInput): string | undefined {
  const pending = input.topics.filter((topic) => topic.state !== 'Ready');
  if (pending.length === 0) return undefined;
  return `Waiting for topics: ${pending.map((topic) => `${topic.name} is ${topic.state ?? 'Unknown'}`).join(', ')}.`;
}

function readyMessage(input: StatusInput, part: Part): string {
  const { platform, zones } = input;
  const pods = sum(zones.map((zone) => zone.gateways));
  const messages: Record<Part, string> = {
    Certificates: 'The served certificate and the inner ones are valid.',
    Topics: `${input.topics.length} of ${platform.spec.kafka.topics.length} topics are as asked for.`,
    Redis: managesRedis(platform)
      ? `The primary is in ${homeOf(platform)}, and every replica follows it.`
      : 'Redis is external.',
    Etcd: managesEtcd(platform) ? 'Every zone has a ready etcd.' : 'etcd is external.',
    Replication:
      replicatedZones(platform).length === 0
        ? 'There is nothing to replicate.'
        : replicationSummary(platform, input.replication),
    Gateways: `${pods.ready} of ${pods.desired} gateway pods are ready.`,
  };
  return messages[part];
}

function conditions(input: StatusInput, all: readonly Verdict[]): Condition[] {
  const generation = input.platform.metadata.generation ?? 0;
  const bad = all.filter((one) => !one.ok);
  const stuck = bad.filter((one) => one.needsPerson);
  const wanted: Wanted[] = [
    readyCondition(all, bad, stuck),
    reconcilingCondition(bad, stuck),
    stalledCondition(stuck),
    ...all.map((one) => ({
      type: PART_CONDITION[one.part],
      status: one.ok ? ('True' as const) : ('False' as const),
      reason: one.reason,
      message: one.message,
    })),
  ];
  if (input.rotating !== undefined) wanted.push(input.rotating);
  const automatic = automaticCondition(input.platform);
  if (input.dns !== undefined) wanted.push(input.dns);
  if (automatic !== undefined) wanted.push(automatic);
  const gone = [
    ...(input.dns === undefined ? [DNS_CONDITION] : []),
    ...(automatic === undefined ? [AUTOMATIC_CONDITION] : []),
  ];
  const said = (input.platform.status?.conditions ?? []) as readonly Condition[];
  const before = gone.reduce(removeCondition, said);
  const set = wanted.reduce(
    (list: readonly Condition[], condition) =>
      setCondition(list, { ...condition, observedGeneration: generation }, input.now),
    before,
  );
  return [...pausedCondition(input, set, generation)];
}

/** Whether an outage of a zone would be acted on, as its controller says; it does not count for Ready. */
function automaticCondition({ status }: MessagePlatform): Wanted | undefined {
  if (status?.automaticFailover === undefined) return undefined;
  const { reason, message } = status.automaticFailover;
  const is = WORKING_REASONS.has(reason) ? 'True' : 'False';
  return { type: AUTOMATIC_CONDITION, status: is, reason, message };
}

type Wanted = Omit<ConditionInput, 'observedGeneration'>;

function readyCondition(all: readonly Verdict[], bad: readonly Verdict[], stuck: readonly Verdict[]): Wanted {
  const first = stuck[0] ?? bad[0];
  if (first === undefined) {
    return {
      type: 'Ready',
      status: 'True',
      reason: 'AllPartsReady',
      message: `All ${all.length} parts work.`,
    };
  }
  const message = bad.map((one) => `${one.part}: ${one.message}`).join(' ');
  return { type: 'Ready', status: 'False', reason: first.reason, message };
}

function reconcilingCondition(bad: readonly Verdict[], stuck: readonly Verdict[]): Wanted {
  const moving = bad.filter((one) => !stuck.includes(one));
  if (moving.length === 0)
    return { type: 'Reconciling', status: 'False', reason: 'Settled', message: 'Nothing is in progress.' };
  const message = `In progress: ${moving.map((one) => one.part).join(', ')}.`;
  return { type: 'Reconciling', status: 'True', reason: 'Progressing', message };
}

function stalledCondition(stuck: readonly Verdict[]): Wanted {
  const [first] = stuck;
  if (first === undefined)
    return { type: 'Stalled', status: 'False', reason: 'NotStalled', message: 'Nothing waits for a person.' };
  const message = stuck.map((one) => `${one.part}: ${one.message}`).join(' ');
  return { type: 'Stalled', status: 'True', reason: first.reason, message };
}

function pausedCondition(
  input: StatusInput,
  list: readonly Condition[],
  generation: number,
): readonly Condition[] {
  if (!input.paused) return removeCondition(list, 'Paused');
  const message =
    'The annotation causeway.dev/paused is "true": nothing is changed or repaired until it is removed.';
  const condition = {
    type: 'Paused',
    status: 'True' as const,
    reason: 'PausedByAnnotation',
    message,
    observedGeneration: generation,
  };
  return setCondition(list, condition, input.now);
}

/** A change that people should hear of. */
export interface Announcement {
  type: string;
  reason: string;
  message: string;
  warning: boolean;
}

/**
 * What to tell people after a change of status: each change of Ready, each trouble, and each end of a trouble.
 * Parts that only come up say nothing.
 */
export function announcements(
  before: MessagePlatformStatus | undefined,
  after: MessagePlatformStatus,
): Announcement[] {
  const old = (before?.conditions ?? []) as readonly Condition[];
  return ((after.conditions ?? []) as readonly Condition[]).flatMap((condition) => {
    const was = findCondition(old, condition.type);
    if (was?.status === condition.status && was.reason === condition.reason) return [];
    const warning = isTrouble(condition);
    const tells =
      warning ||
      condition.type === 'Paused' ||
      condition.type === 'Rotating' ||
      (was !== undefined && (condition.type === 'Ready' || isTrouble(was)));
    const { type, reason, message } = condition;
    return tells ? [{ type, reason, message, warning }] : [];
  });
}

/** Waiting is a state, not a trouble. Ready and Reconciling repeat what the parts say. */
function isTrouble({ type, status, reason }: Condition): boolean {
  if (type === 'Rotating') return reason === 'RolledBack' || reason === 'RollBack';
  if (reason === KEPT_ASIDE) return true;
  return (
    status === 'False' && reason !== 'Progressing' && !['Ready', 'Reconciling', 'Stalled'].includes(type)
  );
}

function sum(all: readonly Readiness[]): { ready: number; desired: number } {
  return all.reduce(
    (total, one) => ({ ready: total.ready + one.ready, desired: total.desired + one.desired }),
    { ready: 0, desired: 0 },
  );
}
