/**
 * gateway/src/names: where the servers are that we connect to, also while name servers are away. Imports only log.
 * `answers` and `question` decide and do no I/O (docs/adr/0067).
 */
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import { Names } from './names.ts';
import { askSystem } from './system.ts';

export { Names } from './names.ts';
export type { LookupOutcome } from './names.ts';
export { askSystem, isDenial } from './system.ts';

/** This process' own: all its connections share what is known. */
export const names = new Names({ ask: askSystem, now: () => performance.now() });

/** Between two lines in the log, milliseconds. */
const SAY_EVERY_MS = 60_000;

/** Says in the log when old answers are used; once a minute, for as long as they are. */
export function sayWhenStale(of: Names, log: Log): void {
  let saidAt: number | undefined;
  of.onStale = (host, why) => {
    const now = performance.now();
    if (saidAt !== undefined && now - saidAt < SAY_EVERY_MS) return;
    saidAt = now;
    log.warn('name servers do not answer, going on with the addresses of before', {
      host,
      ...(why !== undefined && { reason: reason(why) }),
    });
  };
}
