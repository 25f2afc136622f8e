/** A deleted platform leaves what it was told to keep, its topics and etcd's volumes, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zones } from '../lab/index.ts';
import { leftOf } from './leftovers.ts';
import { eventually, scenario, withKafka } from './support.ts';
import { exchange } from './traffic.ts';

const lab = scenario('scenario-delete', {
  setUp: (own) =>
    Promise.all([
      own.readyPlatform('keeper', (spec) => {
        spec.kafka.deletionPolicy = 'Retain';
        spec.etcd.deletionPolicy = 'Retain';
      }),
      own.readyPlatform('goner', (spec) => {
        spec.kafka.deletionPolicy = 'Delete';
        spec.etcd.deletionPolicy = 'Delete';
      }),
    ]),
});

async function topicsOf(platform: string): Promise<string[]> {
  return withKafka(async (admin) =>
    (await admin.listTopics()).filter((topic) => topic.startsWith(`${platform}.`)),
  );
}

async function remove(platform: string): Promise<void> {
  await lab.progress.step(`platform ${platform} deleted`, () =>
    lab.kubectl('delete', 'mp', platform, '--timeout=300s'),
  );
}

test('with Delete, nothing is left, the topics neither, and the platform beside it works on', async () => {
  await exchange(lab, 'goner');
  await remove('goner');
  await eventually('nothing of it is left', async () => {
    assert.deepEqual(await leftOf(lab, 'goner'), []);
    return true;
  });
  assert.deepEqual(await topicsOf('goner'), []);
  await exchange(lab, 'keeper');
});

test('with Retain, topics and the volumes of etcd stay, and nothing else', async () => {
  await remove('keeper');
  const volumes = zones.map((zone) => `PersistentVolumeClaim/data-keeper-etcd-${zone}-0`);
  await eventually('only the volumes of etcd are left', async () => {
    assert.deepEqual(await leftOf(lab, 'keeper'), volumes);
    return true;
  });
  assert.deepEqual(await topicsOf('keeper'), ['keeper.chat']);
});

test('a platform that is made again under its name finds its topic and its etcd', async () => {
  await lab.readyPlatform('keeper');
  await exchange(lab, 'keeper');
  assert.deepEqual(await topicsOf('keeper'), ['keeper.chat']);
});
