import type { Stream } from '../core/stream.ts';
import { type Pool, withClient, withTransaction } from './pool.ts';
import { withStreamLock } from './stream-lock.ts';

/** What is remembered of a stream in one project between walks. */
export interface Memory {
  readonly projectId: string;
  readonly listings: number;
  readonly dialects: number;
}

export async function memoriesOf(pool: Pool, stream: Stream): Promise<readonly Memory[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<Memory>(
      `select project_id as "projectId", sum(listings)::int as listings, sum(dialects)::int as dialects from (
         select project_id, 1 as listings, 0 as dialects from sync.listings where stream = $1
         union all select project_id, 0, 1 from sync.dialects where stream = $1) memory
       group by project_id order by project_id`,
      [stream.name],
    ),
  );
  return rows;
}

/** Forgets a stream's checkpoints and learnt spellings; its rows stay. `busy` while another process runs the stream. */
export function forget(pool: Pool, stream: Stream, projectId: string): Promise<Memory | 'busy'> {
  return withStreamLock(pool, stream, { projectId }, (client) =>
    withTransaction(client, async () => {
      const values = [projectId, stream.name];
      const listings = await client.query('delete from sync.listings where project_id = $1 and stream = $2', values);
      const dialects = await client.query('delete from sync.dialects where project_id = $1 and stream = $2', values);
      return { projectId, listings: listings.rowCount ?? 0, dialects: dialects.rowCount ?? 0 };
    }),
  );
}
