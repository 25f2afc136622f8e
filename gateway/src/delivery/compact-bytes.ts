/** Kafka's flexible versions (KIP-482): lengths are unsigned varints of one more, and any struct may have tagged fields at its end. */

/** No tagged fields; also `false`. */
export const NONE = Buffer.of(0);

function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.of(...bytes, rest);
}

export function compactString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uvarint(bytes.length + 1), bytes]);
}

export function compactArray(items: readonly Buffer[]): Buffer {
  return Buffer.concat([uvarint(items.length + 1), ...items]);
}

/** Reads an answer from its beginning on. Throws where it ends too early. */
export class CompactReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('the answer is too short');
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }

  int16(): number {
    return this.bytes(2).readInt16BE();
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const [byte = 0] = this.bytes(1);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('the answer has a number of more than five bytes');
  }

  /** '' also where there is none. */
  string(): string {
    return this.bytes(Math.max(0, this.uvarint() - 1)).toString();
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, read);
  }

  /** Leaves out the tagged fields of a struct: its end. */
  end(): void {
    for (let left = this.uvarint(); left > 0; left -= 1) {
      this.uvarint();
      this.bytes(this.uvarint());
    }
  }
}
