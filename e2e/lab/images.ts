import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, run, tailOf, withFileLock, withProgress } from '../tools/index.ts';
import { baseReference, buildah, ensureBaseImage } from './base-image.ts';
import { imageKey, keyedReference, writeContext } from './image-catalog.ts';
import type { ImageSpec } from './image-catalog.ts';
import { exportLayout } from './layout.ts';

/** An image that is built: an OCI layout (a folder with blobs/, index.json) in the cache. */
export interface BuiltImage {
  reference: string;
  layout: string;
}

/** Builds an image unless the cache has it from the same inputs. */
export async function ensureImage(image: ImageSpec): Promise<BuiltImage> {
  const key = await imageKey(image);
  const built = { reference: keyedReference(image, key), layout: cacheDir('images', `${image.name}-${key}`) };
  if (!existsSync(built.layout)) {
    if (image.usesBase) await ensureBaseImage();
    await withFileLock(cacheDir('locks', `image-${image.name}`), async () => {
      if (!existsSync(built.layout))
        await withProgress(`Building image ${image.name}`, () => build(image, built));
    });
  }
  return built;
}

/** Builds images one after the other: each build keeps the disk and the cores busy by itself. */
export async function ensureImages(images: readonly ImageSpec[]): Promise<BuiltImage[]> {
  const built: BuiltImage[] = [];
  for (const image of images) built.push(await ensureImage(image));
  return built;
}

async function build(image: ImageSpec, { reference, layout }: BuiltImage): Promise<void> {
  mkdirSync(cacheDir('images'), { recursive: true });
  const work = mkdtempSync(cacheDir('images', `.${image.name}-`));
  const log = join(work, 'build.log');
  const context = join(work, 'context');
  mkdirSync(context);
  try {
    await writeContext(image, context);
    const args = ['bud', '--isolation', 'chroot', '--network', 'host', '--layers', '-t', reference];
    if (image.usesBase) args.push('--build-arg', `BASE=${baseReference}`);
    if (image.target) args.push('--target', image.target);
    await buildah([...args, context], { logFile: log });
    dropOlder(image.name);
    await exportLayout(reference, layout, { logFile: log });
  } catch (error) {
    throw new Error(`Building the image ${image.name} failed: ${(error as Error).message}\n${tailOf(log)}`, {
      cause: error,
    });
  } finally {
    // buildah leaves files that even root must be allowed to delete first; rm copes.
    await run('rm', ['-rf', work]);
  }
}

/** Only the newest build of an image is worth its space. */
function dropOlder(name: string): void {
  for (const entry of readdirSync(cacheDir('images'))) {
    if (new RegExp(`^${name}-[0-9a-f]{16}$`).test(entry))
      rmSync(cacheDir('images', entry), { recursive: true });
  }
}
