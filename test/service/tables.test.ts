import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TABLE_QUESTIONS, tablesMarkdown } from '../../src/cli/catalogue/markdown.ts';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { text } from '../../src/core/stream/fields.ts';
import { defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { biViews } from '../../src/postgres/schema/repeatable.ts';
import { streams } from '../../src/streams/index.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();
const hosts = defineStream({
  name: 'hss_hosts',
  about: 'One host.',
  document: 'https://example.com',
  group: 'hosts',
  onByDefault: false,
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/hosts'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list', cap: 10_000 }),
  order: [],
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 30 * 60_000,
  table: { schema: hss, name: 'hosts', key: ['host_id'], fields: { host_id: text('Id of the host.') } },
});

it('documents the tables as they are defined (security-sync streams --markdown > docs/tables.md)', () => {
  const written = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'tables.md'), 'utf8');
  expect(written).toBe(tablesMarkdown(streams));
});

it('each table with example questions has five, and no question is for a table that does not exist', () => {
  const known = streams.map(({ name }) => name);
  for (const [name, list] of Object.entries(TABLE_QUESTIONS)) {
    expect(known, name).toContain(name);
    expect(list, name).toHaveLength(5);
  }
});

it('names every table once in the index, under its group, and as a heading', () => {
  const text = tablesMarkdown(streams);
  const index = text.slice(0, text.indexOf('## First questions'));
  for (const stream of streams) {
    const { schema, name } = stream.table;
    const row = `| [\`${schema}.${name}\`](#${schema}${name}) | \`${stream.name}\` |`;
    expect(index.split(row), stream.name).toHaveLength(2);
    const heading = index.indexOf(`**\`${stream.group}\`**`);
    expect(index.indexOf(row), stream.name).toBeGreaterThan(heading);
    expect(index.slice(heading + 2, index.indexOf(row)), stream.name).not.toMatch(/^\*\*`\w+`\*\*/m);
    expect(text.split(`\n### ${schema}.${name}\n`), stream.name).toHaveLength(2);
  }
});

it('describes a table that has no questions and belongs to no other table', () => {
  const text = tablesMarkdown([hosts]);
  expect(text).toContain('| [`hss.hosts`](#hsshosts) | `hss_hosts` | One host. | no | `*/10 * * * *` | 6h | 30m |');
  expect(text).toContain('### hss.hosts');
  expect(text.slice(text.indexOf('## Tables: hosts'), text.indexOf('## Views'))).not.toMatch(/mermaid|<details>/);
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
