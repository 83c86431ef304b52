import type { Pool } from 'pg';
import type { Scope } from '../../core/account.ts';
import { withClient, withTransaction } from '../connection/pool.ts';
import { servingConfigurations } from '../coordination/lane-queue.ts';
import type { ProjectRow } from '../schema/tables.ts';

/** The part of a configuration that the database needs. */
export interface Configured {
  /** Fingerprint of a service's configuration; null for a command that runs once. */
  readonly configuration: string | null;
  readonly scopes: readonly Pick<Scope, 'projectId' | 'account' | 'region'>[];
  /** Age from which the data of each stream counts as stale, in ms. */
  readonly targets: Readonly<Record<string, number>>;
}

/**
 * Stores account, region and targets of each project for the views. Names of enterprise projects are copied to the new
 * name of a renamed account.
 */
export async function publishProjects(pool: Pool, { configuration, scopes, targets }: Configured): Promise<void> {
  const seconds = Object.entries(targets).map(([stream, ms]) => [stream, Math.ceil(ms / 1000)]);
  const projects = [...new Map(scopes.map((scope) => [scope.projectId, scope])).values()];
  const rows = JSON.stringify(projects.map(({ projectId, account, region }) => ({ projectId, account, region })));
  await withTransaction(pool, async (client) => {
    await client.query(
      `insert into sync.enterprise_projects as e (account, id, name, enabled, seen_at)
       select distinct on (r.account, o.id) r.account, o.id, o.name, o.enabled, o.seen_at
       from json_to_recordset($1::json) as r("projectId" text, account text)
       join sync.projects p on p.project_id = r."projectId" and p.account <> r.account
       join sync.enterprise_projects o on o.account = p.account
       order by r.account, o.id, o.seen_at desc
       on conflict (account, id) do nothing`,
      [rows],
    );
    await client.query(
      `insert into sync.projects as p (project_id, account, region, targets, configuration, seen_at)
       select r."projectId", r.account, r.region, $2::jsonb, $3, now()
       from json_to_recordset($1::json) as r("projectId" text, account text, region text) order by 1
       on conflict (project_id) do update set account = excluded.account, region = excluded.region,
         targets = p.targets || excluded.targets, configuration = coalesce(excluded.configuration, p.configuration), seen_at = excluded.seen_at`,
      [rows, JSON.stringify(Object.fromEntries(seconds)), configuration],
    );
  });
}

/** Ids of the projects, other than the given ones, that running services of other configurations read. */
export async function projectsOfOthers(pool: Pool, own: readonly string[]): Promise<readonly string[]> {
  const serving = await servingConfigurations(pool);
  const { rows } = await withClient(pool, (client) =>
    client.query<{ id: ProjectRow['project_id'] }>(
      'select project_id as id from sync.projects where project_id <> all($1) and configuration = any($2) order by 1',
      [own, serving],
    ),
  );
  return rows.map(({ id }) => id);
}

/** A running service reads one of the projects; without projects, any service is running. */
export async function isServed(pool: Pool, projects: readonly string[]): Promise<boolean> {
  const serving = await servingConfigurations(pool);
  // Services of versions that do not state their configuration may read any project.
  if (projects.length === 0 || serving.includes('')) return serving.length > 0;
  const { rows } = await withClient(pool, (client) =>
    client.query('select from sync.projects where project_id = any($1) and configuration = any($2) limit 1', [
      projects,
      serving,
    ]),
  );
  return rows.length > 0;
}

/** An enterprise project of an account. */
export interface EnterpriseProject {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
}

/** Stores the names of enterprise projects, so that views can show them beside the ids. */
export async function rememberEnterpriseProjects(
  pool: Pool,
  account: string,
  projects: readonly EnterpriseProject[],
): Promise<void> {
  if (projects.length === 0) return;
  await withClient(pool, (client) =>
    client.query(
      `insert into sync.enterprise_projects (account, id, name, enabled, seen_at)
       select $1, p.id, p.name, p.enabled, now() from json_to_recordset($2::json) as p(id text, name text, enabled boolean)
       on conflict (account, id) do update set name = excluded.name, enabled = excluded.enabled, seen_at = excluded.seen_at`,
      [account, JSON.stringify(projects)],
    ),
  );
}
