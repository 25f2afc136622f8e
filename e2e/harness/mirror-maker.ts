import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureMirrorMaker } from '../binaries/index.ts';
import type { Kafka } from './kafka.ts';
import { createServer } from './server.ts';
import type { Server } from './server.ts';
import { temporaryFolder } from './supervise.ts';

/** What MirrorMaker copies, and how it calls the clusters. */
export interface MirrorMakerOptions {
  source: { alias: string; kafka: Kafka };
  target: { alias: string; kafka: Kafka };
  /** Regular expression of topics. */
  topics: string;
}

/** mm2.properties for clusters of one broker each: topics only, and nothing else that MirrorMaker can do. */
function properties({ source, target, topics }: MirrorMakerOptions): string {
  const settings: Record<string, string> = {
    clusters: `${source.alias},${target.alias}`,
    [`${source.alias}.bootstrap.servers`]: source.kafka.bootstrapServers,
    [`${target.alias}.bootstrap.servers`]: target.kafka.bootstrapServers,
    [`${source.alias}->${target.alias}.enabled`]: 'true',
    [`${target.alias}->${source.alias}.enabled`]: 'false',
    // A backslash begins an escape in a properties file.
    topics: topics.replaceAll('\\', '\\\\'),
    'emit.heartbeats.enabled': 'false',
    'emit.checkpoints.enabled': 'false',
    // One that was killed is missed after so long; the next one waits for that. The least that brokers allow.
    'session.timeout.ms': '6000',
    'heartbeat.interval.ms': '2000',
    'offset.storage.partitions': '1',
    'status.storage.partitions': '1',
  };
  const replicated = ['', 'offset-syncs.topic.', 'offset.storage.', 'status.storage.', 'config.storage.'];
  // As the brokers have it by default.
  for (const of of replicated) settings[`${of}replication.factor`] = '-1';
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/**
 * Starts MirrorMaker 2 as a process of its own. `ready` says when it copies: MirrorMaker does not, and the process is
 * there long before. Needs `java` (17 or later).
 */
export async function startMirrorMaker(
  options: MirrorMakerOptions,
  ready: () => Promise<boolean>,
): Promise<Server> {
  const { libs } = await ensureMirrorMaker();
  const folder = temporaryFolder('mirror-maker');
  const config = join(folder, 'mm2.properties');
  writeFileSync(config, properties(options));
  const jvm = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
  const logging = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
  const main = 'org.apache.kafka.connect.mirror.MirrorMaker';
  const args = [...jvm, ...logging, '-cp', `${libs}/*`, main, config];
  const logFile = join(folder, 'mirror-maker.log');
  const server = createServer({
    command: { name: 'MirrorMaker', command: 'java', args, cwd: folder, logFile },
    ready,
    folder,
    timeoutMs: 90_000,
  });
  await server.start();
  return server;
}
