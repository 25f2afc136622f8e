/** Kafka or Redis cannot be reached now, or has too much to do; the same call may succeed later. */
export class BackendAwayError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BackendAwayError';
  }
}
