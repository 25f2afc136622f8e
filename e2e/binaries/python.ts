import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { cacheDir, run, withFileLock, withProgress } from '../tools/index.ts';

/**
 * A Python that has exactly these packages from PyPI, made once into the cache: the path of its `python`. `pins` are
 * pip's, as `h2==4.4.1`, and name every package that comes with another. Needs `python3` with `venv` the first time.
 */
export async function ensurePython(pins: readonly string[]): Promise<string> {
  const requirements = `${[...pins].sort().join('\n')}\n`;
  const name = `python-${createHash('sha256').update(requirements).digest('hex').slice(0, 12)}`;
  const venv = cacheDir(name);
  // Its scripts name the folder, so it cannot be renamed into place; this says that it is whole.
  const whole = `${venv}.txt`;
  if (!existsSync(whole)) {
    await withFileLock(
      cacheDir('locks', name),
      async () => {
        if (!existsSync(whole))
          await withProgress(`Fetching ${pins.join(', ')}`, () => make(venv, whole, requirements));
      },
      () => process.stderr.write('Waiting for another process that fetches Python packages …\n'),
    );
  }
  return `${venv}/bin/python`;
}

async function make(venv: string, whole: string, requirements: string): Promise<void> {
  mkdirSync(cacheDir(), { recursive: true });
  rmSync(venv, { recursive: true, force: true });
  const list = `${venv}.new`;
  try {
    await run('python3', ['-m', 'venv', venv]);
    writeFileSync(list, requirements);
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:'];
    await run(`${venv}/bin/python`, ['-m', 'pip', 'install', ...quiet, '-r', list]);
  } catch (error) {
    throw new Error(
      `Fetching Python packages failed (it needs python3 with venv, Debian: python3-venv, and PyPI): ` +
        (error as Error).message,
      { cause: error },
    );
  }
  renameSync(list, whole);
}
