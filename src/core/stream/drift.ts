import type { SeenRecord } from '../walk/observed-page.ts';
import type { Field } from './fields.ts';
import { cleanText, toJson } from './json.ts';
import type { Origin } from './record.ts';
import type { Stream } from './stream.ts';

/** One place where an answer differs from the documents. */
export interface Drift {
  readonly field: string;
  readonly kind:
    | 'unknown field'
    | 'missing field'
    | 'undocumented value'
    | 'beyond length'
    | 'beyond range'
    | 'other list'
    | 'other order'
    | 'key is not unique'
    | 'error beside rows'
    | 'wrong total';
  readonly sample: string | null;
}

const SAMPLE_LENGTH = 120;
const SURROGATE = /[\ud800-\udfff]/;

/**
 * Compares a record with the documents. Nothing is refused for it: the service stores what arrives, and says where the
 * documents are wrong.
 */
export function driftOf(stream: Stream, record: unknown, origin: Origin): readonly Drift[] {
  const normalized = stream.normalize(record, origin);
  if (normalized === null) return [];
  const found: Drift[] = [];
  for (const [field, value] of Object.entries(normalized.extra ?? {})) {
    found.push({ field: driftSample(field), kind: 'unknown field', sample: sampleOf(value) });
  }
  for (const [name, field] of wireFields(stream)) {
    const value = normalized.known[name];
    const kind = value === undefined ? (field.documented.optional ? null : 'missing field') : beyond(field, value);
    if (kind !== null) found.push({ field: name, kind, sample: sampleOf(value) });
  }
  return found;
}

/** An error code that came beside rows. */
export function errorDrift(code: string): Drift {
  return { field: 'error_code', kind: 'error beside rows', sample: driftSample(code) };
}

/** Columns whose order the request asked for, where the page is in another one. */
export function orderDrift({ order }: Pick<Stream, 'order'>, seen: readonly SeenRecord[]): readonly Drift[] {
  return order.flatMap(({ column, asked }, index) => {
    if (asked === undefined) return [];
    const keys = seen.flatMap(({ sort }) => sort[index] ?? []);
    const isAscending = asked.direction === 'asc';
    const isKept = keys.every((key, place) => {
      const before = keys[place - 1] ?? key;
      return before === key || before < key === isAscending;
    });
    return isKept ? [] : [{ field: column, kind: 'other order', sample: `asked ${column} ${asked.direction}` }];
  });
}

const known = new WeakMap<Stream, readonly (readonly [string, Field])[]>();

/** Made once for each stream: a first load compares every row. */
function wireFields(stream: Stream): readonly (readonly [string, Field])[] {
  const made = known.get(stream) ?? Object.entries(stream.fields).filter(([, { derive }]) => derive === undefined);
  known.set(stream, made);
  return made;
}

function beyond(field: Field, value: unknown): Drift['kind'] | null {
  const { values, min, max, none } = field.documented;
  if (value === null || value === '' || none?.includes(String(value))) return null;
  if (values !== undefined) {
    const stored = field.convert(value);
    if (!values.includes(String(stored))) return 'undocumented value';
  }
  if (field.type === 'text') {
    if (min === undefined && max === undefined) return null;
    const length = characters(String(value));
    return (max !== undefined && length > max) || (min !== undefined && length < min) ? 'beyond length' : null;
  }
  const number = Number(value);
  if (field.type === 'timestamptz' && (number === 0 || number === -1)) return null;
  return (max !== undefined && number > max) || (min !== undefined && number < min) ? 'beyond range' : null;
}

/** Taking a text apart costs more than all the rest of a comparison (3 us), and hardly any text needs it. */
function characters(text: string): number {
  return SURROGATE.test(text) ? [...text].length : text.length;
}

function sampleOf(value: unknown): string | null {
  if (value === undefined) return null;
  const text = typeof value === 'object' ? toJson(value) : String(value);
  return driftSample(text);
}

/** A sample as it is stored: short, and what Postgres takes, also where the cut goes through the middle of a character. */
export function driftSample(text: string): string {
  return cleanText(text.length > SAMPLE_LENGTH ? `${text.slice(0, SAMPLE_LENGTH)}…` : text);
}
