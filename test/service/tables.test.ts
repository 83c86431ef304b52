import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TABLE_QUESTIONS, tablesMarkdown } from '../../src/cli/catalogue/markdown.ts';
import { QUESTIONS } from '../../src/cli/catalogue/questions.ts';
import { biViews } from '../../src/postgres/schema/bi/index.ts';
import { streams } from '../../src/streams/index.ts';
import { fillWithDemo } from '../support/demo-database.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';

const database = await createTestDatabase();
const { reader } = await createRoles(database);

it('has something to show: two looks at a made-up estate', () => fillWithDemo(database), 180_000);

it('documents the tables as they are defined (security-sync streams --markdown > docs/tables.md)', () => {
  const written = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'tables.md'), 'utf8');
  expect(written).toBe(tablesMarkdown(streams));
});

it('has five questions for each table', () => {
  expect(Object.fromEntries(Object.entries(TABLE_QUESTIONS).map(([name, list]) => [name, list.length]))).toEqual(
    Object.fromEntries(streams.map(({ name }) => [name, 5])),
  );
});

describe('answers, as the reader', () => {
  it.each(QUESTIONS.map(({ ask, sql }) => [ask, sql]))('%s', async (_, sql) => {
    await fillWithDemo(database);
    expect((await reader.query(sql)).rows.length).toBeGreaterThan(0);
  });

  it.each(Object.values(TABLE_QUESTIONS).flatMap((list) => list.map(({ ask, sql }) => [ask, sql])))(
    '%s',
    async (_, sql) => {
      await fillWithDemo(database);
      await reader.query(sql);
    },
  );
});

describe('the database describes itself', () => {
  it('has a comment for every table, view and column', async () => {
    const { rows } = await database.pool.query<{ object: string }>(
      `select format('%I.%I', n.nspname, c.relname) as object
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('hss', 'dbss', 'sync', 'bi') and c.relkind in ('r', 'p', 'v', 'm')
         and coalesce(obj_description(c.oid, 'pg_class'), '') = ''
       union all
       select format('%I.%I.%I', n.nspname, c.relname, a.attname)
       from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
       where n.nspname in ('hss', 'dbss', 'sync', 'bi') and c.relkind in ('r', 'p', 'v', 'm')
         and a.attnum > 0 and not a.attisdropped and coalesce(col_description(c.oid, a.attnum), '') = ''`,
    );
    expect(rows.map(({ object }) => object)).toEqual([]);
  });

  it('has the views of the definitions, in plain types', async () => {
    const { rows } = await database.pool.query<{ name: string; type: string }>(
      `select table_name as name, data_type as type from information_schema.columns where table_schema = 'bi'`,
    );
    expect([...new Set(rows.map(({ name }) => name))].sort()).toEqual(
      biViews(streams)
        .map(({ name }) => name)
        .sort(),
    );
    const types = new Set(rows.map(({ type }) => type));
    for (const type of ['json', 'jsonb', 'ARRAY', 'bytea']) expect(types).not.toContain(type);
  });
});
