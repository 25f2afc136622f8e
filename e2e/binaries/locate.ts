import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheDir, run } from '../tools/index.ts';
import { catalog, reportsVersion, versionOf } from './catalog.ts';
import type { BinaryName } from './catalog.ts';

/** Where our own build of a binary is, or will be. */
export function cachedPath(name: BinaryName): string {
  return cacheDir('bin', `${name}-${versionOf(name)}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there or not ours to run: either way not a candidate.
    return false;
  }
}

async function hasVersion(path: string, name: BinaryName): Promise<boolean> {
  try {
    const { stdout, stderr } = await run(path, catalog[name].versionArgs, { timeoutMs: 20_000 });
    return reportsVersion(stdout + stderr, versionOf(name));
  } catch {
    // A binary that can't tell its version isn't the one that we want.
    return false;
  }
}

/**
 * The path of a binary of the right version that is already there: in KUBEBUILDER_ASSETS, in our cache, or on PATH,
 * in this order. `undefined` when it has to be built.
 */
export async function locate(name: BinaryName): Promise<string | undefined> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets) {
    const path = join(assets, name);
    if (isExecutable(path) && (await hasVersion(path, name))) return path;
  }
  const cached = cachedPath(name);
  if (isExecutable(cached)) return cached;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, name);
    if (isExecutable(path) && (await hasVersion(path, name))) return path;
  }
  return undefined;
}
