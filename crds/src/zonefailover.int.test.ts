/** The CRD of ZoneFailovers on a real kube-apiserver: what it refuses and says, what it fills in, how it reads. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { ensureBinary } from '../../e2e/binaries/index.ts';
import { startControlPlane, type ControlPlane } from '../../e2e/harness/index.ts';
import { run, waitFor } from '../../e2e/tools/index.ts';
import { invalidFailoverEdits, invalidFailovers, validFailover } from './invalid-failovers.ts';
import { merge, type Change } from './invalid-platforms.ts';
import type { ZoneFailover } from './resource.ts';
import { assertRefused, explain, openTestApi, testObjects, type TestApi } from './test-api.ts';

let cluster: ControlPlane;
let api: TestApi;
let kubectl: string;
const failovers = testObjects<ZoneFailover>(() => api, 'zonefailovers', validFailover);
const { create, created, edit, edited, reported } = failovers;

before(async () => {
  kubectl = await ensureBinary('kubectl');
  cluster = await startControlPlane();
  api = openTestApi(cluster.kubeconfig);
  await waitFor('the API serves ZoneFailovers', () => failovers.isServed());
});

after(async () => {
  api?.close();
  await cluster?.stop();
});

afterEach(async () => {
  await failovers.deleteAll();
});

describe('creating a failover refuses', () => {
  for (const { name, change, field, message } of invalidFailovers) {
    it(name, async () => assertRefused(await create(change), field, message));
  }

  it('a field that there is not', async () => {
    const answer = await create({ spec: { force: true } });
    assert.equal(answer.status, 400, explain(answer));
    assert.match(explain(answer), /unknown field "spec\.force"/);
  });
});

describe('editing a failover refuses an edit', () => {
  for (const { name, before: start, change, field, message } of invalidFailoverEdits) {
    it(name, async () => {
      await created(start);
      assertRefused(await edit(change), field, message);
    });
  }
});

describe('editing a failover allows', () => {
  it('to pause and go on, to abort, and when it is deleted', async () => {
    await created();
    for (const change of [
      { pause: true },
      { pause: false },
      { abort: true },
      { ttlSecondsAfterFinished: 60 },
    ]) {
      await edited({ spec: change });
    }
    await edited({ spec: { ttlSecondsAfterFinished: null } });
  });
});

describe('a failover that is accepted', () => {
  it('has its defaults filled in', async () => {
    const { spec } = await created({ spec: { drill: {} } });
    assert.deepEqual(spec, {
      platform: 'orders',
      fromZone: 'zone-a',
      mode: 'Drill',
      limits: { timeout: '5m', maxReplicationLag: 100, minReadyPerZone: 1 },
      drill: { holdFor: '30s' },
    } satisfies ZoneFailover['spec']);
  });

  it('may say all that there is to say', async () => {
    await created({
      spec: {
        toHome: 'zone-b',
        limits: { timeout: '24h', maxReplicationLag: 0, maxMirrorLag: 0, minReadyPerZone: 200 },
        drill: { holdFor: '0s' },
        startingDeadlineSeconds: 31_536_000,
        abort: false,
        pause: true,
        ttlSecondsAfterFinished: 0,
      },
    });
  });

  for (const file of readdirSync(new URL('../../examples/failover', import.meta.url)))
    it(`may be as in examples/failover/${file}`, async () => {
      const path = new URL(`../../examples/failover/${file}`, import.meta.url);
      const example = parse(readFileSync(path, 'utf8')) as Change;
      await created(merge(example, { metadata: { namespace: 'default' } }) as Change);
    });

  it('shows what matters in kubectl get, and why with -o wide', async () => {
    await created();
    const status = {
      phase: 'Drain',
      message: 'zone-a: 120 clients are left.',
      home: { from: 'zone-a', to: 'zone-b' },
      figures: { connectionsMoved: 42, recovery: '8.4s' },
    };
    await reported(status);
    const kube = async (...args: string[]): Promise<string> =>
      (await run(kubectl, ['--kubeconfig', cluster.kubeconfig, ...args], { timeoutMs: 60_000 })).stdout;
    const [head, row] = (await kube('get', 'zf')).trim().split('\n');
    assert.match(head ?? '', /^NAME +PHASE +FROM +MODE +MOVED +RECOVERY +AGE$/);
    assert.match(row ?? '', /^drill-2026-11 +Drain +zone-a +Drill +42 +8\.4s +\d+s$/);
    assert.match(await kube('get', 'zf', '-o', 'wide'), / zone-b +zone-a: 120 clients are left\.\n$/);
  });
});
