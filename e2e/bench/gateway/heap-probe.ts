/**
 * Loaded into a gateway before its own code: upon SIGUSR2 it collects garbage, and writes what is left to the file that
 * HEAP_PROBE names. So the bundle that is measured is the one that users get.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import * as v8 from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What is left in a process after its garbage was collected. */
export interface Heap {
  /** Objects of JavaScript, without the buffers that they have elsewhere. */
  bytes: number;
  /** Live objects of some classes, by name. */
  objects: Record<string, number>;
  /** What keeps the event loop, by name; empty where the runtime does not say. */
  handles: Record<string, number>;
}

/** Objects that hold others by finalizers are gone only after some rounds. */
const ROUNDS = 4;
const ROUND_MS = 100;

interface Runtime {
  collect(): void;
  heap(): Omit<Heap, 'handles'>;
}

/** Classes of which a connection has at least one. */
const CLASSES = ['TLSSocket', 'Socket', 'WebSocket', 'Http2Session', 'Promise', 'Timeout'];

async function bun(): Promise<Runtime> {
  // Its types are not among ours, and Node does not have it.
  const name = 'bun:jsc';
  const jsc = (await import(name)) as {
    heapStats(): { heapSize: number; objectTypeCounts: Record<string, number> };
  };
  const { Bun } = globalThis as unknown as { Bun: { gc(force: boolean): void } };
  return {
    collect: () => Bun.gc(true),
    heap: () => {
      const { heapSize, objectTypeCounts } = jsc.heapStats();
      const some = Object.entries(objectTypeCounts).filter(([type]) => CLASSES.includes(type));
      return { bytes: heapSize, objects: Object.fromEntries(some) };
    },
  };
}

function node(): Runtime {
  // Not imported by its name: Bun has none of that name.
  const { queryObjects } = v8;
  v8.setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  return {
    collect: gc,
    heap: () => ({
      bytes: process.memoryUsage().heapUsed,
      objects: Object.fromEntries(
        [TLSSocket, Socket, Promise].map((type) => [type.name, queryObjects(type, { format: 'count' })]),
      ),
    }),
  };
}

function handles(): Record<string, number> {
  const counts: Record<string, number> = {};
  // Bun 1.4 has no list of them.
  for (const name of process.getActiveResourcesInfo?.() ?? []) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const file = process.env['HEAP_PROBE'];
const runtime = process.versions['bun'] === undefined ? node() : await bun();
process.on('SIGUSR2', () => void look());

/** A failure ends the process: who waits for the file sees that. */
async function look(): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    runtime.collect();
    await delay(ROUND_MS);
  }
  const heap: Heap = { ...runtime.heap(), handles: handles() };
  writeFileSync(`${file}.new`, JSON.stringify(heap));
  renameSync(`${file}.new`, `${file}`);
}
