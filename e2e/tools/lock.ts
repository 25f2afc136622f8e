import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Runs `work` while holding an exclusive lock on `file` against other processes and other calls.
 * The lock is the kernel's (flock(1) from util-linux, held open by a pipe to this process), so that it is
 * gone when this process is, however it ended: there is no stale lock to break.
 * `onWait` is called once when another holder makes us wait.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  // Its own session, so that a Ctrl-C at the terminal doesn't drop the lock before the work has cleaned up.
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const waiting = setTimeout(() => onWait?.(), 500);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.on('error', (error) =>
        reject(new Error(`flock (Debian package util-linux) can't start: ${error.message}`)),
      );
      holder.on('exit', (code) => reject(new Error(`flock on ${file} ended with ${code}`)));
      holder.stdout.once('data', () => resolve());
    });
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    holder.removeAllListeners('exit');
    holder.stdin.end();
  }
}
