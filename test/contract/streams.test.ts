import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { callFor, fixedListings, listing } from '../../src/core/stream/endpoint.ts';
import type { Field } from '../../src/core/stream/fields.ts';
import { parseJson } from '../../src/core/stream/json.ts';
import type { Origin } from '../../src/core/stream/record.ts';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { streams } from '../../src/streams/index.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** What every stream owes the engine. A new stream is tested as soon as it stands in `src/streams/index.ts`. */

const { pool } = await createTestDatabase();

const PROJECT = '84b5266c14ae489fa6549827f032dc62';
const REGION = 'cn-north-4';
const SCOPE_COLUMNS = ['account', 'project_id', 'region'];

function fixtureFile(stream: Stream): URL {
  return new URL(`../fixtures/streams/${stream.name}.json`, import.meta.url);
}

/** Parameters of one of its listings; a child's are made up, as they come from the parent's rows. */
function paramsOf(stream: Stream): Readonly<Record<string, string>> {
  if (stream.parent === undefined) return fixedListings(stream)[0]?.params ?? {};
  return Object.fromEntries(Object.keys(stream.parent.params).map((name) => [name, `asked-${name}`]));
}

function originOf(stream: Stream): Origin {
  return { projectId: PROJECT, region: REGION, params: paramsOf(stream), timeZone: 'UTC' };
}

function page(stream: Stream) {
  const file = fixtureFile(stream);
  if (!existsSync(file))
    throw new Error(`${stream.name} has no response: put one into test/fixtures/streams/${stream.name}.json`);
  const body = parseJson(readFileSync(file, 'utf8'));
  return { body, ...stream.paging.read(body) };
}

function rowsOf(stream: Stream) {
  const { rows, rejects } = validate(stream, page(stream).records, { origin: originOf(stream), listingKey: '' });
  expect(rejects).toEqual([]);
  return rows;
}

function dataColumns(table: Stream['table']): string[] {
  return table.columns.map(({ name }) => name).filter((name) => !name.startsWith('_') && !SCOPE_COLUMNS.includes(name));
}

const camelCase = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** A wire value for a field that no other field of the record has, and the column value it must become. */
function sampleOf(field: Field, index: number): readonly [wire: unknown, stored: unknown] {
  const [documented] = field.documented.values ?? [];
  if (field.zoneless) return [`2025-08-21 07:03:${10 + index}`, new Date(Date.UTC(2025, 7, 21, 7, 3, 10 + index))];
  if (field.type === 'timestamptz') return [1_695_094_500_000 + index, new Date(1_695_094_500_000 + index)];
  if (field.type === 'bigint') return [index + 1, index + 1];
  if (field.type === 'double precision') return [index + 0.5, index + 0.5];
  if (field.type === 'boolean') return [true, true];
  if (field.type === 'jsonb') return [[{ sample: index }], [{ sample: index }]];
  return documented === undefined ? [`sample ${index}`, `sample ${index}`] : [documented, documented];
}

type Spelling = (name: string) => string;

/** A record with a value in every documented field, and the row it must become. */
function fullRecord(stream: Stream, spell: Spelling, pick: (names: readonly string[]) => string) {
  const record: Record<string, unknown> = {};
  const objects: Record<string, Record<string, unknown>> = {};
  const expected: Record<string, unknown> = {};
  for (const [index, [column, field]] of Object.entries(stream.fields).entries()) {
    if (field.derive !== undefined) continue;
    const [wire, stored] = sampleOf(field, index);
    expected[column] = stored;
    const name = spell(pick([field.wire ?? column, ...field.also]));
    if (field.inside === undefined) record[name] = wire;
    else objects[spell(field.inside)] = { ...objects[spell(field.inside)], [name]: wire };
  }
  return { record: { ...record, ...objects }, expected };
}

test('names are unique, and every stream comes after what it needs', () => {
  expect(new Set(streams.map(({ name }) => name)).size).toBe(streams.length);
  const tables = streams.map(({ table }) => `${table.schema}.${table.name}`);
  expect(new Set(tables).size).toBe(streams.length);
  expect([...inOrder(streams)].sort()).toEqual([...streams].sort());
});

