/**
 * Reads the file that the downward API makes of a pod's annotations: `key="value"` lines, where the value is a quoted
 * string with Go's escapes (strconv.Quote). Lines in another form are left out.
 */
export function parseAnnotations(text: string): Map<string, string> {
  const annotations = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([^=\s]+)="((?:[^"\\]|\\.)*)"$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) annotations.set(match[1], unquote(match[2]));
  }
  return annotations;
}

const SIMPLE: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };

function unquote(quoted: string): string {
  return quoted.replace(/\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/g, (escape) => {
    const kind = escape[1] ?? '';
    if (escape.length === 2) return SIMPLE[kind] ?? kind;
    const code = Number.parseInt(escape.slice(2), 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : '';
  });
}
