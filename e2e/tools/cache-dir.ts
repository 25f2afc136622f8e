import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The per-user folder for what is built once and kept: binaries, jars, images.
 * `$XDG_CACHE_HOME/causeway`, or `~/.cache/causeway` (XDG Base Directory Specification).
 */
export function cacheDir(...parts: string[]): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'causeway', ...parts);
}
