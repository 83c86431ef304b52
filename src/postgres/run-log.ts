import type { Pool } from 'pg';
import type { Attempt, RunLog } from '../core/queue.ts';
import { withClient } from './pool.ts';

/**
 * A run that is under way is no attempt yet: if its process died it must be tried again, and if it lives its lock says so.
 * Neither is one that was stopped on purpose or whose process died. All of them had their turn, though.
 */
const LAST_ATTEMPTS = `
select stream, project_id as "projectId", (extract(epoch from now() - max(started_at)) * 1000)::float8 as "servedMs",
  (extract(epoch from now() - max(started_at) filter (
    where status in ('succeeded', 'failed') or status = 'incomplete' and (reason is distinct from 'interrupted' or error is not null)))
    * 1000)::float8 as "ageMs"
from sync.runs
group by stream, project_id`;

export function createRunLog(pool: Pool): RunLog {
  return {
    lastAttempts: () => withClient(pool, async (client) => (await client.query<Attempt>(LAST_ATTEMPTS)).rows),
  };
}
