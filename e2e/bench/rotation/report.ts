/** Says what the rotation benchmark measured. */
import { markdownTable, shown, spread } from '../common/markdown.ts';
import type { Machine } from '../common/machine.ts';
import type { Section } from '../common/section.ts';
import { median } from '../replication/report.ts';
import type { Held } from './connections.ts';
import type { Stages } from './stages.ts';

/** What clients met. */
export interface Phase extends Held {
  handshakes: number;
  failed: number;
  /** Some of the failures, each once. */
  failures: string[];
  connections: number;
}

/** Handshake times, milliseconds. */
interface Times {
  p50: number;
  p99: number;
  count: number;
}

/** Shares of reconnects that resume, from 0 to 1; and tickets of before a rotation, after it. */
export interface Resumption {
  runtime: 'Bun' | 'Node';
  samePod: number;
  otherPod: number;
  tries: number;
  oldTickets: number;
  oldResumed: number;
}

/** results/rotation.json */
export interface RotationResult {
  machine: Machine;
  setting: { rotations: number; connections: number; rate: number; baseline: number };
  rotations: {
    stages: Stages[];
    /** TLS 1.2 handshakes that a pod took; before, during and after. */
    tls12: number;
    /** Some pod of the platform is another one, or its container started again. */
    restarted: boolean;
    baseline: Times;
    /** From the first request to the end of the last rotation. */
    during: Times;
    /** From each request until Verify passed. */
    moving: Times;
    phase: Phase;
  };
  restart: Phase & { seconds: number };
  resumption: Resumption[];
}

const PODS = 6;
const ORDER = ['Issue', 'Trust', 'Canary', 'Roll', 'Verify', 'Retire'];

/** The section of the page. */
export function rotationSection(result: RotationResult): Section {
  const { machine, setting, rotations, restart, resumption } = result;
  const { baseline, during, moving, phase } = rotations;
  const passed = rotations.stages.map((stages) => stages['Retire'] ?? Number.NaN);
  const body = `Six gateway pods on Bun, two in each zone of the lab; ${setting.rotations} rotations in a row by \`causeway rotate\`, with the pauses
at zero. All the time ${shown(setting.rate)} new TLS 1.3 handshakes a second, by turns with each pod by its address, by clients
that check chain and name with the authority of the start; ${shown(setting.connections)} WebSocket connections are held, five publications
a second flow to one in each pod, and at the end each connection must answer. Beside it, the same load over
\`kubectl rollout restart\` of the same Deployments: there clients go to the pods that are ready (looked at twice a
second), and a handshake counts as failed when its pod was ready before and after.

${markdownTable([
  ['', `${setting.rotations} rotations`, 'one rolling restart'],
  ['new handshakes', shown(phase.handshakes), shown(restart.handshakes)],
  ['failed', shown(phase.failed), shown(restart.failed)],
  ['connections held', shown(phase.connections), shown(restart.connections)],
  ['dropped', shown(phase.dropped), shown(restart.dropped)],
  ['publications that a listener missed', shown(phase.missed), shown(restart.missed)],
  ['pods restarted', rotations.restarted ? 'some' : '0', String(PODS)],
  ['seconds until all pods have the new one', spread(passed), shown(restart.seconds)],
])}

A rotation takes ${spread(passed.map((seconds) => seconds / PODS))} s for each pod, from the request until \`Verify\` has passed. Where it goes, in
seconds:

${markdownTable([['stage', 'median (range)'], ...ORDER.slice(0, -1).map((stage, index) => [stage, spread(lengths(rotations.stages, stage, ORDER.slice(index + 1)))])])}

Handshake times, connection included, in milliseconds:

${markdownTable([
  ['', 'P50', 'P99', 'P99 beside before', 'handshakes'],
  timesRow(`${setting.baseline} s before`, baseline, baseline),
  timesRow('whole rotations', during, baseline),
  timesRow('of them, from request to Verify', moving, baseline),
])}

TLS 1.2 was tried on each pod before, during and after each rotation, and taken ${rotations.tls12} times. Reconnects that
resume (PSK), ${resumption[0]?.tries ?? 0} tries each; and tickets from before a rotation, right after its end, 30 s after the last pod moved:

${markdownTable([
  ['', ...resumption.map(({ runtime }) => runtime)],
  ['on the pod of before', ...resumption.map(({ samePod }) => `${shown(samePod * 100)} %`)],
  ['on another pod', ...resumption.map(({ otherPod }) => `${shown(otherPod * 100)} %`)],
  ['old tickets that resume', ...resumption.map((one) => `${one.oldResumed} of ${one.oldTickets}`)],
])}

Bun 1.4 takes no ticket keys (its pull request 28691): there a client resumes only on the pod that it was on.`;
  return {
    title: 'Certificate rotation beside a rolling restart',
    command: 'node e2e/bench/main.ts rotation',
    machine,
    body,
    shortfalls: shortfalls(result, median(passed) / PODS),
  };
}

/** How long a stage took in each rotation: until the next one that was seen. */
function lengths(rotations: readonly Stages[], stage: string, after: readonly string[]): number[] {
  return rotations.flatMap((stages) => {
    const begin = stages[stage];
    const end = after.map((next) => stages[next]).find((seconds) => seconds !== undefined);
    return begin === undefined || end === undefined ? [] : [end - begin];
  });
}

function timesRow(what: string, { p50, p99, count }: Times, before: Times): string[] {
  return [what, shown(p50), shown(p99), `${shown(p99 / before.p99)} ×`, shown(count)];
}

function shortfalls({ rotations, resumption }: RotationResult, perPod: number): string[] {
  const { phase, baseline, during, moving, tls12, restarted } = rotations;
  const node = resumption.find(({ runtime }) => runtime === 'Node');
  const checks: [boolean, string][] = [
    [phase.failed > 0, `${phase.failed} of ${shown(phase.handshakes)} handshakes failed`],
    [phase.handshakes < 50_000, `only ${shown(phase.handshakes)} handshakes were made`],
    [phase.dropped > 0, `${phase.dropped} of ${shown(phase.connections)} connections were dropped`],
    [restarted, 'a pod restarted'],
    [tls12 > 0, `TLS 1.2 was taken ${tls12} times`],
    [perPod > 3, `${shown(perPod)} s for each pod, the target is 3`],
    [
      during.p99 > 1.5 * baseline.p99,
      `handshake P99 during rotations is ${shown(during.p99 / baseline.p99)} times that of before, the target is 1.5`,
    ],
    [
      moving.p99 > 1.5 * baseline.p99,
      `handshake P99 between request and Verify is ${shown(moving.p99 / baseline.p99)} times that of before (target 1.5; it is ${shown(during.p99 / baseline.p99)} over whole rotations): then the operator, the API server and all pods of the platform work on the same two cores`,
    ],
    [
      node === undefined || node.samePod <= 0.9 || node.otherPod <= 0.9,
      'fewer than 90 % of reconnects resume on Node',
    ],
    [resumption.some(({ oldResumed }) => oldResumed > 0), 'tickets of before a rotation resume after it'],
  ];
  return checks.flatMap(([falls, text]) => (falls ? [`Certificate rotation: ${text}.`] : []));
}
