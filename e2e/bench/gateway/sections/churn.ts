/** Says what is left of clients that came and went. */
import { markdownTable, shown, spread } from '../../common/markdown.ts';
import type { Section } from '../../common/section.ts';
import { heapPerVisit, type ChurnRun, type Remains } from '../churn.ts';
import { grouped, notMeasured, type GatewayResult, type Group } from './result.ts';

/** Bytes of heap for each visit that are noise: no object is that small. */
const MOST_BYTES = 30;
/** Descriptors besides those of before: a connection to Kafka or Redis may come or go. */
const SPARE_FILES = 5;

const heapMiB = ({ heap }: Remains): number => heap.bytes / 2 ** 20;
const sockets = ({ heap }: Remains): number => heap.objects['TLSSocket'] ?? Number.NaN;

/** What the server says that it keeps for clients, in all. */
function keptOf({ kept, connections, channels, presence, handshakes }: Remains): number {
  return Object.values(kept).reduce(
    (sum, count) => sum + count,
    connections + channels + presence + handshakes,
  );
}

/** The section of the page. */
export function churnSection(result: GatewayResult<ChurnRun>): Section {
  const { setting, runs } = result;
  const groups = grouped(runs);
  const row = (what: string, pick: (run: ChurnRun) => number): string[] => [
    what,
    ...groups.map(({ runs: some }) => spread(some.map(pick))),
  ];
  const kinds = [...new Set(runs.flatMap((run) => Object.keys(run.kinds)))];
  const body = `${shown(Number(setting['visits']))} clients, each with a token, a user and a channel of its own, in a topic with presence, join and leave, come and go,
64 at a time: they close by all rules (\`leaves\`), also after a publication came back (\`publishes\`); end the TCP connection
by FIN or RST without a word (\`drops\`), also while their subscription is under way (\`hasty\`); read nothing until they
are sent away (\`slow\`); or do so over HTTP/2 (\`http2\`). Before and after, with nobody there, is looked at what the server
says that it keeps (\`causeway_gateway_kept\`, connections, channels, presence), at its descriptors, and, after its garbage
was collected, at its heap. Raw numbers: [gateway-churn.json](../e2e/bench/results/gateway-churn.json).

${markdownTable([
  ['', ...groups.map(({ contestant }) => contestant)],
  ...kinds.map((kind) => row(`visits, ${kind}`, ({ kinds: all }) => all[kind]?.made ?? 0)),
  row('failed', failed),
  row('sent away for reading too slowly', ({ slowReaders }) => slowReaders),
  row('kept afterwards, all kinds together', ({ after }) => keptOf(after)),
  row('heap before, MiB', ({ before }) => heapMiB(before)),
  row('heap afterwards, MiB', ({ after }) => heapMiB(after)),
  row('heap for each visit, bytes', heapPerVisit),
  row('TLS sockets in the heap, before', ({ before }) => sockets(before)),
  row('TLS sockets in the heap, afterwards', ({ after }) => sockets(after)),
  row('descriptors before', ({ before }) => before.files),
  row('descriptors afterwards', ({ after }) => after.files),
  row('memory before, MiB', ({ before }) => before.rssMiB),
  row('memory afterwards, MiB', ({ after }) => after.rssMiB),
  row('server CPU for each visit, ms', ({ cpuSeconds, visits }) => (cpuSeconds.server / visits) * 1000),
])}`;
  return {
    title: 'Gateway: nothing left',
    command: 'node e2e/bench/main.ts gateway-churn',
    machine: setting.machine,
    body,
    shortfalls: [...notMeasured(result, 'Nothing left'), ...groups.flatMap(shortfalls)],
  };
}

function failed({ kinds }: ChurnRun): number {
  return Object.values(kinds).reduce((sum, kind) => sum + kind.failed, 0);
}

function shortfalls({ contestant, runs }: Group<ChurnRun>): string[] {
  const worst = (pick: (run: ChurnRun) => number): number => Math.max(...runs.map(pick));
  const [left, heap, bad] = [worst(({ after }) => keptOf(after)), worst(heapPerVisit), worst(failed)];
  const grown = worst(({ before, after }) => sockets(after) - sockets(before));
  const files = worst(({ before, after }) => after.files - before.files);
  const spared = worst(({ kinds, slowReaders }) => (kinds['slow']?.made ?? 0) - slowReaders);
  const checks: [boolean, string][] = [
    [bad > 0, `${shown(bad)} visits failed`],
    [left > 0, `${shown(left)} entries were kept`],
    [heap > MOST_BYTES, `${shown(heap)} bytes of heap stayed for each visit`],
    [grown > SPARE_FILES, `${shown(grown)} TLS sockets stayed`],
    [files > SPARE_FILES, `${shown(files)} more descriptors than before`],
    [spared > 0, `${shown(spared)} slow readers were not sent away for it`],
  ];
  return checks.flatMap(([falls, text]) => (falls ? [`Nothing left, ${contestant}: ${text}.`] : []));
}
