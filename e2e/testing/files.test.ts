import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { levelOf, testFiles } from './files.ts';

const root = join(import.meta.dirname, '../..');

describe('the test files', () => {
  it('are found, and none is in two stages', () => {
    const unit = testFiles('unit', root);
    const int = testFiles('int', root);
    assert.ok(unit.includes('e2e/testing/files.test.ts'));
    assert.ok(int.length > 0);
    assert.deepEqual(
      unit.filter((file) => int.includes(file)),
      [],
    );
    for (const file of [...unit, ...int]) assert.ok(existsSync(join(root, file)), file);
  });

  it('of the lab say their level', () => {
    assert.equal(levelOf('e2e/scenarios/1-scale.lab.ts'), 1);
    assert.throws(() => levelOf('e2e/scenarios/scale.lab.ts'), /starts with its level/);
  });
});
