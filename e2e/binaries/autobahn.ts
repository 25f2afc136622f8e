import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, run, tailOf, withFileLock, withProgress } from '../tools/index.ts';

/** The last Debian with Python 2.7, which the suite needs. */
const SUITE = 'bullseye';
/** The compiler is for `wsaccel`, which masks and checks UTF-8 in C: in Python, messages of 16 MB take minutes. */
const PACKAGES = 'python2.7,python2.7-dev,python-pip-whl,python-setuptools,gcc,libc6-dev,ca-certificates';
const EXCLUDED = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*'];
const recipe = join(import.meta.dirname, 'modules', 'autobahn');

/**
 * The folder of a small Debian with the Autobahn WebSocket test suite (`chroot <folder> wstest`), made once into the
 * cache. Needs root, mmdebstrap, Debian's mirror (CAUSEWAY_DEBIAN_MIRROR: another one) and PyPI the first time.
 */
export async function ensureAutobahn(): Promise<string> {
  const script = readFileSync(join(recipe, 'install.sh'));
  const pins = readFileSync(join(recipe, 'requirements.txt'));
  const version = createHash('sha256')
    .update(PACKAGES)
    .update(script)
    .update(pins)
    .digest('hex')
    .slice(0, 12);
  const root = cacheDir(`autobahn-${version}`);
  if (existsSync(root)) return root;
  await withFileLock(
    cacheDir('locks', 'autobahn'),
    async () => {
      if (!existsSync(root)) await withProgress('Making a root for the Autobahn suite', () => make(root));
    },
    () => process.stderr.write('Waiting for another process that makes a root for the Autobahn suite …\n'),
  );
  return root;
}

/** Made beside its place, so that it arrives whole, by a rename, or not at all. */
async function make(root: string): Promise<void> {
  mkdirSync(cacheDir(), { recursive: true });
  const work = mkdtempSync(cacheDir('.autobahn-'));
  const log = join(work, 'build.log');
  const mirror = process.env['CAUSEWAY_DEBIAN_MIRROR'] || 'http://deb.debian.org/debian';
  const options = [
    '--mode=root',
    '--variant=apt',
    `--include=${PACKAGES}`,
    ...EXCLUDED.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    `--customize-hook=${PREPARE}`,
    // Nothing of this machine's Python leads astray what runs in there; only where packages come from is passed on.
    `--customize-hook=env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 ` +
      `PIP_INDEX_URL="\${PIP_INDEX_URL:-https://pypi.org/simple}" chroot "$1" sh /opt/autobahn/install.sh`,
  ];
  try {
    await run('mmdebstrap', [...options, SUITE, join(work, 'root'), mirror], {
      logFile: log,
      env: { RECIPE: recipe, TRUSTED: process.env['PIP_CERT'] ?? process.env['SSL_CERT_FILE'] ?? '' },
    });
    renameSync(join(work, 'root'), root);
  } catch (error) {
    throw new Error(
      `Making a root for the Autobahn suite failed (it needs root, mmdebstrap, Debian's mirror and PyPI): ` +
        `${(error as Error).message}\n${tailOf(log)}`,
      { cause: error },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Brings the recipe in, and the authorities that this machine's Python trusts when they are others than Debian's. */
const PREPARE =
  'cp -r "$RECIPE" "$1/opt/autobahn" && if [ -n "$TRUSTED" ]; then cp "$TRUSTED" "$1/opt/autobahn/ca.pem"; fi';
