/** The parts of kafkajs's inside that we touch, as version 2.2.4 has them. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests: (this: RequestQueue) => void;
  }
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    writeInt8(value: number): this;
    writeInt32(value: number): this;
    writeString(value: string): this;
    /** With their number before them. */
    writeArray(items: readonly (number | Encoder)[], type?: 'int32'): this;
  }
}

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(payload: Buffer);
    readInt16(): number;
    readInt32(): number;
    /** null: there is none. */
    readString(): string | null;
    readArray<T>(read: (decoder: Decoder) => T): T[];
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  export function createErrorFromCode(code: number): Error & { type: string };
}
