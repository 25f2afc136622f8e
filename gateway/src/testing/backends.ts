/** The servers that gateways need, for one test file. */
import { randomBytes } from 'node:crypto';
import { Kafka as KafkaClient, logLevel } from 'kafkajs';
import type { KafkaConfig } from 'kafkajs';
import { createTestPki, startKafka, startRedis } from '../../../e2e/harness/index.ts';
import type { Kafka, KafkaOptions, Redis, RedisOptions, TestPki } from '../../../e2e/harness/index.ts';
import { testTopic } from './gateway-process.ts';
import type { Platform } from './gateway-process.ts';

export interface Backends {
  kafka: Kafka;
  redis: Redis;
  pki: TestPki;
  /** A platform with topics of its own: namespaces chat and news, three partitions each. */
  platform(): Promise<Platform>;
  stop(): Promise<void>;
}

export interface BackendOptions {
  kafka?: KafkaOptions;
  /** Given the test's authority. */
  redis?: (pki: TestPki) => Promise<RedisOptions>;
}

export async function startBackends(options: BackendOptions = {}): Promise<Backends> {
  const pki = await createTestPki();
  const [kafka, redis] = await Promise.all([
    startKafka(options.kafka),
    options.redis ? options.redis(pki).then(startRedis) : startRedis(),
  ]);
  const brokers = kafka.bootstrapServers.split(',');
  const config: KafkaConfig = { brokers, logLevel: logLevel.NOTHING };
  if (options.kafka?.sasl) config.sasl = { mechanism: 'plain', ...options.kafka.sasl };
  return {
    kafka,
    redis,
    pki,
    async platform() {
      const name = `p${randomBytes(3).toString('hex')}`;
      const topics = ['chat', 'news'].map((topic) => testTopic(name, topic));
      const admin = new KafkaClient(config).admin();
      await admin.connect();
      await admin.createTopics({
        waitForLeaders: true,
        topics: topics.map(({ topic }) => ({ topic, numPartitions: 3 })),
      });
      await admin.disconnect();
      return { name, pki, redisUrl: redis.url, brokers, topics };
    },
    async stop() {
      await Promise.all([kafka.stop(), redis.stop()]);
      pki.remove();
    },
  };
}
