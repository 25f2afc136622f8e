/**
 * crds/scripts: what is generated from the CRDs (TypeScript types, the references in docs/, the chart's copies). Imports only
 * packages. `--check` writes nothing and fails when a generated file is stale.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { crdFile, readCrd, root, type Plural } from './crd.ts';
import { renderReference } from './reference.ts';
import { renderTypes } from './types.ts';

const COMMAND = 'npm run generate -w crds';

/** What is generated from each CRD: the name of its types' file, and of its reference. */
const KINDS: readonly { plural: Plural; types: string; reference: string }[] = [
  { plural: 'messageplatforms', types: 'messageplatform.ts', reference: 'api.md' },
  { plural: 'zonefailovers', types: 'zonefailover.ts', reference: 'api-zonefailover.md' },
  { plural: 'drillschedules', types: 'drillschedule.ts', reference: 'api-drillschedule.md' },
];

/** Formats as the repository is formatted, so that a generated file passes `prettier --check`. */
async function formatted(file: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(file)), filepath: file });
}

async function outputsOf({ plural, types, reference }: (typeof KINDS)[number]): Promise<[string, string][]> {
  const crd = readCrd(plural);
  const source = crdFile(plural);
  const notice = `Generated from ${relative(root, source)} by \`${COMMAND}\`. Do not edit.`;
  const typesFile = `${root}crds/src/${types}`;
  const referenceFile = `${root}docs/${reference}`;
  return [
    [typesFile, await formatted(typesFile, `// ${notice}\n${await renderTypes(crd)}`)],
    [referenceFile, await formatted(referenceFile, `<!-- ${notice} -->\n\n${renderReference(crd)}`)],
    [`${root}charts/causeway/crds/${plural}.causeway.dev.yaml`, readFileSync(source, 'utf8')],
  ];
}

async function outputs(): Promise<Map<string, string>> {
  return new Map((await Promise.all(KINDS.map(outputsOf))).flat());
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
