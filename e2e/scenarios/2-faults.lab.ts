/** Faults under traffic: another runtime, an emptied Redis, a broker that is killed, a zone that is cut off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectName } from '@causeway/crds';
import { cut, getStatus, heal, kafkaBrokers } from '../lab/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { eventually, scenario } from './support.ts';
import { exchange, exchangeAgain, gatewayIn, Traffic } from './traffic.ts';

const NAME = 'faults';
const lab = scenario('scenario-faults', { setUp: (own) => own.readyPlatform(NAME) });

async function underTraffic(work: (traffic: Traffic) => Promise<unknown>): Promise<void> {
  const traffic = await Traffic.start(lab, NAME);
  try {
    await traffic.flows(50);
    await work(traffic);
    await traffic.flows(50);
    lab.progress.note(await traffic.check());
  } finally {
    await traffic.stop();
  }
}

/** Takes the Redis primary's pod and its volume away, and waits until it has another one, and all is well again. */
async function emptyPrimary(): Promise<void> {
  const set = objectName.zoneRedis(NAME, 'zone-a');
  const claim = `data-${set}-0`;
  const { metadata } = await lab.kube.json<{ metadata: { uid: string } }>([
    '-n',
    lab.namespace,
    'get',
    'pvc',
    claim,
  ]);
  await lab.kubectl('delete', 'pvc', claim, '--wait=false');
  await lab.kubectl('delete', 'pod', `${set}-0`, '--force', '--grace-period=0');
  await eventually('a new volume', async () => {
    const now = await lab.kube.find<{ metadata: { uid: string } }>([
      '-n',
      lab.namespace,
      'get',
      'pvc',
      claim,
    ]);
    return now !== undefined && now.metadata.uid !== metadata.uid;
  });
  await lab.waitReady(NAME);
}

test('gateways move from Bun to Node under traffic, and nothing acknowledged is lost', async () => {
  await underTraffic(async () => {
    await lab.patchPlatform(NAME, { spec: { gateway: { runtime: 'Node' } } });
    await lab.waitReady(NAME);
    await eventually('only Node gateways', async () => {
      const images = await lab.kubectl(
        'get',
        'pods',
        '-l',
        'causeway.dev/component=gateway',
        '-o',
        'jsonpath={..image}',
      );
      return !images.includes('bun');
    });
  });
});

test('the Redis primary loses its pod and all its data: it is filled again from Kafka, and nothing acknowledged is lost', async () => {
  await underTraffic(async (traffic) => {
    await traffic.losingStreams('the primary begins anew', emptyPrimary);
    await traffic.flows(100);
  });
});

test('a Kafka broker is killed under traffic, and nothing acknowledged is lost', async () => {
  await underTraffic(async (traffic) => {
    await lab.kube.kubectl(['-n', 'kafka', 'delete', 'pod', 'kafka-b-0', '--force', '--grace-period=0']);
    await traffic.flows(200);
    await eventually('three brokers', async () => (await kafkaBrokers()).length === 3);
  });
});

test('a zone that is cut off leaves the others serving, and catches up once it is healed', async () => {
  await lab.waitReady(NAME);
  await exchange(lab, NAME);
  const etcd = await EtcdClient.start(lab, NAME, 'zone-a');
  await cut('zone-c');
  try {
    await eventually('node-c is NotReady', async () =>
      (await getStatus()).nodes.some(({ zone, ready }) => zone === 'zone-c' && !ready),
    );
    await exchangeAgain(lab, NAME, ['zone-a', 'zone-b']);
    await etcd.put('zone-a', '/config/while-cut', 'yes');
    await eventually('zone-b has it', async () => (await etcd.get('zone-b', '/config/while-cut')) === 'yes');
    await eventually('the platform says that it is not Ready', async () => {
      const ready = await lab.kubectl(
        'get',
        'mp',
        NAME,
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
      );
      return ready === 'False';
    });
  } finally {
    await heal('zone-c');
  }
  await lab.waitReady(NAME);
  await eventually('zone-c has it', async () => (await etcd.get('zone-c', '/config/while-cut')) === 'yes');
  await exchangeAgain(lab, NAME);
  assert.ok(await gatewayIn(lab, NAME, 'zone-c'));
});
