/** Makes many platforms and sees when each is Ready. */
import { CoreV1Api, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import { waitFor } from '../../tools/index.ts';
import { ZONES, type FakeCluster } from './fake-cluster.ts';

const GROUP = { group: 'causeway.dev', version: 'v1alpha1', plural: 'messageplatforms' };
/** Platforms in one namespace. */
const PER_NAMESPACE = 10;
/** Creates that are under way at the same time. */
const PARALLEL = 16;

interface Platform {
  metadata: { name: string; namespace: string; creationTimestamp: string };
  status?: { conditions?: { type: string; status: string; lastTransitionTime: string; message: string }[] };
}

/** When all were Ready, in ms since the first create, and how long each took, in ms (to a whole second). */
export interface ReadyTimes {
  allMs: number;
  createdMs: number;
  each: number[];
}

/** Platforms `from` to `to - 1` of a cluster. */
export class Platforms {
  readonly #cluster: FakeCluster;
  readonly #core: CoreV1Api;
  readonly #custom: CustomObjectsApi;
  #made = 0;

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    this.#core = config.makeApiClient(CoreV1Api);
    this.#custom = config.makeApiClient(CustomObjectsApi);
  }

  /** Makes more of them until there are `total`, and waits until all are Ready. */
  async growTo(total: number, timeoutMs: number): Promise<ReadyTimes> {
    const first = this.#made;
    await this.#namespaces(first, total);
    const began = performance.now();
    let next = first;
    const one = async (): Promise<void> => {
      while (next < total) await this.#create(next++);
    };
    await Promise.all(Array.from({ length: PARALLEL }, one));
    this.#made = total;
    const createdMs = performance.now() - began;
    await this.#whenReady(total, timeoutMs);
    const allMs = performance.now() - began;
    const each = (await this.#list())
      .filter(({ metadata }) => indexOf(metadata.name) >= first)
      .map(({ metadata, status }) => {
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        return Date.parse(ready?.lastTransitionTime ?? '') - Date.parse(metadata.creationTimestamp);
      });
    return { allMs, createdMs, each };
  }

  async #whenReady(total: number, timeoutMs: number): Promise<void> {
    let ready = 0;
    let waiting = '';
    try {
      await waitFor(
        `${total} platforms Ready`,
        async () => {
          const all = await this.#list();
          const not = all.filter((platform) => !isReady(platform));
          ready = all.length - not.length;
          const first = not[0];
          const condition = first?.status?.conditions?.find(({ type }) => type === 'Ready');
          waiting = `${first?.metadata.name ?? ''}: ${condition?.message ?? 'not reconciled yet'}`;
          return ready === total;
        },
        // A list of a thousand platforms is work for the API server that is not the operator's.
        { timeoutMs, intervalMs: total > 200 ? 3_000 : total > 1 ? 500 : 20 },
      );
    } catch (error) {
      throw new Error(`${ready} of ${total} platforms are Ready; ${waiting}`, { cause: error });
    }
  }

  async #list(): Promise<Platform[]> {
    const list = (await this.#custom.listClusterCustomObject(GROUP)) as { items: Platform[] };
    return list.items;
  }

  async #namespaces(from: number, to: number): Promise<void> {
    for (let index = from; index < to; index += 1) {
      if (index % PER_NAMESPACE !== 0) continue;
      const name = namespaceOf(index);
      await this.#core.createNamespace({ body: { metadata: { name } } });
      const stringData = { hmac: 'a benchmark signs no token with this key' };
      await this.#core.createNamespacedSecret({
        namespace: name,
        body: { metadata: { name: 'jwt' }, stringData },
      });
    }
  }

  async #create(index: number): Promise<void> {
    const namespace = namespaceOf(index);
    await this.#custom.createNamespacedCustomObject({
      ...GROUP,
      namespace,
      body: {
        apiVersion: `${GROUP.group}/${GROUP.version}`,
        kind: 'MessagePlatform',
        metadata: { name: nameOf(index), namespace },
        spec: {
          zones: ZONES.map((name) => ({ name })),
          homeZone: ZONES[0],
          gateway: { replicasPerZone: 1, auth: { jwt: { secretRef: { name: 'jwt' } } } },
          kafka: {
            bootstrapServers: this.#cluster.kafka,
            topics: [
              { name: 'chat', partitions: 1, replicationFactor: 1, config: { 'retention.ms': '3600000' } },
            ],
          },
          redis: { external: { url: this.#cluster.redis } },
          etcd: { prefixes: ['/config/'] },
        },
      },
    });
  }
}

function nameOf(index: number): string {
  return `p-${String(index).padStart(4, '0')}`;
}

function indexOf(name: string): number {
  return Number(name.slice(2));
}

function namespaceOf(index: number): string {
  return `bench-${String(Math.floor(index / PER_NAMESPACE)).padStart(3, '0')}`;
}

function isReady(platform: Platform): boolean {
  return (
    platform.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
  );
}
