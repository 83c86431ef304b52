import type { Field } from './fields.ts';
import {
  compile,
  onceForEachStream,
  READING,
  readingLines,
  valueOrParameter,
  type WireColumn,
  wireColumns,
} from './generated.ts';
import type { Origin } from './record.ts';

/** How a value goes beyond what the documents say. */
export type Beyond = 'undocumented value' | 'beyond length' | 'beyond range';

const SURROGATE = /[\ud800-\udfff]/;

/** Compares the value of a field with the documents; null if it agrees with them. */
export function beyond(field: Field, value: unknown): Beyond | null {
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

/** Length in characters. Splitting a text is slow, and few texts have surrogates that require it. */
function characters(text: string): number {
  return SURROGATE.test(text) ? [...text].length : text.length;
}

/** The record has no drift. False if it may have some. */
export type Agreement = (record: unknown, origin: Origin) => boolean;

/** The generated function of a stream; null if its definition or the process allows none. */
export const agreementOf = onceForEachStream(({ fields }): Agreement | null => {
  const columns = wireColumns(fields);
  if (columns === null) return null;
  const helpers: Record<string, unknown> = { ...READING, beyond };
  for (const [index, { field }] of columns.entries()) {
    helpers[`field${index}`] = field;
    helpers[`agreed${index}`] = new Set(field.documented.values?.filter((value) => beyond(field, value) === null));
  }
  const lines = [
    'const { params } = origin;',
    ...readingLines(columns),
    'if (unknown !== 0) return false;',
    ...columns.flatMap((column, index) => agreeingLines(column, index)),
    'return true;',
  ];
  const made: unknown = compile(['record', 'origin'], lines, helpers);
  return isAgreement(made) ? made : null;
});

function isAgreement(made: unknown): made is Agreement {
  return typeof made === 'function';
}

function agreeingLines(column: WireColumn, index: number): readonly string[] {
  const { optional = false, values, min, max } = column.field.documented;
  const hasBounds = values !== undefined || min !== undefined || max !== undefined;
  if (optional && !hasBounds) return [];
  const value = `w${index}`;
  const usual = usualTest(column.field, value, index);
  const test = usual === null ? '' : `!(${usual}) && `;
  return [
    `const ${value} = ${valueOrParameter(column, index)};`,
    ...(optional ? [] : [`if (${value} === undefined) return false;`]),
    ...(hasBounds
      ? [`if (${value} !== undefined && ${test}beyond(field${index}, ${value}) !== null) return false;`]
      : []),
  ];
}

/** A test that most values pass, and only values that agree with the documents. Null if there is none. */
function usualTest({ type, documented }: Field, value: string, index: number): string | null {
  const { values, min, max } = documented;
  if (values !== undefined) return `agreed${index}.has(${value})`;
  if (type === 'text') {
    // A character may be two units long, so a shortest length needs twice as many.
    const tests = [
      ...(max === undefined ? [] : [`${value}.length <= ${max}`]),
      ...(min === undefined ? [] : [`${value}.length >= ${2 * min}`]),
    ];
    return [`typeof ${value} === 'string'`, ...tests].join(' && ');
  }
  if (type !== 'bigint' && type !== 'double precision' && type !== 'timestamptz') return null;
  const tests = [
    ...(max === undefined ? [] : [`${value} <= ${max}`]),
    ...(min === undefined ? [] : [`${value} >= ${min}`]),
  ];
  return [`typeof ${value} === 'number'`, ...tests].join(' && ');
}
