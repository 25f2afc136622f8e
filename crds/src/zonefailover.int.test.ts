/** The CRD of ZoneFailovers on a real kube-apiserver: what it refuses and says, what it fills in, how it reads. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { ensureBinary } from '../../e2e/binaries/index.ts';
import { startControlPlane, type ControlPlane } from '../../e2e/harness/index.ts';
import { run, waitFor } from '../../e2e/tools/index.ts';
import { crdFile } from '../scripts/crd.ts';
import { invalidFailoverEdits, invalidFailovers, validFailover } from './invalid-failovers.ts';
import { merge, type Change } from './invalid-platforms.ts';
import type { ZoneFailover } from './resource.ts';
import { openTestApi, type Answer, type TestApi } from './test-api.ts';

const FAILOVERS = '/apis/causeway.dev/v1alpha1/namespaces/default/zonefailovers';
const STRICT = '?fieldValidation=Strict&fieldManager=test';
const DRILL = `${FAILOVERS}/drill-2026-11`;
const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };

let cluster: ControlPlane;
let api: TestApi;
let kubectl: string;

before(async () => {
  kubectl = await ensureBinary('kubectl');
  cluster = await startControlPlane();
  api = openTestApi(cluster.kubeconfig);
  const crd: unknown = parse(readFileSync(crdFile('zonefailovers'), 'utf8'), { maxAliasCount: -1 });
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions${STRICT}`;
  const answer = await api.send('POST', path, crd);
  assert.equal(answer.status, 201, explain(answer));
  await waitFor(
    'the API serves ZoneFailovers',
    async () => (await api.send('GET', FAILOVERS)).status === 200,
  );
});

after(async () => {
  api?.close();
  await cluster?.stop();
});

afterEach(async () => {
  await api.send('DELETE', FAILOVERS);
});

function explain(answer: Answer): string {
  return answer.body.message ?? JSON.stringify(answer.body);
}

function create(change: Change = {}): Promise<Answer> {
  return api.send('POST', `${FAILOVERS}${STRICT}`, merge(validFailover, change));
}

async function created(change: Change = {}): Promise<ZoneFailover> {
  const answer = await create(change);
  assert.equal(answer.status, 201, explain(answer));
  return answer.body as unknown as ZoneFailover;
}

function edit(change: Change): Promise<Answer> {
  return api.send('PATCH', `${DRILL}${STRICT}`, change, MERGE_PATCH);
}

function assertRefused(answer: Answer, field: string, message: string): void {
  assert.equal(answer.status, 422, explain(answer));
  const causes = (answer.body.details?.causes ?? []).filter(
    (cause) => !cause.message.includes('some validation rules were not checked'),
  );
  assert.deepEqual(
    causes.map((cause) => cause.field),
    [field],
    JSON.stringify(causes),
  );
  assert.ok(causes[0]?.message.includes(message), `says "${message}", but it says "${causes[0]?.message}"`);
}

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
      const answer = await edit({ spec: change });
      assert.equal(answer.status, 200, explain(answer));
    }
    assert.equal((await edit({ spec: { ttlSecondsAfterFinished: null } })).status, 200);
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
        limits: { timeout: '24h', maxReplicationLag: 0, minReadyPerZone: 200 },
        drill: { holdFor: '0s' },
        abort: false,
        pause: true,
        ttlSecondsAfterFinished: 0,
      },
    });
  });

  it('may be as in examples/failover', async () => {
    const file = new URL('../../examples/failover/drill.yaml', import.meta.url);
    const example = parse(readFileSync(file, 'utf8')) as Change;
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
    const answer = await api.send('PATCH', `${DRILL}/status${STRICT}`, { status }, MERGE_PATCH);
    assert.equal(answer.status, 200, explain(answer));
    const kube = async (...args: string[]): Promise<string> =>
      (await run(kubectl, ['--kubeconfig', cluster.kubeconfig, ...args], { timeoutMs: 60_000 })).stdout;
    const [head, row] = (await kube('get', 'zf')).trim().split('\n');
    assert.match(head ?? '', /^NAME +PHASE +FROM +MODE +MOVED +RECOVERY +AGE$/);
    assert.match(row ?? '', /^drill-2026-11 +Drain +zone-a +Drill +42 +8\.4s +\d+s$/);
    assert.match(await kube('get', 'zf', '-o', 'wide'), / zone-b +zone-a: 120 clients are left\.\n$/);
  });
});
