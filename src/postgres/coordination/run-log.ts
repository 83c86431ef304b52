import type { Pool } from 'pg';
import type { Attempt, RunLog } from '../../core/queue.ts';
import { withClient } from '../connection/pool.ts';

/**
 * A run that is under way is no attempt yet: if its process died it must be tried again, and if it lives its lock says so.
 * Neither is one that was stopped on purpose or whose process died. All of them had their turn, though. Hops through the
 * index from one stream and project to the next, because it is asked at every tick and runs are kept for months.
 */
const LAST_ATTEMPTS = `
with recursive scopes as (
  (select stream, project_id from sync.runs order by stream, project_id limit 1)
  union all
  select n.stream, n.project_id from scopes s cross join lateral (
    select r.stream, r.project_id from sync.runs r where (r.stream, r.project_id) > (s.stream, s.project_id)
    order by r.stream, r.project_id limit 1) n
)
select s.stream, s.project_id as "projectId", (extract(epoch from now() - served.at) * 1000)::float8 as "servedMs",
  (extract(epoch from now() - tried.at) * 1000)::float8 as "ageMs"
from scopes s
cross join lateral (
  select r.started_at as at from sync.runs r where r.stream = s.stream and r.project_id = s.project_id
  order by r.started_at desc limit 1) served
left join lateral (
  select r.started_at as at from sync.runs r where r.stream = s.stream and r.project_id = s.project_id
    and (r.status in ('succeeded', 'failed') or r.status = 'incomplete' and (r.reason is distinct from 'interrupted' or r.error is not null))
  order by r.started_at desc limit 1) tried on true`;

export function createRunLog(pool: Pool): RunLog {
  return {
    lastAttempts: () => withClient(pool, async (client) => (await client.query<Attempt>(LAST_ATTEMPTS)).rows),
  };
}
