/** operator/build.ts: makes operator/dist/main.js, one file for Node. Imports only esbuild, Node and crds/scripts. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { inlineEtcdSchema } from '../crds/scripts/inline-etcd-schema.ts';

const outDir = join(import.meta.dirname, 'dist');

/** The CommonJS packages in the bundle call require() for Node's own modules. */
const banner = `#!/usr/bin/env node
import { createRequire as causewayCreateRequire } from 'node:module';
const require = causewayCreateRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = import.meta.dirname;`;

await mkdir(outDir, { recursive: true });
await writeFile(join(outDir, 'package.json'), '{ "type": "module" }\n');
await build({
  entryPoints: [join(import.meta.dirname, 'src', 'main.ts')],
  outfile: join(outDir, 'main.js'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  keepNames: true,
  // Less source is less memory; names stay, so that stack traces can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  plugins: [inlineEtcdSchema],
  banner: { js: banner },
  logLevel: 'warning',
});
// It is a program: `causeway`, and `kubectl causeway` under the name kubectl-causeway.
await chmod(join(outDir, 'main.js'), 0o755);
