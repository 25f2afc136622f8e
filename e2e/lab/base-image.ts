import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, run, tailOf, withFileLock, withProgress } from '../tools/index.ts';

/** The Debian release that images start from. */
export const baseSuite = 'bookworm';

/** The base image's reference in buildah's storage. */
export const baseReference = 'localhost/causeway/base:12';

/** buildah with its own storage in the cache: nothing of the machine's own containers is touched. */
export function buildah(
  args: readonly string[],
  options: { cwd?: string; logFile?: string } = {},
): Promise<{ stdout: string }> {
  const storage = ['--root', cacheDir('buildah', 'storage'), '--runroot', '/run/causeway-buildah'];
  return run('buildah', [...storage, ...args], options);
}

/** Debian packages cost space on three nodes: no documentation, no translations. */
const exclude = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** Makes the local base image unless it is there. Needs mmdebstrap, buildah and Debian's mirror. */
export async function ensureBaseImage(): Promise<void> {
  await withFileLock(cacheDir('locks', 'image-base'), async () => {
    if (await hasImage(baseReference)) return;
    await withProgress('Building the base image', buildBase);
  });
}

/** Whether buildah's storage has an image. */
export async function hasImage(reference: string): Promise<boolean> {
  const { stdout } = await buildah(['images', '--format', '{{.Name}}:{{.Tag}}']);
  return stdout.split('\n').includes(reference);
}

async function buildBase(): Promise<void> {
  mkdirSync(cacheDir('images'), { recursive: true });
  const rootfs = cacheDir('images', `rootfs-${baseSuite}.tar`);
  const work = mkdtempSync(cacheDir('images', '.base-'));
  const log = join(work, 'build.log');
  try {
    if (!existsSync(rootfs)) {
      const mirror = process.env['CAUSEWAY_DEBIAN_MIRROR'] || 'http://deb.debian.org/debian';
      const options = exclude.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
      await run(
        'mmdebstrap',
        [
          '--variant=apt',
          '--include=ca-certificates',
          ...options,
          baseSuite,
          join(work, 'rootfs.tar'),
          mirror,
        ],
        { logFile: log },
      );
      renameSync(join(work, 'rootfs.tar'), rootfs);
    }
    const context = cacheDir('images');
    const dockerfile = join(import.meta.dirname, 'images', 'base', 'Dockerfile');
    await run('ln', ['-f', rootfs, join(work, 'rootfs.tar')]);
    await run('cp', [dockerfile, work]);
    await buildah(['bud', '--isolation', 'chroot', '--layers', '-t', baseReference, work], {
      cwd: context,
      logFile: log,
    });
  } catch (error) {
    throw new Error(`Building the base image failed: ${(error as Error).message}\n${tailOf(log)}`, {
      cause: error,
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
