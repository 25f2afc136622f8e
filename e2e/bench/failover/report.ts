/** Says what the failover benchmark measured. */
import { markdownTable, shown, spread } from '../common/markdown.ts';
import type { Machine } from '../common/machine.ts';
import type { Section } from '../common/section.ts';
import type { CrowdSetting } from './crowd.ts';
import { homesText } from './homes-report.ts';
import type { Met, Times } from './judge.ts';
import { KINDS, type KindName } from './kinds.ts';
import { wholeOf } from './parts.ts';
import type { FailoverSetting } from './rig.ts';
import type { FailedRun, FailoverRun } from './run.ts';
import { sittingsOf } from './sittings.ts';

/** results/failover.json */
export interface FailoverResult {
  machine: Machine;
  setting: CrowdSetting & FailoverSetting & { typed: boolean };
  command: string[];
  runs: (FailoverRun | FailedRun)[];
}

/** Seconds: of a drill or a planned move, and of a zone that is gone. */
const MOST_BLACKOUT = 2;
const MOST_BACK = 15;
/** Of a drill as a whole: what a comparable platform is said to take. */
const MOST_DRILL = 57;

interface Group {
  kind: KindName;
  runs: FailoverRun[];
  failed: FailedRun[];
}

function groupsOf(runs: FailoverResult['runs']): Group[] {
  return [...Map.groupBy(runs, ({ kind }) => kind)].map(([kind, all]) => ({
    kind,
    runs: all.filter((run) => 'verdict' in run),
    failed: all.filter((run) => 'failed' in run),
  }));
}

const isGone = ({ kind }: Group): boolean => 'fault' in KINDS[kind];
const seconds = (ms: number): number => ms / 1000;

/** The section of the page. */
export function failoverSection({ machine, setting, runs }: FailoverResult): Section {
  const groups = groupsOf(runs);
  const body = `A platform of three zones on Bun, one gateway in each to begin with, in the lab. ${shown(setting.clients)} clients, ten in each channel, and ${setting.publishers}
publishers with ${shown(setting.perSecond)} publications a second connect through the front Service, and behave as the JavaScript SDK does: they
come back after 0.5 to 1 s, then ever later, take a silent server for gone after its ping interval and \`maxServerPingDelay\` (${setting.pingDelays.join(' s and ')} s;
the SDK's own is 10 s), and recover what they missed. Before the first run they do so for a minute. The home zone is left each time. There is a name
server in each zone; in \`-two-servers\` two for the cluster (docs/operations.md, "Kafka's names"). A drained zone sends ${shown(setting.drainPerSecond)} clients a
second away; ${setting.typed ? 'a zone that is gone is left by command' : `a zone that has been gone for ${setting.unhealthyAfter} is left by itself`}, and comes back once all
have received without it for 10 s. Whatever was acknowledged must reach every client of its channel, once; a checker judges all that all
clients saw (e2e/deliveries). _Blackout_: for each client the longest time from when an acknowledged publication was
sent until it came. All in seconds, over runs; between sittings lay over 15 minutes, and revision and load of the machine may have been others.

${whatClientsMet(groups)}

${zoneIsGone(groups, setting.pingDelays)}

${homesText(groups.map((group) => ({ kind: group.kind, isGone: isGone(group), runs: group.runs.map(({ homes }) => homes) })))}

Where the time goes; _whole_: from asked for until all is given back, without a drill's hold, in which nothing is done (an Emergency gives
its zone back after its end, when the zone is there again):

${parts(groups)}${drillText(groups)}`;
  return {
    title: 'Failovers under load',
    command: 'node e2e/bench/main.ts failover',
    machine,
    body,
    shortfalls: groups.flatMap((group) => shortfalls(group, setting)),
  };
}

function whatClientsMet(groups: readonly Group[]): string {
  const rows = groups.map(({ kind, runs, failed }) => {
    const of = (pick: (met: Met) => number): string =>
      spread(runs.map(({ verdict }) => seconds(pick(verdict.all))));
    const sum = (pick: (run: FailoverRun) => number): string =>
      shown(runs.reduce((total, run) => total + pick(run), 0));
    return [
      kind,
      runsText(runs, failed.length),
      sum(({ verdict }) => verdict.acknowledged),
      sum(({ verdict }) => verdict.lost),
      sum(({ verdict }) => verdict.duplicated),
      of(({ blackout }) => blackout.p50),
      of(({ blackout }) => blackout.p99),
      of(({ blackout }) => blackout.max),
      of(({ reconnect }) => reconnect.p99),
    ];
  });
  const head = [
    '',
    'runs',
    'acknowledged',
    'lost',
    'twice',
    'blackout P50',
    'P99',
    'longest',
    'reconnect P99',
  ];
  return markdownTable([head, ...rows]);
}

/** How many, and in how many sittings if they are of several: then load and revision may not have been the same. */
function runsText(runs: readonly FailoverRun[], failed: number): string {
  const sittings = sittingsOf(runs.map(({ at }) => at));
  return [
    shown(runs.length),
    ...(sittings > 1 ? [`in ${sittings} sittings`] : []),
    ...(failed > 0 ? [`and ${failed} not measured`] : []),
  ].join(' ');
}

