/** JSON of any depth, without recursion: several times slower than what is built in, which overflows the stack. */

/** Integers that may not be exact as a number, outside of strings; the first alternative passes over the strings. */
const LONG_INTEGER = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;
/** No text of a server begins like this by chance: a JSON text can hold U+0000 only as an escape. */
const MARK = '\u0000integer ';
const DIGITS = /^-?\d+$/;

/** As `parseJson`. Throws SyntaxError. */
export function parseDeepJson(text: string): unknown {
  const marked = text.replaceAll(LONG_INTEGER, (token) =>
    token.startsWith('"') ? token : JSON.stringify(`${MARK}${token}`),
  );
  const root: Record<string, unknown> = { value: JSON.parse(marked) };
  const open: Record<string, unknown>[] = [root];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    for (const [name, value] of Object.entries(holder)) {
      if (typeof value === 'string') holder[name] = unmarked(value);
      else if (isHolder(value)) open.push(value);
    }
  }
  return root.value;
}

function unmarked(text: string): unknown {
  const digits = text.startsWith(MARK) ? text.slice(MARK.length) : '';
  if (!DIGITS.test(digits)) return text;
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

/** An object or an array: both are read and written by name. */
function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** What is still to be written: a piece of text, or a value. */
type Piece = { readonly text: string } | { readonly value: unknown };

/** As `JSON.stringify`, with bigints digit by digit. */
export function deepJson(value: unknown): string {
  const pieces: string[] = [];
  const left: Piece[] = [{ value }];
  for (let piece = left.pop(); piece !== undefined; piece = left.pop()) {
    if ('text' in piece) pieces.push(piece.text);
    else if (Array.isArray(piece.value)) openArray(piece.value, left);
    else if (isHolder(piece.value) && !(piece.value instanceof Date)) openObject(piece.value, left);
    else pieces.push(typeof piece.value === 'bigint' ? String(piece.value) : (JSON.stringify(piece.value) ?? 'null'));
  }
  return pieces.join('');
}

function openArray(items: readonly unknown[], left: Piece[]): void {
  left.push({ text: ']' });
  for (let index = items.length - 1; index >= 0; index -= 1) {
    left.push({ value: items[index] });
    if (index > 0) left.push({ text: ',' });
  }
  left.push({ text: '[' });
}

function openObject(holder: Readonly<Record<string, unknown>>, left: Piece[]): void {
  const members = Object.entries(holder).filter(([, value]) => value !== undefined);
  left.push({ text: '}' });
  for (const [index, [name, value]] of [...members.entries()].reverse()) {
    left.push({ value }, { text: `${index > 0 ? ',' : ''}${JSON.stringify(name)}:` });
  }
  left.push({ text: '{' });
}
