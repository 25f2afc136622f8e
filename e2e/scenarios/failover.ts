/** A platform's failovers as the scenarios look at them, and an application that writes to the home's etcd all the while. */
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import type { MessagePlatformStatus, ZoneFailover } from '@causeway/crds';
import { run } from '../tools/index.ts';
import type { EtcdClient } from './etcd-client.ts';
import type { Scenario } from './support.ts';

const main = join(import.meta.dirname, '../../operator/src/main.ts');

/** Brings up a platform that is small, and whose clients notice soon that their gateway is gone. */
export function readyToFail(lab: Scenario, name: string): Promise<void> {
  return lab.readyPlatform(name, (spec) => {
    spec.gateway.replicasPerZone = 1;
    spec.gateway.heartbeat = { interval: '5s', timeout: '3s' };
  });
}

/** The failovers of one platform of a scenario. */
export class Failovers {
  readonly #lab: Scenario;
  readonly #platform: string;

  constructor(lab: Scenario, platform: string) {
    this.#lab = lab;
    this.#platform = platform;
  }

  /** What somebody types. Resolves with what is printed once it has ended well; rejects with it otherwise. */
  async start(name: string, ...args: string[]): Promise<string> {
    const { kube, namespace } = this.#lab;
    const options = ['--kubeconfig', kube.kubeconfig, '-n', namespace, '--name', name];
    const command = [main, 'failover', 'start', this.#platform, ...options, ...args];
    return (await run(process.execPath, command, { timeoutMs: 600_000 })).stdout;
  }

  /** What `causeway verify` prints. Rejects when a zone's etcd is not as the home's. */
  async verify(): Promise<string> {
    const { kube, namespace } = this.#lab;
    const options = ['--kubeconfig', kube.kubeconfig, '-n', namespace];
    const command = [main, 'verify', this.#platform, ...options];
    return (await run(process.execPath, command, { timeoutMs: 120_000 })).stdout;
  }

  async get(name: string): Promise<ZoneFailover> {
    return this.#lab.kube.json<ZoneFailover>(['-n', this.#lab.namespace, 'get', 'zonefailover', name]);
  }

  async status(): Promise<MessagePlatformStatus> {
    const args = ['-n', this.#lab.namespace, 'get', 'messageplatform', this.#platform];
    return (await this.#lab.kube.json<{ status?: MessagePlatformStatus }>(args)).status ?? {};
  }
}

/** Writes a number again and again to the etcd of whoever is home, and remembers the last that was taken. */
export class HomeWriter {
  /** The last number that etcd took. */
  taken = 0;
  /** Writes that were not taken: nobody was home, or somebody else by then. */
  refused = 0;
  /** Longest time between two writes that were taken, milliseconds. */
  longestGap = 0;
  readonly #end = new AbortController();
  readonly #writing: Promise<void>;

  constructor(etcd: EtcdClient, failovers: Failovers, key: string) {
    this.#writing = this.#write(etcd, failovers, key);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#writing;
  }

  async #write(etcd: EtcdClient, failovers: Failovers, key: string): Promise<void> {
    let last = performance.now();
    for (let number = 1; !this.#end.signal.aborted; number += 1) {
      try {
        await etcd.put((await failovers.status()).homeZone ?? '', key, String(number));
        this.taken = number;
        this.longestGap = Math.max(this.longestGap, performance.now() - last);
        last = performance.now();
      } catch {
        // Not taken: that is counted, and allowed.
        this.refused += 1;
      }
      await delay(50);
    }
  }
}
