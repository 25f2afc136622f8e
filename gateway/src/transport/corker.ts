import type { Duplex } from 'node:stream';

/** Sockets that hold back what is written in this turn of the event loop, so that it goes out in one piece. */
const corked: Duplex[] = [];

/** Holds back what is written to `socket` until the end of this turn. */
export function corkForThisTurn(socket: Duplex): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  if (corked.push(socket) === 1) setImmediate(uncorkAll);
}

function uncorkAll(): void {
  for (const socket of corked.splice(0)) socket.uncork();
}
