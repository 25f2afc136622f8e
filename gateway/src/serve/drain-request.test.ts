import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Log } from '../log/index.ts';
import { DrainRequest, parseRate } from './drain-request.ts';

describe('a request to drain', () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-drain-'));
  const file = join(folder, 'annotations');
  after(() => rmSync(folder, { recursive: true }));

  it('has a rate: a decimal number over 0', () => {
    for (const [text, rate] of [
      ['200', 200],
      ['0.5', 0.5],
      ['100000', 100_000],
    ] as const)
      assert.equal(parseRate(text), rate);
    for (const text of ['', '0', '0.0', '-1', '1e3', '5/s', ' 5', '.5', 'NaN', 'Infinity', '100001'])
      assert.equal(parseRate(text), undefined, JSON.stringify(text));
  });

  it('is said to be wrong once, and counts as absent then', async () => {
    const warnings: unknown[] = [];
    const log = { warn: (_: string, { problem }: { problem: string }) => warnings.push(problem) };
    const request = new DrainRequest(file, log as unknown as Log);
    const write = (value: string): void => writeFileSync(file, `a="b"\ncauseway.dev/drain="${value}"\n`);
    assert.equal(await request.read(), undefined);
    assert.equal(warnings.length, 1, 'the file is missing');
    write('200');
    assert.equal(await request.read(), 200);
    rmSync(file);
    assert.equal(await request.read(), 200, 'what was read stays');
    write('fast');
    for (let times = 0; times < 3; times++) assert.equal(await request.read(), undefined);
    assert.equal(warnings.length, 3);
    assert.match(String(warnings[2]), /causeway\.dev\/drain must be clients per second.*it is "fast"/);
    writeFileSync(file, '');
    assert.equal(await request.read(), undefined);
    write('fast');
    await request.read();
    assert.equal(warnings.length, 4, 'it was right in between');
  });
});
