import type { Field, Fields } from './fields.ts';
import { isObject } from './json.ts';
import { placesOf, wireNames } from './record.ts';
import type { Stream } from './stream.ts';

/**
 * Functions that are generated for a stream from its definition, for the records that are as documented. Nothing from
 * outside gets into their code: it consists of the lines in this folder and of names in the definition, which are
 * quoted. Whatever is unusual about a record, the caller converts in the general way, with the same result.
 */

/** Values that generated code uses, by the name it has for them. */
export type Helpers = Readonly<Record<string, unknown>>;

/**
 * Compiles the body of a function. Returns null where the process forbids it
 * (`--disallow-code-generation-from-strings`).
 */
export function compile(parameters: readonly string[], lines: readonly string[], helpers: Helpers): unknown {
  const code = `'use strict';\nreturn function (${parameters.join(', ')}) {\n${lines.join('\n')}\n};`;
  try {
    return new Function(...Object.keys(helpers), code)(...Object.values(helpers));
  } catch (error) {
    if (error instanceof EvalError) return null;
    throw error;
  }
}

/** A name of the definition as a text in generated code. */
export function quoted(name: string): string {
  return JSON.stringify(name);
}

/** A column that is read from the record, and where its value is: `wire` in the record or in an object of it. */
export interface WireColumn {
  readonly name: string;
  readonly field: Field;
  /** Name of the object that contains it; null for a member of the record itself. */
  readonly inside: string | null;
  readonly wire: string;
}

/**
 * The columns that are read from a record, in the order of the definition; null if one of them cannot simply be read by
 * its name: two columns share it, or every object of JavaScript has a member of that name.
 */
export function wireColumns(fields: Fields): readonly WireColumn[] | null {
  const wire = Object.entries(fields).filter(([, { derive }]) => derive === undefined);
  const names = wireNames(wire);
  const columns = wire.map(([name, field]): WireColumn => {
    const [own = name] = placesOf(name, field).own;
    return { name, field, inside: field.inside ?? null, wire: own };
  });
  const areReadable = columns.every(({ name, inside, wire: own }) => {
    const holder = inside === null ? names : names.get(inside);
    return (
      holder instanceof Map && holder.get(own) === name && !(name in {}) && !(own in {}) && !((inside ?? '') in {})
    );
  });
  return areReadable ? columns : null;
}

/** Members of a record that repeat a member of its origin (`isRepeated`). */
const REPEATED = [
  { name: 'project_id', of: 'projectId' },
  { name: 'projectId', of: 'projectId' },
  { name: 'region', of: 'region' },
] as const;

const NO_MEMBERS: object = Object.freeze(Object.create(null));

/** What the lines of {@link readingLines} use. */
export const READING: Helpers = { isObject, NO_MEMBERS };

/**
 * Lines that read a `record` of an `origin`: `v0`, `v1` ... are the values of the columns, undefined for absent ones,
 * and `unknown` is the number of its members that are no column under their first name and do not repeat the origin.
 * They return false for a record that is no object, or that has such members in an object of it.
 */
export function readingLines(columns: readonly WireColumn[]): readonly string[] {
  const holders = [...new Set(columns.flatMap(({ inside }) => inside ?? []))];
  const repeated = REPEATED.filter(({ name }) => !wireNames(columns.map((one) => [one.name, one.field])).has(name));
  const own = columns.flatMap(({ inside, wire }, index) => (inside === null ? [{ wire, index }] : []));
  return [
    'if (!isObject(record)) return false;',
    'let unknown = 0;',
    'for (const name in record) unknown += 1;',
    ...own.flatMap(({ wire, index }) => [
      `const v${index} = record[${quoted(wire)}];`,
      `if (v${index} !== undefined) unknown -= 1;`,
    ]),
    ...repeated.map(({ name, of }) => `if (record.${name} === origin.${of}) unknown -= 1;`),
    ...holders.flatMap((holder, place) => [
      `const said${place} = record[${quoted(holder)}];`,
      `if (said${place} !== undefined) unknown -= 1;`,
      `if (said${place} !== undefined && said${place} !== null && !isObject(said${place})) return false;`,
      `const holder${place} = said${place} ?? NO_MEMBERS;`,
      `let unknown${place} = 0;`,
      `for (const name in holder${place}) unknown${place} += 1;`,
      ...columns.flatMap(({ inside, wire }, index) =>
        inside === holder
          ? [`const v${index} = holder${place}[${quoted(wire)}];`, `if (v${index} !== undefined) unknown${place} -= 1;`]
          : [],
      ),
      `if (unknown${place} !== 0) return false;`,
    ]),
  ];
}

/** The value of a column, or else the parameter of the listing with its name. */
export function valueOrParameter({ name }: WireColumn, index: number): string {
  return `(v${index} ?? params[${quoted(name)}] ?? v${index})`;
}

/** Makes something for each stream once, when it is first needed. */
export function onceForEachStream<T>(make: (stream: Stream) => T): (stream: Stream) => T {
  const made = new WeakMap<Stream, { readonly value: T }>();
  return (stream) => {
    const known = made.get(stream) ?? { value: make(stream) };
    made.set(stream, known);
    return known.value;
  };
}
