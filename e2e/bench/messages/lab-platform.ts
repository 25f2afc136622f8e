/** A platform of our own in the lab, apart from whatever else runs there. */
import { WEBSOCKET_PATH } from '@causeway/crds';
import { gatewayPods, platformAccess, tokenFor, waitReady, type Kube } from '../../platform/index.ts';
import { BENCH, platformManifest, removePlatform } from '../common/lab.ts';
import type { Contestant } from './contestants.ts';

/** A platform like examples/orders.yaml with that runtime, and a door in each zone. */
export async function labPlatform(kube: Kube, runtime: 'Bun' | 'Node'): Promise<Contestant> {
  await removePlatform(kube);
  const stop = (): Promise<void> => removePlatform(kube);
  try {
    await kube.kubectl(['apply', '-f', '-'], { input: platformManifest(runtime) });
    await waitReady(kube, BENCH, { timeoutMs: 300_000 });
    const access = await platformAccess(kube, BENCH.namespace, BENCH.name);
    const token = await tokenFor(access, 'bench', { tier: 'vip' });
    const pods = await gatewayPods(kube, BENCH);
    return {
      name: `causeway on ${runtime}`,
      doors: pods.map(({ zone, host, port }) => ({
        zone,
        access: {
          url: `wss://${host}:${port}${WEBSOCKET_PATH}`,
          ca: access.ca,
          servername: access.servername,
          token,
        },
      })),
      usage: () => ({ cpuSeconds: 0, rssMiB: 0 }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
