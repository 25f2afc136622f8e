/**
 * gateway/build.ts: makes gateway/dist/main.js, one file that runs on Node and on Bun without node_modules. With two
 * arguments, a file of ours and a folder: makes main.js of that one, there; for tests. Imports only esbuild, Node and
 * crds/scripts.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { inlineEtcdSchema } from '../crds/scripts/inline-etcd-schema.ts';

const here = import.meta.dirname;
const [entryPoint = join(here, 'src', 'main.ts'), outDir = join(here, 'dist')] = process.argv.slice(2);

/** The CommonJS packages in the bundle call require() for Node's modules, and some look at __dirname. */
const banner = `import { createRequire as causewayCreateRequire } from 'node:module';
const require = causewayCreateRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = import.meta.dirname;`;

await mkdir(outDir, { recursive: true });
const { outputFiles } = await build({
  entryPoints: [entryPoint],
  outfile: join(outDir, 'main.js'),
  write: false,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'es2024',
  keepNames: true,
  legalComments: 'none',
  // Optional accelerators of ws: native code, which a bundle for two runtimes cannot carry.
  external: ['bufferutil', 'utf-8-validate'],
  define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
  plugins: [inlineEtcdSchema],
  banner: { js: banner },
  logLevel: 'warning',
});
// Renamed into place, so that a process that starts meanwhile reads a whole file.
await replaceFile('package.json', '{ "type": "module" }\n');
for (const file of outputFiles) await replaceFile('main.js', file.contents);

async function replaceFile(name: string, contents: string | Uint8Array): Promise<void> {
  const temporary = join(outDir, `.${name}.${process.pid}`);
  await writeFile(temporary, contents);
  await rename(temporary, join(outDir, name));
}
