/** Headers of a Kafka record. */
export type RecordHeaders = Readonly<Record<string, string>>;

/** Where publications are made durable before they are acknowledged. */
export interface PublicationLog {
  /**
   * Resolves when the record is durable: written to all in-sync replicas. Rejects with BackendAwayError when that
   * is not known in bounded time; the record may be there nevertheless. Records of one key that are acknowledged have the
   * order in which they were appended. One that was not may be there later than those, if a broker had its request already.
   */
  append(topic: string, key: string, value: string, headers?: RecordHeaders): Promise<void>;
  /** Records that are not answered yet. */
  readonly pending: number;
}
