import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { migrationState } from '../../src/postgres/schema/migrate.ts';
import { ROLE_NAMES, roleStatements } from '../../src/postgres/schema/roles.ts';
import { DEMO_PROJECT, startSandbox } from '../../src/sandbox/server/server.ts';
import { runCli, temporaryDirectory } from '../support/cli.ts';
import { aheadMs, clockOf, installClock } from '../support/clock.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { client, startCluster } from '../support/installed-postgres.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { deployOther, migrateByDrizzle, startDefaultQueue } from '../support/other-applications.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';

/** A database of commit c37b8ca that other applications live in: upgraded beside a replica at work, dumped, and restored. */

const DATABASE = 'shared';
const { owner, writer, reader } = ROLE_NAMES;
const STREAM = 'hss_cluster_events';
/** Often enough for a test, and seldom enough for a machine that does other things as well. */
const EVERY = '*/20 * * * * *';
const PATIENT = { timeout: 240_000 };

const as = (url: string, role: string) => {
  const own = new URL(url);
  own.username = role;
  return own.href;
};

function poolOf(url: string): pg.Pool {
  const pool = createPool(url, { max: 4, applicationName: 'test' });
  onTestFinished(() => pool.end());
  return pool;
}

/** An empty database with the clock of the tests; answers its URL. */
async function newDatabase(server: string): Promise<string> {
  await poolOf(server).query(`create database ${DATABASE}`);
  const url = new URL(server);
  url.pathname = DATABASE;
  return url.href;
}

/** The clock of the tests is a setting of the database, which a dump of its contents does not hold. */
async function setClock(url: string): Promise<void> {
  const pool = poolOf(url);
  await pool.query('grant usage on schema test_clock to public');
  await pool.query(clockOf(DATABASE, aheadMs()));
  for (const role of [reader, 'analyst']) {
    const { rowCount } = await pool.query('select from pg_roles where rolname = $1', [role]);
    if (rowCount === 1)
      await pool.query(
        `alter role ${role} in database ${DATABASE} set search_path = bi, hss, dbss, test_clock, pg_catalog`,
      );
  }
}

async function command(url: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(args, {
    cwd: await temporaryDirectory(),
    env: { DATABASE_URL: url },
  });
  expect({ args, code, stderr }).toMatchObject({ args, code: 0 });
  return stdout;
}

/** What others have in the database, as the catalogue and their tables have it. */
async function ofOthers(pool: pg.Pool) {
  const rows = async (sql: string) => (await pool.query(sql)).rows;
  return {
    views: await rows("select viewname, viewowner, definition from pg_views where schemaname = 'reports' order by 1"),
    kept: await rows(
      "select matviewname, matviewowner, definition, ispopulated from pg_matviews where schemaname = 'reports'",
    ),
    content: await rows("select * from reports.mine where cluster_id in ('kept', 'old') order by 1"),
    grants: await rows(
      `select c.oid::regclass::text as relation, x.privilege_type as may, x.is_grantable from pg_class c, aclexplode(c.relacl) x
       where x.grantee = 'analyst'::regrole and c.relkind in ('v', 'm') order by 1, 2`,
    ),
    journal: await rows(`select hash from drizzle.__drizzle_migrations where created_at = ${Date.parse('2025-03-01')}`),
    jobs: await rows("select name, state::text, data from pgboss.job where name = 'theirs'"),
    queues: await rows("select name, policy from pgboss.queue where name = 'theirs'"),
    version: await rows('select version from pgboss.version'),
    orders: await rows('select * from public.orders'),
    table: await rows("select to_regclass('public.theirs') is not null as there"),
  };
}

/** Rows of ours that an upgrade and a restore must keep. */
async function ofOurs(pool: pg.Pool) {
  const rows = async (sql: string) => (await pool.query(sql)).rows;
  return {
    clusters: await rows("select * from hss.protected_clusters where project_id = 'gone' order by cluster_id"),
    versions: await rows("select * from hss.cluster_events_history where project_id = 'gone'"),
    rejects: await rows("select * from sync.rejected_records where project_id = 'gone'"),
    drift: await rows("select stream, field, kind, sample, count from sync.api_drift where field = 'new_field'"),
  };
}

