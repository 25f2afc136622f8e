/** `causeway rotate` against a real API server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ANNOTATION, type MessagePlatformStatus } from '@causeway/crds';
import type { Io } from './io.ts';
import { runRotate, type RotateOptions } from './rotate.ts';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from './testing/cluster.ts';
import { testIo } from './testing/io.ts';

let cluster: TestCluster;

before(async () => {
  cluster = await startTestCluster();
});

after(async () => {
  await cluster?.stop();
});

interface Platform {
  metadata: { annotations?: Record<string, string> };
  status?: MessagePlatformStatus;
}

async function orders(): Promise<Platform> {
  return JSON.parse(
    await cluster.kubectl(['-n', NAMESPACE, 'get', 'mp', 'orders', '-o', 'json']),
  ) as Platform;
}

async function annotation(name: string): Promise<string | undefined> {
  return (await orders()).metadata.annotations?.[name];
}

function session(io: Io): { io: Io; signal: AbortSignal } {
  return { io, signal: new AbortController().signal };
}

/** Resolves with what is printed. */
async function rotate(change: Partial<RotateOptions> = {}, name = 'orders'): Promise<string> {
  const io = testIo();
  const { kubeconfig } = cluster.controlPlane;
  await runRotate(
    name,
    { kubeconfig, namespace: NAMESPACE, wait: false, timeout: 60_000, ...change },
    session(io),
  );
  return io.stdout;
}

describe('without a certificate', () => {
  it('fails for a platform that is not there, or has none yet, and says where to look', async () => {
    await assert.rejects(rotate(), /there is no MessagePlatform orders in namespace messaging/);
    await cluster.kubectl(['apply', '-f', '-'], platformYaml('127.0.0.1:1'));
    await assert.rejects(rotate(), {
      message:
        'messaging/orders has no certificate yet: "causeway status orders -n messaging" says what it waits for.',
    });
  });
});

describe('with a certificate', () => {
  before(async () => {
    await cluster.operate(async () => (await orders()).status?.certificates?.version === 1);
  });

  it('takes only what makes sense together', async () => {
    await assert.rejects(rotate({ pause: true, abort: true }), /choose one of --pause and --abort/);
    await assert.rejects(
      rotate({ authority: true, resume: true }),
      /--authority is for a new rotation, and --resume for the one under way/,
    );
    await assert.rejects(
      rotate({ abort: true }),
      /no rotation of messaging\/orders is under way: there is nothing to abort/,
    );
  });

  it('asks, pauses, resumes and takes back, each by an annotation that the operator answers', async () => {
    assert.equal(await rotate(), 'MessagePlatform messaging/orders: rotation requested.\n');
    const first = await annotation(ANNOTATION.rotate);
    assert.match(first ?? '', /^\d{4}-\d\d-\d\dT/);
    await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', `${ANNOTATION.rotation}=pause`]);
    await cluster.operate(async () => (await orders()).status?.certificates?.rotation?.stage === 'Issue');
    const { rotation, observedRotate } = (await orders()).status?.certificates ?? {};
    assert.deepEqual([rotation?.to, rotation?.reason, observedRotate], [2, 'Requested', first]);
    assert.match(await rotate({ resume: true }), /rotation resumed/);
    assert.equal(await annotation(ANNOTATION.rotation), undefined);
    assert.match(await rotate({ pause: true }), /rotation paused/);
    assert.equal(await annotation(ANNOTATION.rotation), 'pause');
    assert.match(await rotate({ abort: true }), /asked to go back/);
    assert.equal(await annotation(ANNOTATION.rotation), 'abort-2');
    await cluster.operate(
      async () => (await orders()).status?.certificates?.lastRotation?.result === 'RolledBack',
    );
    await rotate({ resume: true });
  });

  it('follows a rotation of the authority, and fails with what stopped it', async () => {
    const io = testIo();
    const { kubeconfig } = cluster.controlPlane;
    const options = {
      kubeconfig,
      namespace: NAMESPACE,
      wait: true,
      authority: true,
      timeout: 60_000,
    } as const;
    await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', `${ANNOTATION.rotation}=pause`]);
    const followed = assert.rejects(runRotate('orders', options, session(io)), /A person stopped it/);
    let aborted = false;
    await cluster.operate(async () => {
      const { rotation, lastRotation } = (await orders()).status?.certificates ?? {};
      if (rotation !== undefined && !aborted) {
        aborted = true;
        assert.equal(rotation.authority, true);
        await rotate({ abort: true });
      }
      return lastRotation?.to === 3 && rotation === undefined;
    });
    await followed;
    assert.match(io.stdout, / RollBack +Certificate version 1 to 3, with a new authority/);
    assert.match((await annotation(ANNOTATION.rotate)) ?? '', /^authority /);
  });

  it('waits for a failover, says so, and begins when it is over', async () => {
    const io = testIo();
    const { kubeconfig } = cluster.controlPlane;
    const options = { kubeconfig, namespace: NAMESPACE, wait: true, timeout: 60_000 } as const;
    await failover({ name: 'drill' });
    const followed = assert.rejects(runRotate('orders', options, session(io)), /A person stopped it/);
    let over = false;
    await cluster.operate(async () => {
      if (!over && io.stdout.includes('It waits for')) {
        over = true;
        const { failover: kept, certificates } = (await orders()).status ?? {};
        assert.deepEqual(kept, { name: 'drill' }, 'the operator leaves it to the failover');
        assert.equal(certificates?.rotation, undefined);
        const pause = ['--overwrite', `${ANNOTATION.rotation}=pause`];
        await cluster.kubectl(['-n', NAMESPACE, 'annotate', 'mp', 'orders', ...pause]);
        await failover(null);
      }
      const { rotation, lastRotation } = (await orders()).status?.certificates ?? {};
      if (rotation?.to === 4 && rotation.stage !== 'RollBack') await rotate({ abort: true });
      return lastRotation?.to === 4 && rotation === undefined;
    });
    await followed;
    assert.match(
      io.stdout,
      /WaitingForFailover A new certificate is due \(Requested\)\. It waits for ZoneFailover drill\./,
    );
  });
});

/** What a failover writes into the platform's status, or takes out of it. */
async function failover(value: { name: string } | null): Promise<void> {
  const patch = JSON.stringify({ status: { failover: value } });
  const how = ['--subresource=status', '--type=merge', '-p', patch];
  await cluster.kubectl(['-n', NAMESPACE, 'patch', 'mp', 'orders', ...how]);
}
