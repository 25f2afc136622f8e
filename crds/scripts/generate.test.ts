import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { root } from './crd.ts';

const TYPES = 'crds/src/messageplatform.ts';
const REFERENCE = 'docs/api.md';
const CHART = 'charts/causeway/crds/messageplatforms.causeway.dev.yaml';
const CRD = 'crds/messageplatforms.causeway.dev.yaml';
/** What is generated from the other CRD, which the tests leave alone. */
const OTHERS = [
  'crds/zonefailovers.causeway.dev.yaml',
  'crds/src/zonefailover.ts',
  'docs/api-zonefailover.md',
  'charts/causeway/crds/zonefailovers.causeway.dev.yaml',
  'crds/drillschedules.causeway.dev.yaml',
  'crds/src/drillschedule.ts',
  'docs/api-drillschedule.md',
  'charts/causeway/crds/drillschedules.causeway.dev.yaml',
];

function generate(repository: string, ...args: string[]): { status: number | null; output: string } {
  const result = spawnSync(process.execPath, [join(repository, 'crds/scripts/generate.ts'), ...args], {
    encoding: 'utf8',
  });
  return { status: result.status, output: result.stdout + result.stderr };
}

describe('what is generated from the CRD', () => {
  it('is up to date in the repository', () => {
    const { status, output } = generate(root, '--check');
    assert.equal(status, 0, output);
  });

  describe('in a copy of the repository', () => {
    let copy: string;
    const read = (file: string): string => readFileSync(join(copy, file), 'utf8');
    const edit = (file: string, from: string, to: string): void => {
      const text = read(file);
      assert.ok(text.includes(from), `${file} has "${from}"`);
      writeFileSync(join(copy, file), text.replace(from, to));
    };

    before(() => {
      copy = mkdtempSync(join(tmpdir(), 'causeway-crds-'));
      const config = ['package.json', '.prettierrc.json'];
      for (const file of ['crds/scripts', ...config, CRD, TYPES, REFERENCE, CHART, ...OTHERS]) {
        cpSync(join(root, file), join(copy, file), { recursive: true });
      }
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    });
    after(() => rmSync(copy, { recursive: true, force: true }));

    it('is stale after an edit of the CRD: --check names every file, writes none, and says what to run', () => {
      edit(CRD, 'description: Connections that one pod takes.', 'description: Connections that a pod takes.');
      const untouched = [TYPES, REFERENCE, CHART].map(read);
      const { status, output } = generate(copy, '--check');
      assert.equal(status, 1, output);
      for (const file of [TYPES, REFERENCE, CHART]) assert.ok(output.includes(file), output);
      assert.match(output, /Run: npm run generate -w crds/);
      assert.deepEqual([TYPES, REFERENCE, CHART].map(read), untouched);
    });

    it('follows the CRD when it is generated, and is then up to date', () => {
      assert.equal(generate(copy).status, 0);
      assert.match(read(TYPES), /Connections that a pod takes\./);
      assert.match(read(REFERENCE), /Connections that a pod takes\./);
      assert.equal(read(CHART), read(CRD));
      assert.equal(generate(copy, '--check').status, 0);
      assert.match(generate(copy).output, /^Nothing to write/);
    });

    it('is stale after an edit by hand of one file', () => {
      edit(TYPES, "runtime: 'Bun' | 'Node'", 'runtime: string');
      const { status, output } = generate(copy, '--check');
      assert.equal(status, 1);
      assert.match(output, /^Stale: crds\/src\/messageplatform\.ts\./);
    });
  });
});

describe('the reference', () => {
  const reference = readFileSync(join(root, REFERENCE), 'utf8');

  it('shows a field with its type, its default and what it is', () => {
    assert.match(
      reference,
      /^\| `burst` +\| integer, 1 to 1000000 +\| `400` +\| Publications that one user/m,
    );
    assert.match(
      reference,
      /^\| `partitions` +\| integer, 1 to 1000 +\| `6` +\| Partitions\. They can grow/m,
    );
    assert.match(reference, /^\| `automatic` +\| boolean +\| `false` +\|/m);
    assert.match(reference, /^\| `homeZone` +\| text, up to 32 characters +\| \*\*required\*\* +\|/m);
  });

  it('has a heading for every link to one', () => {
    const headings = [...reference.matchAll(/^## (.*)$/gm)].map(([, heading]) =>
      (heading ?? '')
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    );
    const links = [...reference.matchAll(/\]\(#([^)]*)\)/g)].map(([, link]) => link ?? '');
    assert.ok(links.length > 20);
    assert.deepEqual(
      links.filter((link) => !headings.includes(link)),
      [],
    );
  });
});