/** The database of that commit, with rows, its three roles, and what others made in it. */
async function installC37b8ca(url: string): Promise<void> {
  const pool = poolOf(url);
  await installClock(pool);
  await setClock(url);
  await deployOther(pool, { theirs: '2025-03-01' });
  await startDefaultQueue({ name: DATABASE, url, pool }, 'theirs');
  await migrateByDrizzle(pool, await migrationsFolder({ first: 6, script: null }));
  await startDefaultQueue({ name: DATABASE, url, pool }, 'lanes');
  for (const statement of roleStatements(['hss', 'dbss', 'bi', 'sync'])) await pool.query(statement);
  // What that version's `roles` did besides: it took the journal and the queue for its own.
  await pool.query(`
    alter schema drizzle owner to ${owner};
    alter table drizzle.__drizzle_migrations owner to ${owner};
    create role analyst login;
    create table public.orders (id int primary key, note text);
    insert into public.orders values (1, 'theirs');
    insert into hss.protected_clusters (project_id, region, account, cluster_id, cluster_name, _hash, _first_seen_at, _changed_at)
      values ('gone', 'r', 'a', 'kept', 'prod', 'x', now(), now()), ('gone', 'r', 'a', 'old', 'old', 'x', now(), now());
    insert into hss.cluster_events_history (project_id, region, account, event_id, _valid_from, _valid_to)
      values ('gone', 'r', 'a', 'e', now() - interval '2 days', now() - interval '1 day');
    insert into sync.rejected_records (project_id, stream, fingerprint, account, region, listing, params, issues, payload, first_seen_at, last_seen_at)
      values ('gone', '${STREAM}', 'f', 'a', 'r', '', '{}', '[]', '{"odd": true}', now(), now());
    insert into sync.api_drift (stream, field, kind, sample, first_seen_at, last_seen_at)
      values ('${STREAM}', 'new_field', 'unknown field', 'x', now(), now());
    create schema reports authorization analyst;
    grant select on all tables in schema bi to analyst;
    grant usage on schema bi to analyst;
    grant select on bi.clusters to analyst with grant option;
    create view reports.mine as select cluster_id, cluster_name from bi.clusters;
    create view reports.more as select count(*) as clusters from reports.mine;
    create materialized view reports.kept as select cluster_id from bi.clusters;
    create unique index kept_idx on reports.kept (cluster_id);
    alter view reports.more owner to analyst;`);
}

/** A replica of the old version in the middle of a run: its session holds the lock, and its run beats. */
async function startOldReplica(url: string) {
  const session = new pg.Client({ connectionString: as(url, writer), application_name: 'security-sync' });
  await session.connect();
  onTestFinished(() => session.end().catch(() => {}));
  await session.query('select pg_advisory_lock(hashtextextended($1, 0))', [
    `security-sync/${STREAM}/${DEMO_PROJECT.id}`,
  ]);
  const { rows } = await session.query<{ id: string }>(
    `insert into sync.runs (stream, account, region, project_id, status, started_at, beat_at, owner, backend_pid)
     values ($1, 'sandbox', $2, $3, 'running', now(), now(), 'old:1', pg_backend_pid()) returning id`,
    [STREAM, DEMO_PROJECT.region, DEMO_PROJECT.id],
  );
  const beat = setInterval(() => {
    session
      .query('update sync.runs set beat_at = now(), requests = requests + 1 where id = $1', [rows[0]?.id])
      .catch(() => {});
  }, 1_000);
  onTestFinished(() => clearInterval(beat));
  return {
    id: rows[0]?.id,
    async finish() {
      clearInterval(beat);
      await session.query(
        `insert into hss.cluster_events (project_id, region, account, event_id, _hash, _first_seen_at, _changed_at)
         values ('gone', 'r', 'a', 'by the old version', 'x', now(), now())`,
      );
      await session.query("update sync.runs set status = 'succeeded', finished_at = now() where id = $1", [
        rows[0]?.id,
      ]);
      await session.query('select pg_advisory_unlock(hashtextextended($1, 0))', [
        `security-sync/${STREAM}/${DEMO_PROJECT.id}`,
      ]);
    },
  };
}

/** What `docs/operations.md` says under "Back up": roles of the server, then the database. */
async function backUp(server: string, url: string): Promise<{ readonly roles: string; readonly dump: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'backup-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const roles = join(folder, 'roles.sql');
  await writeFile(roles, await client('pg_dumpall', '--roles-only', '--dbname', server));
  const dump = join(folder, 'security-sync.dump');
  await client('pg_dump', '--format=custom', '--file', dump, url);
  return { roles, dump };
}

/** Every stream is polled once more over a restored database, as the writer: nothing is written again, and the long list is not read again. */
async function expectNothingReadAnew(url: string, sandbox: Parameters<typeof writeConfig>[0]['sandbox']) {
  const pool = poolOf(url);
  const { rows } = await pool.query<{ last: string }>('select coalesce(max(id), 0) as last from sync.runs');
  const config = await writeConfig({ databaseUrl: as(url, writer), sandbox, schedule: EVERY });
  const replica = await startReplica(config);
  const ended = () =>
    pool.query(
      `select stream, walk, certificate, (inserted + updated)::int as written, (requests::float / looks) as "requestsEach"
       from sync.runs where id > $1 and status = 'succeeded'`,
      [rows[0]?.last],
    );
  await expect
    .poll(async () => new Set((await ended()).rows.map(({ stream }) => stream)).size, PATIENT)
    .toBe(READ_BY_DEFAULT.length);
  expect(await readyOf(replica)).toBe('ready');
  expect(await replica.stop()).toBe(0);
  expect(replica.output()).not.toMatch(/permission denied|must be owner|lacks a privilege|"level":"error"/);
  const polls = (await ended()).rows;
  for (const { stream, certificate, written } of polls)
    expect({ stream, certificate, written }).toEqual({ stream, certificate: 'complete', written: 0 });
  // Polls that find nothing are one row of the bookkeeping, which adds up their requests.
  expect(polls.find(({ stream }) => stream === STREAM)).toMatchObject({ walk: 'probe', requestsEach: 1 });
}

