/** A failover for people: its phases, its gates, and the clients by zone. Pure. */
import type { ZoneFailover } from '@causeway/crds';
import { homelessTimes, isOver, stateOf, type FailoverObject } from '../failover/index.ts';
import type { Style } from './io.ts';
import { printable } from './printable.ts';
import { shortDuration, table, wrap, type Mood, type Row } from './table.ts';

/** How to print. */
export interface FailoverTextOptions {
  style: Style;
  /** Columns of the terminal; undefined: nothing is wrapped. */
  width?: number | undefined;
  /** Lines that there is room for; undefined: as many as it takes. */
  rows?: number | undefined;
  /** Milliseconds since the epoch. */
  now: number;
}

/** The whole picture. Where there is no room for it the phases that have ended are put together, for the zones to be seen. */
export function failoverText(failover: FailoverObject, options: FailoverTextOptions): string {
  const { rows = Infinity } = options;
  const picture = (folded: number): string =>
    joined([
      head(failover, options),
      phasesTable(failover, { ...options, folded }),
      zonesTable(failover, options),
    ]);
  const whole = picture(0);
  const missing = whole.split('\n').length - rows;
  // Of so many one line is left.
  const shown = missing > 0 ? picture(missing + 1) : whole;
  return `${joined([shown, figuresLines(failover, options)])}\n`;
}

function joined(sections: readonly string[]): string {
  return sections.filter((section) => section !== '').join('\n\n');
}

type Status = NonNullable<ZoneFailover['status']>;

function head(
  { metadata, spec, status }: FailoverObject,
  { style, width, now }: FailoverTextOptions,
): string {
  const phase = status?.phase ?? 'New';
  const began = status?.startedAt ?? metadata.creationTimestamp;
  const end = status?.finishedAt === undefined ? now : Date.parse(status.finishedAt);
  const home = status?.home === undefined ? '' : `, home ${status.home.from} to ${status.home.to}`;
  const paused = status?.pausedSince === undefined ? '' : ', paused';
  const title = `ZoneFailover ${metadata.namespace}/${metadata.name}: ${spec.mode} of ${spec.fromZone} of ${spec.platform}${home}`;
  const where = `${phaseWord(phase, style)}${paused} after ${shortDuration(end - Date.parse(began))}`;
  const lines = (text: string): string[] => (width === undefined ? [printable(text)] : wrap(text, width));
  return [...lines(title).map(style.bold), where, ...(status?.message ? lines(status.message) : [])].join(
    '\n',
  );
}

function phaseWord(phase: string, style: Style): string {
  if (phase === 'Succeeded') return style.good(phase);
  return ['Failed', 'RolledBack', 'RollingBack'].includes(phase) ? style.bad(phase) : style.wait(phase);
}

/** `folded`: so many of the first phases are put together, as far as they have ended. */
function phasesTable(
  { status }: FailoverObject,
  { style, width, now, folded }: FailoverTextOptions & { folded: number },
): string {
  const phases = status?.phases ?? [];
  const ended = phases.filter(({ endedAt }) => endedAt !== undefined).slice(0, folded);
  const first = ended.length < 2 ? [] : [foldedRow(ended)];
  const rest = first.length === 0 ? phases : phases.slice(ended.length);
  const rows = [...first, ...rest.map((entry) => phaseRow(entry, now))];
  return rows.length === 0 ? '' : table(['PHASE', 'TOOK', 'GATE', 'WAITS FOR'], rows, { style, width });
}

type PhaseStatus = NonNullable<Status['phases']>[number];

function phaseRow(entry: PhaseStatus, now: number): Row {
  const end = entry.endedAt === undefined ? now : Date.parse(entry.endedAt);
  const name = entry.step === undefined ? entry.name : `${entry.name}/${entry.step}`;
  const took = `${(Math.max(0, end - Date.parse(entry.startedAt)) / 1000).toFixed(1)}s`;
  const mood: Mood = entry.name === 'RollingBack' ? 'bad' : entry.endedAt === undefined ? 'wait' : 'good';
  return { cells: [name, took, entry.gate ?? '-', entry.waitingFor ?? ''], mood };
}

