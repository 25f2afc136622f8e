/** The etcd of each zone, as far as homes go: epochs, fences, promotions, and replicators that carry all on. */
import {
  COMPONENT,
  LABEL,
  objectName,
  type HomeRecord,
  type ReplicationCheckpoint,
  type ReplicatorConfig,
} from '@causeway/crds';
import type { EtcdAdmins, EtcdState, Fenced } from '../platform/etcd-admin.ts';
import { homeRecord, type Promotion } from '../platform/etcd-records.ts';
import { KIND } from '../platform/kinds.ts';
import type { MessagePlatform } from '../platform/types.ts';
import type { FakeKube } from './fake-kube.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { ZoneOutage } from './zone-outage.ts';

interface SimEtcd {
  epoch: number | undefined;
  fencedAt: { epoch: number; revision: number } | undefined;
  homes: HomeRecord[];
  revision: number;
  /** Applications may write, and are sent here. */
  writable: boolean;
  /** Whose keys it holds. */
  holds: { zone: string; epoch: number; revision: number } | undefined;
}

function checkpointOf({ holds }: SimEtcd): ReplicationCheckpoint | undefined {
  if (holds === undefined) return undefined;
  const { zone, epoch, revision } = holds;
  return { sourceClusterId: '1', homeZone: zone, revision: String(revision), epoch, prefixes: [] };
}

export class FakeEtcd {
  readonly #kube: FakeKube;
  readonly #outage: ZoneOutage;
  readonly #zones = new Map<string, SimEtcd>();
  readonly #listeners: ((zone: string, epoch: number) => void)[] = [];

  constructor(kube: FakeKube, outage: ZoneOutage) {
    this.#kube = kube;
    this.#outage = outage;
  }

  /** Called before a zone is promoted. */
  onPromotion(listener: (zone: string, epoch: number) => void): void {
    this.#listeners.push(listener);
  }

