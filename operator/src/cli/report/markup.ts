/** HTML and SVG that cannot be broken by what is put in: text is escaped where it becomes markup, and nowhere else. Pure. */

/** Markup that may be put in as it is. Only this file makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Child = string | Markup | readonly Child[] | undefined;
type Attributes = Readonly<Record<string, string | number | undefined>>;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A text that stands for itself, also between quotes. */
export function escaped(text: string): string {
  // Of the control characters HTML and XML allow only these three.
  const printable = text.replaceAll(/[^\P{Cc}\t\n\r]/gu, '\uFFFD');
  return printable.replaceAll(/[&<>"']/g, (found) => ESCAPES[found] ?? found);
}

/** An element. Attributes that are undefined are left out; numbers get at most two decimals. */
export function element(name: string, attributes: Attributes = {}, ...children: Child[]): Markup {
  const said = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escaped(plain(value))}"`],
  );
  const open = `<${name}${said.join('')}>`;
  return new Markup(VOID.has(name) ? open : `${open}${rendered(children)}</${name}>`);
}

/** Elements that have no end. */
const VOID = new Set(['meta', 'br', 'hr']);

function plain(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 100) / 100) : value;
}

function rendered(child: Child): string {
  if (child === undefined) return '';
  if (child instanceof Markup) return child.text;
  return typeof child === 'string' ? escaped(child) : child.map(rendered).join('');
}

/** A style sheet of ours: nothing that anybody said is in it. */
export function styleSheet(css: string): Markup {
  return new Markup(`<style>${css}</style>`);
}

/** A whole HTML document. */
export function page(html: Markup): string {
  return `<!doctype html>\n${html.text}\n`;
}
