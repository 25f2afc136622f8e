/** Reads the markup of a report as strictly as XML is read, for tests: tags, their attributes, and what stands between. */

export interface Node {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: Node[];
  /** Text of the element itself, unescaped. */
  text: string;
}

const TOKEN =
  /<!doctype html>|<(\/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z][A-Za-z0-9:-]*="[^"<]*")*)\s*>|([^<]+)/y;
const VOID = new Set(['meta', 'br', 'hr']);

/** Throws for anything that is not an element, its end, or text; and for ends that do not belong to what is open. */
export function readMarkup(text: string): Node {
  const root: Node = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) throw new Error(`this is no markup: ${text.slice(at, at + 60)}`);
    const [, end, name, attributes = '', words] = found;
    const top = open.at(-1);
    if (top === undefined) throw new Error('more is ended than was begun');
    if (words !== undefined) top.text += unescaped(words, top.name);
    else if (end === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> ends <${top.name}>`);
    } else if (name !== undefined) {
      const node: Node = { name, attributes: attributesOf(attributes), children: [], text: '' };
      top.children.push(node);
      if (!VOID.has(name)) open.push(node);
    }
  }
  if (open.length !== 1) throw new Error(`<${open.at(-1)?.name}> is not ended`);
  return root;
}

function attributesOf(text: string): Record<string, string> {
  const found = [...text.matchAll(/([A-Za-z][A-Za-z0-9:-]*)="([^"]*)"/g)];
  const names = found.map(([, name]) => name);
  if (new Set(names).size !== names.length) throw new Error(`an attribute is there twice: ${text}`);
  return Object.fromEntries(found.map(([, name = '', value = '']) => [name, unescaped(value, '')]));
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function unescaped(text: string, inside: string): string {
  if (inside === 'style') return text;
  return text.replaceAll(/&([^;&\s]*);?/g, (whole, name: string) => {
    const known = NAMED[name];
    if (known === undefined || !whole.endsWith(';')) throw new Error(`${whole} is no escape`);
    return known;
  });
}

/** Every element below, and the element itself. */
export function all(node: Node, name?: string): Node[] {
  const below = node.children.flatMap((child) => all(child, name));
  return name === undefined || node.name === name ? [node, ...below] : below;
}
