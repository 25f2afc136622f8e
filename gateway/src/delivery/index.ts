/**
 * gateway/src/delivery: a publication's way: Kafka, then a stream in Redis, then every gateway with subscribers.
 * Imports channels and presence (their interfaces), protocol, log, names and crds; kafkajs and redis are imported nowhere else.
 */
export { BackendAwayError } from './away.ts';
export { Carrier } from './carrier.ts';
export { encodeEnvelope } from './entry.ts';
export { GroupEvictor } from './group-evictor.ts';
export { createKafka } from './kafka-client.ts';
export { KafkaLog } from './kafka-log.ts';
export { redisKeys } from './keys.ts';
export { IDEMPOTENCY_HEADER } from './once.ts';
export type { PublicationLog } from './publication-log.ts';
export type { CarriedRecord, CarrySpan, RecordTracer } from './record-tracer.ts';
export { TRACEPARENT } from './record-tracer.ts';
export { RedisPresence } from './redis-presence.ts';
export { RedisLink } from './redis-link.ts';
export { RedisFeed, RedisStreams } from './redis-streams.ts';
