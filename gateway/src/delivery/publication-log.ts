/** Where publications are made durable before they are acknowledged. */
export interface PublicationLog {
  /**
   * Resolves when the record is durable: written to all in-sync replicas. Rejects with BackendAwayError when that
   * is not known in bounded time; the record may be there nevertheless. Records of one key keep their order.
   * `traceparent` goes with it as a header (W3C Trace Context).
   */
  append(topic: string, key: string, value: string, traceparent?: string): Promise<void>;
  /** Records that are not answered yet. */
  readonly pending: number;
}
