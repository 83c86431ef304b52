import type { Field } from '../stream/fields.ts';
import type { Row } from '../stream/record.ts';
import type { Stream } from '../stream/stream.ts';

/** One field in which a stored row differs from the row as the API lists it, both as text. */
export interface FieldDifference {
  readonly field: string;
  readonly stored: string | null;
  readonly listed: string | null;
  /** It changes on its own with every scan, so it is told but not counted. */
  readonly volatile: boolean;
}

export interface Comparable {
  readonly row: Row;
  /** Unknown fields, decoded with every digit. */
  readonly extra: unknown;
}

/** Compares column by column, by what values mean: dates by instant, integers by digits, JSON without regard to layout. */
export function compareRows(stream: Stream, stored: Comparable, listed: Comparable): readonly FieldDifference[] {
  const found: FieldDifference[] = [];
  const add = (field: string, a: string | null, b: string | null, volatile: boolean) => {
    if (a !== b) found.push({ field, stored: a, listed: b, volatile });
  };
  for (const [name, { type, volatile }] of Object.entries(stream.fields)) {
    add(name, canonical(type, stored.row[name]), canonical(type, listed.row[name]), volatile);
  }
  add('_extra', canonical('jsonb', stored.extra), canonical('jsonb', listed.extra), false);
  return found;
}

/** The text that two values share exactly when they mean the same. */
function canonical(type: Field['type'], value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (type === 'jsonb') return canonicalJson(value);
  return value instanceof Date ? instantText(value) : String(value);
}

function instantText(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString();
}

/** JSON with sorted keys: what `jsonb` keeps of a value, however it was written. */
function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return decimalText(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Postgres writes the number 1e21 with all its digits, JavaScript does not. */
function decimalText(value: number): string {
  const [mantissa = '', exponent = ''] = String(value).split('e+');
  if (exponent === '') return mantissa;
  const [whole = '', fraction = ''] = mantissa.split('.');
  return whole + fraction.padEnd(Number(exponent), '0');
}