function zoneIsGone(groups: readonly Group[], delays: readonly number[]): string {
  const gone = groups.filter(isGone);
  if (gone.length === 0) return '';
  const row = (what: string, times: readonly Times[]): string[] => [
    what,
    ...(['p50', 'p99', 'max'] as const).map((pick) => spread(times.map((one) => seconds(one[pick])))),
  ];
  const rows = gone.flatMap(({ kind, runs }) =>
    delays.map((delay) =>
      row(
        `${kind}, ${delay} s`,
        runs.flatMap(({ verdict: { zone } }) => zone[delay]?.back ?? []),
      ),
    ),
  );
  const others = gone.map(({ kind, runs }) =>
    row(
      `${kind}, other zones`,
      runs.map(({ verdict }) => verdict.others.blackout),
    ),
  );
  const returns = gone.map(({ kind, runs }) =>
    row(
      `${kind}, all, as it comes back`,
      runs.flatMap(({ verdict: { onReturn } }) => onReturn?.blackout ?? []),
    ),
  );
  return `From when the zone went until its clients received again, by \`maxServerPingDelay\`; and the blackout of clients in other zones, and of all when it came back:

${markdownTable([['', 'P50', 'P99', 'longest'], ...rows, ...others, ...returns])}`;
}

const ORDER = ['Preflight', 'Prepare', 'Drain', 'Fence', 'Promote', 'Shift', 'Verify'];

function parts(groups: readonly Group[]): string {
  const rows = groups.map(({ kind, runs }) => [
    kind,
    spread(runs.map((run) => run.parts.detection)),
    ...ORDER.map((name) => spread(runs.flatMap((run) => run.parts.phases[name] ?? []))),
    spread(runs.map((run) => run.parts.shifted)),
    spread(wholes(runs)),
    spread(runs.map((run) => run.parts.homeless)),
  ]);
  return markdownTable([['', 'detection', ...ORDER, 'until shifted', 'whole', 'no home'], ...rows]);
}

function wholes(runs: readonly FailoverRun[]): number[] {
  return runs.map((run) => wholeOf(run.parts)).filter((whole) => !Number.isNaN(whole));
}

/** A drill beside the figure to beat. */
function drillText(groups: readonly Group[]): string {
  const runs = groups.find(({ kind }) => kind === 'drill')?.runs ?? [];
  const whole = wholes(runs);
  if (whole.length === 0) return '';
  const lost = runs.reduce((sum, { verdict }) => sum + verdict.lost, 0);
  const holds = runs.flatMap((run) => run.parts.phases['Hold'] ?? []);
  return `

Beside it, quoted and not measured: a drill of a comparable platform took ${MOST_DRILL} s and lost nothing; on what machine, with how many clients
and whether with a hold, we do not know. A drill here takes ${spread(whole)} s, and ${spread(holds)} s more with the hold that is set here;
${lost === 0 ? 'nothing was' : `${shown(lost)} publications were`} lost.`;
}

function shortfalls(group: Group, { pingDelays, perSecond }: FailoverResult['setting']): string[] {
  const { kind, runs, failed } = group;
  const worst = (pick: (run: FailoverRun) => number): number => Math.max(...runs.map(pick));
  const bad = runs.filter(({ phase }) => phase !== 'Succeeded').length;
  const faults = runs.filter(({ verdict }) => Object.keys(verdict.violations).length > 0).length;
  const strange = runs.filter(({ homes }) => Object.keys(homes.violations).length > 0).length;
  const slow = worst(({ verdict }) => seconds(verdict.all.blackout.p99));
  const rate = Math.min(...runs.map((run) => run.perSecond));
  const backs = pingDelays.map((delay) =>
    worst(({ verdict }) => seconds(verdict.zone[delay]?.back.p99 ?? 0)),
  );
  const checks: [boolean, string][] = [
    [failed.length > 0, `${failed.length} runs could not be measured`],
    [bad > 0, `${bad} runs did not succeed`],
    [faults > 0, `${faults} runs lost, doubled or reordered something`],
    [
      runs.some(({ verdict }) => verdict.sentAway + verdict.all.neverBack > 0),
      `up to ${worst(({ verdict }) => verdict.sentAway + verdict.all.neverBack)} clients did not come back`,
    ],
    [strange > 0, `two homes, or a home that took writes for too long, in ${strange} runs`],
    [rate < perSecond * 0.98, `only ${shown(rate)} publications a second`],
    [
      !isGone(group) && slow > MOST_BLACKOUT,
      `blackout P99 is up to ${shown(slow)} s, the target is ${MOST_BLACKOUT}`,
    ],
    [
      kind === 'drill' && Math.max(...wholes(runs)) > MOST_DRILL,
      `without its hold it takes up to ${shown(Math.max(...wholes(runs)))} s as a whole, the figure to beat is ${MOST_DRILL}`,
    ],
    ...backs.map((back, index): [boolean, string] => [
      isGone(group) && !kind.endsWith('defaults') && back > MOST_BACK,
      `99 % of clients with a ping delay of ${pingDelays[index]} s receive again after up to ${shown(back)} s, the target is ${MOST_BACK}`,
    ]),
  ];
  return checks.flatMap(([falls, text]) => (falls ? [`Failover, ${kind}: ${text}.`] : []));
}
