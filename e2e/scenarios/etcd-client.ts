/** An application that reads and writes a platform's etcd: a pod with the client certificate that the platform makes. */
import { LABEL, PORT, ZONE_TOPOLOGY_LABEL, objectName } from '@causeway/crds';
import type { Scenario } from './support.ts';

const FILES = '/etc/etcd-client';

/** etcdctl in a pod of the platform's namespace, as an application there would reach etcd. */
export class EtcdClient {
  readonly #lab: Scenario;
  readonly #platform: string;

  private constructor(lab: Scenario, platform: string) {
    this.#lab = lab;
    this.#platform = platform;
  }

  /** Starts the pod, in a zone if that matters, and waits until it is there. */
  static async start(lab: Scenario, platform: string, zone?: string): Promise<EtcdClient> {
    const client = new EtcdClient(lab, platform);
    await lab.kube.kubectl(['-n', lab.namespace, 'apply', '-f', '-'], {
      input: JSON.stringify(await client.#pod(zone)),
    });
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/etcd-client', '--timeout=120s');
    return client;
  }

  async put(zone: string, key: string, value: string): Promise<void> {
    await this.#etcdctl(zone, 'put', key, value);
  }

  /** The value, or the empty string when there is none. */
  async get(zone: string, key: string): Promise<string> {
    return (await this.#etcdctl(zone, 'get', key, '--print-value-only')).trim();
  }

  async delete(zone: string, key: string): Promise<void> {
    await this.#etcdctl(zone, 'del', key);
  }

  #etcdctl(zone: string, ...words: string[]): Promise<string> {
    const host = `${objectName.zoneEtcd(this.#platform, zone)}.${this.#lab.namespace}.svc`;
    const tls = [`--cacert=${FILES}/ca.crt`, `--cert=${FILES}/tls.crt`, `--key=${FILES}/tls.key`];
    const command = ['etcdctl', `--endpoints=https://${host}:${PORT.etcd}`, ...tls, ...words];
    return this.#lab.kubectl('exec', 'etcd-client', '--', ...command);
  }

  async #pod(zone: string | undefined): Promise<object> {
    const set = objectName.zoneEtcd(this.#platform, 'zone-a');
    const image = await this.#lab.kubectl(
      'get',
      'statefulset',
      set,
      '-o',
      'jsonpath={.spec.template.spec.containers[0].image}',
    );
    const labels = { [LABEL.etcdClient]: this.#platform };
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'etcd-client', labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        ...(zone === undefined ? {} : { nodeSelector: { [ZONE_TOPOLOGY_LABEL]: zone } }),
        automountServiceAccountToken: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65532,
          fsGroup: 65532,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        containers: [
          {
            name: 'etcdctl',
            image,
            command: ['sleep', 'infinity'],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            volumeMounts: [{ name: 'tls', mountPath: FILES, readOnly: true }],
          },
        ],
        volumes: [
          { name: 'tls', secret: { secretName: objectName.client(this.#platform), defaultMode: 0o440 } },
        ],
      },
    };
  }
}
