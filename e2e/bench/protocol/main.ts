/**
 * e2e/bench/protocol: what libraries for Protobuf cost on the gateway's hot path, on the runtime that runs it: messages a
 * second, and bytes of garbage for each. `node e2e/bench/protocol/main.ts`; `bun …` for the rate, and
 * `BUN_JSC_useGC=false bun …` for the garbage, since Bun counts no allocations: the process grows by all of it.
 */
import { getHeapStatistics } from 'node:v8';
import { agree, CONTESTANTS } from './contestants.ts';

const isBun = process.versions['bun'] !== undefined;
const collects = process.env['BUN_JSC_useGC'] !== 'false';
const WARM_UP = 50_000;
/** Without a collector, what fits into memory. */
const MESSAGES = collects ? 300_000 : 50_000;
const ROUNDS = collects ? 5 : 1;

/** Bytes that were allocated so far: on Node's heap, or in a process whose collector is off. */
function allocated(): number | undefined {
  if (isBun) return collects ? undefined : process.memoryUsage.rss();
  return (getHeapStatistics() as { total_allocated_bytes?: number }).total_allocated_bytes;
}

interface Result {
  perSecond: number;
  garbage: number | undefined;
}

/** The median of the rounds. */
function measure(work: () => unknown): Result {
  for (let i = 0; i < WARM_UP; i++) work();
  const rounds: Result[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = allocated();
    const began = performance.now();
    for (let i = 0; i < MESSAGES; i++) work();
    const seconds = (performance.now() - began) / 1000;
    const after = allocated();
    const garbage = before === undefined || after === undefined ? undefined : (after - before) / MESSAGES;
    rounds.push({ perSecond: MESSAGES / seconds, garbage });
  }
  rounds.sort((a, b) => a.perSecond - b.perSecond);
  return rounds[Math.floor(ROUNDS / 2)] as Result;
}

agree();
console.log(
  `${process.versions['bun'] ? 'Bun' : 'Node'} ${process.versions['bun'] ?? process.versions.node}`,
);
for (const { name, encode, decode } of CONTESTANTS) {
  for (const [what, work] of [
    ['encode', encode],
    ['decode', decode],
  ] as const) {
    const { perSecond, garbage } = measure(work);
    const rate = collects ? ` ${Math.round(perSecond / 1000)} thousand a second` : '';
    const bytes = garbage === undefined ? '' : ` ${Math.round(garbage)} bytes of garbage each`;
    console.log(`${name}: ${what}${rate}${bytes}`);
  }
}
