/**
 * The bytes of gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md): frames of a flag, a length and a
 * message; trailers in a last frame; and the whole as base64 for browsers' XMLHttpRequest.
 */
import { SyncFailure } from './failure.ts';

/** How a client wants its bytes. */
export type Encoding = 'binary' | 'text';

/** Most bytes of a request's body. */
export const MAX_REQUEST_BYTES = 64 * 1024;

const HEADER_BYTES = 5;
const COMPRESSED = 0x01;
const TRAILERS = 0x80;

const TYPES: ReadonlyMap<string, Encoding> = new Map([
  ['application/grpc-web', 'binary'],
  ['application/grpc-web+proto', 'binary'],
  ['application/grpc-web-text', 'text'],
  ['application/grpc-web-text+proto', 'text'],
]);

/** The encoding that a content type names; undefined: it is not gRPC-Web with Protobuf. */
export function encodingOf(contentType: string | undefined): Encoding | undefined {
  return TYPES.get(contentType?.split(';')[0]?.trim().toLowerCase() ?? '');
}

/** The content type of a response. */
export function contentTypeOf(encoding: Encoding): string {
  return encoding === 'text' ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto';
}

/** A message as it is sent. */
export function dataFrame(message: Uint8Array, encoding: Encoding): Buffer {
  return frame(0, message, encoding);
}

/** The end of a stream. Trailers' values must be ASCII without line ends. */
export function trailersFrame(trailers: Readonly<Record<string, string>>, encoding: Encoding): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}\r\n`);
  return frame(TRAILERS, Buffer.from(lines.join(''), 'latin1'), encoding);
}

function frame(flag: number, payload: Uint8Array, encoding: Encoding): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes[0] = flag;
  bytes.writeUInt32BE(payload.length, 1);
  bytes.set(payload, HEADER_BYTES);
  // Padded at the end of each frame, so that nothing waits for the next one.
  return encoding === 'text' ? Buffer.from(bytes.toString('base64'), 'latin1') : bytes;
}

/** The one message in a request's body. Throws {@link SyncFailure}. */
export function requestMessage(body: Buffer, encoding: Encoding): Buffer {
  const bytes = encoding === 'text' ? decodeText(body) : body;
  // A client may leave an empty message out altogether.
  if (bytes.length === 0) return bytes;
  if (bytes.length < HEADER_BYTES) throw new SyncFailure('bad-request', 'the body is not a gRPC-Web message');
  const [flag = 0] = bytes;
  if ((flag & COMPRESSED) !== 0) throw new SyncFailure('bad-request', 'compressed messages are not taken');
  if (flag !== 0 || bytes.readUInt32BE(1) !== bytes.length - HEADER_BYTES) {
    throw new SyncFailure('bad-request', 'the body must be one gRPC-Web message');
  }
  return bytes.subarray(HEADER_BYTES);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeText(body: Buffer): Buffer {
  const text = body.toString('latin1');
  if (!BASE64.test(text)) throw new SyncFailure('bad-request', 'the body is not base64');
  return Buffer.from(text, 'base64');
}

/** A failure, or the good end, as trailers. */
export function trailersOf(failure: SyncFailure): Record<string, string> {
  const { status, reason, message, oldest } = failure;
  return {
    'grpc-status': String(status),
    'grpc-message': percentEncode(message),
    'causeway-reason': reason,
    ...(oldest && {
      'causeway-oldest-rev': String(oldest.revision),
      'causeway-oldest-epoch': String(oldest.epoch),
    }),
  };
}

/** As grpc-message asks for (PROTOCOL-HTTP2.md): all but printable ASCII, and the percent sign. */
function percentEncode(text: string): string {
  return Array.from(Buffer.from(text), (byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x25
      ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
      : String.fromCharCode(byte),
  ).join('');
}
