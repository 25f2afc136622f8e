/** A Kafka cluster in memory, as its admin interface shows it. */
import type { PartitionName, PartitionOrder, PartitionSight } from '../failover/index.ts';
import { KafkaFailure, type KafkaAdmin } from '../platform/kafka.ts';
import type { KafkaPlacement } from '../platform/kafka-placement.ts';
import type { PartitionEnds } from '../platform/mirror-lag.ts';
import type { KafkaSnapshot, KafkaTopic, TopicAction } from '../platform/topics.ts';
import { copy } from './json.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A topic, and who made it. */
export interface SimTopic extends KafkaTopic {
  madeBy: 'operator' | 'others';
}

export class FakeKafka {
  readonly #topics: Map<string, SimTopic>;
  readonly brokers: number;
  readonly #listeners: ((action: TopicAction, before: SimTopic | undefined) => void)[] = [];

  /** Called before each change of the order of a partition's replicas. */
  readonly #orderListeners: ((before: PartitionOrder, after: PartitionOrder) => void)[] = [];
  /** Partitions that were touched, as `topic/partition`; of all others the order is the first one. */
  readonly #led = new Map<string, { replicas: readonly number[]; leader: number }>();
  readonly #hidden = new Set<string>();
  #lag: { time: VirtualTime; ms: number } | undefined;

  constructor(brokers: number, topics: ReadonlyMap<string, SimTopic> = new Map()) {
    this.brokers = brokers;
    this.#topics = new Map(topics);
  }

