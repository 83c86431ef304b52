import type { Pool } from 'pg';
import { withClient } from '../connection/pool.ts';

export interface EnterpriseProject {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
}

/** Remembers the names of enterprise projects, so that views can show them beside the ids. */
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
