import type { Message } from '../protocol/index.ts';

const TEXT = 0x81;
const BINARY = 0x82;

/** A WebSocket frame (RFC 6455, 5.2) as a server sends it: whole, not masked, not compressed; text for a string, else binary. */
export function frameOf(message: Message): Buffer {
  if (typeof message === 'string') {
    const [frame, head] = withHead(TEXT, Buffer.byteLength(message));
    frame.write(message, head);
    return frame;
  }
  const [frame, head] = withHead(BINARY, message.length);
  frame.set(message, head);
  return frame;
}

/** A frame whose payload is not written yet, and where that begins. */
function withHead(first: number, length: number): [Buffer, number] {
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = first;
  if (head === 2) {
    frame[1] = length;
  } else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  return [frame, head];
}
