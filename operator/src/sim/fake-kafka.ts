/** A Kafka cluster in memory, as its admin interface shows it. */
import { KafkaFailure, type KafkaAdmin } from '../platform/kafka.ts';
import type { KafkaPlacement } from '../platform/kafka-placement.ts';
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
      this.#topics.delete(action.topic);
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
      topic: name,
      partition,
      leader: 1 + (partition % RACKS.size),
      isr: [...RACKS.keys()],
      minInSync: Number(config['min.insync.replicas'] ?? 1),
    })),
  );
  return { racks: RACKS, partitions };
}
