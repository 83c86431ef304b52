import type { ColumnValue } from './fields.ts';
import { isObject, shortHash, toJson } from './json.ts';
import type { Row } from './record.ts';

/** Brings JSON into an order that depends on its content alone. */
type Ordering = (value: unknown) => unknown;

/**
 * Fingerprint of a row, including unknown fields. No stored text contains U+0000, so this character starts every value,
 * and the next one gives its type. Hashing JSON of the whole row is slower (docs/performance.md).
 */
export function hashOf(row: Row, extra: object | null, ordered: Ordering = inOrder): string {
  let content = '';
  for (const name in row) content += textOf(row[name], ordered);
  return shortHash(extra === null ? content : content + textOf(extra, ordered));
}

/**
 * The fingerprint that earlier versions stored: it depends on the order of members inside JSON. A row with it is not
 * written again only because of this version.
 */
export function formerHashOf(row: Row, extra: object | null): string {
  return hashOf(row, extra, withoutOrder);
}

/** The text of a value in the fingerprint of its row. */
export function textOf(value: ColumnValue | undefined, ordered: Ordering = inOrder): string {
  if (typeof value === 'string') return `\u0000=${value}`;
  if (value === null || value === undefined) return '\u0000';
  if (value instanceof Date) return `\u0000@${value.getTime()}`;
  return typeof value === 'object' ? `\u0000:${toJson(ordered(value))}` : `\u0000=${value}`;
}

function inOrder(value: unknown): unknown {
  return withoutOrder(inMemberOrder(value));
}

/**
 * Sorts the members of the objects inside a value by their names: servers write them in any order. Returns a value
 * unchanged whose members are in that order.
 */
export function inMemberOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    const ordered = value.map(inMemberOrder);
    return ordered.every((one, index) => one === value[index]) ? value : ordered;
  }
  if (!isObject(value)) return value;
  const names = Object.keys(value);
  const isSorted = names.every((name, index) => index === 0 || (names[index - 1] ?? '') < name);
  const members = names.map((name): [string, unknown] => [name, inMemberOrder(value[name])]);
  if (isSorted && members.every(([name, ordered]) => ordered === value[name])) return value;
  return Object.fromEntries(isSorted ? members : members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Sorts the lists inside a value by the text of their elements: their order means nothing, and the API varies it from
 * answer to answer. Returns a value unchanged whose lists are in that order.
 */
export function withoutOrder(value: unknown): unknown {
  if (Array.isArray(value)) return listWithoutOrder(value);
  if (!isObject(value)) return value;
  let copy: Record<string, unknown> | null = null;
  for (const name in value) {
    const ordered = withoutOrder(value[name]);
    if (ordered === value[name]) continue;
    copy ??= Object.fromEntries(Object.entries(value));
    copy[name] = ordered;
  }
  return copy ?? value;
}

function listWithoutOrder(list: readonly unknown[]): readonly unknown[] {
  const sorted = list.map(withoutOrder);
  if (list.length > 1) {
    const texts = new Map(sorted.map((one) => [one, toJson(one)]));
    const textFor = (one: unknown) => texts.get(one) ?? '';
    sorted.sort((a, b) => (textFor(a) < textFor(b) ? -1 : textFor(a) > textFor(b) ? 1 : 0));
  }
  return sorted.every((one, index) => one === list[index]) ? list : sorted;
}
