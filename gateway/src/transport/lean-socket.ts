/** What keeps a connection small: a gateway has tens of thousands of them. */
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** One listener for many emitters: `act` gets the emitter that it is called on. */
export function listener<E>(act: (emitter: E) => void): (this: E) => void {
  return function (this: E): void {
    act(this);
  };
}

/** Whoever breaks a connection is not worth a log line. For `error`. */
export const destroyIt = listener((socket: Duplex) => void socket.destroy());

/**
 * Bun 1.4 keeps an Error, with its stack, on each server socket whose client showed no certificate, though none was
 * asked for: about 0.6 KB. Elsewhere there is no such thing, and nothing happens.
 */
export function forgetHandshake(socket: TLSSocket): void {
  const kept = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kVerifyError');
  if (kept) (socket as unknown as Record<symbol, unknown>)[kept] = null;
}
