/** A call took longer than it may, and perhaps never ends. */
export class OverdueError extends Error {
  constructor(what: string, ms: number) {
    super(`${what}: not within ${ms} ms`);
    this.name = 'OverdueError';
  }
}

/**
 * Settles as `work` does, or rejects with {@link OverdueError} after `ms` milliseconds. For calls of kafkajs: some never settle when connections
 * break at the wrong moment, and what waits for them would wait for ever. The work is not ended by it.
 */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OverdueError(what, ms)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
