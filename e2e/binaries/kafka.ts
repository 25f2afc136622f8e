import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, run, tailOf, withFileLock, withProgress } from '../tools/index.ts';
import { versions } from './catalog.ts';

/** A Kafka broker's jars. Run with `java -cp '<libs>/*' kafka.Kafka server.properties`. */
export interface KafkaLibs {
  /** Folder that holds every jar, and nothing else. */
  libs: string;
}

const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Kafka's jars with their dependencies, from Maven Central, once. Needs `mvn` (and a JDK for it) the first time. */
export async function ensureKafka(): Promise<KafkaLibs> {
  const libs = cacheDir(`kafka-${versions.kafka}`);
  if (existsSync(libs)) return { libs };
  await withFileLock(
    cacheDir('locks', 'build-kafka'),
    async () => {
      if (!existsSync(libs)) await withProgress(`Fetching Kafka ${versions.kafka}`, () => fetchJars(libs));
    },
    () => process.stderr.write('Waiting for another process that fetches Kafka …\n'),
  );
  return { libs };
}

async function fetchJars(libs: string): Promise<void> {
  mkdirSync(cacheDir(), { recursive: true });
  const work = mkdtempSync(cacheDir('.kafka-'));
  const log = join(work, 'mvn.log');
  const jars = join(work, 'libs');
  const pom = join(import.meta.dirname, 'modules', 'kafka', 'pom.xml');
  try {
    const args = [
      '-B',
      '-ntp',
      '-f',
      pom,
      `-Dkafka.version=${versions.kafka}`,
      `-DoutputDirectory=${jars}`,
      copyGoal,
    ];
    await run('mvn', args, { logFile: log });
    renameSync(jars, libs);
  } catch (error) {
    throw new Error(
      `Fetching Kafka's jars failed (it needs Maven and Maven Central): ${(error as Error).message}\n${tailOf(log)}`,
      { cause: error },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
