import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { startControlPlane } from '../../../e2e/harness/index.ts';
import type { ControlPlane } from '../../../e2e/harness/index.ts';
import { HttpKubeApi, LeaderElector, LEASE_KIND, loadKubeConfig, systemClock } from './index.ts';
import type { ElectionEnd, KubeObject, Lease } from './index.ts';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const SCRIPT = fileURLToPath(new URL('testing/elect.ts', import.meta.url));

type Written = KubeObject & { data?: { by?: string } };

let cluster: ControlPlane;
let api: HttpKubeApi;
const children: ChildProcess[] = [];

before(async () => {
  cluster = await startControlPlane();
  api = new HttpKubeApi({ load: () => loadKubeConfig({ path: cluster.kubeconfig }) });
});

after(async () => {
  for (const child of children) child.kill('SIGKILL');
  api?.close();
  await cluster.stop();
});

interface Process {
  child: ChildProcess;
  said: string[];
  ended: Promise<void>;
}

function start(identity: string): Process {
  const child = spawn(process.execPath, [SCRIPT, identity, 'default'], {
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const said: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(...chunk.toString().trim().split('\n')));
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
  });
  return { child, said, ended };
}

/** Waits until the lease has been renewed so many times. */
async function renewals(count: number): Promise<void> {
  const seen = new Set<string>();
  await until(`${count} renewals`, async () => {
    const lease = await api.get<Lease>(LEASE_KIND, { namespace: 'default', name: 'elect' });
    seen.add(lease?.spec.renewTime ?? '');
    return seen.size > count;
  });
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `${what}: not within 60 s`);
    await systemClock.sleep(20);
  }
}

test('two processes, the leader stopped for longer than its lease: it never writes after the other one began', async () => {
  const writers: string[] = [];
  const stop = new AbortController();
  const { resourceVersion } = await api.list(CONFIG_MAP, { namespace: 'default' });
  const watching = (async () => {
    const options = { namespace: 'default', resourceVersion };
    for await (const event of api.watch<Written>(CONFIG_MAP, options, stop.signal)) {
      if (event.type === 'BOOKMARK' || event.object.metadata.name !== 'written') continue;
      const by = event.object.data?.by ?? '';
      if (writers.at(-1) !== by) writers.push(by);
    }
  })();
  const one = start('one');
  await until('one leads and writes', () => writers.at(-1) === 'one');
  const two = start('two');
  await renewals(4);
  assert.deepEqual(two.said, [], 'two leads beside one');
  one.child.kill('SIGSTOP');
  await until('two leads and writes', () => writers.at(-1) === 'two');
  one.child.kill('SIGCONT');
  await one.ended;
  assert.equal(one.said.at(-1), 'lost');
  two.child.kill('SIGTERM');
  await two.ended;
  assert.equal(two.said.at(-1), 'stopped');
  const released = await api.get<Lease>(LEASE_KIND, { namespace: 'default', name: 'elect' });
  assert.equal(released?.spec.holderIdentity, '', 'a leader that stops gives its lease back');
  const three = start('three');
  await until('three leads and writes', () => writers.at(-1) === 'three');
  three.child.kill('SIGTERM');
  await three.ended;
  stop.abort();
  await watching;
  assert.deepEqual(writers, ['one', 'two', 'three']);
});

/** An operator in `zone`, which leads until it is stopped, or hands over. */
function operatorIn(
  zone: string,
  homes: ReadonlyMap<string, number>,
): { elector: LeaderElector; stop: AbortController; ended: Promise<ElectionEnd> } {
  const isBetter = (one: string, other: string): boolean => (homes.get(one) ?? 0) < (homes.get(other) ?? 0);
  const elector = new LeaderElector({
    api,
    clock: systemClock,
    lease: { namespace: 'default', name: 'placed' },
    identity: `in-${zone}`,
    leaseDurationMs: 5_000,
    renewDeadlineMs: 3_000,
    retryPeriodMs: 500,
    askPeriodMs: 1_000,
    minLeadMs: 1_000,
    place: {
      zone: () => zone,
      isBetterThan: (holder) => isBetter(zone, holder),
      mayYieldTo: (asker) => isBetter(asker, zone),
    },
  });
  const stop = new AbortController();
  const ended = elector.run(stop.signal, async (signals) => {
    const over = AbortSignal.any([signals.stop, signals.lost]);
    if (!over.aborted)
      await new Promise((resolve) => over.addEventListener('abort', resolve, { once: true }));
  });
  return { elector, stop, ended };
}

test('the home moves to the zone of the leader: the one in the other zone leads within seconds, and never do both', async () => {
  const homes = new Map<string, number>();
  const a = operatorIn('zone-a', homes);
  await until('the one in zone-a leads', () => a.elector.isLeader);
  const b = operatorIn('zone-b', homes);
  await until('the other one sees it', () => b.elector.holder === 'in-zone-a');
  let both = 0;
  const watching = setInterval(() => {
    if (a.elector.isLeader && b.elector.isLeader) both += 1;
  }, 1);
  try {
    homes.set('zone-a', 1);
    const began = performance.now();
    await until('the one in zone-b leads', () => b.elector.isLeader);
    const took = performance.now() - began;
    assert.equal(await a.ended, 'yielded');
    // Two asks at most (the first may come in the leader's first second), and a look of each: under 3 s, but on a busy machine.
    assert.ok(took < 10_000, `it took ${Math.round(took)} ms`);
    const lease = await api.get<Lease>(LEASE_KIND, { namespace: 'default', name: 'placed' });
    assert.deepEqual(lease?.metadata.annotations, {
      'causeway.dev/zone': JSON.stringify({ identity: 'in-zone-b', zone: 'zone-b' }),
    });
  } finally {
    clearInterval(watching);
    for (const { stop } of [a, b]) stop.abort();
  }
  assert.equal(await b.ended, 'stopped');
  assert.equal(both, 0, 'both led');
});
