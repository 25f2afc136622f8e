/** What errors of kafkajs 2.2.4 say of the way to a coordinator. */

/** kafkajs's names of errors of a connection. */
export const OF_CONNECTION: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
]);
/** Errors that say of a coordinator that it is another one, or not there yet: nothing of the member. */
export const OF_COORDINATOR: ReadonlySet<string> = new Set([
  ...OF_CONNECTION,
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
]);
/**
 * Errors of one who looks for a coordinator while there is none, by kafkajs's names or types, and by ours: it was not connected to in time,
 * and nobody is known who could be asked.
 */
export const OF_SEARCH: ReadonlySet<string> = new Set([
  ...OF_COORDINATOR,
  'OverdueError',
  'AggregateError',
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSGroupCoordinatorNotFound',
  'LEADER_NOT_AVAILABLE',
  'REQUEST_TIMED_OUT',
]);

/** Whether it, or what it is about, has one of these names or types. */
export function isOf(error: unknown, kinds: ReadonlySet<string>): boolean {
  if (!(error instanceof Error)) return false;
  const { name, type = '', cause } = error as Error & { type?: string };
  return kinds.has(name) || kinds.has(type) || isOf(cause, kinds);
}
