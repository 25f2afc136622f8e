/** What cannot work says so in its condition, the rest goes on, and all is well once it is mended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessagePlatformSpec } from '@causeway/crds';
import { eventually, scenario } from './support.ts';
import { exchange, exchangeAgain } from './traffic.ts';

const lab = scenario('scenario-refusals');

interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

async function condition(platform: string, type: string): Promise<Condition | undefined> {
  const { status } = await lab.kube.json<{ status?: { conditions?: Condition[] } }>([
    '-n',
    lab.namespace,
    'get',
    'mp',
    platform,
  ]);
  return status?.conditions?.find((one) => one.type === type);
}

/** Waits until the condition says why; returns its message. */
async function says(platform: string, type: string, reason: string): Promise<string> {
  return lab.progress.step(`${platform}: ${type} says ${reason}`, () =>
    eventually(`${type} of ${platform} says ${reason}`, async () => {
      const now = await condition(platform, type);
      assert.deepEqual([now?.status, now?.reason], ['False', reason]);
      return now?.message;
    }),
  );
}

async function isTrue(platform: string, type: string): Promise<void> {
  await lab.progress.step(`${platform}: ${type}`, () =>
    eventually(`${type} of ${platform}`, async () => (await condition(platform, type))?.status === 'True'),
  );
}

async function specOf(platform: string): Promise<MessagePlatformSpec> {
  const { spec } = await lab.kube.json<{ spec: MessagePlatformSpec }>([
    '-n',
    lab.namespace,
    'get',
    'mp',
    platform,
  ]);
  return spec;
}

test('a platform with an unknown zone, no Secret and no Kafka says all three, and comes up as they are mended', async () => {
  await lab.applyPlatform('broken', (spec) => {
    spec.zones.push({ name: 'zone-x' });
    spec.gateway.auth.jwt.secretRef = { name: 'not-there' };
    spec.kafka.bootstrapServers = 'nobody.kafka:9092';
  });
  assert.match(await says('broken', 'TopicsReady', 'KafkaUnreachable'), /nobody\.kafka:9092/);
  assert.match(
    await says('broken', 'GatewaysReady', 'SecretNotFound'),
    /not-there.*zone-x|zone-x.*not-there/s,
  );
  assert.equal((await condition('broken', 'Ready'))?.status, 'False');
  assert.equal((await condition('broken', 'Stalled'))?.status, 'True', 'a person is needed');
  // The rest goes on: certificates are there, and Redis and etcd run in the zones that there are.
  await isTrue('broken', 'CertificatesReady');
  await eventually('etcd and Redis run in the three real zones', async () => {
    const pods = await lab.kubectl('get', 'pods', '--field-selector=status.phase=Running', '-o', 'name');
    return (
      pods
        .trim()
        .split('\n')
        .filter((name) => /broken-(etcd|redis)-zone-[abc]-0/.test(name)).length === 6
    );
  });

  const zones = (await specOf('broken')).zones.filter(({ name }) => name !== 'zone-x');
  await lab.patchPlatform('broken', { spec: { zones } });
  await isTrue('broken', 'EtcdReady');
  await isTrue('broken', 'RedisReady');
  await lab.patchPlatform('broken', { spec: { kafka: { bootstrapServers: 'kafka.kafka:9092' } } });
  await isTrue('broken', 'TopicsReady');
  assert.doesNotMatch(await says('broken', 'GatewaysReady', 'SecretNotFound'), /zone-x/);
  await lab.kubectl('create', 'secret', 'generic', 'not-there', `--from-literal=hmac=${'x'.repeat(40)}`);
  await lab.waitReady('broken');
  await exchange(lab, 'broken');
});

test('what a running platform cannot become is refused with its reason, and clients notice nothing', async () => {
  const { topics } = (await specOf('broken')).kafka;
  const [chat] = topics;
  assert.ok(chat);

  await lab.patchPlatform('broken', { spec: { kafka: { topics: [{ ...chat, partitions: 3 }] } } });
  assert.match(await says('broken', 'TopicsReady', 'FewerPartitions'), /has 6 partitions.*asks for 3/s);
  await exchange(lab, 'broken');

  const big = { name: 'big', partitions: 1, replicationFactor: 5 };
  await lab.patchPlatform('broken', { spec: { kafka: { topics: [chat, big] } } });
  assert.match(await says('broken', 'TopicsReady', 'TooFewBrokers'), /asks for 5 replicas.*has 3 brokers/s);
  assert.doesNotMatch((await condition('broken', 'TopicsReady'))?.message ?? '', /partitions/, 'mended');
  await exchangeAgain(lab, 'broken');
  await lab.patchPlatform('broken', { spec: { kafka: { topics } } });
  await isTrue('broken', 'TopicsReady');

  const resources = { requests: { cpu: '1000', memory: '128Mi' } };
  await lab.patchPlatform('broken', { spec: { gateway: { resources } } });
  assert.match(await says('broken', 'GatewaysReady', 'Unschedulable'), /Insufficient cpu/);
  await exchange(lab, 'broken');
  await lab.patchPlatform('broken', { spec: { gateway: { resources: { requests: { cpu: '100m' } } } } });
  await lab.waitReady('broken');
  await exchangeAgain(lab, 'broken');
});
