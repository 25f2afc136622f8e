/** A wait that can be ended early. For one waiter. */
export class Wake {
  #pending = false;
  #resolve: (() => void) | undefined;

  /** Ends the wait that is under way, or the next one. */
  now(): void {
    this.#pending = true;
    this.#resolve?.();
  }

  /** Resolves after `ms`, or when woken; at once when woken since the last wait. */
  async wait(ms: number): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#resolve = undefined;
    }
    this.#pending = false;
  }
}
