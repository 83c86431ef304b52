import type pg from 'pg';
import { afterAll, inject } from 'vitest';
import { databaseName, withAdmin } from './databases.ts';
import { createDatabaseOfTest } from './postgres.ts';

/** What upgrades must keep: views, indexes, comments and grants that others have built on `bi`. */

/** What a test file needs; `open` makes the database of a test, which the others then mean. */
export async function builtOnBi() {
  /** Roles belong to the whole server, so it has a name of its own. */
  const grantee = databaseName('grantee');
  const { serverUrl } = inject('postgres');
  await withAdmin(serverUrl, (admin) => admin.query(`create role ${grantee}`));
  afterAll(() => withAdmin(serverUrl, (admin) => admin.query(`drop role ${grantee}`)));
  let pool: pg.Pool;

  /** A migrated database for the test that calls this, or an empty one. */
  async function open(options: { readonly empty?: boolean } = {}): Promise<pg.Pool> {
    ({ pool } = await createDatabaseOfTest(options));
    return pool;
  }

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

  return { open, rows, insertCluster, buildReports, reports };
}

/** The views of the next version, with a column more. */
export function addColumn(text: string): string {
  return text.replace('"bi"."clusters" AS\nSELECT\n', '"bi"."clusters" AS\nSELECT\n  1 AS "new_one",\n');
}

/** `cluster_name` is called otherwise. */
export function removeColumn(text: string): string {
  const start = text.indexOf('-- object: view bi.clusters\n');
  const end = text.indexOf('-- object:', start + 1);
  const view = text
    .slice(start, end)
    .replace(/AS "cluster_name"/, 'AS "name"')
    .replace('"clusters"."cluster_name"', '"clusters"."name"');
  return text.slice(0, start) + view + text.slice(end);
}
