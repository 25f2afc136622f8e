/** Rotations while things go wrong, or change: each ends, and all pods show what the Secret has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL, objectName } from '@causeway/crds';
import { cut, getStatus, heal } from '../lab/index.ts';
import { inspectLeaf } from './handshakes.ts';
import { aimAtLeader, newLeader } from './operator.ts';
import { Certificates } from './rotation.ts';
import { eventually, scenario } from './support.ts';
import { exchange, exchangeAgain } from './traffic.ts';

const NAME = 'faults';
const lab = scenario('scenario-rotate-faults', {
  async setUp(scene) {
    await scene.readyPlatform(NAME, (spec) => {
      spec.gateway.replicasPerZone = 2;
      // Long enough for something to happen in each stage.
      const pauses = { canaryPause: '2s', pauseBetweenZones: '2s', podTimeout: '60s' };
      spec.tls = { ...spec.tls, rotation: { ...spec.tls?.rotation, ...pauses } };
    });
    await exchange(scene, NAME);
  },
});
const own = new Certificates(lab, NAME);

async function stage(): Promise<string | undefined> {
  return (await own.status()).rotation?.stage;
}

/** Starts a rotation, and does `work` when its stage is one of `stages`; resolves when it has ended. */
async function rotating(
  stages: readonly string[],
  work: () => Promise<unknown>,
  ...args: string[]
): Promise<void> {
  const rotation = own.rotate(...args);
  // Whoever waits below sees it too.
  rotation.catch(() => undefined);
  await eventually(
    `a rotation in ${stages.join(' or ')}`,
    async () => stages.includes((await stage()) ?? ''),
    60_000,
  );
  await work();
  lab.progress.note((await rotation).trim().split('\n').at(-1) ?? '');
}

/** Gateways, Redis and etcd all show what the Secrets have. */
async function allShowTheSame(): Promise<void> {
  await lab.waitReady(NAME);
  await eventually('all gateways show the same', async () => {
    const shown = await own.shown();
    return shown.size === 1 && shown.has((await own.status()).fingerprint ?? '');
  });
  await eventually('all inner links show the same', async () => {
    const wanted = inspectLeaf((await own.secret(objectName.internal(NAME)))['tls.crt'] ?? '');
    return [...(await own.innerShown()).values()].every((fingerprint) => fingerprint === wanted);
  });
}

for (const where of [['Issue', 'Trust'], ['Canary'], ['Roll'], ['Verify'], ['Retire']]) {
  test(`the leader is killed in ${where.join(' or ')}: a rotation of the authority goes on`, async () => {
    const target = await aimAtLeader(lab.kube);
    const kill = async (): Promise<void> => {
      target.kill();
      await newLeader(lab.kube, target.identity);
    };
    await rotating([...where, 'Retire'], kill, '--authority');
    await allShowTheSame();
  });
}

test('a gateway pod is killed in the middle: the one in its place ends up with the new certificate', async () => {
  await rotating(['Canary', 'Roll'], async () => {
    const selector = `${LABEL.platform}=${NAME},${LABEL.component}=gateway,${LABEL.zone}=zone-a`;
    const [pod = ''] = (await lab.kubectl('get', 'pods', '-l', selector, '-o', 'name')).split('\n');
    await lab.kubectl('delete', pod, '--force', '--grace-period=0');
  });
  await allShowTheSame();
});

test('gateways are scaled up, and restarted, in the middle', async () => {
  await rotating(['Canary', 'Roll'], () =>
    lab.patchPlatform(NAME, { spec: { gateway: { replicasPerZone: 3 } } }),
  );
  await allShowTheSame();
  await rotating(['Canary', 'Roll'], () =>
    lab.patchPlatform(NAME, { spec: { gateway: { replicasPerZone: 2, connectTimeout: '11s' } } }),
  );
  await allShowTheSame();
});

test('a node is drained in the middle', async () => {
  const node = (await getStatus()).nodes.find(({ zone }) => zone === 'zone-b')?.name ?? '';
  try {
    await rotating(['Canary', 'Roll'], async () => {
      const how = ['--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s'];
      const selector = `--pod-selector=${LABEL.platform}=${NAME},${LABEL.component}=gateway`;
      // The budget lets the second pod go once the first has a place, which it has not: this node is its zone.
      const drained = lab.kube.kubectl(['drain', node, selector, ...how], { timeoutMs: 130_000 });
      drained.catch(() => undefined);
      await eventually('a pod of the zone is gone', async () => {
        const zone = `${LABEL.platform}=${NAME},${LABEL.component}=gateway,${LABEL.zone}=zone-b`;
        const phases = await lab.kubectl('get', 'pods', '-l', zone, '-o', 'jsonpath={..status.phase}');
        return phases.includes('Pending');
      });
      await lab.kube.kubectl(['uncordon', node]);
    });
  } finally {
    await lab.kube.kubectl(['uncordon', node]);
  }
  await allShowTheSame();
});

test('a Secret is destroyed in the middle: it is made anew, and messages flow', async () => {
  const rotation = own.rotate();
  rotation.catch(() => undefined);
  await eventually('it rolls', async () => (await stage()) === 'Roll');
  await lab.kubectl('delete', 'secret', objectName.internal(NAME));
  await rotation;
  await allShowTheSame();
  await exchangeAgain(lab, NAME);
});

for (const policy of ['Wait', 'Skip'] as const) {
  test(`a zone is cut off in the middle, with unavailableZone: ${policy}`, async () => {
    await lab.patchPlatform(NAME, { spec: { tls: { rotation: { unavailableZone: policy } } } });
    await cut('zone-c');
    try {
      await eventually('its pods are not ready', async () => {
        const zone = `${LABEL.platform}=${NAME},${LABEL.component}=gateway,${LABEL.zone}=zone-c`;
        const path = 'jsonpath={..status.conditions[?(@.type=="Ready")].status}';
        return !(await lab.kubectl('get', 'pods', '-l', zone, '-o', path)).includes('True');
      });
      if (policy === 'Skip') await own.rotate();
      else {
        await own.rotate('--no-wait');
        await eventually('it waits for the zone, and says so', async () => {
          const path = 'jsonpath={.status.conditions[?(@.type=="Rotating")].message}';
          return / It waits for zone-c\./.test(await lab.kubectl('get', 'mp', NAME, '-o', path));
        });
      }
    } finally {
      await heal('zone-c');
    }
    await eventually('the rotation has ended', async () => {
      const { rotation, lastRotation } = await own.status();
      return rotation === undefined && lastRotation?.result === 'Completed';
    });
    await allShowTheSame();
    const inner = await own.innerShown();
    assert.ok([...inner.keys()].some((pod) => pod.includes('redis-zone-c')));
    await exchangeAgain(lab, NAME);
  });
}
