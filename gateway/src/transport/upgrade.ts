/** Most bytes of a request's head. Tokens come in the connect command, not in a header. */
export const MAX_HEAD_BYTES = 8 * 1024;

const END = Buffer.from('\r\n\r\n');
const REQUEST_LINE = /^([A-Z]+) (\/[!-~]*) HTTP\/1\.1$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/;

/** The head of an HTTP/1.1 request. */
export interface RequestHead {
  method: string;
  url: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** What came after the head. */
  rest: Buffer;
}

/** Why a request is not upgraded: an HTTP status. */
export interface Refusal {
  status: number;
  reason: string;
  /** Names in lower case. */
  headers?: Record<string, string>;
}

/** Reads the head of a request (RFC 9112, strictly). Undefined while it is not whole. */
export function parseHead(bytes: Buffer): RequestHead | Refusal | undefined {
  const end = bytes.indexOf(END);
  if (end === -1) return bytes.length > MAX_HEAD_BYTES ? TOO_LARGE : undefined;
  if (end > MAX_HEAD_BYTES) return TOO_LARGE;
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const request = REQUEST_LINE.exec(first);
  if (!request?.[1] || !request[2]) return BAD_REQUEST;
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of lines) {
    const header = HEADER.exec(line);
    const name = header?.[1]?.toLowerCase();
    if (name === undefined) return BAD_REQUEST;
    const before = headers[name];
    const value = header?.[2] ?? '';
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return { method: request[1], url: request[2], headers, rest: bytes.subarray(end + END.length) };
}

export const BAD_REQUEST: Refusal = { status: 400, reason: 'Bad Request' };
const TOO_LARGE: Refusal = { status: 431, reason: 'Request Header Fields Too Large' };

/** What clients may ask for. */
export interface UpgradeRules {
  paths: ReadonlySet<string>;
  /** Empty: any origin. */
  allowedOrigins: ReadonlySet<string>;
}

/** Why this request is no WebSocket handshake that we take; undefined if it is one (ws checks the rest). */
export function refuse({ method, url, headers }: RequestHead, rules: UpgradeRules): Refusal | undefined {
  if (!rules.paths.has(pathOf(url))) return { status: 404, reason: 'Not Found' };
  if (method !== 'GET') return { status: 405, reason: 'Method Not Allowed', headers: { allow: 'GET' } };
  if (headers['upgrade']?.toLowerCase() !== 'websocket') {
    return { status: 426, reason: 'Upgrade Required', headers: { upgrade: 'websocket' } };
  }
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
    return BAD_REQUEST;
  if (!mayComeFrom(headers['origin'], rules)) return { status: 403, reason: 'Forbidden' };
  return undefined;
}

/** A request's target without its query. */
export function pathOf(url: string): string {
  return url.split('?')[0] ?? '';
}

/** Whether a page of this origin may connect. Clients that are no browsers send none. */
export function mayComeFrom(origin: string | undefined, { allowedOrigins }: UpgradeRules): boolean {
  return origin === undefined || allowedOrigins.size === 0 || allowedOrigins.has(origin.toLowerCase());
}

/** A whole HTTP response that ends the connection. */
export function refusalResponse({ status, reason, headers = {} }: Refusal): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}Connection: close\r\nContent-Length: 0\r\n\r\n`;
}
