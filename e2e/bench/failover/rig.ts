/** The platform under test, and how it is asked and told things without a process for each word. */
import { CoordinationV1Api, CoreV1Api, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import {
  API_GROUP,
  API_GROUP_VERSION,
  COMPONENT,
  LABEL,
  objectName,
  SECRET_KEY,
  type MessagePlatformStatus,
  type ZoneFailover,
  type ZoneFailoverSpec,
} from '@causeway/crds';
import { nodes } from '../../lab/index.ts';
import {
  OPERATOR_NAMESPACE,
  platformAccess,
  waitReady,
  type Kube,
  type PlatformAccess,
} from '../../platform/index.ts';
import { waitFor } from '../../tools/index.ts';
import { BENCH, platformManifest, removePlatform } from '../common/lab.ts';
import type { Pem } from './home-writer.ts';
import type { Heartbeat } from './kinds.ts';

/** For a platform to be Ready, milliseconds: three nodes and all their pods share two cores. */
const READY_MS = 300_000;
/** Where the platform's failovers are. */
const FAILOVERS = {
  group: API_GROUP,
  version: API_GROUP_VERSION.replace(`${API_GROUP}/`, ''),
  plural: 'zonefailovers',
  namespace: BENCH.namespace,
};

/** As much of a platform's spec as a run changes. */
export interface RigSetting {
  heartbeat: Heartbeat;
  failover: FailoverSetting;
}

/** Of `spec.failover`. */
export interface FailoverSetting {
  /** Clients that a drained zone sends away each second. */
  drainPerSecond: number;
  /** How long a zone must be gone before an Emergency is made of it. */
  unhealthyAfter: string;
}

/** The benchmarks' platform, with an API client of its own. */
export class Rig {
  readonly kube: Kube;
  readonly #custom: CustomObjectsApi;
  readonly #core: CoreV1Api;
  readonly #coordination: CoordinationV1Api;

  constructor(kube: Kube) {
    this.kube = kube;
    const config = new KubeConfig();
    config.loadFromFile(kube.kubeconfig);
    this.#custom = config.makeApiClient(CustomObjectsApi);
    this.#core = config.makeApiClient(CoreV1Api);
    this.#coordination = config.makeApiClient(CoordinationV1Api);
  }

  /** Makes the platform anew, and waits until it is Ready. */
  async make({ heartbeat, failover }: RigSetting): Promise<void> {
    await removePlatform(this.kube);
    const manifest = platformManifest('Bun', (spec) => {
      spec.gateway.heartbeat = heartbeat;
      spec.failover = { automatic: false, ...failover };
    });
    await this.kube.kubectl(['apply', '-f', '-'], { input: manifest });
    await this.ready();
  }

  async remove(): Promise<void> {
    await removePlatform(this.kube);
  }

  /** Waits until the platform is Ready, at home, and nobody has it. */
  async ready(): Promise<void> {
    await waitReady(this.kube, BENCH, { timeoutMs: READY_MS });
    await waitFor(
      'all to be given back',
      async () => {
        const { failover, away } = await this.status();
        return failover === undefined && away === undefined;
      },
      { timeoutMs: READY_MS, intervalMs: 500 },
    );
  }

  /** Merges into the spec. */
  async patch(spec: object): Promise<void> {
    const args = ['patch', 'messageplatform', BENCH.name, '--type=merge', '-p', JSON.stringify({ spec })];
    await this.kube.kubectl(['-n', BENCH.namespace, ...args]);
  }

  access(): Promise<PlatformAccess> {
    return platformAccess(this.kube, BENCH.namespace, BENCH.name);
  }

  /** Address of the front Service. */
  async front(): Promise<{ host: string; port: number }> {
    const name = objectName.gateway(BENCH.name);
    const { spec } = await this.#core.readNamespacedService({ name, namespace: BENCH.namespace });
    return { host: spec?.clusterIP ?? '', port: spec?.ports?.[0]?.port ?? 443 };
  }

  async status(): Promise<MessagePlatformStatus> {
    const found = (await this.#custom.getNamespacedCustomObject({
      ...FAILOVERS,
      plural: 'messageplatforms',
      name: BENCH.name,
    })) as { status?: MessagePlatformStatus };
    return found.status ?? {};
  }

  async failover(name: string): Promise<ZoneFailover> {
    return (await this.#custom.getNamespacedCustomObject({ ...FAILOVERS, name })) as ZoneFailover;
  }

  /** The failover of the zone that was made last since then, milliseconds since the Unix epoch. */
  async newestFailover(zone: string, since: number): Promise<ZoneFailover | undefined> {
    const { items } = (await this.#custom.listNamespacedCustomObject(FAILOVERS)) as { items: ZoneFailover[] };
    // Kubernetes keeps whole seconds.
    const madeAt = ({ metadata }: ZoneFailover): number => Date.parse(metadata?.creationTimestamp ?? '');
    return items
      .filter((one) => one.spec.fromZone === zone && madeAt(one) >= since - 1000)
      .sort((a, b) => madeAt(a) - madeAt(b))
      .at(-1);
  }

  /** Asks for a failover. */
  async start(
    name: string,
    spec: Omit<Partial<ZoneFailoverSpec>, 'limits'> & { limits?: object },
  ): Promise<void> {
    await this.#custom.createNamespacedCustomObject({
      ...FAILOVERS,
      body: {
        apiVersion: API_GROUP_VERSION,
        kind: 'ZoneFailover',
        metadata: { name },
        spec: { platform: BENCH.name, ...spec },
      },
    });
  }

  async abort(name: string): Promise<void> {
    const args = ['patch', 'zonefailover', name, '--type=merge', '-p', '{"spec":{"abort":true}}'];
    await this.kube.kubectl(['-n', BENCH.namespace, ...args]);
  }

  /** Certificate and key in a Secret of the platform. */
  async pem(name: string): Promise<Pem> {
    const { data = {} } = await this.#core.readNamespacedSecret({ name, namespace: BENCH.namespace });
    const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
    return { ca: text(SECRET_KEY.ca), cert: text(SECRET_KEY.cert), key: text(SECRET_KEY.key) };
  }

  /** Addresses of the pods of Redis and etcd, by component and zone: `redis zone-a`. */
  async storePods(): Promise<Map<string, string>> {
    const { items } = await this.#core.listNamespacedPod({
      namespace: BENCH.namespace,
      labelSelector: `${LABEL.component} in (${COMPONENT.redis}, ${COMPONENT.etcd})`,
    });
    return new Map(
      items.flatMap(({ metadata, status }) => {
        const labels = metadata?.labels ?? {};
        if (status?.podIP === undefined) return [];
        return [[`${labels[LABEL.component]} ${labels[LABEL.zone]}`, status.podIP]];
      }),
    );
  }

  /** Zone of the node that the operator's leader runs on. */
  async zoneOfLeader(): Promise<string> {
    const lease = await this.#coordination.readNamespacedLease({
      name: 'causeway',
      namespace: OPERATOR_NAMESPACE,
    });
    const holder = lease.spec?.holderIdentity ?? '';
    const pod = holder.slice(0, holder.lastIndexOf('_'));
    const { spec } = await this.#core.readNamespacedPod({ name: pod, namespace: OPERATOR_NAMESPACE });
    return nodes.find(({ name }) => name === spec?.nodeName)?.zone ?? '';
  }
}
