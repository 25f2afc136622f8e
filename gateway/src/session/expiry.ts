/** What a reply says of when something expires, from Unix seconds: nothing if it doesn't. */
export function expiryOf(expiresAt: number | undefined, unixNow: number): { expires?: true; ttl?: number } {
  if (expiresAt === undefined) return {};
  return { expires: true, ttl: Math.max(1, Math.floor(expiresAt - unixNow / 1000)) };
}
