/** A process for the leader election test: leads when it can, and writes as fast as it can while it may. */
import {
  createLogger,
  HttpKubeApi,
  LeaderElector,
  loadKubeConfig,
  stopOnSignals,
  systemClock,
} from '../index.ts';
import type { KubeObject } from '../index.ts';

const [identity = '', namespace = ''] = process.argv.slice(2);
const log = createLogger({ level: 'warn' });
const { signal: stop, dispose } = stopOnSignals();
const api = new HttpKubeApi({ load: () => loadKubeConfig(), attempts: 1 });
const elector = new LeaderElector({
  api,
  clock: systemClock,
  lease: { namespace, name: 'elect' },
  identity,
  leaseDurationMs: 5_000,
  renewDeadlineMs: 3_000,
  retryPeriodMs: 500,
  log,
});
const guarded = api.fencedBy(() => elector.fence());
const kind = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };

const end = await elector.run(stop, async ({ lost }) => {
  process.stdout.write('leading\n');
  for (let write = 1; !stop.aborted && !lost.aborted; write += 1) {
    const object: KubeObject & { data: Record<string, string> } = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name: 'written' },
      data: { by: identity, write: String(write) },
    };
    try {
      await guarded.apply(kind, object);
    } catch (error) {
      process.stdout.write(`refused ${(error as Error).name}\n`);
    }
    await systemClock.sleep(10);
  }
});
process.stdout.write(`${end}\n`);
dispose();
api.close();
