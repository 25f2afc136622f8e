import { parseKeys, readKeyFiles } from './keys.ts';
import type { KeyFiles, TokenKeys } from './keys.ts';

/** Keys in a mounted Secret: a shared secret or a key set. */
export class MountedKeys {
  readonly dir: string;
  #files: KeyFiles | undefined;
  #keys: TokenKeys | undefined;

  constructor(dir: string) {
    this.dir = dir;
  }

  get keys(): TokenKeys | undefined {
    return this.#keys;
  }

  /**
   * Reads the Secret again. True if the keys are others now. Rejects if there are none that can be used; then the
   * ones from before stay.
   */
  async reload(): Promise<boolean> {
    const files = await readKeyFiles(this.dir);
    if (
      this.#keys &&
      this.#files &&
      same(files.hmac, this.#files.hmac) &&
      same(files.jwks, this.#files.jwks)
    ) {
      return false;
    }
    this.#keys = parseKeys(this.dir, files);
    this.#files = files;
    return true;
  }
}

function same(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.equals(b));
}
