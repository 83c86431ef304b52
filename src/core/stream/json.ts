import { hash } from 'node:crypto';

/**
 * JSON that keeps every digit of a 64-bit integer. Plain `JSON.parse` rounds above 2^53; the reviver with source text is
 * six times slower (0.5 against 3 ms per page of 200), so it is used only for texts that hold a number that long.
 */
const LONG = 16;

/** Integers beyond 2^53 come out as bigint, everything else as `JSON.parse` has it, at any depth. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  if (!hasLongNumber(text)) return JSON.parse(text);
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return parseDeepJson(text);
  }
}

/** Looks at every 16th character only: a third of the time that a regular expression takes. */
function hasLongNumber(text: string): boolean {
  for (let index = LONG - 1; index < text.length; index += LONG) {
    if (!isDigit(text, index)) continue;
    let first = index;
    let last = index;
    while (isDigit(text, first - 1)) first -= 1;
    while (isDigit(text, last + 1)) last += 1;
    if (last - first + 1 >= LONG) return true;
  }
  return false;
}

function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 48 && code <= 57;
}

function exact(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;
}

declare global {
  interface JSON {
    /** Node 22+: text that `JSON.stringify` writes as it is. */
    rawJSON(text: string): unknown;
  }
}

/**
 * The counterpart: bigints are written digit by digit. Plain `JSON.stringify` throws on them but is twice as fast (10
 * against 15 us a row), so the slower way is taken only then.
 */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return deepJson(value);
    if (!(error instanceof TypeError)) throw error;
  }
  try {
    return JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? JSON.rawJSON(String(inner)) : inner));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return deepJson(value);
  }
}

/** Postgres stores neither U+0000 nor half a surrogate pair, and attack payloads contain both. */
export function cleanText(text: string): string {
  return text.includes('\u0000') || !text.isWellFormed() ? text.toWellFormed().replaceAll('\u0000', '\ufffd') : text;
}

/**
 * Levels of a value that are kept as JSON. What writes JSON overflows the stack some thousand levels down, and so does
 * Postgres when it reads it; no honest record comes near this.
 */
const MOST_LEVELS = 200;

/**
 * `cleanText` on every string and key inside a decoded JSON value. What is nested deeper than 200 levels becomes its JSON
 * text, so that nothing is lost and everything can be stored.
 */
export function cleanJson(value: unknown, levels = MOST_LEVELS): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (value === null || typeof value !== 'object') return value;
  if (levels === 0) return cleanText(toJson(value));
  if (Array.isArray(value)) return value.map((inner: unknown) => cleanJson(inner, levels - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [cleanText(key), cleanJson(inner, levels - 1)]),
  );
}

/** Whether a decoded value can be stored as it is, however it is nested. */
export function isShallow(value: unknown, levels = MOST_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  for (const inner of Object.values(value)) if (!isShallow(inner, levels - 1)) return false;
  return true;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

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

/** SHA-256 of a text, as 64 hexadecimal digits. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** Half a SHA-256 in hexadecimal: 128 bits tell rows apart, in half the space. */
export function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32);
}