  /** Zones whose etcd answers and takes writes. */
  writers(): string[] {
    return [...this.#zones]
      .filter(([zone, { writable }]) => writable && !this.#outage.isDown(zone))
      .map(([zone]) => zone);
  }

  state(platform: MessagePlatform, zone: string): EtcdState {
    const etcd = this.#at(platform, zone);
    this.#replicate(platform, zone, etcd);
    const { epoch, fencedAt, homes, revision } = etcd;
    const checkpoint = checkpointOf(etcd);
    const fence =
      fencedAt === undefined
        ? undefined
        : { epoch: fencedAt.epoch, applications: 'Refused' as const, at: '' };
    return {
      reachable: true,
      revision: String(revision),
      fenced: fence !== undefined,
      applications: fence === undefined ? 'MayWrite' : 'MayRead',
      homes: [...homes],
      ...(epoch === undefined ? {} : { epoch }),
      ...(fence === undefined ? {} : { fence }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    };
  }

  fence(platform: MessagePlatform, zone: string, epoch: number): Fenced {
    const etcd = this.#at(platform, zone);
    if ((etcd.epoch ?? 0) > epoch) throw new Error(`the etcd of ${zone} is at epoch ${etcd.epoch}`);
    if (etcd.homes.some((home) => home.epoch === epoch && home.zone === zone))
      throw new Error(`${zone} is the home of ${epoch}`);
    etcd.epoch = epoch;
    etcd.writable = false;
    if (etcd.fencedAt?.epoch !== epoch) etcd.fencedAt = { epoch, revision: (etcd.revision += 1) };
    return { epoch, applications: 'Refused', at: '', revision: String(etcd.fencedAt.revision) };
  }

  promote(
    platform: MessagePlatform,
    promotion: Pick<Promotion, 'zone' | 'epoch' | 'from' | 'settled'>,
  ): HomeRecord {
    const { zone, epoch } = promotion;
    const etcd = this.#at(platform, zone);
    if ((etcd.epoch ?? 0) > epoch) throw new Error(`the etcd of ${zone} is at epoch ${etcd.epoch}`);
    const record =
      etcd.homes.find((home) => home.epoch === epoch && home.zone === zone) ??
      homeRecord(promotion, { checkpoint: checkpointOf(etcd), homes: etcd.homes }, '');
    for (const listener of this.#listeners) listener(zone, epoch);
    etcd.epoch = epoch;
    etcd.fencedAt = undefined;
    etcd.writable = true;
    etcd.homes = [...etcd.homes.filter((home) => home.epoch !== epoch), record];
    return record;
  }

  /** Revision that the replicator of the zone has come to, and under which epoch; undefined: there is none that works. */
  replicated(platform: MessagePlatform, zone: string): { revision: number; epoch: number } | undefined {
    const etcd = this.#at(platform, zone);
    return this.#replicate(platform, zone, etcd);
  }

  #at(platform: MessagePlatform, zone: string): SimEtcd {
    if (this.#outage.isDown(zone)) throw new Error(`connect ETIMEDOUT etcd of ${zone}`);
    return this.#known(platform, zone);
  }

  #known({ spec }: MessagePlatform, zone: string): SimEtcd {
    const known = this.#zones.get(zone);
    if (known !== undefined) return known;
    const made: SimEtcd = {
      epoch: undefined,
      fencedAt: undefined,
      homes: [],
      revision: 10,
      writable: zone === spec.homeZone,
      holds: zone === spec.homeZone ? undefined : { zone: spec.homeZone, epoch: 1, revision: 10 },
    };
    this.#zones.set(zone, made);
    return made;
  }

  /** What the zone's replicator has done by now, if it runs and its epoch is not over. */
  #replicate(platform: MessagePlatform, zone: string, etcd: SimEtcd): ReturnType<FakeEtcd['replicated']> {
    const config = this.#configOf(platform, zone);
    if (config === undefined || config.epoch < (etcd.epoch ?? 0) || this.#outage.isDown(config.homeZone))
      return undefined;
    const { revision, homes } = this.#known(platform, config.homeZone);
    const told = new Map([...etcd.homes, ...homes].map((home) => [home.epoch, home]));
    etcd.homes = [...told.values()].sort((a, b) => a.epoch - b.epoch);
    etcd.holds = { zone: config.homeZone, epoch: config.epoch, revision };
    if (config.epoch > 1) etcd.epoch = config.epoch;
    return { revision, epoch: config.epoch };
  }

  /** As its ready pod has it. */
  #configOf({ metadata: { namespace, name } }: MessagePlatform, zone: string): ReplicatorConfig | undefined {
    const isReady = this.#kube.all(KIND.pod).some(({ object }) => {
      const { labels } = object.metadata;
      const { status } = object as { status?: { conditions?: { type: string; status: string }[] } };
      return (
        labels?.[LABEL.component] === COMPONENT.replicator &&
        labels[LABEL.zone] === zone &&
        status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true
      );
    });
    const ref = { namespace, name: objectName.zoneReplicator(name, zone) };
    const map = this.#kube.get(KIND.configMap, ref) as { data?: Record<string, string> } | undefined;
    const text = map?.data?.['replicator.json'];
    if (!isReady || text === undefined || !text.startsWith('{')) return undefined;
    return JSON.parse(text) as ReplicatorConfig;
  }
}

/** The etcds as one process sees them. */
export function etcdClient(etcd: FakeEtcd, network: Network, process: SimProcess): EtcdAdmins {
  return (platform) => {
    const call = <T>(verb: string, zone: string, effect: () => T): Promise<T> =>
      network.call({ process, target: 'etcd', verb, what: zone, mutates: verb !== 'look' }, effect);
    return {
      state: (zone) =>
        call('look', zone, () => etcd.state(platform, zone)).catch((error: unknown) => ({
          reachable: false,
          trouble: String(error),
        })),
      fence: (zone, epoch) => call('fence', zone, () => etcd.fence(platform, zone, epoch)),
      promote: (zone, epoch, from, asked) =>
        call('promote', zone, () => etcd.promote(platform, { ...asked, zone, epoch, from })),
    };
  };
}
