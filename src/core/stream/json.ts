import { hash } from 'node:crypto';
import type { ColumnValue } from './fields.ts';
import type { Row } from './record.ts';

/**
 * Numbers of 16 digits or more may be imprecise: plain `JSON.parse` rounds above 2^53. The reviver with source text is
 * several times slower, so it is used only for texts that contain such a number. Each digit is written out, because V8
 * then skips most characters of the text, as it does not for `\d{16}`.
 */
const LONG_NUMBER = new RegExp('\\d'.repeat(16));

/** Parses JSON of any depth. Integers beyond 2^53 become bigint, the rest is as in `JSON.parse`. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return parseDeepJson(text);
  }
}

function exact(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;
}

declare global {
  interface JSON {
    /** Node 22 or later: text that `JSON.stringify` writes unchanged. */
    rawJSON(text: string): unknown;
  }
}

/**
 * Writes JSON with all digits of bigints. Plain `JSON.stringify` throws on a bigint but is faster, so the slower way is
 * used only after it threw.
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

const ESCAPED_UNCLEAN = /\\u(?:0000|d[89a-f])/i;

/** A text with more escapes than this is searched with one regular expression. */
const FEW_ESCAPES = 500;

/**
 * No string of a JSON text needs `cleanText`: the text has no escapes of U+0000 and of surrogates. Unescaped, JSON
 * allows no U+0000, and a text decoded from UTF-8 has no unpaired surrogates.
 */
export function isCleanJson(decoded: string): boolean {
  let at = decoded.indexOf('\\u');
  for (let found = 0; at !== -1; found += 1) {
    if (found === FEW_ESCAPES) return !ESCAPED_UNCLEAN.test(decoded);
    if (ESCAPED_UNCLEAN.test(decoded.slice(at, at + 6))) return false;
    at = decoded.indexOf('\\u', at + 2);
  }
  return true;
}

/** Replaces U+0000 and unpaired surrogates, which attack payloads contain and Postgres does not store. */
export function cleanText(text: string): string {
  return text.includes('\u0000') || !text.isWellFormed() ? text.toWellFormed().replaceAll('\u0000', '\ufffd') : text;
}

/**
 * Maximum depth of stored JSON. JSON writers and Postgres overflow their stacks some thousand levels down; valid
 * records are far below this limit.
 */
const MOST_LEVELS = 200;

/**
 * Applies `cleanText` to all strings and keys of a decoded JSON value. Values nested deeper than 200 levels become JSON
 * text, so nothing is lost and everything can be stored.
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

/** The value is not nested too deeply to be stored as JSON. */
export function isShallow(value: unknown, levels = MOST_LEVELS): boolean {
  if (Array.isArray(value)) return levels > 0 && value.every((inner: unknown) => isShallow(inner, levels - 1));
  if (!isObject(value)) return true;
  if (levels === 0) return false;
  for (const name in value) if (!isShallow(value[name], levels - 1)) return false;
  return true;
}

/** The value is an object, not null and not an array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// JSON of any depth, without recursion: slower than the built-in functions, which overflow the stack.
/** Integers outside strings that may be imprecise as a number. The first alternative skips strings. */
const LONG_INTEGER = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;
/** Cannot occur at the start of a text from a server: JSON contains U+0000 only as an escape. */
const MARK = '\u0000integer ';
const DIGITS = /^-?\d+$/;

/** Like `parseJson`, without recursion. Throws SyntaxError. */
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

/** An object or an array; both are accessed by name. */
function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Pending output: a piece of text, or a value. */
type Piece = { readonly text: string } | { readonly value: unknown };

/** Like `JSON.stringify`, without recursion and with all digits of bigints. */
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

/** The first half of a SHA-256 in hexadecimal: 128 bits are enough to distinguish rows, in half the space. */
export function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32);
}

/** Brings JSON into an order that depends on its content alone. */
type Ordering = (value: unknown) => unknown;

/**
 * Fingerprint of a row, including unknown fields. No stored text contains U+0000, so this character starts every value,
 * and the next one gives its type. Hashing JSON of the whole row is slower (docs/performance.md).
 */
export function hashOf(row: Row, extra: object | null, ordered: Ordering = canonicalJson): string {
  let content = '';
  for (const name in row) content += textOf(row[name], ordered);
  return shortHash(extra === null ? content : content + textOf(extra, ordered));
}

