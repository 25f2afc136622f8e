import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, run, tailOf, withFileLock, withProgress } from '../tools/index.ts';
import { versions } from './catalog.ts';

/** Jars; a Kafka broker's are run with `java -cp '<libs>/*' kafka.Kafka server.properties`. */
export interface KafkaLibs {
  /** Folder that holds every jar, and nothing else. */
  libs: string;
}

const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Kafka's jars with their dependencies, from Maven Central, once. Needs `mvn` (and a JDK for it) the first time. */
export function ensureKafka(): Promise<KafkaLibs> {
  return ensureJars('kafka', 'Kafka');
}

/** The jars of MirrorMaker 2, likewise. Run with `java -cp '<libs>/*' org.apache.kafka.connect.mirror.MirrorMaker mm2.properties`. */
export function ensureMirrorMaker(): Promise<KafkaLibs> {
  return ensureJars('mirror-maker', 'MirrorMaker');
}

async function ensureJars(module: 'kafka' | 'mirror-maker', title: string): Promise<KafkaLibs> {
  const libs = cacheDir(`${module}-${versions.kafka}`);
  if (existsSync(libs)) return { libs };
  await withFileLock(
    cacheDir('locks', `build-${module}`),
    async () => {
      if (!existsSync(libs))
        await withProgress(`Fetching ${title} ${versions.kafka}`, () => fetchJars(libs, module));
    },
    () => process.stderr.write(`Waiting for another process that fetches ${title} …\n`),
  );
  return { libs };
}

async function fetchJars(libs: string, module: string): Promise<void> {
  mkdirSync(cacheDir(), { recursive: true });
  const work = mkdtempSync(cacheDir('.kafka-'));
  const log = join(work, 'mvn.log');
  const jars = join(work, 'libs');
  const pom = join(import.meta.dirname, 'modules', module, 'pom.xml');
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
      `Fetching the jars of ${module} failed (it needs Maven and Maven Central): ${(error as Error).message}\n${tailOf(log)}`,
      { cause: error },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
