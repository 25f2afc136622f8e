/** What a failover would not outlive is refused before anything is touched, and what differs between zones is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '@causeway/crds';
import { kafkaBrokers } from '../lab/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { Failovers, readyToFail, withstand } from './failover.ts';
import { eventually, scenario, withKafka } from './support.ts';

const NAME = 'preflight';
const lab = scenario('scenario-preflight', { setUp: (scene) => readyToFail(scene, NAME) });
const own = new Failovers(lab, NAME);

/** Stops the Kafka broker of a zone, or starts it again; its data stay. */
async function runBroker(zone: string, replicas: 0 | 1): Promise<void> {
  const set = `statefulset/kafka-${zone.replace('zone-', '')}`;
  await lab.kube.kubectl(['-n', 'kafka', 'scale', set, `--replicas=${replicas}`]);
  await eventually(
    `${2 + replicas} brokers`,
    async () => (await kafkaBrokers().catch(() => [])).length === 2 + replicas,
  );
}

/** Every partition of the platform's topics has all its replicas in sync. */
async function inSync(): Promise<boolean> {
  return withKafka(async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${NAME}.chat`] });
    return topics
      .flatMap(({ partitions }) => partitions)
      .every(({ isr, replicas }) => isr.length === replicas.length);
  });
}

/** All of the platform that a failover changes. */
async function untouched(): Promise<unknown> {
  const { homeZone, epoch, away, failover } = await own.status();
  const pods = await lab.kubectl(
    'get',
    'pods',
    '-l',
    `${LABEL.platform}=${NAME}`,
    '-o',
    'jsonpath={range .items[*]}{.metadata.uid} {.metadata.annotations.causeway\\.dev/drain}{.metadata.annotations.causeway\\.dev/failover}{"\\n"}{end}',
  );
  return { homeZone, epoch, away, failover, pods: pods.trim().split('\n').sort() };
}

test('a drill is refused while a Kafka broker of another zone is down, says why, and touches nothing', async () => {
  await withstand(lab, NAME, async ({ home, third, traffic }) => {
    const before = await untouched();
    await runBroker(third, 0);
    try {
      const drill = own.start('refused', '--from', home, '--hold', '1s');
      await assert.rejects(drill, (error: Error) => {
        lab.progress.note(error.message);
        assert.match(error.message, /: exit 1\n/);
        return true;
      });
      const { status } = await own.get('refused');
      assert.deepEqual([status?.phase, status?.cause, status?.holds], ['Failed', 'KafkaSurvives', false]);
      assert.match(
        status?.message ?? '',
        new RegExp(
          `Without the brokers of ${home}, partition ${NAME}\\.chat/\\d and \\d more would have fewer in-sync replicas than min\\.insync\\.replicas`,
        ),
      );
      const phases = status?.phases?.map(({ name }) => name) ?? [];
      assert.ok(!phases.includes('Prepare'), phases.join());
      assert.deepEqual(await untouched(), before);
      await traffic.flows(25);
    } finally {
      await runBroker(third, 1);
    }
    await eventually('all partitions are in sync', inSync);
  });
});

test('keys that differ between zones are named by causeway verify, until they are mended', async () => {
  await lab.waitReady(NAME);
  const { homeZone: home = '' } = await own.status();
  const etcd = await EtcdClient.start(lab, NAME);
  await etcd.put(home, '/config/seen', 'by all');
  for (const zone of ['zone-b', 'zone-c'])
    await eventually(`${zone} has it`, async () => (await etcd.get(zone, '/config/seen')) === 'by all');
  lab.progress.note((await own.verify()).trim());
  // What no application may do in a zone that follows.
  const { asPlatform } = etcd;
  await asPlatform.put('zone-b', '/config/stray', 'of nobody');
  await asPlatform.put('zone-b', '/config/seen', 'otherwise');
  await asPlatform.delete('zone-c', '/config/seen');
  await assert.rejects(own.verify(), (error: Error) => {
    lab.progress.note(error.message);
    assert.match(error.message, /: exit 2\n/);
    for (const line of [
      /zone-b +\/config\/stray +Extra +- +9 bytes/,
      /zone-b +\/config\/seen +Differs +6 bytes.* 9 bytes/,
      /zone-c +\/config\/seen +Missing +6 bytes.* -/,
    ])
      assert.match(error.message, line);
    return true;
  });
  await asPlatform.delete('zone-b', '/config/stray');
  for (const zone of ['zone-b', 'zone-c']) await asPlatform.put(zone, '/config/seen', 'by all');
  lab.progress.note((await own.verify()).trim());
});
