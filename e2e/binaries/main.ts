import { Command } from 'commander';
import { binaryNames, isBinaryName } from './catalog.ts';
import type { BinaryName } from './catalog.ts';
import { ensureBinaries } from './ensure.ts';
import { ensureKafka, ensureMirrorMaker } from './kafka.ts';

const everything = [...binaryNames, 'kafka', 'mirror-maker'];

async function ensure(names: readonly string[]): Promise<[string, string][]> {
  const wanted = names.length === 0 || names.includes('all') ? everything : names;
  const unknown = wanted.filter((name) => !everything.includes(name));
  if (unknown.length > 0) {
    throw new Error(`Unknown: ${unknown.join(', ')}. Give any of: ${everything.join(', ')}, or all.`);
  }
  const paths = await ensureBinaries(wanted.filter((name): name is BinaryName => isBinaryName(name)));
  const rows = Object.entries<string>(paths);
  if (wanted.includes('kafka')) rows.push(['kafka', (await ensureKafka()).libs]);
  if (wanted.includes('mirror-maker')) rows.push(['mirror-maker', (await ensureMirrorMaker()).libs]);
  return rows;
}

const program = new Command('binaries')
  .description(
    'Finds, or builds once into the cache, the binaries that tests and the lab run; prints their paths.',
  )
  .argument('[names...]', `any of ${everything.join(', ')}; default: all`)
  .addHelpText('after', '\nExample:\n  node e2e/binaries/main.ts kube-apiserver etcd')
  .action(async (names: string[]) => {
    const rows = await ensure(names);
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, path] of rows) process.stdout.write(`${name.padEnd(width)}  ${path}\n`);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
