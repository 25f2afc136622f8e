/** What a report says in words: the same in Markdown and in HTML. Pure. */
import type { Distribution } from './measurements.ts';
import type { FailoverReport, Outcome, ReportPhase } from './report.ts';

/** A span for people: `0.6 s`, `1 min 05 s`, `2 h 03 min`. Milliseconds. */
export function span(ms: number): string {
  const rest = Math.max(0, ms);
  if (rest < 59_950) return `${(rest / 1000).toFixed(1)} s`;
  const total = Math.round(rest / 1000);
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60)];
  const two = (n: number): string => String(n).padStart(2, '0');
  return hours === 0 ? `${minutes} min ${two(total % 60)} s` : `${hours} h ${two(minutes)} min`;
}

/** A time for people, in UTC: `2026-11-25 12:30:05 UTC`. */
export function time(text: string): string {
  return `${new Date(text).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `12,345`: the same for every reader, whatever their language. */
export function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** A measured time, seconds. */
export function seconds(value: number): string {
  return `${value.toFixed(value < 1 ? 2 : 1)} s`;
}

/** `Restore/Fence`. */
export function phaseName({ name, step }: Pick<ReportPhase, 'name' | 'step'>): string {
  return step === undefined ? name : `${name}/${step}`;
}

/** How it stands, in a word or two. */
export const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  Waiting: 'waits for its turn',
  UnderWay: 'is under way',
  Succeeded: 'succeeded',
  RolledBack: 'was rolled back',
  Refused: 'was refused',
  Failed: 'failed',
};

/** The title of the whole. */
export function title({ mode, fromZone, platform, outcome }: FailoverReport): string {
  return `${mode} of ${fromZone} of ${platform} ${OUTCOME_WORDS[outcome]}`;
}

/** What happened, for somebody who reads nothing else. */
export function summary(report: FailoverReport): string[] {
  return [outcomeSentence(report), ...clientSentences(report), ...homeSentences(report), ...measured(report)];
}

function outcomeSentence(report: FailoverReport): string {
  const { mode, fromZone, outcome, message, tookMs = 0, holds } = report;
  const said = message === undefined || message === '' ? '' : ` ${sentence(message)}`;
  const took = span(tookMs);
  switch (outcome) {
    case 'Waiting':
      return `It has not begun.${said}`;
    case 'UnderWay':
      return `It runs since ${took}, and is in ${phaseName({ name: report.phase, ...pick(report.step) })}${report.paused ? ', paused' : ''}.${said} Figures and charts are as of now.`;
    case 'Succeeded':
      if (mode === 'Emergency')
        return `The platform ran without ${fromZone} after ${took}.${holds ? ` ${fromZone} has not been given back yet.` : ` ${fromZone} has been given back since.`}`;
      return `It took ${took}, from its start until ${fromZone} served again.`;
    case 'RolledBack':
      return report.startedAt === undefined
        ? `It was taken back before it began.${said}`
        : `It turned back, and after ${took} all was as before.${said}`;
    case 'Refused':
      return `Nothing was touched.${said}`;
    default:
      return `It failed after ${took}.${said}`;
  }
}

function pick(step: string | undefined): { step?: string } {
  return step === undefined ? {} : { step };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function clientSentences({ figures, fromZone }: FailoverReport): string[] {
  const { connectionsMoved, connectionsAtStart, drainMs } = figures;
  // A zone that is gone has nobody who could be sent away.
  if (connectionsMoved === undefined || connectionsMoved === 0) return [];
  const isAll = connectionsAtStart === undefined || connectionsAtStart === connectionsMoved;
  const of = isAll ? '' : ` (${count(connectionsAtStart)} at the start)`;
  const within = drainMs === undefined ? '' : ` within ${span(drainMs)}`;
  return [`${count(connectionsMoved)} clients were sent away from ${fromZone}${of}${within}.`];
}

function homeSentences(report: FailoverReport): string[] {
  const { home, moved, figures, mode, outcome, phases } = report;
  if (home === undefined) return outcome === 'Succeeded' ? ['The home was in another zone, and stayed.'] : [];
  const writes = writesSentence(report);
  if (writes === undefined) return [];
  const hasLeft = moved || figures.homelessMs !== undefined || phases.some(({ step }) => step === 'CatchUp');
  if (!hasLeft) {
    const where = outcome === 'UnderWay' ? `is still in ${home.from}` : `did not leave ${home.from}`;
    return [`The home ${where}; ${writes}.`];
  }
  const isBack = !moved && (mode === 'Drill' || outcome === 'RolledBack');
  return [
    `The home moved from ${home.from} to ${home.to}${isBack ? ` and back to ${home.from} later` : ''}; ${writes}.`,
  ];
}

/** `no zone took writes for 0.6 s on the way there and 0.7 s on the way back`; undefined: some zone always did. */
function writesSentence({ withoutWrites }: FailoverReport): string | undefined {
  const last = withoutWrites.at(-1);
  if (last === undefined) return undefined;
  const isOneWay = withoutWrites.every(({ way }) => way === 'there');
  const parts = withoutWrites.map(
    ({ way, tookMs }) => `${span(tookMs)}${isOneWay ? '' : ` on the way ${way}`}`,
  );
  return `no zone took writes for ${parts.join(' and ')}${last.ended ? '' : ', and none does yet'}`;
}

/** How long altogether, and of that each way; undefined: some zone always took writes. */
export function withoutWritesText({ withoutWrites }: FailoverReport): string | undefined {
  if (withoutWrites.length === 0) return undefined;
  const total = span(withoutWrites.reduce((sum, { tookMs }) => sum + tookMs, 0));
  if (withoutWrites.every(({ way }) => way === 'there')) return total;
  return `${total} (${withoutWrites.map(({ way, tookMs }) => `${way} ${span(tookMs)}`).join(', ')})`;
}

function measured({ acknowledged, lost, duplicated, reconnect, blackout }: FailoverReport): string[] {
  const losses = [
    ...(lost === undefined
      ? []
      : [
          `${count(lost)} ${acknowledged === undefined ? '' : `of ${count(acknowledged)} `}acknowledged lost`,
        ]),
    ...(duplicated === undefined ? [] : [`${count(duplicated)} delivered twice`]),
  ];
  const times = [
    ...(reconnect === undefined ? [] : [`99% of clients were back within ${seconds(reconnect.p99)}`]),
    ...(blackout === undefined ? [] : [`the blackout of 99% was at most ${seconds(blackout.p99)}`]),
  ];
  return [
    ...(losses.length === 0 ? [] : [`Publications: ${losses.join(', ')}.`]),
    ...(times.length === 0 ? [] : [`Measured by clients: ${times.join('; ')}.`]),
  ];
}

/** What was measured, name by name. */
export function figureRows(report: FailoverReport): [name: string, value: string][] {
  const { figures, clients, tookMs, pausedMs } = report;
  const { recovery, capacityMs, drainMs, connectionsAtStart, connectionsMoved } = figures;
  const { replicationLag, redisLag, partitionsLed, leadersMoved, mirrorLag } = figures;
  const rows: [string, string | undefined][] = [
    [report.finishedAt === undefined ? 'Running for' : 'Whole time', mapped(tookMs, span)],
    ['Paused for', pausedMs === 0 ? undefined : span(pausedMs)],
    ['Start until all was verified, pauses apart', mapped(recovery, spaced)],
    ['No zone took writes for', withoutWritesText(report)],
    ['Clients in the zone when the drain began', mapped(connectionsAtStart, count)],
    ['Clients sent away', mapped(connectionsMoved, count)],
    ['Other zones had their gateways after', mapped(capacityMs, span)],
    ['Drained in', mapped(drainMs, span)],
    [
      'Fewest clients at once, of all zones',
      clients && `${count(clients.fewest)} of ${count(clients.atStart)}, at ${span(clients.fewestAtMs)}`,
    ],
    ['etcd behind at the fence', mapped(replicationLag, (n) => `${count(n)} revisions`)],
    ['Redis behind at the fence', mapped(redisLag, (n) => `${count(n)} bytes`)],
    ['Kafka partitions led from the zone', mapped(partitionsLed, count)],
    ['Kafka leaders moved off it', mapped(leadersMoved, count)],
    ["Kafka's mirror behind at the start", mapped(mirrorLag, (n) => `${count(n)} offsets`)],
    ...(moves(report) ? clientRows(report) : []),
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

/** Only of one that has touched something can clients tell anything. */
export function moves({ outcome }: FailoverReport): boolean {
  return outcome !== 'Waiting' && outcome !== 'Refused';
}

function clientRows(report: FailoverReport): [string, string | undefined][] {
  return [
    ['Reconnect time P50 / P99 / longest', distributionText(report.reconnect)],
    ['Blackout P50 / P99 / longest', distributionText(report.blackout)],
    ['Publications acknowledged', mapped(report.acknowledged, count)],
    ['Of those lost', mapped(report.lost, count) ?? 'not measured'],
    ['Deliveries that came twice', mapped(report.duplicated, count) ?? 'not measured'],
  ];
}

/** The status has `8.4s`. */
export function spaced(recovery: string): string {
  return recovery.replace(/s$/, ' s');
}

function mapped<T>(value: T | undefined, words: (value: T) => string): string | undefined {
  return value === undefined ? undefined : words(value);
}

function distributionText(distribution: Distribution | undefined): string {
  if (distribution === undefined) return 'not measured';
  const { p50, p99, max, count: clients } = distribution;
  return `${seconds(p50)} / ${seconds(p99)} / ${seconds(max)} of ${count(clients)} clients`;
}

/** Who, what and when, name by name. */
export function factRows(report: FailoverReport): [name: string, value: string][] {
  const { home, epoch, limits, startedAt, verifiedAt, finishedAt } = report;
  const rows: [string, string | undefined][] = [
    ['ZoneFailover', `${report.namespace}/${report.name}`],
    ['Platform', report.platform],
    ['Mode', report.mode],
    ['Zone that was left', report.fromZone],
    ['Outcome', `${report.phase}${report.cause === undefined ? '' : ` (${report.cause})`}`],
    ['Home', home && homeText(home, report)],
    ['Epoch', mapped(epoch, count)],
    ['Started', mapped(startedAt, time)],
    ['Verified', mapped(verifiedAt, time)],
    ['Ended', mapped(finishedAt, time)],
    ['Held for', report.holdFor],
    ['Limits', limitsText(limits)],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

function limitsText({
  timeout,
  maxReplicationLag,
  maxMirrorLag,
  minReadyPerZone,
}: FailoverReport['limits']): string {
  const mirror =
    maxMirrorLag === undefined ? '' : ` Kafka's mirror at most ${count(maxMirrorLag)} offsets behind,`;
  return `time-out ${timeout}, etcd at most ${count(maxReplicationLag)} revisions behind,${mirror} ready gateways in each other zone at least ${count(minReadyPerZone)}`;
}

function homeText({ from, to }: { from: string; to: string }, { moved, figures }: FailoverReport): string {
  if (moved) return `${from} before, ${to} now`;
  return figures.homelessMs === undefined ? `${from}; it was to be ${to}` : `${from}, meanwhile ${to}`;
}

/** Why something is not measured, and what to do. */
export const NOT_MEASURED =
  'Reconnect times: not measured. Nobody in the platform sees a client come back: zones share nothing about clients. Clients that measure it can write a file; --measurements FILE puts it here.';

/** Why there is no line of clients in an Emergency before its end. */
export const EMERGENCY_COUNTS =
  'In an Emergency gateways are not asked for their clients before Verify: each question to a zone that is gone would cost a second.';
