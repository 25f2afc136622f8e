/** Says what was measured of new connections. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { median } from '../../replication/report.ts';
import type { HandshakeRun } from '../handshakes.ts';
import {
  disturbance,
  grouped,
  howMeasured,
  isOurs,
  notMeasured,
  type GatewayResult,
  type Group,
} from './result.ts';

/** Fewer than this share of those that offer a ticket resume: resumption does not work. */
const LEAST_RESUMED = 0.9;

const rate = ({ made, seconds }: HandshakeRun): number => made / seconds;
const cpuMs = ({ cpu, made }: HandshakeRun): number => (cpu.server / made) * 1000;

/** The section of the page. */
export function handshakesSection(result: GatewayResult<HandshakeRun>): Section {
  const { setting, runs } = result;
  const groups = grouped(runs, ({ way }) => way).toSorted((a, b) => a.key.localeCompare(b.key));
  const body = `TCP, TLS 1.3, the WebSocket upgrade, the connect command with its token, and the close, ${shown(Number(setting['concurrency']))} at once for ${shown(Number(setting['seconds']))} s
as fast as they go: client and server share the machine's cores, so the rate is of both, and CPU for each connection is
the server's own. Resumed: each client offers the ticket (PSK) of its last connection. ${howMeasured(result, 'gateway-handshakes')}${disturbance(runs.map(({ cpu }) => cpu))}

${markdownTable([
  ['', 'a second', 'server CPU each, ms', 'P50, ms', 'P99, ms', 'resumed, %', 'failed', 'load CPU, s'],
  ...groups.map(({ contestant, key, runs: some }) => [
    `${key}, ${contestant}`,
    spread(some.map(rate)),
    spread(some.map(cpuMs)),
    spread(some.map(({ times }) => times.p50)),
    spread(some.map(({ times }) => times.p99)),
    spread(some.map(({ resumed, made }) => (resumed / made) * 100)),
    shown(some.reduce((sum, { failed }) => sum + failed, 0)),
    spread(some.map(({ cpu }) => cpu.load)),
  ]),
])}`;
  return {
    title: 'Gateway: new connections',
    command: 'node e2e/bench/main.ts gateway-handshakes',
    machine: setting.machine,
    body,
    shortfalls: [
      ...notMeasured(result, 'New connections'),
      ...groups.filter(isOurs).flatMap((group) => shortfalls(group, groups)),
    ],
  };
}

function shortfalls(group: Group<HandshakeRun>, all: readonly Group<HandshakeRun>[]): string[] {
  const what = `New connections, ${group.key}, ${group.contestant}`;
  const peers = all.filter((one) => one.key === group.key && !isOurs(one));
  const failed = group.runs.reduce((sum, run) => sum + run.failed, 0);
  const share = median(group.runs.map(({ resumed, made }) => resumed / made));
  const [ours, cpu] = [median(group.runs.map(rate)), median(group.runs.map(cpuMs))];
  const slower = peers
    .filter(({ runs }) => median(runs.map(rate)) > ours)
    .map(
      ({ contestant, runs }) =>
        `${what}: ${shown(ours)}/s at ${shown(cpu)} ms of CPU each, ${contestant} ${shown(median(runs.map(rate)))}/s at ${shown(median(runs.map(cpuMs)))} ms.`,
    );
  return [
    ...slower,
    ...(failed > 0 ? [`${what}: ${shown(failed)} failed.`] : []),
    ...(group.key === 'resumed' && share < LEAST_RESUMED
      ? [`${what}: ${shown(share * 100)} % resumed.`]
      : []),
  ];
}
