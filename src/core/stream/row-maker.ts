/**
 * Functions that are generated for a stream from its definition, for the records that are as documented. Nothing from
 * outside gets into their code: it consists of the lines in this folder and of names in the definition, which are
 * quoted. Whatever is unusual about a record, the caller converts in the general way, with the same result.
 *
 * @module
 */

import { EARLIEST_BELIEVED_MS, type Field, type Fields, LATEST_MS, type ValueKind, withoutMembers } from './fields.ts';
import {
  cleanJson,
  cleanText,
  isObject,
  isShallow,
  shortHash,
  sortedLists,
  sortedMembers,
  textOf,
  toJson,
} from './json.ts';
import {
  isRepeated,
  KEY_SEPARATOR,
  keyPart,
  locationOf,
  type Origin,
  REPEATED_MEMBERS,
  wireNames,
  withStoredOnly,
} from './record.ts';
import type { Stream } from './stream.ts';
import { instantIn } from './time.ts';
import type { ValidRow } from './validate.ts';

/** What a generated function needs to know about the record's answer. */
export interface AnswerFacts {
  readonly origin: Origin;
  /** No text of the answer needs cleaning (`isCleanJson`). */
  readonly isClean: boolean;
}

/** Converts a record to a valid row; false if the record needs the general way. */
export type RowMaker = (record: unknown, facts: AnswerFacts) => ValidRow | false;

/** The generated function of a stream; null if its definition or the process allows none. */
export const rowMakerOf: (stream: Stream) => RowMaker | null = onceForEachStream((stream) => {
  const columns = wireColumns(stream.fields);
  if (columns === null || stream.key.length === 0) return null;
  const make: unknown = compile(['record', 'facts'], rowLines(stream, columns), helpersOf(stream, columns));
  return isRowMaker(make) ? make : null;
});

function isRowMaker(made: unknown): made is RowMaker {
  return typeof made === 'function';
}

function helpersOf(
  { fields, volatileMembers }: Stream,
  columns: readonly WireColumn[],
): Readonly<Record<string, unknown>> {
  return {
    ...READING,
    cleanText,
    isShallow,
    instantIn,
    textOf,
    sortedMembers,
    sortedLists,
    toJson,
    shortHash,
    keyPart,
    unknownMembers: unknownMembersOf(columns),
    withoutMembers,
    volatile: Object.fromEntries(volatileMembers),
    ...Object.fromEntries(columns.map(({ field }, index) => [`convert${index}`, field.convert])),
    ...Object.fromEntries(derivedOf(fields).map(({ derive }, index) => [`derive${index}`, derive])),
    withStored: withStoredOnly(fields),
  };
}

/**
 * Returns the members of a record that are not columns, cleaned, or null if all of them only repeat the list. Undefined
 * if one is a column under another of its names, which may be there twice.
 */
function unknownMembersOf(
  columns: readonly WireColumn[],
): (record: object, origin: Origin) => object | null | undefined {
  const names = wireNames(columns.map(({ name, field }) => [name, field]));
  const usual = new Set(columns.map(({ inside, wire }) => inside ?? wire));
  return (record, origin) => {
    let extra: Record<string, unknown> | null = null;
    for (const [name, value] of Object.entries(record)) {
      if (usual.has(name)) continue;
      if (names.has(name)) return undefined;
      if (isRepeated(origin, name, value)) continue;
      extra ??= withoutPrototype();
      extra[name] = value;
    }
    const clean = extra === null ? null : cleanJson(extra);
    return isObject(clean) ? clean : null;
  };
}

function withoutPrototype(): Record<string, unknown> {
  return Object.create(null);
}

/** The columns of a row that are computed from others, in the order of the definition. */
function derivedOf(fields: Fields) {
  return Object.entries(fields).flatMap(([name, field]) =>
    field.derive === undefined || field.storedOnly ? [] : [{ name, field, derive: field.derive }],
  );
}

function rowLines(stream: Stream, columns: readonly WireColumn[]): readonly string[] {
  const { fields, key } = stream;
  const derived = derivedOf(fields).map(({ name }) => name);
  const all = [
    ...columns.map(({ name, field }, index) => ({ name, field, variable: `c${index}`, isDerived: false })),
    ...derivedOf(fields).map(({ name, field }, index) => ({ name, field, variable: `d${index}`, isDerived: true })),
  ];
  const keys = key.flatMap((column) => all.filter(({ name }) => name === column));
  const json = all.filter(({ field }) => field.type === 'jsonb');
  return [
    'const { isClean, origin } = facts;',
    'const { params, timeZone } = origin;',
    ...readingLines(columns),
    'let extra = null;',
    'if (unknown !== 0) { extra = unknownMembers(record, origin); if (extra === undefined) return false; }',
    `if ((${columns.map((_, index) => `v${index}`).join(' ?? ')} ?? null) === null) return false;`,
    ...columns.flatMap((column, index) => convertingLines(column, index)),
    `const row = { ${all.map(({ name, variable, isDerived }) => `${quoted(name)}: ${isDerived ? 'null' : variable}`).join(', ')} };`,
    ...derived.map(
      (name, index) => `const d${index} = row[${quoted(name)}] = derive${index}(withStored(row)) ?? null;`,
    ),
    ...keys.map(({ field, variable }) => lackingLine(variable, field.documented.emptyInKey === true)),
    `const key = ${keys.map(({ variable }) => `keyPart(${variable})`).join(` + ${quoted(KEY_SEPARATOR)} + `)};`,
    ...json.map(({ name, variable }) => jsonLine(stream, name, variable)),
    // Joining a list is faster than adding texts, and leaves fewer objects to collect.
    `const content = [${all.map(({ field, variable }) => contentOf(field, variable)).join(', ')}].join('');`,
    'const hash = shortHash(extra === null ? content : content + textOf(extra));',
    `const json = ${json.length === 0 ? 'null' : `{ ${json.map(({ name, variable }) => `${quoted(name)}: ${variable}Stored`).join(', ')} }`};`,
    'return { key, row, extra, hash, record, json };',
  ];
}

