import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { run } from '../tools/index.ts';
import { buildah, hasImage } from './base-image.ts';
import { labPath, nodes, paths } from './config.ts';
import type { LabNode } from './config.ts';
import type { BuiltImage } from './images.ts';

/** The part of an OCI image index that we read and write (OCI image spec, image-index.md). */
interface Index {
  schemaVersion: 2;
  manifests: { mediaType: string; digest: string; size: number; annotations?: Record<string, string> }[];
}

function readManifest(layout: string): Index['manifests'][number] {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as Index;
  const [manifest] = index.manifests;
  if (!manifest) throw new Error(`${layout} holds no image`);
  return manifest;
}

/** The digests that a node has, by image reference. Lines are: reference, media type, digest, … Pure. */
export function parseImageList(text: string): Map<string, string> {
  const rows = text
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/));
  return new Map(
    rows.filter((row) => row.length > 2).map(([reference = '', , digest = '']) => [reference, digest]),
  );
}

function ctr(node: LabNode, ...args: string[]): Promise<{ stdout: string }> {
  return run('ctr', ['--address', paths.containerdSocket(node), '--namespace', 'k8s.io', ...args]);
}

/**
 * Puts built images on nodes, in parallel; a node that has the same digests is skipped. They go as one archive, in
 * which layers that images share are there once. Returns how much there was to do, in words.
 */
export async function loadImages(
  images: readonly BuiltImage[],
  onto: readonly LabNode[] = nodes,
): Promise<string> {
  const missing = await Promise.all(onto.map((node) => missingImages(node, images)));
  const wanted = images.filter((image) => missing.some((list) => list.includes(image)));
  if (wanted.length === 0) return 'every node has them';
  const work = mkdtempSync(labPath('.load-'));
  try {
    writeMergedLayout(wanted, work);
    const archive = join(work, 'images.tar');
    await run('tar', ['-cf', archive, '-C', work, 'oci-layout', 'index.json', 'blobs']);
    const needy = onto.filter((_node, index) => missing[index]?.length);
    await Promise.all(needy.map((node) => ctr(node, 'images', 'import', '--digests=false', archive)));
    return `${wanted.length} onto ${needy.length} nodes`;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function missingImages(node: LabNode, images: readonly BuiltImage[]): Promise<BuiltImage[]> {
  const present = parseImageList((await ctr(node, 'images', 'ls')).stdout);
  return images.filter((image) => present.get(image.reference) !== readManifest(image.layout).digest);
}

/** One OCI layout out of several: each blob once. containerd takes the name from this annotation. */
function writeMergedLayout(images: readonly BuiltImage[], folder: string): void {
  const blobs = join(folder, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const index: Index = { schemaVersion: 2, manifests: [] };
  for (const { reference, layout } of images) {
    const annotations = {
      'io.containerd.image.name': reference,
      'org.opencontainers.image.ref.name': reference,
    };
    index.manifests.push({ ...readManifest(layout), annotations });
    for (const blob of readdirSync(join(layout, 'blobs', 'sha256'))) {
      if (!existsSync(join(blobs, blob))) linkSync(join(layout, 'blobs', 'sha256', blob), join(blobs, blob));
    }
  }
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

/** Loads what a person names: an archive (docker or OCI), or an image in the lab's build storage. */
export async function loadNamed(nameOrArchive: string): Promise<void> {
  if (existsSync(nameOrArchive)) {
    await Promise.all(nodes.map((node) => ctr(node, 'images', 'import', '--digests=false', nameOrArchive)));
    return;
  }
  if (!(await hasImage(nameOrArchive))) {
    throw new Error(
      `${nameOrArchive} is neither a file nor an image that build-images made. ` +
        `Save it first: docker save ${nameOrArchive} -o image.tar, then load-image image.tar`,
    );
  }
  const work = mkdtempSync(labPath('.load-'));
  try {
    const layout = join(work, 'layout');
    await buildah(['push', '--disable-compression', nameOrArchive, `oci:${layout}:${nameOrArchive}`]);
    await loadImages([{ reference: nameOrArchive, layout }]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
