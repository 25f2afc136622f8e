import { BackendAwayError } from '../delivery/index.ts';
import { RefusedError } from './refused.ts';

/** A failed call to Redis is a reason to try again; a refusal, and what fails in our own code, is not. */
export function awayIf(error: unknown): unknown {
  const ours = [TypeError, RangeError, BackendAwayError, RefusedError].some((kind) => error instanceof kind);
  return ours ? error : new BackendAwayError('Redis did not answer', { cause: error });
}
