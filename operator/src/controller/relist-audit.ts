/** Finds out whether a watch tells all: what a periodic list found first must come over the watch as well. */
import { compareResourceVersions } from './keys.ts';

export class RelistAudit {
  /** Keys of what the list found first. */
  readonly #suspects = new Set<string>();
  #listedAt: string | undefined;

  /** A list at `resourceVersion` found these changes. Returns how many of the last list the watch never told. */
  begin(keys: Iterable<string>, resourceVersion: string): number {
    const missed = this.#suspects.size;
    this.#suspects.clear();
    for (const key of keys) this.#suspects.add(key);
    this.#listedAt = this.#suspects.size === 0 ? undefined : resourceVersion;
    return missed;
  }

  /** The watch told of a change of `key`. */
  told(key: string): void {
    this.#suspects.delete(key);
  }

  /** The watch has come to `resourceVersion`. Returns how many changes it should have told by now, and didn't. */
  reached(resourceVersion: string): number {
    if (this.#listedAt === undefined || compareResourceVersions(resourceVersion, this.#listedAt) < 0)
      return 0;
    const missed = this.#suspects.size;
    this.cancel();
    return missed;
  }

  /** The watch begins anew from a list: what it would have told is not known. */
  cancel(): void {
    this.#suspects.clear();
    this.#listedAt = undefined;
  }
}
