import type { ProtocolError } from '../protocol/index.ts';

/** A command that cannot be carried out, and what the client is told. */
export class RefusedError extends Error {
  readonly error: ProtocolError;

  constructor(error: ProtocolError) {
    super(error.message);
    this.name = 'RefusedError';
    this.error = error;
  }
}
