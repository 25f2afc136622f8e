/** How many there may be. */
export interface SeatLimits {
  /** Sockets and WebSockets, see {@link Seats}. */
  connections: number;
  /** TLS handshakes under way. */
  handshakes: number;
}

/**
 * Who takes a place. A socket takes one from its first byte on, and carries one WebSocket for it; over HTTP/2 each
 * further WebSocket on the same socket takes one more. So the limit of connections is one limit for both transports.
 */
export class Seats {
  readonly #limits: SeatLimits;
  /** Sockets whose handshake is over. */
  #sockets = 0;
  #further = 0;

  constructor(limits: SeatLimits) {
    this.#limits = limits;
  }

  get sockets(): number {
    return this.#sockets;
  }

  /** How many sockets there may be, those in a handshake included. Over it the kernel's connection is closed unread. */
  get socketLimit(): number {
    const { connections, handshakes } = this.#limits;
    return Math.min(connections - this.#further, this.#sockets + handshakes);
  }

  /** Why a socket was refused just now: no place is left, or too many handshakes are under way. */
  get refusal(): 'refused' | 'busy' {
    return this.socketLimit === this.#limits.connections - this.#further ? 'refused' : 'busy';
  }

  /** A handshake is over. False: there is no place for the socket, since others took the last ones meanwhile. */
  sit(): boolean {
    if (!this.#free()) return false;
    this.#sockets += 1;
    return true;
  }

  leave(): void {
    this.#sockets -= 1;
  }

  /** One more WebSocket on a socket that has one. False: there is no place. */
  sitFurther(): boolean {
    if (!this.#free()) return false;
    this.#further += 1;
    return true;
  }

  leaveFurther(): void {
    this.#further -= 1;
  }

  #free(): boolean {
    return this.#sockets + this.#further < this.#limits.connections;
  }
}