async function readsEveryView(url: string): Promise<void> {
  const pool = poolOf(as(url, reader));
  const { rows } = await pool.query<{ name: string }>("select viewname as name from pg_views where schemaname = 'bi'");
  expect(rows.length).toBeGreaterThan(15);
  for (const { name } of rows) await pool.query(`select * from bi.${name} limit 1`);
  await expect(pool.query('select * from sync.rejected_records')).rejects.toThrow('permission denied');
  await expect(pool.query('delete from hss.cluster_events')).rejects.toThrow(/permission denied|read-only/);
}

test('a database of c37b8ca is upgraded beside other applications and an older replica at work, then dumped and restored', async () => {
  const sandbox = await startSandbox({ clusters: 4, events: 900, vulnerabilities: 4, instances: 1, reports: 5 });
  onTestFinished(() => sandbox.close());
  const server = await startCluster();
  const url = await newDatabase(server);
  await installC37b8ca(url);
  const pool = poolOf(url);
  const before = { others: await ofOthers(pool), ours: await ofOurs(pool) };
  expect(before.others.grants.length).toBeGreaterThan(15);
  const old = await startOldReplica(url);

  expect(await command(as(url, owner), 'migrate')).toContain('Migrations applied.');
  expect(await migrationState(pool)).toBe('current');
  expect(await ofOthers(pool)).toEqual(before.others);
  expect(await ofOurs(pool)).toMatchObject(before.ours);
  await readsEveryView(url);

  const config = await writeConfig({ databaseUrl: as(url, writer), sandbox, schedule: EVERY });
  const replica = await startReplica(config);
  const succeeded = async () =>
    (await pool.query("select distinct stream from sync.runs where status = 'succeeded' and owner <> 'old:1'"))
      .rowCount;
  await expect.poll(succeeded, PATIENT).toBe(READ_BY_DEFAULT.length - 1);
  const oldRun = async () => (await pool.query('select status, error from sync.runs where id = $1', [old.id])).rows;
  expect(await oldRun(), 'the run of the older replica').toEqual([{ status: 'running', error: null }]);
  await old.finish();
  await expect.poll(succeeded, PATIENT).toBe(READ_BY_DEFAULT.length);
  expect(await oldRun()).toEqual([{ status: 'succeeded', error: null }]);
  expect(await replica.stop()).toBe(0);
  expect(replica.output()).not.toMatch(/permission denied|must be owner|lacks a privilege|"level":"error"/);
  expect(await ofOthers(pool)).toEqual(before.others);
  expect(await ofOurs(pool)).toMatchObject(before.ours);

  const { roles, dump } = await backUp(server, url);
  const totals = async (of: pg.Pool) => {
    const tables = await of.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('hss', 'dbss', 'sync', 'pgboss', 'public') order by 1",
    );
    return Promise.all(
      tables.rows.map(async ({ name }) => [
        name,
        (await of.query(`select count(*)::int as n from ${name}`)).rows[0]?.n,
      ]),
    );
  };
  const dumped = await totals(pool);

  // On an empty server, with the roles it had.
  const second = await startCluster();
  await client('psql', '--quiet', '--dbname', second, '--file', roles);
  const restored = await newDatabase(second);
  await client('pg_restore', '--exit-on-error', '--dbname', restored, dump);
  await setClock(restored);
  await command(restored, 'roles');
  expect(await totals(poolOf(restored))).toEqual(dumped);
  expect(await ofOthers(poolOf(restored))).toEqual(before.others);
  expect(await ofOurs(poolOf(restored))).toMatchObject(before.ours);
  await readsEveryView(restored);
  expect(await command(as(restored, owner), 'migrate')).toContain('up to date');
  await expectNothingReadAnew(restored, sandbox);

  // On another empty server without them, where `roles` makes them and hands the schemas over.
  const third = await newDatabase(await startCluster());
  await client('pg_restore', '--exit-on-error', '--no-owner', '--no-privileges', '--dbname', third, dump);
  await command(third, 'roles');
  await setClock(third);
  expect(await totals(poolOf(third))).toEqual(dumped);
  expect(await ofOurs(poolOf(third))).toMatchObject(before.ours);
  await readsEveryView(third);
  expect(await command(as(third, owner), 'migrate')).toContain('up to date');
  await expectNothingReadAnew(third, sandbox);
});
