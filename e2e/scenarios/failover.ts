/** A platform's failovers as the scenarios look at them, and an application that writes to the home's etcd all the while. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import type { MessagePlatformSpec, MessagePlatformStatus, ZoneFailover } from '@causeway/crds';
import { zones } from '../lab/index.ts';
import { run } from '../tools/index.ts';
import type { EtcdClient } from './etcd-client.ts';
import { eventually, type Scenario } from './support.ts';
import { exchangeAgain, Traffic } from './traffic.ts';

const main = join(import.meta.dirname, '../../operator/src/main.ts');

/** Brings up a platform that is small, and whose clients notice soon that their gateway is gone. */
export function readyToFail(
  lab: Scenario,
  name: string,
  change: (spec: MessagePlatformSpec) => void = () => undefined,
): Promise<void> {
  return lab.readyPlatform(name, (spec) => {
    spec.gateway.replicasPerZone = 1;
    spec.gateway.heartbeat = { interval: '5s', timeout: '3s' };
    change(spec);
  });
}

/** Where the platform is at home as a fault begins, and the other two zones. */
export interface Place {
  home: string;
  next: string;
  third: string;
  traffic: Traffic;
}

/**
 * Runs a fault under traffic. When it is over nothing that was acknowledged is lost, nobody who recovered saw anything twice,
 * all etcds are equal, and the platform is Ready and nobody's. Of each zone that was emptied on purpose a client has recovered.
 */
export async function withstand(
  lab: Scenario,
  name: string,
  fault: (place: Place) => Promise<void>,
): Promise<void> {
  const own = new Failovers(lab, name);
  await lab.waitReady(name);
  const { homeZone: home = '' } = await own.status();
  const [next = '', third = ''] = zones.filter((zone) => zone !== home);
  const known = new Set((await own.all()).map(({ metadata }) => metadata.uid));
  const traffic = await Traffic.start(lab, name);
  try {
    await traffic.flows(25);
    await fault({ home, next, third, traffic });
    await traffic.flows(25);
    await lab.waitReady(name);
    const made = (await own.all()).filter(({ metadata }) => !known.has(metadata.uid));
    for (const { spec } of made.filter(hasEmptied)) await traffic.movedFrom(spec.fromZone);
    lab.progress.note(await traffic.check());
  } finally {
    await traffic.stop();
  }
  const { away, failover } = await own.status();
  assert.deepEqual([away, failover], [undefined, undefined], 'nobody has the platform');
  await eventually('every etcd is equal', () => own.verify());
  await exchangeAgain(lab, name);
}

/** No client was left in its zone. An Emergency sends nobody away: whether an outage is long enough is the fault's to say. */
function hasEmptied({ spec, status }: ZoneFailover): boolean {
  return spec.mode !== 'Emergency' && status?.figures?.drainMs !== undefined;
}

/** An outage of a zone from `begin` to `end`, with what is done meanwhile; it ends however that goes. */
export async function outage<T>(
  zone: string,
  [begin, end]: readonly [(zone: string) => Promise<void>, (zone: string) => Promise<void>],
  meanwhile: () => Promise<T>,
): Promise<T> {
  try {
    await begin(zone);
    return await meanwhile();
  } finally {
    await end(zone);
  }
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

  /** `causeway failover pause|abort`, as somebody types it. */
  async control(verb: 'pause' | 'abort', name: string, ...args: string[]): Promise<void> {
    const { kube, namespace } = this.#lab;
    const options = ['--kubeconfig', kube.kubeconfig, '-n', namespace];
    await run(process.execPath, [main, 'failover', verb, name, ...options, ...args], { timeoutMs: 60_000 });
  }

  async get(name: string): Promise<ZoneFailover> {
    return this.#lab.kube.json<ZoneFailover>(['-n', this.#lab.namespace, 'get', 'zonefailover', name]);
  }

  /** All of the namespace, also those that are over. */
  async all(): Promise<ZoneFailover[]> {
    const args = ['-n', this.#lab.namespace, 'get', 'zonefailovers'];
    return (await this.#lab.kube.json<{ items: ZoneFailover[] }>(args)).items;
  }

  /** Undefined: there is none, or it has not been made yet. */
  find(name: string): Promise<ZoneFailover | undefined> {
    return this.#lab.kube.find<ZoneFailover>(['-n', this.#lab.namespace, 'get', 'zonefailover', name]);
  }

  /** Waits until nobody has the platform, however the failover ended; gives its phase. */
  async ended(name: string): Promise<string | undefined> {
    return eventually(`${name} has ended and given all back`, async () => {
      const { status } = await this.get(name);
      const isOver = ['Succeeded', 'RolledBack', 'Failed'].includes(status?.phase ?? '');
      return isOver && status?.holds !== true ? status?.phase : undefined;
    });
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
