/** What the sections about the gateway have in common. Pure. */
import { shown } from '../../common/markdown.ts';
import type { Machine } from '../../common/machine.ts';
import type { Cpu } from '../rig.ts';

/** A results/gateway-*.json */
export interface GatewayResult<Run> {
  setting: {
    machine: Machine;
    versions: Record<string, string>;
    brokers: number;
    /** Other options of the command. */
    [option: string]: unknown;
  };
  runs: Run[];
  /** What could not be measured, and why. */
  failures: Failure[];
}

/** One contestant's run that gave no figures. */
export interface Failure {
  contestant: string;
  run: number;
  error: string;
}

/** What a run says about itself. */
interface OfContestant {
  contestant: string;
}

/** Runs of one contestant, and of one way of measuring. */
export interface Group<Run> {
  contestant: string;
  key: string;
  runs: Run[];
}

/** Runs by contestant, and by `keyOf` where that tells them apart; in the order in which they came. */
export function grouped<Run extends OfContestant>(
  runs: readonly Run[],
  keyOf: (run: Run) => string = () => '',
): Group<Run>[] {
  const found = Map.groupBy(runs, (run) => JSON.stringify([run.contestant, keyOf(run)]));
  return [...found].map(([id, members]) => {
    const [contestant, key] = JSON.parse(id) as [string, string];
    return { contestant, key, runs: members };
  });
}

/** A sentence for each run that gave no figures. */
export function notMeasured({ failures }: GatewayResult<unknown>, what: string): string[] {
  return failures.map(
    ({ contestant, run, error }) => `${what}, ${contestant}, run ${run}: not measured (${error}).`,
  );
}

/** Whether a contestant is ours. */
export function isOurs({ contestant }: OfContestant): boolean {
  return contestant.startsWith('Causeway');
}

/** Whether it is the peer that the targets name. */
export function isCentrifuge({ contestant }: OfContestant): boolean {
  return contestant.startsWith('Centrifuge');
}

/** Other work that takes more than this share of the machine changes what is measured. */
const QUIET_SHARE = 0.1;

/**
 * A warning when others worked meanwhile: a server that has to wait for a core finds more messages at once and writes
 * them together, so that deliveries for a CPU second rise with the times.
 */
export function disturbance(cpus: readonly Cpu[]): string {
  const worst = Math.max(0, ...cpus.map(({ othersShare }) => othersShare));
  if (worst <= QUIET_SHARE) return '';
  return ` **Other work took up to ${shown(worst * 100)} % of the machine meanwhile: times are longer, and batches larger, than on a quiet one.**`;
}

/** What every section says of how it was measured; `name` is that of the results' file. */
export function howMeasured({ setting }: GatewayResult<unknown>, name: string): string {
  const kafka = setting.brokers === 1 ? 'one broker' : `${setting.brokers} brokers`;
  const profiled =
    setting['profiled'] === true ? ' **With a profiler in our gateway, which makes it slower.**' : '';
  return `One server process each, by turns: our bundle on Bun and on Node, a small server on the Centrifuge library
${setting.versions['centrifuge'] ?? ''} for Go with its Redis broker, and plain \`ws\` on Node with no broker at all. Same clients, a load generator in
Go on the same machine, whose CPU is shown; same TLS 1.3 certificate (P-256), same key exchange (X25519). **They do not
do the same:** ours goes through Kafka (${kafka}, \`acks=all\`) and Redis, and its process also carries the messages from the
one to the other; the Centrifuge server goes through Redis; \`ws\` through nothing.${profiled} Raw numbers:
[${name}.json](../e2e/bench/results/${name}.json).`;
}
