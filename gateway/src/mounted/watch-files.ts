import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';

/** How often is looked even if nothing was seen to change: watches miss things, such as a directory made later. */
const POLL_MS = 1_000;

/**
 * Calls `check` now, when something in one of the directories may have changed, and every second. Never runs it twice
 * at once; a change during a run causes another one. `check` must not reject. Returns a function that ends it.
 */
export function watchFiles(directories: string[], check: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const run = async (): Promise<void> => {
    again = running;
    if (running) return;
    running = true;
    await check().finally(() => (running = false));
    if (again) await run();
  };
  const watchers = directories.map((directory) => tryToWatch(directory, () => void run()));
  const timer = setInterval(() => void run(), POLL_MS);
  void run();
  return () => {
    clearInterval(timer);
    for (const watcher of watchers) watcher?.close();
  };
}

/** Undefined where it cannot be watched: the interval does the work there. */
function tryToWatch(directory: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, changed);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
