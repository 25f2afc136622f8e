/**
 * crds/scripts: what is generated from the CRD (TypeScript types, docs/api.md, the chart's copy). Imports only
 * packages. `--check` writes nothing and fails when a generated file is stale.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { crdFile, readCrd, root } from './crd.ts';
import { renderReference } from './reference.ts';
import { renderTypes } from './types.ts';

const COMMAND = 'npm run generate -w crds';
const SOURCE = relative(root, crdFile);

/** Formats as the repository is formatted, so that a generated file passes `prettier --check`. */
async function formatted(file: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(file)), filepath: file });
}

async function outputs(): Promise<Map<string, string>> {
  const crd = readCrd();
  const notice = `Generated from ${SOURCE} by \`${COMMAND}\`. Do not edit.`;
  const types = `${root}crds/src/messageplatform.ts`;
  const reference = `${root}docs/api.md`;
  return new Map([
    [types, await formatted(types, `// ${notice}\n${await renderTypes(crd)}`)],
    [reference, await formatted(reference, `<!-- ${notice} -->\n\n${renderReference(crd)}`)],
    [`${root}charts/causeway/crds/messageplatforms.causeway.dev.yaml`, readFileSync(crdFile, 'utf8')],
  ]);
}

const files = await outputs();
const stale = [...files].filter(
  ([file, content]) => !existsSync(file) || readFileSync(file, 'utf8') !== content,
);
const names = stale.map(([file]) => relative(root, file)).join(', ');
if (process.argv.includes('--check')) {
  if (stale.length > 0) {
    console.error(`Stale: ${names}. Run: ${COMMAND}`);
    process.exitCode = 1;
  }
} else {
  for (const [file, content] of stale) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  console.log(stale.length > 0 ? `Wrote ${names}` : 'Nothing to write, all generated files are up to date');
}
