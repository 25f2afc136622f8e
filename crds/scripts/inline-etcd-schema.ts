/** crds/scripts/inline-etcd-schema.ts: what both bundles, the operator's and the gateway's, need to carry etcd3. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * etcd3 reads its .proto files from its own package when it starts. A bundle has no package, so the parsed schema
 * goes into it instead: `loadSync(<file>, options)` becomes `fromJSON(<schema>, options)`.
 */
export const inlineEtcdSchema: Plugin = {
  name: 'inline-etcd-schema',
  setup(hooks) {
    hooks.onLoad({ filter: /etcd3[/\\]lib[/\\]connection-pool\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const call = 'loadSync)(`${__dirname}/../proto/rpc.proto`,';
      if (!source.includes(call))
        throw new Error(`${path}: does not load its schema as expected; adapt inline-etcd-schema.ts`);
      const schema = JSON.stringify(etcdSchema(path));
      return { contents: source.replace(call, () => `fromJSON)(${schema},`), loader: 'js' };
    });
  },
};

/** etcd3's schema as JSON, parsed by the very protobufjs that etcd3 gets. */
function etcdSchema(pathInEtcd3: string): unknown {
  const fromEtcd3 = createRequire(pathInEtcd3);
  const protobufjs = createRequire(fromEtcd3.resolve('@grpc/proto-loader'))('protobufjs') as {
    Root: new () => { loadSync(file: string, options: object): { toJSON(): unknown } };
  };
  const file = join(dirname(pathInEtcd3), '..', 'proto', 'rpc.proto');
  return new protobufjs.Root().loadSync(file, { keepCase: true }).toJSON();
}
