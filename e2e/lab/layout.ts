import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { buildah } from './base-image.ts';

/** One entry of an OCI image index (OCI image spec, descriptor.md). */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

interface Index {
  schemaVersion: 2;
  manifests: Descriptor[];
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

function blobs(layout: string): string {
  return join(layout, 'blobs', 'sha256');
}

/** The image in a layout that holds one. */
export function readManifest(layout: string): Descriptor {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as Index;
  const [manifest] = index.manifests;
  if (!manifest) throw new Error(`${layout} holds no image`);
  return manifest;
}

function writeIndex(layout: string, manifests: Descriptor[]): void {
  const index: Index = { schemaVersion: 2, manifests };
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

/**
 * Writes an image of buildah's storage as an OCI layout whose layers aren't compressed: three nodes unpack them, and
 * they never travel. (buildah's own `oci:` transport always compresses, its `dir:` doesn't.) A layer that a
 * neighbour of the layout has already is linked to that.
 */
export async function exportLayout(
  reference: string,
  layout: string,
  options: { logFile?: string } = {},
): Promise<void> {
  const work = mkdtempSync(`${layout}-`);
  try {
    await buildah(['push', '--disable-compression', '--format', 'oci', reference, `dir:${work}`], options);
    const next = join(work, 'layout');
    mkdirSync(blobs(next), { recursive: true });
    const manifest = readFileSync(join(work, 'manifest.json'));
    const digest = createHash('sha256').update(manifest).digest('hex');
    for (const name of readdirSync(work).filter((entry) => /^[0-9a-f]{64}$/.test(entry))) {
      renameSync(join(work, name), join(blobs(next), name));
    }
    writeFileSync(join(blobs(next), digest), manifest);
    writeIndex(next, [{ mediaType: manifestType, digest: `sha256:${digest}`, size: manifest.length }]);
    shareBlobs(next, dirname(layout));
    renameSync(next, layout);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Replaces blobs that other layouts in a folder have too by links to theirs. */
function shareBlobs(layout: string, folder: string): void {
  for (const name of readdirSync(blobs(layout))) {
    const path = join(blobs(layout), name);
    const other = readdirSync(folder)
      .map((entry) => join(blobs(join(folder, entry)), name))
      .find((candidate) => candidate !== path && existsSync(candidate));
    if (!other) continue;
    linkSync(other, `${path}.link`);
    renameSync(`${path}.link`, path);
  }
}

/** One layout out of several images: each blob once. containerd takes an image's name from the annotation. */
export function mergeLayouts(images: readonly { reference: string; layout: string }[], folder: string): void {
  mkdirSync(blobs(folder), { recursive: true });
  const manifests: Descriptor[] = [];
  for (const { reference, layout } of images) {
    const annotations = {
      'io.containerd.image.name': reference,
      'org.opencontainers.image.ref.name': reference,
    };
    manifests.push({ ...readManifest(layout), annotations });
    for (const blob of readdirSync(blobs(layout))) {
      if (!existsSync(join(blobs(folder), blob)))
        linkSync(join(blobs(layout), blob), join(blobs(folder), blob));
    }
  }
  writeIndex(folder, manifests);
}
