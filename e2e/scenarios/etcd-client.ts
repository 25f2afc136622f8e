/** An application that reads and writes a platform's etcd: a pod with the client certificate that the platform makes. */
import { LABEL, PORT, ZONE_TOPOLOGY_LABEL, objectName } from '@causeway/crds';
import type { Scenario } from './support.ts';

/** Where the certificates are in the pod: an application's, and the one that the platform's own parts have. */
const FILES = { application: '/etc/etcd-client', platform: '/etc/etcd-platform' } as const;
type Who = keyof typeof FILES;

/** etcdctl in a pod of the platform's namespace, as an application there would reach etcd. */
export class EtcdClient {
  readonly #lab: Scenario;
  readonly #platform: string;
  readonly #who: Who;

  private constructor(lab: Scenario, platform: string, who: Who) {
    this.#lab = lab;
    this.#platform = platform;
    this.#who = who;
  }

  /** The same with the rights of the platform's own parts, which no fence takes away: an administrator who errs. */
  get asPlatform(): EtcdClient {
    return new EtcdClient(this.#lab, this.#platform, 'platform');
  }

  /** Starts the pod, in a zone if that matters, and waits until it is there. */
  static async start(lab: Scenario, platform: string, zone?: string): Promise<EtcdClient> {
    const client = new EtcdClient(lab, platform, 'application');
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

  /** Forgets all revisions before the newest, as etcd's housekeeping does. */
  async compact(zone: string): Promise<void> {
    const answer = await this.#etcdctl(zone, 'get', 'any', '-w', 'json');
    const { header } = JSON.parse(answer) as { header: { revision: number } };
    await this.#etcdctl(zone, 'compact', String(header.revision));
  }

  #etcdctl(zone: string, ...words: string[]): Promise<string> {
    const host = `${objectName.zoneEtcd(this.#platform, zone)}.${this.#lab.namespace}.svc`;
    const files = FILES[this.#who];
    const tls = [`--cacert=${files}/ca.crt`, `--cert=${files}/tls.crt`, `--key=${files}/tls.key`];
    // One name server of two may have gone with its zone: each look-up that meets it takes five seconds.
    const patience = ['--dial-timeout=20s', '--command-timeout=30s'];
    const command = ['etcdctl', `--endpoints=https://${host}:${PORT.etcd}`, ...patience, ...tls, ...words];
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
            volumeMounts: Object.entries(FILES).map(([name, mountPath]) => ({
              name,
              mountPath,
              readOnly: true,
            })),
          },
        ],
        volumes: [
          secretVolume('application', objectName.client(this.#platform)),
          secretVolume('platform', objectName.internal(this.#platform)),
        ],
      },
    };
  }
}

function secretVolume(name: Who, secretName: string): object {
  return { name, secret: { secretName, defaultMode: 0o440 } };
}
