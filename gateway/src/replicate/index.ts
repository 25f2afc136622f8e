/**
 * gateway/src/replicate: copies the home zone's etcd into this zone's, revision by revision. May import config, etcd,
 * log, mounted, names, crds and npm packages; nothing else of the gateway.
 *
 * `plan`, `hold`, `checkpoint`, `diff` and `lag` decide and do no I/O; `target` and `snapshot` talk to etcd; `follow`,
 * `session` and `replicator` put them together.
 */
import { createLog } from '../log/index.ts';
import { names, sayWhenStale } from '../names/index.ts';
import { startAdmin } from './admin.ts';
import { loadReplicatorConfig } from './config.ts';
import { startReplicator } from './replicator.ts';
import { verifier } from './verify.ts';

/**
 * Runs the replicator that `configFile` (`replicator.json`) describes, until SIGTERM or SIGINT. Throws ConfigError for
 * a configuration that can't work; whatever goes wrong later is retried, and shown by the admin endpoint.
 */
export async function replicate(configFile: string): Promise<void> {
  const config = await loadReplicatorConfig(configFile);
  const { platform, namespace, zone, homeZone, epoch } = config;
  const log = createLog({ component: 'replicator', platform, namespace, zone, homeZone, epoch });
  sayWhenStale(names, log);
  const asked = stopAsked();
  const replicator = startReplicator(config, log);
  const ending = new AbortController();
  const verify = verifier(config, ending.signal);
  const admin = await startAdmin(config.listen.adminPort, replicator.status, verify);
  log.info('replicator started', { adminPort: admin.port });
  const signal = await asked;
  log.info('replicator stops', { signal });
  ending.abort();
  await replicator.stop();
  await admin.close();
}

/** Resolves with the signal that asks the process to end. */
function stopAsked(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
