/** The CRD of DrillSchedules on a real kube-apiserver: what it refuses and says, what it fills in, how it reads. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { ensureBinary } from '../../e2e/binaries/index.ts';
import { startControlPlane, type ControlPlane } from '../../e2e/harness/index.ts';
import { run, waitFor } from '../../e2e/tools/index.ts';
import { merge, type Change } from './invalid-platforms.ts';
import { invalidSchedules, validSchedule } from './invalid-schedules.ts';
import type { DrillSchedule } from './resource.ts';
import { assertRefused, explain, openTestApi, testObjects, type TestApi } from './test-api.ts';

let cluster: ControlPlane;
let api: TestApi;
let kubectl: string;
const schedules = testObjects<DrillSchedule>(() => api, 'drillschedules', validSchedule);
const { create, created, edited, reported } = schedules;

before(async () => {
  kubectl = await ensureBinary('kubectl');
  cluster = await startControlPlane();
  api = openTestApi(cluster.kubeconfig);
  await waitFor('the API serves DrillSchedules', () => schedules.isServed());
});

after(async () => {
  api?.close();
  await cluster?.stop();
});

afterEach(async () => {
  await schedules.deleteAll();
});

describe('creating a schedule refuses', () => {
  for (const { name, change, field, message } of invalidSchedules) {
    it(name, async () => assertRefused(await create(change), field, message));
  }

  it('a field that there is not', async () => {
    const answer = await create({ spec: { concurrencyPolicy: 'Allow' } });
    assert.equal(answer.status, 400, explain(answer));
    assert.match(explain(answer), /unknown field "spec\.concurrencyPolicy"/);
  });
});

describe('a schedule that is accepted', () => {
  it('has its defaults filled in', async () => {
    const { spec } = await created({ spec: { drill: {} } });
    assert.deepEqual(spec, {
      platform: 'orders',
      schedule: '0 10 * * TUE',
      timeZone: 'UTC',
      window: '15m',
      includeHome: true,
      suspend: false,
      successfulDrillsHistoryLimit: 3,
      failedDrillsHistoryLimit: 1,
      limits: { timeout: '5m', maxReplicationLag: 100, minReadyPerZone: 1 },
      drill: { holdFor: '30s' },
    } satisfies DrillSchedule['spec']);
  });

  it('may say all that there is to say, and change its mind', async () => {
    await created({
      spec: {
        schedule: ' 0,30  8-18/2 1,15 JAN-NOV mon,WED-FRI ',
        timeZone: 'America/Argentina/ComodRivadavia',
        window: '24h',
        zones: ['zone-c', 'zone-a'],
        includeHome: false,
        suspend: true,
        successfulDrillsHistoryLimit: 0,
        failedDrillsHistoryLimit: 100,
        limits: { timeout: '24h', maxReplicationLag: 0, maxMirrorLag: 0, minReadyPerZone: 200 },
        drill: { holdFor: '0s' },
      },
    });
    await edited({ spec: { platform: 'payments', schedule: '@weekly', zones: null, suspend: false } });
  });

  it('may have a name of 52 characters', async () => {
    await created({ metadata: { name: 'x'.repeat(52) } });
  });

  for (const file of readdirSync(new URL('../../examples/drills', import.meta.url)))
    it(`may be as in examples/drills/${file}`, async () => {
      const path = new URL(`../../examples/drills/${file}`, import.meta.url);
      const example = parse(readFileSync(path, 'utf8')) as Change;
      await created(merge(example, { metadata: { namespace: 'default' } }) as Change);
    });

  it('shows what matters in kubectl get, and why with -o wide', async () => {
    await created();
    await reported({
      lastScheduleTime: new Date(Date.now() - 3 * 86_400_000).toISOString(),
      lastZone: 'zone-a',
      nextScheduleTime: '2026-12-01T10:00:00Z',
      nextZone: 'zone-b',
      active: { name: 'tuesdays-29678040', zone: 'zone-a', scheduledTime: '2026-11-24T10:00:00Z' },
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'DrillUnderWay',
          message: 'A drill of zone-a is under way.',
          lastTransitionTime: '2026-11-24T10:00:01Z',
        },
      ],
    });
    const kube = async (...args: string[]): Promise<string> =>
      (await run(kubectl, ['--kubeconfig', cluster.kubeconfig, ...args], { timeoutMs: 60_000 })).stdout;
    const [head, row] = (await kube('get', 'dsch')).trim().split('\n');
    assert.match(
      head ?? '',
      /^NAME +PLATFORM +SCHEDULE +READY +ACTIVE +LAST +LAST-ZONE +NEXT +NEXT-ZONE +AGE$/,
    );
    assert.match(
      row ?? '',
      /^tuesdays +orders +0 10 \* \* TUE +True +tuesdays-29678040 +3d +zone-a +2026-12-01T10:00:00Z +zone-b +\d+s$/,
    );
    assert.match(await kube('get', 'dsch', '-o', 'wide'), / UTC +false +A drill of zone-a is under way\.\n$/);
  });
});
