import type pg from 'pg';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { SchemaError } from '../../src/core/errors.ts';
import { migrate, migrationState } from '../../src/postgres/schema/migrate.ts';
import { databaseName, withAdmin } from '../support/databases.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { migrateByDrizzle } from '../support/other-applications.ts';
import { createDatabaseOfTest } from '../support/postgres.ts';

let pool: pg.Pool;

/** A migrated database for the test that calls this, or an empty one. */
async function open(options: { readonly empty?: boolean } = {}): Promise<void> {
  ({ pool } = await createDatabaseOfTest(options));
}

/** The number of migrations at commit c37b8ca, the last version that made its views by migrations. */
const BEFORE_THE_SCRIPT = 6;

const rows = async (sql: string) => (await pool.query(sql)).rows;

const insertCluster = () =>
  pool.query(
    `insert into hss.protected_clusters (project_id, region, account, cluster_id, cluster_name, _hash, _first_seen_at, _changed_at)
     values ('p', 'r', 'a', 'c', 'prod', '', now(), now())`,
  );

/** What others build on `bi`: a view on a view, a materialized view, comments, an index, grants. */
async function buildReports(): Promise<void> {
  await pool.query(`
    create schema reports;
    create view reports.mine with (security_barrier = true) as select cluster_id, cluster_name from bi.clusters;
    comment on view reports.mine is 'Made by an analyst''s tool.';
    comment on column reports.mine.cluster_id is 'Id.';
    create view reports.more as select count(*) as clusters from reports.mine;
    create materialized view reports.kept as select cluster_id from bi.clusters;
    create unique index kept_idx on reports.kept (cluster_id);
    grant select on bi.clusters to ${grantee} with grant option;
    grant select (cluster_id) on bi.cluster_events to ${grantee};
    grant select on reports.mine to ${grantee};
    alter view reports.more owner to ${grantee};`);
}

/** Everything that `buildReports` made, as the catalogue has it. */
const reports = async () => ({
  views: await rows(`select viewname, definition from pg_views where schemaname = 'reports' order by 1`),
  kept: await rows(`select matviewname, definition, ispopulated from pg_matviews where schemaname = 'reports'`),
  indexes: await rows(`select indexdef from pg_indexes where schemaname = 'reports'`),
  owners: await rows(
    `select viewname, viewowner from pg_views where schemaname = 'reports' or (schemaname = 'bi' and viewname in ('clusters', 'cluster_events')) order by 1`,
  ),
  options: await rows(`select reloptions from pg_class where oid = 'reports.mine'::regclass`),
  about: await rows(
    `select obj_description('reports.mine'::regclass) as view, col_description('reports.mine'::regclass, 1) as column`,
  ),
  grants: await rows(
    `select c.relname, a.attname, x.grantee::regrole::text, x.privilege_type, x.is_grantable
     from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attacl is not null
     cross join lateral aclexplode(coalesce(a.attacl, c.relacl)) x
     where c.relnamespace in ('bi'::regnamespace, 'reports'::regnamespace) and c.relkind in ('v', 'm')
       and x.grantee <> c.relowner order by 1, 2, 3, 4`,
  ),
});

/** Roles belong to the whole server, so it has a name of its own. */
const grantee = databaseName('grantee');
const { serverUrl } = inject('postgres');
await withAdmin(serverUrl, (admin) => admin.query(`create role ${grantee}`));
afterAll(() => withAdmin(serverUrl, (admin) => admin.query(`drop role ${grantee}`)));

