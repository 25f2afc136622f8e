import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, run } from '../tools/index.ts';
import { hasImage } from './base-image.ts';
import { nodes, paths } from './config.ts';
import type { LabNode } from './config.ts';
import type { BuiltImage } from './images.ts';
import { exportLayout, mergeLayouts, readManifest } from './layout.ts';

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
  // In the cache, so that its blobs can be links.
  const work = mkdtempSync(cacheDir('images', '.load-'));
  try {
    mergeLayouts(wanted, work);
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
  const work = mkdtempSync(cacheDir('images', '.load-'));
  try {
    const layout = join(work, 'layout');
    await exportLayout(nameOrArchive, layout);
    await loadImages([{ reference: nameOrArchive, layout }]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
