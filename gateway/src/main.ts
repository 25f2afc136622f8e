/**
 * gateway/src: the data plane, one program with two commands. main.ts is the command line; it imports serve/ and
 * replicate/, each only when it is asked for.
 */
import { Command } from 'commander';
import { MOUNT } from '@causeway/crds';
import { ConfigError } from './config/index.ts';

/** Exit code of a configuration that cannot work; a restart does not help. */
const EXIT_BAD_CONFIG = 2;

const program = new Command('causeway-gateway').description(
  'Realtime WebSocket gateway and etcd replicator of a Causeway platform',
);

program
  .command('serve')
  .description('serve WebSocket clients')
  .option('--config <file>', 'configuration', `${MOUNT.config}/gateway.json`)
  .action(async ({ config }: { config: string }) => {
    const { serve } = await import('./serve/index.ts');
    await serve(config);
  });

program
  .command('replicate')
  .description("replicate the home zone's etcd into this zone's")
  .option('--config <file>', 'configuration', `${MOUNT.config}/replicator.json`)
  .action(async ({ config }: { config: string }) => {
    const { replicate } = await import('./replicate/index.ts');
    await replicate(config);
  });

try {
  await program.parseAsync();
} catch (error) {
  const bad = error instanceof ConfigError;
  console.error(
    `causeway-gateway: ${error instanceof Error ? (bad ? error.message : error.stack) : String(error)}`,
  );
  process.exit(bad ? EXIT_BAD_CONFIG : 1);
}
