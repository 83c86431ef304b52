import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { migrate } from '../../src/postgres/schema/migrate.ts';
import { biViews } from '../../src/postgres/schema/repeatable.ts';
import { SCHEMAS } from '../../src/postgres/schema/roles.ts';
import { streams } from '../../src/streams/index.ts';
import { runCli } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';

const database = await createTestDatabase();
const { reader, writer, owner, names } = await createRoles(database);

const DENIED = /permission denied|read-only transaction/;

async function tablesOf(schemas: readonly string[]): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = any($1)`,
    [schemas],
  );
  return rows.map(({ name }) => name);
}

describe('the reader', () => {
  it('reads every view of bi and every data table', async () => {
    for (const { name } of biViews(streams)) await reader.query(`select * from bi.${name} limit 1`);
    for (const table of await tablesOf(['hss', 'dbss'])) await reader.query(`select * from ${table} limit 1`);
  });

  it('finds the views without their schema', async () => {
    await reader.query('select count(*) from open_cluster_events');
  });

  it('cannot read sync except through the views', async () => {
    const tables = await tablesOf(['sync']);
    expect(tables).toContain('sync.rejected_records');
    for (const table of tables) await expect(reader.query(`select * from ${table}`), table).rejects.toThrow(DENIED);
  });

  it('does not see the payload of a rejected record through any view', async () => {
    const { rows } = await database.pool.query<{ relation: string }>(
      `select distinct table_name as relation from information_schema.view_column_usage
       where view_schema = 'bi' and table_schema = 'sync' and column_name in ('payload', 'params')`,
    );
    expect(rows).toEqual([]);
  });

  it('asks without JIT, which takes seconds to compile the view of all streams', async () => {
    const { rows } = await database.pool.query('select rolconfig from pg_roles where rolname = $1', [names.reader]);
    expect(rows).toEqual([{ rolconfig: expect.arrayContaining(['jit=off']) }]);
  });

  it('cannot write, not even after it removes its read-only setting', async () => {
    const client = await reader.connect();
    try {
      await client.query('set default_transaction_read_only = off');
      for (const table of await tablesOf(SCHEMAS)) {
        for (const sql of [`insert into ${table} default values`, `delete from ${table}`, `truncate ${table}`]) {
          await expect(client.query(sql), sql).rejects.toThrow(DENIED);
        }
      }
      for (const schema of ['hss', 'dbss', 'bi', 'sync', 'public']) {
        await expect(client.query(`create table ${schema}.mine (id int)`), schema).rejects.toThrow(DENIED);
      }
    } finally {
      client.release();
    }
  });

  it('still reads the views after the owner recreated them', async () => {
    for (const { name } of biViews(streams)) await owner.query(`drop view bi.${name}`);
    await owner.query('delete from sync.schema_scripts');
    await migrate(owner);
    for (const { name } of biViews(streams)) await reader.query(`select * from bi.${name} limit 1`);
  });
});

describe('the writer', () => {
  it('may change rows of every table it keeps', async () => {
    for (const table of await tablesOf(['hss', 'dbss', 'sync'])) await writer.query(`delete from ${table} where false`);
    await writer.query(
      `insert into sync.runs (stream, account, region, project_id, status, started_at, beat_at, owner)
       values ('s', 'a', 'r', 'p', 'running', now(), now(), 'test')`,
    );
  });

  it('may not create or drop anything', async () => {
    const [first] = streams;
    const { schema, name } = first?.table ?? expect.unreachable();
    await expect(writer.query(`drop table ${schema}.${name}`)).rejects.toThrow('must be owner');
    await expect(writer.query('create table sync.mine (id int)')).rejects.toThrow(DENIED);
  });
});

it('can be run again, and asks for the password of a role that is new, not of those that existed', async () => {
  const newcomer = `${names.reader}_2`;
  const roles = (name: string) =>
    runCli(['roles', '--owner', names.owner, '--writer', names.writer, '--reader', name], {
      cwd: tmpdir(),
      env: { DATABASE_URL: database.url },
    });
  try {
    const first = await roles(newcomer);
    expect(first.stdout.match(/ALTER ROLE .* PASSWORD/g), first.stderr).toEqual([`ALTER ROLE "${newcomer}" PASSWORD`]);
    expect((await roles(newcomer)).stdout).toMatch(/All three existed: .* their passwords stay\.$/m);
  } finally {
    await database.pool.query(`drop owned by ${newcomer}`);
    await database.pool.query(`drop role ${newcomer}`);
  }
});
