const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPENERS = new Set([91, 123]);
const CLOSERS = new Set([93, 125]);

/** The items of a JSON array's text, each as its own text, character for character. The text must be JSON without space. */
export function splitItems(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let start = 1;
  for (let at = 1; at < text.length - 1; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (OPENERS.has(code)) depth += 1;
    else if (CLOSERS.has(code)) depth -= 1;
    else if (code === COMMA && depth === 0) {
      items.push(text.slice(start, at));
      start = at + 1;
    }
  }
  if (text.length > 2) items.push(text.slice(start, -1));
  return items;
}

/** The text of the array that holds the items of all given arrays, in order. */
export function joinArrays(texts: readonly string[]): string {
  const inner = texts.map((text) => text.slice(1, -1)).filter((text) => text !== "");
  return `[${inner.join(",")}]`;
}

function endOfString(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); ; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