/** Values of the usual type, as the generated code tests and converts them. Others are converted by the field. */
const USUAL: Readonly<Record<ValueKind, (value: string) => readonly [test: string, converted: string]>> = {
  text: (value) => [`typeof ${value} === 'string'`, `isClean ? ${value} : cleanText(${value})`],
  integer: (value) => [`Number.isSafeInteger(${value})`, value],
  decimal: (value) => [`Number.isFinite(${value})`, value],
  flag: (value) => [`typeof ${value} === 'boolean'`, value],
  instant: (value) => [
    `Number.isInteger(${value}) && ${value} >= ${EARLIEST_BELIEVED_MS} && ${value} < ${LATEST_MS}`,
    `new Date(${value})`,
  ],
  json: (value) => [`isClean && typeof ${value} === 'object' && ${value} !== null && isShallow(${value})`, value],
};

function convertingLines(column: WireColumn, index: number): readonly string[] {
  const { kind, zoneless } = column.field;
  const general = `convert${index}(${valueOrParameter(column, index)})`;
  const [test, usual] = kind === undefined ? ['', ''] : USUAL[kind](`v${index}`);
  return [
    `let c${index} = ${test === '' ? general : `${test} ? (${usual}) : ${general}`};`,
    `if (c${index} === undefined) return false;`,
    ...(zoneless === true ? [`if (typeof c${index} === 'string') c${index} = instantIn(timeZone, c${index});`] : []),
  ];
}

/** A record without its key is not a row. */
function lackingLine(variable: string, mayBeEmpty: boolean): string {
  return `if (${variable} === null${mayBeEmpty ? '' : ` || ${variable} === ''`}) return false;`;
}

/**
 * The JSON of a column in the fingerprint (`Json`), and as it is stored (`Stored`) where that is the same: `jsonb` has
 * an order of members of its own, but keeps that of lists.
 */
function jsonLine({ volatileMembers }: Stream, name: string, variable: string): string {
  const isVolatile = volatileMembers.some(([column]) => column === name);
  const lasting = isVolatile ? `withoutMembers(${variable}, volatile[${quoted(name)}])` : variable;
  return [
    `const ${variable}Lasting = ${lasting};`,
    `const ${variable}Sorted = sortedMembers(${variable}Lasting);`,
    `const ${variable}Ordered = sortedLists(${variable}Sorted);`,
    `const ${variable}Json = typeof ${variable}Ordered === 'object' && ${variable}Ordered !== null ? toJson(${variable}Ordered) : null;`,
    `const ${variable}Stored = ${variable}Ordered === ${variable}Sorted${isVolatile ? ` && ${variable}Lasting === ${variable}` : ''} ? ${variable}Json : null;`,
  ].join(' ');
}

/** Elements of a list whose joined text is that of the column in the fingerprint, equal to `textOf`. */
function contentOf({ type, kind, derive }: Field, variable: string): string {
  const absent = quoted('\u0000');
  if (type === 'jsonb') {
    return `${variable}Json === null ? textOf(${variable}Lasting) : ${quoted('\u0000:')}, ${variable}Json`;
  }
  if (derive !== undefined) return `textOf(${variable})`;
  if (kind === 'instant') return `${variable} === null ? ${absent} : ${quoted('\u0000@')}, ${variable}?.getTime()`;
  if (type === 'timestamptz') return `textOf(${variable})`;
  return `${variable} === null ? ${absent} : ${quoted('\u0000=')}, ${variable}`;
}

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
    const [own = name] = locationOf(name, field).own;
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

const NO_MEMBERS: object = Object.freeze(Object.create(null));

/** What the lines of {@link readingLines} use. */
export const READING: Helpers = { isObject, NO_MEMBERS };

/**
 * Lines that read a `record` of an `origin`: `v0`, `v1` ... are the values of the columns, undefined for absent ones,
 * and `unknown` is the number of its members that are not a column under their first name and do not repeat the origin.
 * They return false if the record is not an object, or if an object inside it has unknown members.
 */
export function readingLines(columns: readonly WireColumn[]): readonly string[] {
  const holders = [...new Set(columns.flatMap(({ inside }) => inside ?? []))];
  const names = wireNames(columns.map((one) => [one.name, one.field]));
  const repeated = [...REPEATED_MEMBERS].filter(([name]) => !names.has(name));
  const own = columns.flatMap(({ inside, wire }, index) => (inside === null ? [{ wire, index }] : []));
  return [
    'if (!isObject(record)) return false;',
    'let unknown = 0;',
    'for (const name in record) unknown += 1;',
    ...own.flatMap(({ wire, index }) => [
      `const v${index} = record[${quoted(wire)}];`,
      `if (v${index} !== undefined) unknown -= 1;`,
    ]),
    ...repeated.map(([name, of]) => `if (record.${name} === origin.${of}) unknown -= 1;`),
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