describe('an upgrade', () => {
  it('from the last version that made views by migrations keeps what others built on them', async () => {
    await open({ empty: true });
    await migrateByDrizzle(pool, await migrationsFolder({ first: BEFORE_THE_SCRIPT, script: null }));
    await insertCluster();
    await buildReports();
    const before = await reports();
    expect(before.grants).toHaveLength(3);
    expect(await migrationState(pool)).toBe('behind');
    await migrate(pool);
    expect(await migrationState(pool)).toBe('current');
    expect(await reports()).toEqual(before);
    expect(await rows('select * from reports.more')).toEqual([{ clusters: 1 }]);
  });

  it('whose old migrations drop the views gives grants and views of others back', async () => {
    await open({ empty: true });
    await migrateByDrizzle(pool, await migrationsFolder({ first: 3, script: null }));
    await insertCluster();
    await buildReports();
    const before = await reports();
    await migrate(pool);
    expect(await reports()).toEqual(before);
  });

  it('that changes a column which views read sets them aside and keeps what others built', async () => {
    await open();
    await insertCluster();
    await buildReports();
    const before = await reports();
    const next = await migrationsFolder({
      more: ['alter table hss.protected_clusters alter column cluster_name type varchar(400)'],
    });
    await migrate(pool, next);
    const after = await reports();
    expect({ ...after, views: [] }).toEqual({ ...before, views: [] });
    expect(await rows('select * from reports.mine')).toEqual([{ cluster_id: 'c', cluster_name: 'prod' }]);
  });

  it('adds a column in the middle of a view in place', async () => {
    await open();
    await insertCluster();
    await buildReports();
    const before = await reports();
    const oid = await rows(`select 'bi.clusters'::regclass::oid as oid`);
    const next = await migrationsFolder({ script: addColumn });
    await migrate(pool, next);
    expect(await rows(`select 'bi.clusters'::regclass::oid as oid`)).toEqual(oid);
    expect(await rows('select cluster_id, new_one from bi.clusters')).toEqual([{ cluster_id: 'c', new_one: 1 }]);
    expect(await reports()).toEqual(before);
  });

  it('names the view of others that uses a column which goes, and changes nothing', async () => {
    await open();
    await pool.query('create schema reports; create view reports.mine as select cluster_name from bi.clusters');
    const next = await migrationsFolder({ script: removeColumn });
    await expect(migrate(pool, next)).rejects.toThrow(
      /the view reports\.mine is built on views that this version changes, and cannot be made again \(column .*cluster_name/,
    );
    await expect(migrate(pool, next)).rejects.toBeInstanceOf(SchemaError);
    expect(await rows('select cluster_name from reports.mine')).toEqual([]);
  });

  it('names functions and policies that are built on a view which has to be made anew', async () => {
    await open();
    await pool.query(`create schema reports;
      create function reports.newest() returns setof bi.clusters language sql as 'select * from bi.clusters'`);
    const next = await migrationsFolder({ script: removeColumn });
    await expect(migrate(pool, next)).rejects.toThrow(
      /changes bi\.clusters, and others have built on it: function reports\.newest\(\)\. Drop that/,
    );
  });

  it('drops a view that is gone, unless others have built on it', async () => {
    // A script that was applied once, as in a migrated database, is taken for an older version's.
    await open({ empty: true });
    const withOld = await migrationsFolder({
      script: (text) =>
        `${text}\n-- object: view bi.old\nCREATE OR REPLACE VIEW "bi"."old" AS\nSELECT 1 AS "one";\nCOMMENT ON VIEW "bi"."old" IS 'Old.';\n`,
    });
    await migrate(pool, withOld);
    await pool.query('create schema reports; create view reports.mine as select one from bi.old');
    await expect(migrate(pool)).rejects.toThrow(/the view reports\.mine is built on views/);
    await pool.query('drop view reports.mine');
    await migrate(pool);
    expect(await rows(`select to_regclass('bi.old') as old`)).toEqual([{ old: null }]);
  });

  it('recreates an index whose definition changed', async () => {
    await open();
    const next = await migrationsFolder({
      script: (text) =>
        text.replace('ON hss.cluster_events (project_id) WHERE', 'ON hss.cluster_events (region) WHERE'),
    });
    await migrate(pool, next);
    expect(await rows(`select indexdef from pg_indexes where indexname = 'cluster_events_listed_idx'`)).toEqual([
      { indexdef: expect.stringContaining('(region)') },
    ]);
  });
});

describe('the script', () => {
  it('is applied once, and not by an older version that starts beside a newer one', async () => {
    await open();
    const next = await migrationsFolder({ script: addColumn });
    expect(await migrationState(pool, next)).toBe('behind');
    await migrate(pool, next);
    expect(await migrationState(pool)).toBe('current');
    await migrate(pool);
    expect(await rows('select new_one from bi.clusters')).toEqual([]);
  });

  it('changes nothing in the catalogue where only other objects changed', async () => {
    await open();
    const clusters = async () => rows(`select xmin::text from pg_class where oid = 'bi.clusters'::regclass`);
    const before = await clusters();
    await migrate(
      pool,
      await migrationsFolder({ script: (text) => text.replace('What the run proved', 'What it proved') }),
    );
    expect(await clusters()).toEqual(before);
    expect(await rows(`select objoid from pg_description where description like 'What it proved%'`)).toHaveLength(1);
  });

  it('gives every table and column of ours its comment', async () => {
    await open();
    expect(
      await rows(`select c.oid::regclass::text, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace::regnamespace::text in ('bi', 'hss', 'dbss', 'sync') and c.relkind in ('r', 'v')
          and not a.attisdropped and col_description(c.oid, a.attnum) is null`),
    ).toEqual([]);
  });
});

function addColumn(text: string): string {
  return text.replace('"bi"."clusters" AS\nSELECT\n', '"bi"."clusters" AS\nSELECT\n  1 AS "new_one",\n');
}

/** `cluster_name` is called otherwise. */
function removeColumn(text: string): string {
  const start = text.indexOf('-- object: view bi.clusters\n');
  const end = text.indexOf('-- object:', start + 1);
  const view = text
    .slice(start, end)
    .replace(/AS "cluster_name"/, 'AS "name"')
    .replace('"clusters"."cluster_name"', '"clusters"."name"');
  return text.slice(0, start) + view + text.slice(end);
}
