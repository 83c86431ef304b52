import { expect, onTestFinished, test } from 'vitest';
import { qualified } from '../../src/postgres/rows/statements.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { streams } from '../../src/streams/index.ts';
import { startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

const database = await createTestDatabase();
const { pool } = database;

const TABLES = streams
  .flatMap(({ table, history }) => [table, history])
  .flatMap((table) => (table ? [qualified(table)] : []));

/** What Postgres counted as written, by table, its TOAST table included. */
async function written(): Promise<Readonly<Record<string, number>>> {
  const client = await pool.connect();
  try {
    await client.query('select pg_stat_force_next_flush()');
    await client.query('select pg_stat_clear_snapshot()');
    const { rows } = await client.query<{ table: string; written: number }>(
      `select c.oid::regclass::text as table, (pg_stat_get_tuples_inserted(o) + pg_stat_get_tuples_updated(o) + pg_stat_get_tuples_deleted(o))::int as written
       from pg_class c, unnest(array[c.oid, nullif(c.reltoastrelid, 0)]) o where c.oid = any($1::regclass[])`,
      [TABLES],
    );
    const sums: Record<string, number> = {};
    for (const { table, written: count } of rows) sums[table] = (sums[table] ?? 0) + count;
    return sums;
  } finally {
    client.release();
  }
}

/** Tables that WAL records between two positions are about: locks on rows and index entries leave some, too. */
async function tablesInWal(from: string, to: string): Promise<readonly string[]> {
  // Postgres 15 has the same only as text: blkref #0: rel 1663/16389/16402 fork main blk 3
  const blocks =
    Number((await pool.query('show server_version_num')).rows[0].server_version_num) >= 160_000
      ? 'select reldatabase, relfilenode, relforknumber from pg_get_wal_block_info($1, $2, false)'
      : `select m[1]::oid as reldatabase, m[2]::oid as relfilenode, case m[3] when 'main' then 0 else 1 end as relforknumber
         from pg_get_wal_records_info($1, $2) r, regexp_matches(r.block_ref, 'rel \\d+/(\\d+)/(\\d+) fork (\\w+)', 'g') m`;
  const { rows } = await pool.query<{ name: string }>(
    `select distinct coalesce(main.oid, c.oid)::regclass::text as name
     from (${blocks}) w
     join pg_class c on pg_relation_filenode(c.oid) = w.relfilenode
     left join pg_index i on i.indexrelid = c.oid
     left join pg_class main on main.oid = coalesce(i.indrelid, (select t.oid from pg_class t where t.reltoastrelid = c.oid))
     where w.reldatabase = (select oid from pg_database where datname = current_database()) and w.relforknumber = 0`,
    [from, to],
  );
  return rows.map(({ name }) => name);
}

/** Keeps the WAL from here on until the test ends, however much other tests write. */
async function keepWal(): Promise<void> {
  const client = await pool.connect();
  onTestFinished(() => client.release(true));
  await client.query("select pg_create_physical_replication_slot('kept_' || pg_backend_pid(), true, true)");
}

async function walPosition(): Promise<string> {
  const { rows } = await pool.query<{ lsn: string }>('select pg_current_wal_flush_lsn() as lsn');
  return rows[0]?.lsn ?? '';
}

async function flushWal(): Promise<string> {
  await pool.query('select pg_switch_wal()').catch(() => {});
  return walPosition();
}

test('a second sync over an unchanged estate writes no row, no version and no WAL of a data table', async () => {
  const { runAll } = await startEngine(database, { hosts: 3, events: 600, vulnerabilities: 8, reports: 60 });
  const first = await runAll();
  expect(first.every(({ status, certificate }) => status === 'succeeded' && certificate === 'complete')).toBe(true);
  expect(first.find(({ stream }) => stream === 'hss_cluster_events')).toMatchObject({ inserted: 600 });
  // Hint bits that readers set after a load are written by the next reader; VACUUM settles them.
  await pool.query('create extension if not exists pg_walinspect');
  await pool.query(`vacuum (freeze) ${TABLES.join(', ')}`);
  await pool.query('checkpoint');
  await keepWal();
  const before = await written();
  const from = await flushWal();

  const second = await runAll();

  const to = await flushWal();
  for (const { stream, status, inserted, updated, deleted } of second) {
    expect({ status, inserted, updated, deleted }, stream).toEqual({
      status: 'succeeded',
      inserted: 0,
      updated: 0,
      deleted: 0,
    });
  }
  expect(await written()).toEqual(before);
  const touched = await tablesInWal(from, to);
  expect(touched, 'the instrument works: the run itself was written down').toContain('sync.runs');
  expect(touched.filter((name) => TABLES.map((table) => table.replaceAll('"', '')).includes(name))).toEqual([]);
});

test('the measurement detects a row that is only locked', async () => {
  await keepWal();
  const from = await flushWal();
  await pool.query('begin; select 1 from hss.cluster_events order by event_id limit 1 for update; commit');
  expect(await tablesInWal(from, await flushWal())).toContain('hss.cluster_events');
});

test('the update time of the list is stored with its certificate', async () => {
  // Over the rows of another estate every row would be missing at once, and the list would be read in its parts as well.
  await wipe(database);
  const { run, sandbox } = await startEngine(database, { events: 600, seed: 2 });
  await run(hssClusterEvents);
  const { rows } = await pool.query<{ hint: number }>(
    "select (certified->>'lastUpdateTime')::bigint as hint from sync.listings where stream = 'hss_cluster_events'",
  );
  expect(rows).toEqual([{ hint: sandbox.estate.newestEventTime() }]);
});
