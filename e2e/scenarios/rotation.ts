/** A platform's certificates as the scenarios look at them, and the command that rotates them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Centrifuge } from 'centrifuge';
import { LABEL, PORT, objectName, type MessagePlatformStatus } from '@causeway/crds';
import { connect, gatewayPods, platformAccess, sdkClient } from '../platform/index.ts';
import { run } from '../tools/index.ts';
import { handshake } from './handshakes.ts';
import type { Scenario } from './support.ts';

const main = join(import.meta.dirname, '../../operator/src/main.ts');

export type CertificatesStatus = NonNullable<MessagePlatformStatus['certificates']>;

/** The certificates of one platform of a scenario. */
export class Certificates {
  readonly #lab: Scenario;
  readonly #name: string;

  constructor(lab: Scenario, name: string) {
    this.#lab = lab;
    this.#name = name;
  }

  async status(): Promise<CertificatesStatus> {
    const platform = await this.#json<{ status?: MessagePlatformStatus }>(
      'get',
      'messageplatform',
      this.#name,
    );
    return platform.status?.certificates ?? {};
  }

  /** What somebody types. Resolves with what is printed; rejects with it when it fails. */
  async rotate(...args: string[]): Promise<string> {
    const { kube, namespace } = this.#lab;
    const options = ['--kubeconfig', kube.kubeconfig, '-n', namespace];
    const command = [main, 'rotate', this.#name, ...options, ...args];
    return (await run(process.execPath, command, { timeoutMs: 300_000 })).stdout;
  }

  /** Which processes run in the platform's pods: UID and restarts of each. */
  async processes(): Promise<string[]> {
    const selector = `${LABEL.platform}=${this.#name}`;
    const columns =
      'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{"\\n"}{end}';
    return (await this.#lab.kubectl('get', 'pods', '-l', selector, '-o', columns)).trim().split('\n').sort();
  }

  /** What a Secret holds, as text. */
  async secret(name: string): Promise<Record<string, string>> {
    const { data } = await this.#json<{ data: Record<string, string> }>('get', 'secret', name);
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('latin1')]),
    );
  }

  /** Versions of which the gateways' Secret has a certificate. */
  async versions(): Promise<string[]> {
    const keys = Object.keys(await this.secret(objectName.tls(this.#name)));
    return keys.filter((key) => /^tls-\d+\.crt$/.test(key));
  }

  /** SHA-256 of what ready gateways show, each once. */
  async shown(): Promise<Set<string>> {
    const access = await platformAccess(this.#lab.kube, this.#lab.namespace, this.#name);
    const pods = await gatewayPods(this.#lab.kube, access);
    return new Set(await Promise.all(pods.map((pod) => handshake(access, pod))));
  }

  /** SHA-256 of the leaf that each Redis and etcd shows, by pod; asked as the operator asks. */
  async innerShown(): Promise<Map<string, string>> {
    const selector = `${LABEL.platform}=${this.#name},${LABEL.component} in (redis,etcd)`;
    const { items } = await this.#json<{
      items: { metadata: { name: string }; status: { podIP: string } }[];
    }>('get', 'pods', '-l', selector);
    const inner = await this.secret(objectName.internal(this.#name));
    const client = { ca: inner['ca.crt'] ?? '', cert: inner['tls.crt'] ?? '', key: inner['tls.key'] ?? '' };
    const shown = await Promise.all(
      items.map(async ({ metadata: { name }, status: { podIP } }) => {
        const port = name.includes('-etcd-') ? PORT.etcd : PORT.redis;
        const servername = `${name.replace(/-0$/, '')}.${this.#lab.namespace}.svc`;
        return [name, await handshake({ ...client, servername }, { host: podIP, port })] as const;
      }),
    );
    return new Map(shown);
  }

  /** A connection to each gateway, and how many of them ended. */
  async holdConnections(): Promise<{ dropped: string[]; close(): void }> {
    const access = await platformAccess(this.#lab.kube, this.#lab.namespace, this.#name);
    const dropped: string[] = [];
    const clients: Centrifuge[] = [];
    for (const pod of await gatewayPods(this.#lab.kube, access)) {
      const client = await connect(await sdkClient(access, () => pod, { user: pod.pod }));
      client.on('connecting', ({ reason }) => dropped.push(`${pod.pod}: ${reason}`));
      clients.push(client);
    }
    return { dropped, close: () => clients.forEach((client) => client.disconnect()) };
  }

  /** Every gateway must refuse it. */
  async refuseTls12(): Promise<void> {
    const access = await platformAccess(this.#lab.kube, this.#lab.namespace, this.#name);
    for (const pod of await gatewayPods(this.#lab.kube, access))
      await assert.rejects(
        handshake(access, pod, 'TLSv1.2'),
        /protocol|alert|ended in the handshake/i,
        pod.pod,
      );
  }

  #json<T>(...words: string[]): Promise<T> {
    return this.#lab.kube.json<T>(['-n', this.#lab.namespace, ...words]);
  }
}
