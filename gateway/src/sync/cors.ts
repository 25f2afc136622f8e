/** What browsers ask before a page may call us from another origin (https://fetch.spec.whatwg.org/#http-cors-protocol). */

/** Headers for a response to this origin; undefined: pages of it may not. Tokens come in a header, never in a cookie. */
export function corsHeaders(
  origin: string | undefined,
  allowed: ReadonlySet<string>,
): Record<string, string> | undefined {
  if (origin === undefined) return {};
  if (allowed.size > 0 && !allowed.has(origin.toLowerCase())) return undefined;
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'grpc-status, grpc-message',
    vary: 'origin',
  };
}

/** What the answer to a preflight request has besides. */
export function preflight(): Record<string, string> {
  return {
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization, content-type, grpc-timeout, x-grpc-web, x-user-agent',
    'access-control-max-age': '600',
  };
}