  /** Topics never change in place: the map may be kept. */
  snapshot(): ReadonlyMap<string, SimTopic> {
    return new Map(this.#topics);
  }

  /** Called before each change that the operator makes. */
  onAction(listener: (action: TopicAction, before: SimTopic | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** Called before each change of the order of a partition's replicas. */
  onOrder(listener: (before: PartitionOrder, after: PartitionOrder) => void): void {
    this.#orderListeners.push(listener);
  }

  /** Partitions that do not have the order of replicas, or the leader, that they were made with. */
  get disordered(): string[] {
    return [...this.#led]
      .filter(([name, { replicas, leader }]) => {
        const first = firstOrder(Number(name.split('/')[1]));
        return leader !== first[0] || replicas.join() !== first.join();
      })
      .map(([name]) => name);
  }

  /** Who leads a partition, and in which order its replicas would. All are in sync, always. */
  partition({ topic, partition }: PartitionName): PartitionSight {
    const replicas = firstOrder(partition);
    const led = this.#led.get(`${topic}/${partition}`) ?? { replicas, leader: replicas[0] ?? -1 };
    return { topic, partition, ...led, isr: replicas, settled: true };
  }

  reorder(orders: readonly PartitionOrder[]): void {
    for (const order of orders) {
      this.#mustHave(order);
      const { leader, ...before } = this.partition(order);
      for (const listener of this.#orderListeners) listener(before, order);
      this.#led.set(`${order.topic}/${order.partition}`, { replicas: order.replicas, leader });
    }
  }

  elect(partitions: readonly PartitionName[]): void {
    for (const name of partitions) {
      this.#mustHave(name);
      const { replicas } = this.partition(name);
      this.#led.set(`${name.topic}/${name.partition}`, { replicas, leader: replicas[0] ?? -1 });
    }
  }

  #mustHave({ topic, partition }: PartitionName): void {
    if (partition < (this.#topics.get(topic)?.partitions ?? 0)) return;
    throw new KafkaFailure('KafkaRefused', `Kafka refused: there is no partition ${topic}/${partition}`);
  }

  /** From now on a new topic is seen only after `ms`, as when its news has not reached every broker. */
  showsAfter(time: VirtualTime, ms: number): void {
    this.#lag = { time, ms };
  }

  /** A person or a program makes or changes a topic. */
  put(topic: SimTopic): void {
    const { name } = topic;
    if (this.#lag !== undefined && this.#lag.ms > 0 && !this.#topics.has(name)) {
      this.#hidden.add(name);
      this.#lag.time.after(this.#lag.ms, () => this.#hidden.delete(name));
    }
    this.#topics.set(name, topic);
  }

  /** A person or a program deletes a topic. */
  drop(name: string): void {
    this.#topics.delete(name);
    for (const led of this.#led.keys()) if (led.startsWith(`${name}/`)) this.#led.delete(led);
  }

  look(names: readonly string[]): KafkaSnapshot {
    const found = names.flatMap((name) => {
      const topic = this.#topics.get(name);
      if (topic === undefined || this.#hidden.has(name)) return [];
      const { madeBy: _madeBy, ...seen } = topic;
      return [[name, seen] as const];
    });
    return { brokers: this.brokers, topics: new Map(found) };
  }

  perform(action: TopicAction): 'done' | 'existed' {
    const before = this.#topics.get(action.topic);
    for (const listener of this.#listeners) listener(action, before);
    if (action.act === 'create') return this.#create(action, before);
    if (action.act === 'delete') {
      this.drop(action.topic);
      return 'done';
    }
    if (before === undefined)
      throw new KafkaFailure('KafkaRefused', `Kafka refused: there is no topic ${action.topic}`);
    if (action.act === 'alter') this.put({ ...before, config: action.config });
    else if (action.partitions > before.partitions) this.put({ ...before, partitions: action.partitions });
    else {
      const message = `Kafka refused: topic ${action.topic} has ${before.partitions} partitions already`;
      throw new KafkaFailure('KafkaRefused', message);
    }
    return 'done';
  }

  #create(action: Extract<TopicAction, { act: 'create' }>, before: SimTopic | undefined): 'done' | 'existed' {
    if (before !== undefined) return 'existed';
    const { topic: name, partitions, replicationFactor, config } = action;
    if (replicationFactor > this.brokers)
      throw new KafkaFailure('KafkaRefused', 'Kafka refused: not enough brokers');
    this.put({ name, partitions, replicationFactor, config, madeBy: 'operator' });
    return 'done';
  }
}

/** A broker in each zone, and a replica of each partition on each. */
const RACKS = new Map([
  [1, 'zone-a'],
  [2, 'zone-b'],
  [3, 'zone-c'],
]);

function firstOrder(partition: number): number[] {
  const ids = [...RACKS.keys()];
  return ids.map((_, index) => ids[(partition + index) % ids.length] ?? 0);
}

/** Kafka as one process sees it. */
export function kafkaClient(kafka: FakeKafka, network: Network, process: SimProcess): KafkaAdmin {
  return {
    look: (_access, topics) =>
      network.call({ process, target: 'kafka', verb: 'look', what: topics.join(' '), mutates: false }, () =>
        kafka.look(topics),
      ),
    placement: (_access, topics) =>
      network.call(
        { process, target: 'kafka', verb: 'placement', what: topics.join(' '), mutates: false },
        () => placementOf(kafka, topics),
      ),
    // It keeps no records, and nothing mirrors it.
    ends: (_access, topics) =>
      network.call({ process, target: 'kafka', verb: 'ends', what: topics.join(' '), mutates: false }, () => {
        const of = (count: number): Map<number, PartitionEnds> =>
          new Map(Array.from({ length: count }, (_, partition) => [partition, { low: 0n, high: 0n }]));
        const existing = [...kafka.look(topics).topics.values()];
        return new Map(existing.map(({ name, partitions }) => [name, of(partitions)]));
      }),
    offsetSyncs: (_access, topic) =>
      network.call({ process, target: 'kafka', verb: 'offsetSyncs', what: topic, mutates: false }, () => []),
    reorder: (_access, orders) => {
      const sent = copy(orders);
      const what = orders.map(({ topic, partition }) => `${topic}/${partition}`).join(' ');
      const call = { process, target: 'kafka', verb: 'reorder', what, mutates: true } as const;
      return network.call(call, () => kafka.reorder(sent));
    },
    elect: (_access, partitions) => {
      const sent = copy(partitions);
      const what = partitions.map(({ topic, partition }) => `${topic}/${partition}`).join(' ');
      const call = { process, target: 'kafka', verb: 'elect', what, mutates: true } as const;
      return network.call(call, () => kafka.elect(sent));
    },
    perform: (_access, action) => {
      const sent = copy(action);
      const call = { process, target: 'kafka', verb: action.act, what: action.topic, mutates: true } as const;
      return network.call(call, () => kafka.perform(sent));
    },
  };
}

function placementOf(kafka: FakeKafka, names: readonly string[]): KafkaPlacement {
  const { topics } = kafka.look(names);
  const partitions = [...topics.values()].flatMap(({ name, partitions: count, config }) =>
    Array.from({ length: count }, (_, partition) => ({
      ...kafka.partition({ topic: name, partition }),
      minInSync: Number(config['min.insync.replicas'] ?? 1),
    })),
  );
  return { racks: RACKS, partitions };
}
