/** How much of each channel is kept in Redis. Not configurable yet: the API has no channel options. */
export const HISTORY = {
  /** Publications in a stream, about. */
  size: 1_000,
  /** How long a stream lives after its last publication. A rebuild from Kafka reaches back as far. */
  seconds: 3_600,
  /** How long a channel's epoch and offset live after they were last used. */
  positionSeconds: 86_400,
} as const;
