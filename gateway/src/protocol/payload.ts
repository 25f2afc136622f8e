import { isUtf8 } from 'node:buffer';

/**
 * How a {@link Payload} holds its bytes.
 * - json: JSON as `JSON.stringify` writes it
 * - text: JSON written in another way (spaces, `1.0`, large numbers), kept to the byte
 * - bytes: not JSON; its text is their base64
 */
export type PayloadForm = 'json' | 'text' | 'bytes';

/** The tag that tells JSON clients that a publication's data is the base64 of bytes that are not JSON (docs/adr/0051). */
export const ENCODING_TAG = { key: 'data-encoding', value: 'base64' } as const;

/** Data of a client's, which we carry and never look into. */
export class Payload {
  readonly form: PayloadForm;
  readonly text: string;

  constructor(form: PayloadForm, text: string) {
    this.form = form;
    this.text = text;
  }

  /** What `value`, which came out of JSON, is. Throws RangeError where it is nested too deeply. */
  static ofJson(value: unknown): Payload {
    return new Payload('json', JSON.stringify(value));
  }

  /** What a client of the Protobuf form sent. */
  static ofBytes(bytes: Buffer): Payload {
    const json = asJson(bytes);
    return json ?? new Payload('bytes', bytes.toString('base64'));
  }

  /** Bytes of the data itself. */
  get size(): number {
    return this.form === 'bytes' ? Buffer.byteLength(this.text, 'base64') : Buffer.byteLength(this.text);
  }

  /** As a value inside JSON that is framed by lines. */
  get json(): string {
    if (this.form === 'json') return this.text;
    // Outside of texts, where JSON has it escaped, a line feed means nothing.
    return this.form === 'text' ? this.text.replaceAll('\n', '') : JSON.stringify(this.text);
  }
}

function asJson(bytes: Buffer): Payload | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString();
  try {
    const parsed: unknown = JSON.parse(text);
    return new Payload(JSON.stringify(parsed) === text ? 'json' : 'text', text);
  } catch {
    // Not JSON, or nested more deeply than can be read: bytes to us.
    return undefined;
  }
}