function foldedRow(ended: readonly PhaseStatus[]): Row {
  const [from, to] = [ended[0]?.startedAt ?? '', ended.at(-1)?.endedAt ?? ''];
  const took = `${((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)}s`;
  return { cells: [`${ended.length} before`, took, '-', ''] };
}

/** Width of the bar of the zone with the most clients. */
const BAR = 30;

function zonesTable({ spec, status }: FailoverObject, { style }: FailoverTextOptions): string {
  const zones = status?.zones ?? [];
  const most = Math.max(1, ...zones.map(({ connections = 0 }) => connections));
  const rows = zones.map(({ name, ready, desired, connections }): Row => {
    const bar = '#'.repeat(Math.ceil((BAR * (connections ?? 0)) / most));
    const mood: Mood = ready < desired && name !== spec.fromZone ? 'wait' : 'good';
    return {
      cells: [name, `${ready}/${desired}`, connections === undefined ? '?' : String(connections), bar],
      mood,
    };
  });
  return rows.length === 0 ? '' : table(['ZONE', 'GATEWAYS', 'CLIENTS', ''], rows, { style });
}

function figuresLines(failover: FailoverObject, { now }: FailoverTextOptions): string {
  const { figures = {} } = failover.status ?? {};
  const lines: [string, string | undefined][] = [
    ['clients moved', count(figures.connectionsMoved, figures.connectionsAtStart)],
    ['capacity was there after', seconds(figures.capacityMs)],
    ['drained in', seconds(figures.drainMs)],
    [
      'etcd was behind at the fence',
      figures.replicationLag === undefined ? undefined : `${figures.replicationLag} revisions`,
    ],
    [
      'Redis was behind at the fence',
      figures.redisLag === undefined ? undefined : `${figures.redisLag} bytes`,
    ],
    [
      "Kafka's mirror was behind by",
      figures.mirrorLag === undefined ? undefined : `${figures.mirrorLag} offsets`,
    ],
    ['no zone took writes for', homelessText(failover, now)],
    ['verified after', figures.recovery],
  ];
  return lines
    .flatMap(([name, value]) => (value === undefined ? [] : [`${`${name}:`.padEnd(31)}${value}`]))
    .join('\n');
}

/** Both ways, by the phases; a failover that turned back has none of the figure that tells of the way there. */
function homelessText(failover: FailoverObject, now: number): string | undefined {
  const { finishedAt = now, ...state } = stateOf(failover);
  const times = homelessTimes(state);
  const parts = times.map(({ way, from, to }) => {
    const took = seconds(Math.max(0, (to ?? finishedAt) - from));
    return times.length === 1 && way === 'there' ? took : `${took} ${way}`;
  });
  return parts.length === 0 ? undefined : parts.join(', ');
}

function count(moved: number | undefined, of: number | undefined): string | undefined {
  if (moved === undefined) return undefined;
  return of === undefined ? String(moved) : `${moved} (${of} at the start)`;
}

function seconds(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : `${(ms / 1000).toFixed(1)}s`;
}

/** One line for programs. */
export function failoverLine({ metadata, spec, status }: FailoverObject, now: number): string {
  const { phase = 'New', step, message, cause, home, epoch, figures, zones } = status ?? {};
  const { name, namespace } = metadata;
  const { platform, fromZone, mode } = spec;
  const time = new Date(now).toISOString();
  const paused = status?.pausedSince === undefined ? undefined : true;
  const line = {
    time,
    namespace,
    name,
    platform,
    fromZone,
    mode,
    phase,
    step,
    paused,
    cause,
    message,
    home,
    epoch,
    zones,
    figures,
  };
  return `${JSON.stringify(line)}\n`;
}

/** The end, as an exit code: 0 as asked for, 2 all is as before, 1 neither; undefined: it goes on. */
export function exitCodeOf(failover: FailoverObject): 0 | 1 | 2 | undefined {
  const { phase } = stateOf(failover);
  if (!isOver(phase)) return undefined;
  if (phase === 'Succeeded') return 0;
  return phase === 'RolledBack' ? 2 : 1;
}

/** For people without a terminal: what changed, as a line; the same line again is not worth saying. */
export function progressLine({ status }: { status?: Status }): string {
  const { phase = 'New', step, message = '' } = status ?? {};
  const where = step === undefined ? phase : `${phase}/${step}`;
  return printable(`${where.padEnd(22)} ${message}`.trimEnd());
}
