import { setTimeout as delay } from 'node:timers/promises';

/** A heartbeat was refused: the member has to join its group again, and what it does is somebody else's by now. */
export class BeatFailedError extends Error {
  constructor(cause: unknown) {
    super('the group wants to be joined again', { cause });
    this.name = 'BeatFailedError';
  }
}

/**
 * Settles as `work` does, and calls `beat` meanwhile, every `everyMs` milliseconds, so that a member of a group stays one while it
 * waits. Rejects with {@link BeatFailedError} as soon as that fails; the work is then left to itself. It must end by itself.
 */
export async function whileBeating<T>(
  work: Promise<T>,
  beat: () => Promise<void>,
  everyMs: number,
): Promise<T> {
  const over = new AbortController();
  const beats = async (): Promise<never> => {
    for (;;) {
      await delay(everyMs, undefined, { signal: over.signal });
      await beat().catch((error: unknown) => {
        throw new BeatFailedError(error);
      });
    }
  };
  try {
    return await Promise.race([work, beats()]);
  } finally {
    over.abort();
  }
}
