/** What `causeway status` shows of a platform, as data: a stable shape for programs. Pure. */
import { parseDuration, type MessagePlatformStatus } from '@causeway/crds';
import { findCondition, type Condition, type KubeEvent, type KubeObject } from '../controller/index.ts';
import { isPaused, type MessagePlatform } from '../platform/index.ts';

type ListOf<K extends 'zones' | 'topics'> = NonNullable<MessagePlatformStatus[K]>;

/** One platform in `causeway status NAME -o json`. Fields are only ever added; times are RFC 3339. */
export interface StatusView {
  namespace: string;
  name: string;
  /** Of the condition Ready; `Unknown` while there is none, or while it is about an older spec. */
  ready: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  paused: boolean;
  deleting: boolean;
  createdAt: string;
  generation: number;
  /** 0: the operator has not seen the platform yet. */
  observedGeneration: number;
  homeZone?: string;
  epoch?: number;
  gateways: { ready: number; desired: number };
  conditions: Condition[];
  zones: ListOf<'zones'>;
  topics: ListOf<'topics'>;
  certificate?: {
    version?: number;
    fingerprint?: string;
    notAfter?: string;
    authorityNotAfter?: string;
    /** Whole days that are left; negative once it has ended. */
    expiresInDays?: number;
    /** It should have been renewed by now. */
    renewalDue?: boolean;
  };
  endpoints: { gateway?: string; etcd?: string };
  /** The last five, newest first; absent when they may not be read, or were not asked for. */
  events?: EventView[];
}

/** One event. */
export interface EventView {
  /** When it was last seen. */
  time: string;
  type: string;
  reason: string;
  message: string;
  /** How often it was seen. */
  count: number;
}

const DAY_MS = 86_400_000;
const SHOWN_EVENTS = 5;

/** @param events of the platform; undefined: they may not be read. @param now milliseconds since the epoch. */
export function statusView(
  platform: MessagePlatform,
  events: readonly KubeEvent[] | undefined,
  now: number,
): StatusView {
  const { metadata, status = {} } = platform;
  const conditions = (status.conditions ?? []) as Condition[];
  const certificate = certificateView(platform, now);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    ...readyOf(platform, conditions),
    paused: isPaused(platform),
    deleting: metadata.deletionTimestamp !== undefined,
    createdAt: metadata.creationTimestamp,
    generation: metadata.generation,
    ...reported(status),
    conditions,
    ...(certificate === undefined ? {} : { certificate }),
    ...(events === undefined ? {} : { events: lastEvents(events, platform) }),
  };
}

/** What status says, with what it does not say yet as empty. */
function reported(
  status: MessagePlatformStatus,
): Pick<
  StatusView,
  'observedGeneration' | 'homeZone' | 'epoch' | 'gateways' | 'zones' | 'topics' | 'endpoints'
> {
  const {
    observedGeneration = 0,
    homeZone,
    epoch,
    gateways,
    zones = [],
    topics = [],
    endpoints = {},
  } = status;
  return {
    observedGeneration,
    ...(homeZone === undefined ? {} : { homeZone }),
    ...(epoch === undefined ? {} : { epoch }),
    gateways: { ready: gateways?.ready ?? 0, desired: gateways?.desired ?? 0 },
    zones,
    topics,
    endpoints,
  };
}

function readyOf(
  { metadata, status }: MessagePlatform,
  conditions: readonly Condition[],
): Pick<StatusView, 'ready' | 'reason' | 'message'> {
  const condition = findCondition(conditions, 'Ready');
  if (status === undefined || condition === undefined) {
    return {
      ready: 'Unknown',
      reason: 'NotSeen',
      message: 'No operator has looked at it yet. Check that the operator runs and watches this namespace.',
    };
  }
  const { generation } = metadata;
  const seen = condition.observedGeneration ?? status.observedGeneration ?? 0;
  if (seen < generation) {
    return {
      ready: 'Unknown',
      reason: 'NotSeen',
      message: `The operator has not looked at the latest change yet (it saw generation ${seen} of ${generation}). Before that: ${condition.message}`,
    };
  }
  const { status: ready, reason, message } = condition;
  return { ready, reason, message };
}

function certificateView(platform: MessagePlatform, now: number): StatusView['certificate'] {
  const certificate = platform.status?.certificates;
  if (certificate === undefined) return undefined;
  if (certificate.notAfter === undefined) return { ...certificate };
  const left = Date.parse(certificate.notAfter) - now;
  const renewBefore = parseDuration(platform.spec.tls.renewBefore);
  return {
    ...certificate,
    expiresInDays: Math.floor(left / DAY_MS),
    renewalDue: left < renewBefore,
  };
}

/** events.k8s.io/v1 Event, with the times that older writers use. */
type AnyEvent = KubeEvent & { deprecatedLastTimestamp?: string | null; deprecatedCount?: number };

function lastEvents(events: readonly KubeEvent[], platform: KubeObject): EventView[] {
  return events
    .filter((event) => isAbout(event, platform))
    .map((event: AnyEvent) => ({
      time: event.series?.lastObservedTime ?? event.deprecatedLastTimestamp ?? event.eventTime ?? '',
      type: event.type,
      reason: event.reason,
      message: event.note,
      count: event.series?.count ?? event.deprecatedCount ?? 1,
    }))
    .sort((a, b) => Date.parse(b.time) - Date.parse(a.time))
    .slice(0, SHOWN_EVENTS);
}

/** An earlier platform of the same name has events of its own. */
function isAbout({ regarding }: KubeEvent, { metadata }: KubeObject): boolean {
  return (
    regarding.kind === 'MessagePlatform' &&
    regarding.name === metadata.name &&
    (regarding.uid === undefined || regarding.uid === metadata.uid)
  );
}
