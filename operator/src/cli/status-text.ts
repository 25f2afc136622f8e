/** Status for people: one platform in full, or many in a table. Pure. */
import type { Condition } from '../controller/index.ts';
import type { Style } from './io.ts';
import type { StatusView } from './status-view.ts';
import { shortDuration, table, wrap, type Mood, type Row } from './table.ts';

/** How to print. */
export interface TextOptions {
  style: Style;
  /** Columns of the terminal; undefined: nothing is wrapped. */
  width?: number | undefined;
  /** Milliseconds since the epoch. */
  now: number;
}

/** One platform. */
export function statusText(view: StatusView, options: TextOptions): string {
  const sections = [
    header(view, options),
    conditionsTable(view, options),
    zonesTable(view, options),
    topicsTable(view, options),
    eventsTable(view, options),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/** All platforms, a line for each. */
export function listText(
  views: readonly StatusView[],
  options: TextOptions & { namespaces: boolean },
): string {
  const columns = ['NAME', 'READY', 'REASON', 'HOME', 'GATEWAYS', 'TOPICS', 'CERT-EXPIRES', 'AGE'];
  const rows = views.map((view): Row => {
    const good = view.topics.filter((topic) => topic.state === 'Ready').length;
    const cells = [
      view.name,
      view.ready,
      view.reason,
      view.homeZone ?? '-',
      `${view.gateways.ready}/${view.gateways.desired}`,
      `${good}/${view.topics.length}`,
      view.certificate?.notAfter === undefined ? '-' : expires(view, options.now),
      ageOf(view.createdAt, options.now),
    ];
    return { cells: options.namespaces ? [view.namespace, ...cells] : cells, mood: moodOf(view) };
  });
  return `${table(options.namespaces ? ['NAMESPACE', ...columns] : columns, rows, { style: options.style })}\n`;
}

function moodOf(view: StatusView): Mood {
  const stalled = view.conditions.some(({ type, status }) => type === 'Stalled' && status === 'True');
  if (stalled) return 'bad';
  return view.ready === 'True' && !view.paused && !view.deleting ? 'good' : 'wait';
}

const LABEL_WIDTH = 13;

function header(view: StatusView, options: TextOptions): string {
  const { style, now, width } = options;
  const paint = style[moodOf(view)];
  const home = view.homeZone === undefined ? '-' : `${view.homeZone} (epoch ${view.epoch ?? 1})`;
  const seen =
    view.observedGeneration >= view.generation ? 'seen' : `the operator saw ${view.observedGeneration}`;
  const rows: [string, string, (text: string) => string][] = [
    ['Ready', `${view.ready} (${view.reason})`, paint],
    ...(view.ready === 'Unknown' ? [['', view.message, paint] as const] : []),
    ['Home', home, plain],
    ['Gateways', `${view.gateways.ready} of ${view.gateways.desired} ready`, plain],
    ['Certificate', certificateText(view, now), certificatePaint(view, style)],
    [
      'Generation',
      `${view.generation} (${seen})`,
      view.observedGeneration < view.generation ? style.wait : plain,
    ],
    ['Age', ageOf(view.createdAt, now), plain],
    ...(view.endpoints.gateway === undefined ? [] : [['Gateway', view.endpoints.gateway, plain] as const]),
    ...(view.endpoints.etcd === undefined ? [] : [['etcd', view.endpoints.etcd, plain] as const]),
  ].map(([label, text, how]) => [label, text, how] as [string, string, (text: string) => string]);
  const lines = rows.flatMap(([label, text, how]) =>
    wrapAt(text, width === undefined ? undefined : width - LABEL_WIDTH).map(
      (line, index) => `${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}${how(line)}`,
    ),
  );
  const state = [view.paused ? 'paused' : '', view.deleting ? 'being deleted' : ''].filter(
    (word) => word !== '',
  );
  const title = style.bold(`MessagePlatform ${view.namespace}/${view.name}`);
  return [state.length === 0 ? title : `${title} ${style.wait(`(${state.join(', ')})`)}`, ...lines].join(
    '\n',
  );
}

function plain(text: string): string {
  return text;
}

function wrapAt(text: string, width: number | undefined): string[] {
  return width === undefined ? [text] : wrap(text, Math.max(20, width));
}

function certificateText(view: StatusView, now: number): string {
  const { certificate } = view;
  if (certificate?.notAfter === undefined) return 'none yet';
  const due = certificate.renewalDue === true ? ', renewal is due' : '';
  return `version ${certificate.version ?? '?'}, ${sentence(expires(view, now))}${due}`;
}

function sentence(when: string): string {
  return when.endsWith(' ago') ? `expired ${when}` : `expires in ${when}`;
}

/** `89d`, or `3h ago`. */
function expires(view: StatusView, now: number): string {
  const left = Date.parse(view.certificate?.notAfter ?? '') - now;
  return left > 0 ? shortDuration(left) : `${shortDuration(-left)} ago`;
}

function certificatePaint({ certificate }: StatusView, style: Style): (text: string) => string {
  if ((certificate?.expiresInDays ?? 0) < 0) return style.bad;
  return certificate?.renewalDue === true ? style.wait : plain;
}

function ageOf(time: string, now: number): string {
  const at = Date.parse(time);
  return Number.isNaN(at) ? '-' : shortDuration(now - at);
}

function conditionsTable({ conditions }: StatusView, options: TextOptions): string {
  if (conditions.length === 0) return '';
  const rows = conditions.map((condition): Row => ({
    cells: [
      condition.type,
      condition.status,
      ageOf(condition.lastTransitionTime, options.now),
      condition.reason,
      isRepeat(condition, conditions) ? 'See below.' : condition.message,
    ],
    mood: conditionMood(condition),
  }));
  return table(['CONDITION', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'], rows, options);
}

/** Ready and Stalled repeat what the parts say, and together that is too much to read. */
function isRepeat({ type, message }: Condition, all: readonly Condition[]): boolean {
  if (!['Ready', 'Stalled'].includes(type)) return false;
  return all.some(
    (part) =>
      !['Ready', 'Stalled'].includes(part.type) && part.status === 'False' && message.includes(part.message),
  );
}

/** Conditions where `True` is not the good state. */
const NEGATIVE: Readonly<Record<string, Mood>> = { Reconciling: 'wait', Stalled: 'bad', Paused: 'wait' };

function conditionMood({ type, status, reason }: Condition): Mood {
  const negative = NEGATIVE[type];
  if (negative !== undefined) return status === 'True' ? negative : 'good';
  if (status === 'True') return 'good';
  return reason === 'Progressing' ? 'wait' : 'bad';
}

function zonesTable({ zones }: StatusView, options: TextOptions): string {
  if (zones.length === 0) return '';
  const rows = zones.map((zone): Row => {
    const { nodes = 0, gatewaysReady = 0, gatewaysDesired = 0 } = zone;
    const parts = [zone.redis ?? '-', zone.etcd ?? '-', zone.replicator ?? '-'];
    const waits =
      gatewaysReady < gatewaysDesired || parts.some((word) => ['NotReady', 'Syncing'].includes(word));
    return {
      cells: [
        zone.name,
        zone.home === true ? 'home' : '',
        String(nodes),
        `${gatewaysReady}/${gatewaysDesired}`,
        ...parts,
      ],
      mood: nodes === 0 ? 'bad' : waits ? 'wait' : 'good',
    };
  });
  return table(['ZONE', 'HOME', 'NODES', 'GATEWAYS', 'REDIS', 'ETCD', 'REPLICATOR'], rows, options);
}

function topicsTable({ topics }: StatusView, options: TextOptions): string {
  if (topics.length === 0) return '';
  const rows = topics.map((topic): Row => ({
    cells: [
      topic.name,
      topic.state ?? 'Unknown',
      String(topic.partitions ?? '-'),
      String(topic.replicationFactor ?? '-'),
      topic.owned === undefined ? '-' : topic.owned ? 'Causeway' : 'others',
      topic.message ?? '',
    ],
    mood: topic.state === 'Ready' ? 'good' : topic.state === 'Refused' ? 'bad' : 'wait',
  }));
  return table(['TOPIC', 'STATE', 'PARTITIONS', 'REPLICAS', 'MADE-BY', 'MESSAGE'], rows, options);
}

function eventsTable({ events }: StatusView, options: TextOptions): string {
  if (events === undefined) return options.style.dim('Events may not be read with these rights.');
  if (events.length === 0) return '';
  const rows = events.map(({ time, type, reason, message, count }): Row => ({
    cells: [ageOf(time, options.now), type, reason, count > 1 ? `${message} (${count} times)` : message],
    mood: type === 'Normal' ? 'good' : 'wait',
  }));
  return table(['LAST SEEN', 'TYPE', 'EVENT', 'MESSAGE'], rows, options);
}