/**
 * The fingerprint that earlier versions stored: it depends on the order of members inside JSON. A row with it is not
 * written again only because of this version.
 */
export function formerHashOf(row: Row, extra: object | null): string {
  return hashOf(row, extra, sortedLists);
}

/** The text of a value in the fingerprint of its row. */
export function textOf(value: ColumnValue | undefined, ordered: Ordering = canonicalJson): string {
  if (typeof value === 'string') return `\u0000=${value}`;
  if (value === null || value === undefined) return '\u0000';
  if (value instanceof Date) return `\u0000@${value.getTime()}`;
  return typeof value === 'object' ? `\u0000:${toJson(ordered(value))}` : `\u0000=${value}`;
}

function canonicalJson(value: unknown): unknown {
  return sortedLists(sortedMembers(value));
}

/**
 * Sorts the members of the objects inside a value by their names: servers write them in any order. Returns a value
 * unchanged whose members are in that order.
 */
export function sortedMembers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return listWithSortedMembers(value);
  return isObject(value) ? objectWithSortedMembers(value) : value;
}

function listWithSortedMembers(list: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | null = null;
  for (let index = 0; index < list.length; index += 1) {
    const ordered = sortedMembers(list[index]);
    if (ordered === list[index]) continue;
    copy ??= [...list];
    copy[index] = ordered;
  }
  return copy ?? list;
}

/** Returns the object itself if it and its values are in order. Only values that are objects can be out of order. */
function objectWithSortedMembers(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const names = Object.keys(value);
  let copy = areSorted(names) ? null : emptyObject();
  if (copy !== null) names.sort();
  for (const name of names) {
    const inner = value[name];
    const ordered = typeof inner === 'object' ? sortedMembers(inner) : inner;
    if (copy === null && ordered !== inner) copy = { ...value };
    // An assignment to this name sets the prototype.
    if (copy !== null && name === '__proto__') defineMember(copy, name, ordered);
    else if (copy !== null) copy[name] = ordered;
  }
  return copy ?? value;
}

function emptyObject(): Record<string, unknown> {
  return {};
}

function defineMember(holder: object, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, configurable: true, enumerable: true, writable: true });
}

function areSorted(names: readonly string[]): boolean {
  for (let index = 1; index < names.length; index += 1) {
    if ((names[index - 1] ?? '') > (names[index] ?? '')) return false;
  }
  return true;
}

/**
 * Sorts the lists inside a value by the text of their elements: their order means nothing, and the API varies it from
 * answer to answer. Returns a value unchanged whose lists are in that order.
 */
export function sortedLists(value: unknown): unknown {
  if (Array.isArray(value)) return sortedList(value);
  if (!isObject(value)) return value;
  let copy: Record<string, unknown> | null = null;
  for (const name in value) {
    const ordered = sortedLists(value[name]);
    if (ordered === value[name]) continue;
    copy ??= Object.fromEntries(Object.entries(value));
    copy[name] = ordered;
  }
  return copy ?? value;
}

function sortedList(list: readonly unknown[]): readonly unknown[] {
  const sorted = list.map(sortedLists);
  if (list.length > 1) {
    const texts = new Map(sorted.map((one) => [one, toJson(one)]));
    const textFor = (one: unknown) => texts.get(one) ?? '';
    sorted.sort((a, b) => (textFor(a) < textFor(b) ? -1 : textFor(a) > textFor(b) ? 1 : 0));
  }
  return sorted.every((one, index) => one === list[index]) ? list : sorted;
}

/**
 * Removes the members that hold secrets from a record, at any depth and in any spelling of their names. Works in place
 * and runs before anything else reads the record, so that no row, reject, sample or message contains them.
 */
export function dropSecrets(secrets: ReadonlySet<string>, record: unknown): void {
  if (secrets.size === 0) return;
  // A stack instead of recursion, because an answer may be nested deeper than the call stack.
  const open: unknown[] = [record];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      if (!Array.isArray(value) && secrets.has(plain(name))) Reflect.deleteProperty(value, name);
      else open.push(inner);
    }
  }
}

/** Normalized names, for `dropSecrets`: equal for `weak_password`, `weakPassword` and `WeakPassword`. */
export function secretNames(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map(plain));
}

function plain(name: string): string {
  return name.replaceAll(/[_-]/g, '').toLowerCase();
}
