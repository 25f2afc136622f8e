import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { freemem, platform } from 'node:os';
import { dirname } from 'node:path';
import { binaryNames, versions } from '../binaries/index.ts';
import { locate } from '../binaries/locate.ts';
import { cacheDir, run, succeeds } from '../tools/index.ts';
import { labDir } from './config.ts';

/** What the machine is prepared for: the lab alone, or all tests, some of which run servers on loopback. */
export type Purpose = 'lab' | 'tests';

/** The Debian packages that the lab runs or builds with, by the program that proves them there. */
const labPackages: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  runc: 'runc',
  '/usr/lib/cni/ptp': 'containernetworking-plugins',
  buildah: 'buildah',
  mmdebstrap: 'mmdebstrap',
  nft: 'nftables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  ping: 'iputils-ping',
  nsenter: 'util-linux',
  openssl: 'openssl',
  sysctl: 'procps',
  mount: 'mount',
};

/** What the tests on loopback need besides. */
const testPackages: Readonly<Record<string, string>> = { 'redis-server': 'redis-server' };

/** One thing that the machine lacks, and what to do about it. */
export interface Lack {
  what: string;
  todo: string;
}

async function has(program: string): Promise<boolean> {
  return program.startsWith('/') ? existsSync(program) : succeeds('sh', ['-c', `command -v ${program}`]);
}

/** Debian packages whose programs aren't there. */
export async function missingPackages(purpose: Purpose = 'lab'): Promise<string[]> {
  const packages = purpose === 'lab' ? labPackages : { ...labPackages, ...testPackages };
  const missing: string[] = [];
  for (const [program, name] of Object.entries(packages)) if (!(await has(program))) missing.push(name);
  return missing;
}

/** The first two numbers of a version in a program's output, as 1.26 → [1, 26]. Pure. */
export function parseVersion(output: string): [number, number] | undefined {
  const match = /(\d+)\.(\d+)/.exec(output);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

async function goLack(): Promise<Lack[]> {
  const builtLater: readonly string[] = ['kwok', 'centrifuge', 'tlsclient', 'gatewayload', 'h2spec'];
  const built = await Promise.all(binaryNames.filter((name) => !builtLater.includes(name)).map(locate));
  if (built.every(Boolean)) return [];
  const todo =
    'install Go 1.26 or later from https://go.dev/dl (it builds Kubernetes from its module proxy, once)';
  if (!(await has('go'))) return [{ what: 'Go', todo }];
  const [major = 0, minor = 0] = parseVersion((await run('go', ['env', 'GOVERSION'])).stdout) ?? [];
  if (major > 1 || minor >= 26) return [];
  return [{ what: `Go 1.26 (there is ${major}.${minor})`, todo }];
}

async function mavenLack(): Promise<Lack[]> {
  if (existsSync(cacheDir(`kafka-${versions.kafka}`)) || (await has('mvn'))) return [];
  return [
    {
      what: 'Java and Maven',
      todo: 'apt-get install -y default-jdk-headless maven (it fetches Kafka, once)',
    },
  ];
}

async function packageLack(purpose: Purpose): Promise<Lack[]> {
  const missing = await missingPackages(purpose);
  if (missing.length === 0 || (await has('apt-get'))) return [];
  return [
    { what: missing.join(', '), todo: 'install them: this is not a Debian machine, so the lab cannot do it' },
  ];
}

function memoryAvailable(): number {
  const match = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return match ? Number(match[1]) * 1024 : freemem();
}

function spaceLack(folder: string, gibibytes: number): Lack[] {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const free = (bavail * bsize) / 2 ** 30;
  if (free >= gibibytes) return [];
  return [
    {
      what: `disk: ${gibibytes} GiB below ${folder} (${free.toFixed(1)} free)`,
      todo: 'free some, or move it elsewhere',
    },
  ];
}

function memoryLack(): Lack[] {
  const free = memoryAvailable() / 2 ** 30;
  if (free >= 4) return [];
  return [{ what: `memory: 4 GiB available (there are ${free.toFixed(1)})`, todo: 'end something else' }];
}

/**
 * Everything that the machine lacks for `purpose` and that cannot be installed for it, all at once; empty when it lacks
 * nothing.
 */
export async function findLacks(purpose: Purpose = 'lab'): Promise<Lack[]> {
  if (platform() !== 'linux') {
    return [
      {
        what: 'Linux',
        todo: 'run the lab in a Linux machine, or use another cluster: make demo CLUSTER=current',
      },
    ];
  }
  const root =
    process.getuid?.() === 0
      ? []
      : [{ what: 'root', todo: 'run it as root (network namespaces, containerd)' }];
  const [go, maven, debian] = await Promise.all([goLack(), mavenLack(), packageLack(purpose)]);
  const cold = go.length > 0 || !existsSync(cacheDir('bin'));
  return [
    ...root,
    ...go,
    ...maven,
    ...debian,
    ...spaceLack(cacheDir(), cold ? 12 : 2),
    ...spaceLack(labDir(), 5),
    ...memoryLack(),
  ];
}

/** The lacks as lines for a person. */
export function describeLacks(lacks: readonly Lack[]): string {
  return ['This machine lacks:', ...lacks.map(({ what, todo }) => `  - ${what}\n      ${todo}`)].join('\n');
}

/** Installs Debian packages, but starts none of the services that they bring: we run what we need ourselves. */
export async function installPackages(missing: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await withoutServices(async () => {
    await run('apt-get', ['update', '-q'], { env });
    await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
  });
}

/** Debian asks this program whether a service may be started; 101 means no (invoke-rc.d's policy layer). */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

async function withoutServices(install: () => Promise<void>): Promise<void> {
  // A machine that has a policy of its own keeps it.
  if (existsSync(SERVICE_POLICY)) return install();
  writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await install();
  } finally {
    rmSync(SERVICE_POLICY, { force: true });
  }
}
