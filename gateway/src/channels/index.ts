/**
 * gateway/src/channels: the routing table. Who is subscribed to what, and how each channel follows its stream
 * without a gap or a repetition. Imports only crds and protocol; Redis comes in through the interfaces in stream.ts.
 */
export { MAX_CHANNEL_LENGTH, namespaceOf } from './channel-name.ts';
export type { Receiver } from './subscription.ts';
export { Hub } from './hub.ts';
export type { HubOptions, PreparedSubscription } from './hub.ts';
export type {
  Announcement,
  KafkaPosition,
  StreamEntry,
  StreamFeed,
  StreamMessage,
  StreamRange,
  StreamReader,
  StreamSnapshot,
} from './stream.ts';
export { Topics } from './topics.ts';
export type { Topic } from './topics.ts';
