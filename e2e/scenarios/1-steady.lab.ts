/** At steady state the operator writes nothing: shown by the API server's audit log, for five minutes, while clients talk. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../tools/index.ts';
import { leaderOutOfHomes, operatorMetric, operatorWrites } from './operator.ts';
import { eventually, scenario } from './support.ts';
import { exchange } from './traffic.ts';

const lab = scenario('scenario-steady');
const WATCHED_MS = 5 * 60_000;
/** A platform that was just made has settled when nothing was written for so long. */
const SETTLED_MS = 15_000;
const cli = join(import.meta.dirname, '../../operator/dist/main.js');

async function causeway(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [cli, ...args], {
    env: { KUBECONFIG: lab.kube.kubeconfig },
  });
  return stdout;
}

const reconciles = (): Promise<number> => operatorMetric(lab.kube, 'controller_runtime_reconcile_total');
const errors = (): Promise<number> => operatorMetric(lab.kube, 'controller_runtime_reconcile_errors_total');

test('two platforms come up, one with Node gateways, and messages flow in both', async () => {
  await Promise.all([
    lab.readyPlatform('bun'),
    lab.readyPlatform('node', (spec) => (spec.gateway.runtime = 'Node')),
  ]);
  await exchange(lab, 'bun');
  await exchange(lab, 'node');
});

/** When a pod or a platform last changed its condition: that is news, which belongs in the status, and is written. */
async function lastNews(): Promise<number> {
  const { items } = await lab.kube.json<{
    items: { status?: { conditions?: { lastTransitionTime: string }[] } }[];
  }>(['-n', lab.namespace, 'get', 'pods,messageplatforms']);
  const times = items.flatMap(({ status }) => status?.conditions ?? []);
  return Math.max(...times.map(({ lastTransitionTime }) => Date.parse(lastTransitionTime)));
}

/** Waits until nothing has been written for a while; returns that moment. */
async function settled(): Promise<number> {
  await eventually(
    'the platforms to settle',
    async () => (await operatorWrites(lab.namespace, Date.now() - SETTLED_MS)).length === 0,
    120_000,
  );
  return Date.now();
}

/** How much a counter grew; one that a new leader began anew counts from zero. */
function growth(before: number, now: number): number {
  return now >= before ? now - before : now;
}

test('for five minutes the operator reconciles without an error and makes no write but its lease', async () => {
  // The next leader begins with an event of its own.
  await leaderOutOfHomes(lab.kube);
  let began = await settled();
  let disturbed = 0;
  const before = { reconciles: await reconciles(), errors: await errors() };
  // What only reads must not make the operator write either.
  assert.match(await causeway('status', 'bun', '-n', lab.namespace), /zone-a/);
  while (Date.now() - began < WATCHED_MS) {
    await exchange(lab, Math.random() < 0.5 ? 'bun' : 'node');
    const writes = await operatorWrites(lab.namespace, began);
    if (writes.length > 0 && disturbed < 2 && (await lastNews()) >= began - 1_000) {
      // On a busy machine a probe or a Redis did not answer in time: no steady state. The five minutes begin again.
      disturbed += 1;
      lab.progress.note(`something changed, and the status says so: ${writes.join(', ')}`);
      began = await settled();
      continue;
    }
    assert.deepEqual(writes, []);
    await delay(Math.min(10_000, Math.max(0, began + WATCHED_MS - Date.now())));
  }

  const looked = growth(before.reconciles, await reconciles());
  assert.ok(looked > 20, `it did look: ${looked} reconciles`);
  assert.equal(growth(before.errors, await errors()), 0, 'reconciles that failed');
  lab.progress.note(`${looked} reconciles, no write, no error`);
});