describe.each(streams)('$name', (stream) => {
  test('has a fixture', () => {
    const file = fixtureFile(stream);
    expect(existsSync(file), `put a scrubbed response into test/fixtures/streams/${stream.name}.json`).toBe(true);
    expect(page(stream).records.length).toBeGreaterThan(0);
  });

  test('accepts every record of its fixture', () => {
    const { records } = page(stream);
    const rows = rowsOf(stream);
    expect(rows).toHaveLength(records.length);
    expect(new Set(rows.map(({ key }) => key)).size, 'the key tells the rows of the fixture apart').toBe(rows.length);
  });

  test('fills exactly the columns of its table, and of its history', () => {
    const isStoredOnly = (name: string) => stream.fields[name]?.storedOnly === true;
    const columns = dataColumns(stream.table).filter((name) => !isStoredOnly(name));
    for (const { row } of rowsOf(stream)) expect(Object.keys(row).sort()).toEqual(columns.sort());
    if (stream.history !== null) expect(dataColumns(stream.history)).toEqual(dataColumns(stream.table));
    expect(stream.table.key).toEqual(['project_id', ...stream.key]);
  });

  test('reads times within a plausible range', () => {
    const times = rowsOf(stream).flatMap(({ row }) => Object.values(row).filter((value) => value instanceof Date));
    for (const time of times) {
      expect(time.getTime()).toBeGreaterThan(Date.UTC(2015, 0, 1));
      expect(time.getTime()).toBeLessThan(Date.UTC(2040, 0, 1));
    }
    const hasTimes = Object.values(stream.fields).some(({ type }) => type === 'timestamptz');
    expect(times.length > 0).toBe(hasTimes);
  });

  test.each([
    ['snake_case', (name: string) => name],
    ['camelCase', camelCase],
  ] as const)('puts every documented field into its column when the wire writes %s', (_, spell) => {
    const names = Math.max(...Object.values(stream.fields).map(({ also }) => also.length)) + 1;
    for (let choice = 0; choice < names; choice += 1) {
      const { record, expected } = fullRecord(stream, spell, (all) => all[choice] ?? all[0] ?? '');
      const parsed = stream.parse(record, originOf(stream));
      expect(parsed).toMatchObject({ ok: true, row: expected, extra: null });
    }
  });

  test('accepts numbers as text and text as numbers', () => {
    const { record, expected } = fullRecord(
      stream,
      (name) => name,
      (all) => all[0] ?? '',
    );
    const swapped = Object.fromEntries(
      Object.entries(record).map(([name, value]) => [name, typeof value === 'number' ? String(value) : value]),
    );
    const numeric = Object.entries(stream.fields).find(
      ([, { type, documented, inside, derive }]) =>
        type === 'text' && documented.values === undefined && inside === undefined && derive === undefined,
    );
    const [name = '', field] = numeric ?? [];
    const parsed = stream.parse({ ...swapped, [field?.wire ?? name]: 123_456 }, originOf(stream));
    expect(parsed.ok && Object.entries(parsed.row).map(([key, value]) => [key, String(value)])).toEqual(
      expect.arrayContaining([
        [name, '123456'],
        ...Object.entries(expected)
          .filter(([key]) => key !== name && stream.fields[key]?.derive === undefined)
          .map(([key, value]) => [key, String(value)]),
      ]),
    );
  });

  test('stores values, lengths and fields that no document mentions', () => {
    const { record } = fullRecord(
      stream,
      (name) => name,
      (all) => all[0] ?? '',
    );
    const long = 'x'.repeat(5_000);
    const odd = Object.fromEntries(
      Object.entries(record).map(([name, value]) => [name, typeof value === 'string' ? long : value]),
    );
    const zoneless = Object.entries(stream.fields).filter(([, field]) => field.zoneless);
    const times = Object.fromEntries(zoneless.map(([name]) => [name, '2025-08-21 07:03:56']));
    const parsed = stream.parse({ ...odd, ...times, brandNew: { a: [1] } }, originOf(stream));
    expect(parsed).toMatchObject({ ok: true, extra: { brandNew: { a: [1] } } });
    const texts = Object.entries(stream.fields).filter(
      ([, { type, inside, derive }]) => type === 'text' && !inside && !derive,
    );
    for (const [name] of texts) expect(parsed.ok && parsed.row[name], name).toBe(long);
  });

  test('fills absent fields of a record from the parameters of its list, and keeps the values it has', () => {
    const params = Object.entries(paramsOf(stream)).filter(([name]) => name in stream.fields);
    const { record, expected } = fullRecord(
      stream,
      (name) => name,
      (all) => all[0] ?? '',
    );
    const without = Object.fromEntries(
      Object.entries(record).filter(([name]) => !params.some(([one]) => one === name)),
    );
    expect(stream.parse(without, originOf(stream))).toMatchObject({
      ok: true,
      row: { ...expected, ...Object.fromEntries(params) },
    });
    expect(stream.parse(record, originOf(stream))).toMatchObject({ ok: true, row: expected });
  });

  test('rejects records without a key and non-objects, without throwing', () => {
    const stamped = Object.keys(paramsOf(stream));
    const computed = stream.key.some((name) => stream.fields[name]?.derive !== undefined);
    const needsMore = computed || stream.key.some((name) => !stamped.includes(name));
    expect(needsMore, 'a listing has more than one row').toBe(true);
    for (const record of [null, 5, 'text', [], undefined]) {
      expect(stream.parse(record, originOf(stream))).toMatchObject({ ok: false, key: null });
    }
    if (!computed) {
      const empty = stream.parse({}, originOf(stream));
      expect(empty.ok ? [] : empty.issues.map(({ message }) => message)).toContain('no documented field');
      const { record } = fullRecord(
        stream,
        (name) => name,
        (all) => all[0] ?? '',
      );
      const keyless = Object.fromEntries(Object.entries(record).filter(([name]) => !stream.key.includes(name)));
      const partial = stream.parse(keyless, originOf(stream));
      expect(partial.ok ? [] : partial.issues.map(({ message }) => message)).toContain('part of the key is missing');
    }
  });

  test('requests consecutive pages, with its parameters in the right place', () => {
    const { paging, endpoint } = stream;
    const scope = { account: 'a', region: REGION, projectId: PROJECT, enterpriseProjectId: 'all_granted_eps' };
    const calls = [0, 1, 2].map((number) =>
      callFor({ endpoint, paging }, scope, {
        listing: listing(paramsOf(stream)),
        at: {
          offset: number * paging.limit,
          limit: paging.limit,
        },
      }),
    );
    const asked = new Set(calls.map(({ query, body }) => JSON.stringify([query, body])));
    expect(asked.size).toBe(paging.kind === 'whole' ? 1 : 3);
    for (const { path, query, operation } of calls) {
      expect(path).not.toMatch(/[{}]/);
      expect(path).toContain(PROJECT);
      expect(operation).toContain('{project_id}');
      expect('enterprise_project_id' in (query ?? {})).toBe(endpoint.enterpriseProjects);
      for (const value of Object.values(paramsOf(stream))) {
        expect(path.includes(value) || Object.values(query ?? {}).length > 0).toBe(true);
      }
    }
  });

  test('recognizes the end of its list, and tells it from a missing list', () => {
    const { body, records, total } = page(stream);
    expect(total).toBe(records.length);
    const entries = Object.entries(typeof body === 'object' && body !== null ? body : {});
    const empty = Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? [] : value]));
    expect(stream.paging.read(empty).records).toEqual([]);
    const none = Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? null : 0]));
    expect(stream.paging.read(none).records).toEqual([]);
    const gone = Object.fromEntries(entries.filter(([, value]) => !Array.isArray(value)));
    for (const broken of [gone, [], 'text', null, { error_code: 'X.1' }]) {
      expect(() => stream.paging.read(broken)).toThrow(/the answer (has no|is not)/);
    }
  });

  test('names only columns that exist', () => {
    const columns = Object.keys(stream.fields);
    for (const { column } of stream.order) expect(columns).toContain(column);
    for (const name of stream.key) expect(columns).toContain(name);
    if (stream.version !== undefined) expect(stream.fields[stream.version]?.type).toBe('timestamptz');
    if (stream.split !== undefined) {
      expect(columns).toContain(stream.split.column);
      expect(Object.keys(stream.split.stream.fields)).toContain(stream.split.column);
    }
    for (const params of stream.listings) {
      for (const name of Object.keys(params)) expect(columns, 'what tells listings apart is stored').toContain(name);
    }
  });

  test('explains its table and every column of it in the database', async () => {
    for (const table of [stream.table, stream.history]) {
      if (table === null) continue;
      const { schema, name, columns } = table;
      const { rows } = await pool.query<{ column: string; about: string | null; table_about: string | null }>(
        `select attname as column, col_description(attrelid, attnum) as about, obj_description(attrelid, 'pg_class') as table_about
         from pg_attribute where attrelid = format('%I.%I', $1::text, $2::text)::regclass and attnum > 0 and not attisdropped`,
        [schema, name],
      );
      expect(rows.map(({ column }) => column).sort()).toEqual(columns.map((column) => column.name).sort());
      const bare = rows.filter(({ about }) => about === null || about.length < 4).map(({ column }) => column);
      expect(bare, `${schema}.${name}: run npm run db:generate`).toEqual([]);
      expect(rows[0]?.table_about).toContain(stream.about);
    }
  });
});

describe.each(streams.filter(({ secrets }) => Object.keys(secrets).length > 0))('$name', (stream) => {
  test('does not store its secrets, at any depth of a record', () => {
    const { record } = fullRecord(
      stream,
      (name) => name,
      (all) => all[0] ?? '',
    );
    const secrets = Object.fromEntries(Object.keys(stream.secrets).map((name) => [name, 'not to be stored']));
    const lists = Object.entries(stream.fields).filter(([, { type }]) => type === 'jsonb');
    // A member that no document mentions goes to `_extra`.
    const places = [...lists.map(([name]) => name), 'brandNew'];
    const inside = Object.fromEntries(places.map((name) => [name, [{ name: 'kept', ...secrets }]]));
    const { rows, rejects } = validate(stream, [{ ...record, ...secrets, ...inside }], {
      origin: originOf(stream),
      listingKey: '',
    });
    expect(rejects).toEqual([]);
    const stored = JSON.stringify(rows.map(({ row, extra }) => ({ row, extra })));
    expect(stored).toContain('kept');
    expect(stored).not.toContain('not to be stored');
  });
});
