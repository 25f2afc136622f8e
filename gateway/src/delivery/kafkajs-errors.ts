/** kafkajs's names of errors of a connection. */
export const OF_CONNECTION: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
]);

/** Whether an error of kafkajs, or what it is about, has one of these names or types. */
export function isOf(error: unknown, kinds: ReadonlySet<string>): boolean {
  if (!(error instanceof Error)) return false;
  const { name, type = '', cause } = error as Error & { type?: string };
  return kinds.has(name) || kinds.has(type) || isOf(cause, kinds);
}
