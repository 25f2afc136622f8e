import type { ChannelOptions, GatewayConfig } from '@causeway/crds';
import { namespaceOf } from './channel-name.ts';

/** A topic of the platform, and what its channels offer. */
export type Topic = GatewayConfig['kafka']['topics'][number];

/** The topics of a platform: whose channels there are, and what they offer. */
export class Topics {
  readonly #byNamespace: ReadonlyMap<string, Topic>;

  constructor(topics: Topic[]) {
    this.#byNamespace = new Map(topics.map((topic) => [topic.name, topic]));
  }

  /** The topic of `channel`; undefined if there is none, or it is no channel name. */
  of(channel: string): Topic | undefined {
    const namespace = namespaceOf(channel);
    return namespace === undefined ? undefined : this.#byNamespace.get(namespace);
  }

  /** How much is kept of `channel`. Throws RangeError if no topic has it: the caller has asked {@link Topics.of} before. */
  historyOf(channel: string): ChannelOptions['history'] {
    const topic = this.of(channel);
    if (!topic) throw new RangeError('a channel of no topic');
    return topic.channels.history;
  }
}
