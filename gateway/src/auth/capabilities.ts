/** What a token may allow in a channel: subscribe, publish, ask for presence, ask for history. */
export type Right = 'sub' | 'pub' | 'prs' | 'hst';

/** One element of the claim `caps`: what is allowed in the channels that it names. */
export interface Capability {
  channels: readonly string[];
  /** In a wildcard, each * stands for any text, also none. */
  match: 'exact' | 'wildcard';
  allow: ReadonlySet<Right>;
}

const NOTHING: ReadonlySet<Right> = new Set();

/**
 * What `capabilities` allow in `channel`. The first one that names the channel says it all, as in Centrifugo: so one
 * channel can have less than the wildcard that comes after it.
 */
export function allowedIn(
  channel: string,
  capabilities: readonly Capability[] | undefined,
): ReadonlySet<Right> {
  const first = capabilities?.find(({ channels, match }) =>
    match === 'exact' ? channels.includes(channel) : channels.some((pattern) => matches(pattern, channel)),
  );
  return first?.allow ?? NOTHING;
}

/**
 * Whether `text` has the form of `pattern`. Takes the text between two stars where it stands first, which is enough:
 * the time is at most the product of both lengths, whoever wrote the pattern.
 */
export function matches(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  if (!text.startsWith(head)) return false;
  const tail = rest.pop();
  if (tail === undefined) return text === head;
  let at = head.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - at >= tail.length && text.endsWith(tail);
}
