/** Real replicators, run as the zones' kubelets would: by the ConfigMap that the operator has written. */
import { setTimeout as delay } from 'node:timers/promises';
import { objectName } from '@causeway/crds';
import type { ReplicationState, ReplicatorConfig } from '@causeway/crds';
import type { Log } from '../../gateway/src/log/index.ts';
import { startReplicator } from '../../gateway/src/replicate/replicator.ts';
import type { Replicator } from '../../gateway/src/replicate/replicator.ts';
import { verifier } from '../../gateway/src/replicate/verify.ts';
import { ZONES } from './network.ts';
import type { Network, Zone } from './network.ts';
import type { Stores } from './stores.ts';

/** How often a kubelet looks, and how long a pod takes to start; milliseconds. */
const LOOK_MS = 100;
const START_MS = 300;
/** How long an old replicator goes on that lingers, milliseconds. */
const LINGER_MS = 2_500;

interface Running {
  text: string;
  config: ReplicatorConfig;
  replicator: Replicator;
}

interface Parts {
  stores: Stores;
  network: Network;
  /** `replicator.json` of a zone; undefined: it is to have none. */
  wanted: (name: string) => string | undefined;
}

export class Replicators {
  /** Old ones go on beside new ones for a while, as on a node that Kubernetes cannot reach. */
  lingering = false;
  /** What they logged, as lines of JSON. */
  readonly logs: string[] = [];
  readonly #parts: Parts;
  readonly #running = new Map<Zone, Running>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  readonly #looking: Promise<unknown>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#looking = Promise.all(ZONES.map((zone) => this.#keep(zone)));
    // A bug in here is told when they are stopped.
    this.#looking.catch(() => undefined);
  }

  /** What the zone's says of itself; undefined: there is none. */
  state(zone: Zone): ReplicationState | undefined {
    return this.#running.get(zone)?.replicator.status.state();
  }

  /**
   * Whether all zones but home have exactly what it has, up to `revision` of it; throws while that cannot be said. Who is behind has
   * what the home had earlier, and equals that.
   */
  async areEqual(home: Zone, revision: bigint): Promise<boolean> {
    const results = await Promise.all(
      ZONES.filter((zone) => zone !== home).map(async (zone) => {
        const running = this.#running.get(zone);
        if (running?.config.homeZone !== home) throw new Error(`${zone} does not follow ${home}`);
        const reached = running.replicator.status.state().revision ?? '0';
        if (BigInt(reached) < revision) throw new Error(`${zone} is at ${reached}, ${home} at ${revision}`);
        return verifier(running.config, this.#ending.signal)();
      }),
    );
    return results.every(({ equal, sha256 }) => equal && sha256.home === sha256.zone);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#looking;
    await Promise.all([...this.#running.values()].map(({ replicator }) => replicator.stop()));
    await Promise.all(this.#leaving);
  }

  async #keep(zone: Zone): Promise<void> {
    const { signal } = this.#ending;
    const { network, wanted } = this.#parts;
    while (!signal.aborted) {
      // A kubelet that is cut off goes on with what it has.
      if (!network.isHidden(zone))
        await this.#follow(zone, wanted(objectName.zoneReplicator('orders', zone)));
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #follow(zone: Zone, text: string | undefined): Promise<void> {
    const running = this.#running.get(zone);
    if (running?.text === text) return;
    if (running !== undefined) {
      this.#running.delete(zone);
      const gone = this.#end(running.replicator, this.lingering ? LINGER_MS : 0);
      this.#leaving.add(gone);
      if (!this.lingering) await gone;
    }
    if (text === undefined) return;
    await delay(START_MS);
    const config = this.#placed(zone, JSON.parse(text) as ReplicatorConfig);
    this.#running.set(zone, { text, config, replicator: startReplicator(config, this.#log(zone)) });
  }

  async #end(replicator: Replicator, ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    await replicator.stop();
  }

  /** The operator's configuration, with the addresses that there are here. */
  #placed(zone: Zone, config: ReplicatorConfig): ReplicatorConfig {
    const { stores, network } = this.#parts;
    const port = network.zonePort(zone, config.homeZone as Zone, 'etcd');
    return {
      ...config,
      source: { endpoints: [`https://127.0.0.1:${port}`], dir: stores.folder },
      target: { endpoints: [stores.at(zone).etcd.endpoint], dir: stores.folder },
    };
  }

  #log(zone: Zone): Log {
    const write =
      (level: string) =>
      (message: string, fields: object = {}): void =>
        void this.logs.push(
          JSON.stringify({ at: Math.round(performance.now()), zone, level, message, ...fields }),
        );
    return { debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error') };
  }
}
