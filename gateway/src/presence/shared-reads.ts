/** Reads of one thing: one under way, and one that begins after it. */
interface Slot<T> {
  running: Promise<T>;
  next: Promise<T> | undefined;
}

/**
 * Lets those who ask for the same thing at the same time share one read, so that ten thousand who ask at once cost two
 * reads. Who asks while one is under way gets the one after it: the one under way may have begun before what he has to
 * see.
 */
export class SharedReads<T> {
  readonly #read: (key: string) => Promise<T>;
  readonly #slots = new Map<string, Slot<T>>();

  constructor(read: (key: string) => Promise<T>) {
    this.#read = read;
  }

  /** Rejects with what the read rejects with. */
  get(key: string): Promise<T> {
    const slot = this.#slots.get(key);
    if (!slot) return this.#begin(key);
    slot.next ??= slot.running.then(
      () => this.#begin(key),
      () => this.#begin(key),
    );
    return slot.next;
  }

  #begin(key: string): Promise<T> {
    const slot: Slot<T> = { running: this.#read(key), next: undefined };
    this.#slots.set(key, slot);
    // Whoever asked is told if it fails.
    void slot.running
      .catch(() => undefined)
      .finally(() => {
        if (this.#slots.get(key) === slot && !slot.next) this.#slots.delete(key);
      });
    return slot.running;
  }
}
