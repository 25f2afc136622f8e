/** Where partitions are, and whether they outlive a zone. Pure. */
import type { KafkaSight, PartitionSight } from '../failover/index.ts';

/** One partition; brokers by their node id. */
export interface PlacedPartition extends PartitionSight {
  /** The topic's min.insync.replicas, its own or the broker's. */
  minInSync: number;
}

export interface KafkaPlacement {
  /** Node id → rack (`broker.rack`), which is the zone; undefined: it says none. */
  racks: ReadonlyMap<number, string | undefined>;
  partitions: readonly PlacedPartition[];
}

/**
 * What becomes of the partitions without the brokers of `zone`. A broker that does not say where it is may be there: it is not
 * counted among those that stay. Where none says it nothing is known.
 */
export function kafkaSight({ racks, partitions }: KafkaPlacement, zone: string): KafkaSight {
  if ([...racks.values()].every((rack) => rack === undefined))
    return { racks, partitions, atRisk: undefined, led: undefined };
  const stays = (id: number): boolean => ![undefined, zone].includes(racks.get(id));
  const short = partitions.filter(({ isr, minInSync }) => isr.filter(stays).length < minInSync);
  return {
    racks,
    partitions,
    atRisk: short.map(({ topic, partition }) => `${topic}/${partition}`).sort(),
    led: partitions.filter(({ leader }) => racks.get(leader) === zone).length,
  };
}
