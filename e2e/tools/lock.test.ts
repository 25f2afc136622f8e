import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { withFileLock } from './lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'causeway-lock-'));
after(() => rmSync(folder, { recursive: true }));

test('two holders of one lock never overlap, and a failure releases it', async () => {
  const lock = join(folder, 'sub', 'lock');
  let inside = 0;
  const enter = async (): Promise<void> => {
    inside += 1;
    assert.equal(inside, 1, 'alone in the critical section');
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
  };
  await assert.rejects(
    withFileLock(lock, () => Promise.reject(new Error('broken'))),
    /broken/,
  );
  await Promise.all(Array.from({ length: 5 }, () => withFileLock(lock, enter)));
});

test('a lock that cannot be made says why', async () => {
  await assert.rejects(
    withFileLock(join(import.meta.filename, 'lock'), async () => undefined),
    /EEXIST|ENOTDIR/,
  );
});
