/** `causeway verify` against a real API server, which asks the pods; the pods' answers are ours. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { ADMIN_PATH, type Verification } from '@causeway/crds';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from './testing/cluster.ts';
import { testIo, type TestIo } from './testing/io.ts';
import { runVerify, type VerifyOptions } from './verify.ts';
import type { VerifyView } from './verify-text.ts';

let cluster: TestCluster;
let pods: Server;
/** What the replicator answers; undefined: 500. */
let answer: Partial<Verification> | { error: string } | undefined;
/** So long after it was asked. */
let lateMs = 0;

/** The API server asks no pod at a loopback address. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '';
}

before(async () => {
  cluster = await startTestCluster();
  pods = createServer((request, response) => {
    if (request.url !== ADMIN_PATH.verify || answer === undefined) {
      response.writeHead(500).end('out of order');
      return;
    }
    // As a replicator does while it compares.
    response.writeHead(200, { 'content-type': 'application/json' }).write('\n\n');
    setTimeout(() => response.end(JSON.stringify(answer)), lateMs);
  });
  await new Promise<void>((resolve) => {
    pods.listen(0, ownAddress(), resolve);
  });
});

after(async () => {
  pods?.closeAllConnections();
  pods?.close();
  await cluster?.stop();
});

async function verify(
  change: Partial<VerifyOptions> = {},
  name = 'orders',
): Promise<{ io: TestIo; code: number }> {
  const io = testIo();
  const { kubeconfig } = cluster.controlPlane;
  const options: VerifyOptions = {
    kubeconfig,
    namespace: NAMESPACE,
    output: 'text',
    timeout: 20_000,
    ...change,
  };
  const code = await runVerify(name, options, { io, port: (pods.address() as AddressInfo).port });
  return { io, code };
}

const pod = (zone: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `orders-replicator-${zone}`,
      labels: {
        'causeway.dev/platform': 'orders',
        'causeway.dev/component': 'replicator',
        'causeway.dev/zone': zone,
      },
    },
    spec: { containers: [{ name: 'replicator', image: 'none' }], automountServiceAccountToken: false },
  });

async function runPod(zone: string): Promise<void> {
  await cluster.kubectl(['-n', NAMESPACE, 'create', '-f', '-'], pod(zone));
  const conditions = [{ type: 'Ready', status: 'True' }];
  const status = { phase: 'Running', podIP: ownAddress(), podIPs: [{ ip: ownAddress() }], conditions };
  const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await cluster.kubectl(['-n', NAMESPACE, 'patch', 'pod', `orders-replicator-${zone}`, ...how]);
}

const equal: Verification = {
  zone: 'zone-b',
  homeZone: 'zone-a',
  epoch: 1,
  revision: '12',
  zoneRevision: '9',
  equal: true,
  keys: { home: 2, zone: 2 },
  sha256: { home: 'a'.repeat(64), zone: 'a'.repeat(64) },
  differences: 0,
  shown: [],
  ms: 1,
};

describe('causeway verify', () => {
  it('fails for a platform that is not there, or replicates nothing, and for a zone that follows nobody', async () => {
    await assert.rejects(verify(), /there is no MessagePlatform orders in namespace messaging/);
    await cluster.kubectl(['create', '-f', '-'], platformYaml('127.0.0.1:1'));
    await assert.rejects(verify(), {
      message: 'nothing of messaging/orders is replicated: spec.etcd.prefixes is empty.',
    });
    const patch = JSON.stringify({ spec: { etcd: { prefixes: ['/config/'] } } });
    await cluster.kubectl(['-n', NAMESPACE, 'patch', 'mp', 'orders', '--type=merge', '-p', patch]);
    await assert.rejects(verify({ zone: ['zone-a'] }), {
      message: 'zone-a is not a zone that follows another: choose zone-b or zone-c. The home is zone-a.',
    });
  });

  it('a zone without a replicator, or with one that cannot look, is a failure', async () => {
    await runPod('zone-b');
    answer = { error: 'zone-b has not replicated anything yet' };
    const { io, code } = await verify();
    assert.equal(code, 1);
    assert.match(io.stdout, /^! zone-b {2}Unknown .* zone-b has not replicated anything yet$/m);
    assert.match(io.stdout, /^! zone-c {2}Unknown .* there is no replicator pod$/m);
    answer = undefined;
    const broken = await verify({ zone: ['zone-b'] });
    assert.equal(broken.code, 1);
    assert.match(broken.io.stdout, /pod orders-replicator-zone-b: .*(500|out of order)/);
  });

  it('says that it goes on when it takes its time', async () => {
    answer = equal;
    lateMs = 2_300;
    try {
      const { io, code } = await verify({ zone: ['zone-b'], output: 'json' });
      assert.equal(code, 0);
      assert.equal(io.stderr, 'Comparing zone-b (1 of 1) for 2s …\n');
    } finally {
      lateMs = 0;
    }
  });

  it('equal zones give 0, different ones 2, as a table and for programs', async () => {
    await runPod('zone-c');
    answer = equal;
    const good = await verify();
    assert.equal(good.code, 0, good.io.stdout);
    assert.match(good.io.stdout, /^ {2}zone-c {2}Equal {2}12 /m);
    answer = {
      ...equal,
      equal: false,
      differences: 1,
      shown: [{ key: '/config/a', home: { bytes: 3, hash: '12' } }],
    };
    const bad = await verify({ zone: ['zone-c'], output: 'json' });
    assert.equal(bad.code, 2);
    const view = JSON.parse(bad.io.stdout) as VerifyView;
    assert.equal(view.equal, false);
    assert.deepEqual(
      view.zones.map(({ zone, shown }) => [zone, shown?.[0]?.key]),
      [['zone-c', '/config/a']],
    );
  });
});
