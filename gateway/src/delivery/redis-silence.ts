/** How often it is looked, milliseconds. */
const LOOK_MS = 500;

/** A connection that pings its server, and says each time that it was answered. */
interface Pinging {
  on(event: 'ping-interval', listener: () => void): unknown;
}

/**
 * Calls `silent` once, when no ping was answered for `limitMs`; before the first one, since the call. node-redis (6.3) leaves
 * that to the socket's own time-out, which each write sets back: a connection to a Redis that was gone with its zone lived for
 * as long as commands were written to it, more than a minute under the load of clients that came back. It counts looks, not
 * time: a process that stood still has heard nothing, and that is not the server's silence. Returns what ends it.
 */
export function whenSilent(client: Pinging, limitMs: number, silent: (why: Error) => void): () => void {
  let unheard = 0;
  client.on('ping-interval', () => (unheard = 0));
  const timer = setInterval(() => {
    unheard += 1;
    if (unheard * LOOK_MS <= limitMs) return;
    clearInterval(timer);
    silent(new Error(`Redis has not answered for ${limitMs} ms`));
  }, LOOK_MS);
  return () => clearInterval(timer);
}
