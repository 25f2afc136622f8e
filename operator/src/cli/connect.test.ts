/** What people are told of a cluster that lacks a part of Causeway's API. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runDrills, runResume } from './drills.ts';
import { runReport } from './failover-report.ts';
import { runStart } from './failover.ts';
import { ordersPlatform } from '../platform/testing/orders.ts';
import { reply, startScriptedApiServer, type ScriptedApiServer } from './testing/api-server.ts';
import { testIo } from './testing/io.ts';
import { runStatus } from './status.ts';

let server: ScriptedApiServer;

before(async () => {
  server = await startScriptedApiServer(({ url, response }) => {
    if (url.pathname.endsWith('/messageplatforms/orders')) reply(response, ordersPlatform());
    // As an API server answers for what it does not serve.
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
  });
});

after(async () => {
  await server.stop();
});

const session = { io: testIo(), signal: new AbortController().signal };

describe('a kind that the cluster does not know', () => {
  const upgrade =
    'Helm installs CRDs, and never upgrades them: kubectl apply --server-side -f charts/causeway/crds';

  it('is named, with what brings it', async () => {
    const { kubeconfig } = server;
    const start = { kubeconfig, from: 'zone-a', mode: 'Drill', watch: false, output: 'text' } as const;
    const says = (kind: string, then: string) => (error: Error) => {
      assert.ok(error.message.includes(`does not know ${kind}. ${then}`), error.message);
      return true;
    };
    await assert.rejects(runStart('orders', start, session), says('ZoneFailovers', upgrade));
    await assert.rejects(runReport('mine', { kubeconfig }, session.io), says('ZoneFailovers', upgrade));
    await assert.rejects(
      runDrills({ kubeconfig, output: 'text' }, session.io),
      says('DrillSchedules', upgrade),
    );
    await assert.rejects(runResume('mine', { kubeconfig }, session.io), says('DrillSchedules', upgrade));
    await assert.rejects(
      runStatus(undefined, { kubeconfig, output: 'text' }, session),
      says('MessagePlatforms', 'Install Causeway with its Helm chart, which brings the CRDs'),
    );
  });
});
