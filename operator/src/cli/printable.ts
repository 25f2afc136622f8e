/** Texts of others, so that they move no cursor and hide nothing of whoever looks at them. Pure. */

// Control characters (ESC begins what moves a terminal's cursor), and those that turn the direction of what follows.
const HARMFUL = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A text in one line; what would be a command to the terminal is seen as a replacement character. */
export function printable(text: string): string {
  return text.replaceAll(/[\t\r\n]+/g, ' ').replaceAll(HARMFUL, '\ufffd');
}

/** A key, which may have any characters: quoted unless it is plain ASCII without spaces. */
export function printableKey(key: string): string {
  return /^[\x21-\x7e]*$/.test(key) ? key : JSON.stringify(key).replaceAll(HARMFUL, '\ufffd');
}
