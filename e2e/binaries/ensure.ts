import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, run, tailOf, withFileLock, withProgress } from '../tools/index.ts';
import { catalog, linkFlags, versions } from './catalog.ts';
import type { BinaryName, ModuleName } from './catalog.ts';
import { cachedPath, locate } from './locate.ts';

/**
 * The path of a binary of our version: found (KUBEBUILDER_ASSETS, cache, PATH) or built now from the Go module
 * proxy, with progress on standard error. Throws with the end of the build's log when the build fails.
 */
export async function ensureBinary(name: BinaryName): Promise<string> {
  const found = await ensureBinaries([name]);
  return found[name];
}

/** Several binaries, see {@link ensureBinary}. What comes from one Go module is built by one go invocation. */
export async function ensureBinaries<N extends BinaryName>(names: readonly N[]): Promise<Record<N, string>> {
  const paths: Partial<Record<BinaryName, string>> = {};
  const missing = new Map<ModuleName, BinaryName[]>();
  for (const name of names) {
    const path = await locate(name);
    if (path) paths[name] = path;
    else missing.set(catalog[name].module, [...(missing.get(catalog[name].module) ?? []), name]);
  }
  // One after the other: each go build already uses every core.
  for (const [module, wanted] of missing) {
    await buildMissing(module, wanted);
    for (const name of wanted) paths[name] = cachedPath(name);
  }
  return paths as Record<N, string>;
}

async function buildMissing(module: ModuleName, wanted: readonly BinaryName[]): Promise<void> {
  const label = `${module} ${versions[module]} (${wanted.join(', ')})`;
  await withFileLock(
    cacheDir('locks', `build-${module}`),
    async () => {
      const still: BinaryName[] = [];
      for (const name of wanted) if (!(await locate(name))) still.push(name);
      if (still.length > 0) await withProgress(`Building ${label}`, () => build(module, still));
    },
    () => process.stderr.write(`Waiting for another process that builds ${module} …\n`),
  );
}

/** Builds in a folder beside the result, so that each binary arrives whole, by a rename, or not at all. */
async function build(module: ModuleName, names: readonly BinaryName[]): Promise<void> {
  mkdirSync(cacheDir('bin'), { recursive: true });
  const work = mkdtempSync(cacheDir('bin', `.build-${module}-`));
  const log = join(work, 'build.log');
  try {
    cpSync(join(import.meta.dirname, 'modules', module), work, { recursive: true });
    const packages = names.map((name) => catalog[name].package);
    const args = ['build', '-trimpath', '-ldflags', linkFlags(module), '-o', 'out/', ...packages];
    try {
      mkdirSync(join(work, 'out'));
      await run('go', args, {
        cwd: work,
        logFile: log,
        env: { CGO_ENABLED: '0', GOWORK: 'off', GOOS: undefined, GOARCH: undefined },
      });
    } catch (error) {
      throw new Error(
        `Building ${names.join(', ')} with Go failed (it needs Go 1.26 or later and the Go module proxy): ` +
          `${(error as Error).message}\n${tailOf(log)}`,
        { cause: error },
      );
    }
    for (const name of names) renameSync(join(work, 'out', catalog[name].output), cachedPath(name));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
