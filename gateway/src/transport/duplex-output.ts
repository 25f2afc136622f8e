import type { Duplex } from 'node:stream';
import type { Output } from './exchange.ts';

/** Writes to a socket or a stream of HTTP/2, and tells how much of it waits. */
export class DuplexOutput implements Output {
  protected readonly duplex: Duplex;
  readonly ended: Promise<void>;
  #closed = false;

  constructor(duplex: Duplex) {
    this.duplex = duplex;
    this.ended = new Promise((resolve) => {
      duplex.once('close', () => {
        this.#closed = true;
        resolve();
      });
    });
  }

  get waiting(): number {
    return this.duplex.writableLength;
  }

  get closed(): boolean {
    return this.#closed || this.duplex.destroyed;
  }

  async drained(): Promise<void> {
    if (this.closed || !this.duplex.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.duplex.off('drain', done);
        this.duplex.off('close', done);
        resolve();
      };
      this.duplex.once('drain', done);
      this.duplex.once('close', done);
    });
  }

  write(bytes: Buffer): void {
    if (!this.closed && this.duplex.writable) this.duplex.write(bytes);
  }
}
