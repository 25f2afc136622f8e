const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Reads `Sec-WebSocket-Protocol` (RFC 6455, 11.3.4). Undefined if it is malformed, or names one twice. */
export function parseSubprotocols(header: string | undefined): ReadonlySet<string> | undefined {
  if (header === undefined) return new Set();
  const names = header.split(',').map((name) => name.trim());
  const unique = new Set(names);
  return unique.size === names.length && names.every((name) => TOKEN.test(name)) ? unique : undefined;
}
