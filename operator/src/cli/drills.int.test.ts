/** `causeway drills`, and a schedule that starts a drill, against a real API server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ZoneFailover } from '@causeway/crds';
import { runDrills, runResume, type DrillsOptions } from './drills.ts';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from './testing/cluster.ts';
import { testIo } from './testing/io.ts';

let cluster: TestCluster;

before(async () => {
  cluster = await startTestCluster();
});

after(async () => {
  await cluster?.stop();
});

function options(change: Partial<DrillsOptions> = {}): DrillsOptions {
  return { kubeconfig: cluster.controlPlane.kubeconfig, namespace: NAMESPACE, output: 'text', ...change };
}

async function drills(change: Partial<DrillsOptions> = {}): Promise<string> {
  const io = testIo();
  await runDrills(options(change), io);
  return io.stdout;
}

async function failovers(): Promise<ZoneFailover[]> {
  const text = await cluster.kubectl(['-n', NAMESPACE, 'get', 'zf', '-o', 'json']);
  return (JSON.parse(text) as { items: ZoneFailover[] }).items;
}

describe('causeway drills', () => {
  it('says that there is none, and which is not there', async () => {
    assert.match(await drills(), /^There is no DrillSchedule in namespace messaging/);
    assert.match(await drills({ allNamespaces: true }), /in any namespace/);
    await assert.rejects(runResume('often', options(), testIo()), /there is no DrillSchedule often/);
  });

  it('shows a schedule that waits for its platform', async () => {
    const yaml = `apiVersion: causeway.dev/v1alpha1
kind: DrillSchedule
metadata: { name: often, namespace: messaging }
spec: { platform: orders, schedule: '* * * * *', window: 24h, failedDrillsHistoryLimit: 0 }
`;
    await cluster.kubectl(['apply', '-f', '-'], yaml);
    assert.match(await drills(), /^~ often +orders +\* \* \* \* \* +Unknown/m);
    await cluster.operate(async () => (await drills()).includes('There is no MessagePlatform orders'));
    await assert.rejects(runResume('often', options(), testIo()), /often is not stopped/);
  });
});

describe('a schedule', () => {
  it('starts nothing while the platform is not Ready, and says what it waits for', async () => {
    await cluster.kubectl(['apply', '-f', '-'], platformYaml('127.0.0.1:1'));
    await cluster.operate(async () =>
      /due at .* waits until .* The platform is not Ready/.test(await drills()),
    );
    assert.deepEqual(await failovers(), []);
  });
});
