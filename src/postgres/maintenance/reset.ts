import type { Stream } from '../../core/stream/stream.ts';
import { type Pool, type PoolClient, withClient, withTransaction } from '../connection/pool.ts';
import { qualified } from '../rows/statements.ts';
import { releaseLock, takeLock, withStreamLock } from '../run/lock.ts';
import type { ListingRow, RunRow } from '../schema/tables.ts';
import { clearFingerprints } from '../schema/triggers.ts';

/** Number of stored states of a stream in a project. */
export interface StoredState {
  readonly projectId: ListingRow['project_id'];
  readonly listings: number;
  readonly dialects: number;
}

/** Stored states of a stream, by project. */
export async function storedStates(pool: Pool, stream: Stream): Promise<readonly StoredState[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<StoredState>(
      `select project_id as "projectId", sum(listings)::int as listings, sum(dialects)::int as dialects from (
         select project_id, 1 as listings, 0 as dialects from sync.listings where stream = $1
         union all select project_id, 0, 1 from sync.dialects where stream = $1) memory
       group by project_id order by project_id`,
      [stream.name],
    ),
  );
  return rows;
}

/**
 * Deletes a stream's checkpoints and dialects and clears the fingerprints of its rows, so that everything is read and
 * written again. Its rows stay. Returns `busy` if another process runs the stream.
 */
export function forget(pool: Pool, stream: Stream, projectId: string): Promise<StoredState | 'busy'> {
  return withStreamLock(pool, { stream, scope: { projectId } }, (client) =>
    withTransaction(client, async () => {
      const values = [projectId, stream.name];
      const listings = await client.query('delete from sync.listings where project_id = $1 and stream = $2', values);
      const dialects = await client.query('delete from sync.dialects where project_id = $1 and stream = $2', values);
      await clearFingerprints(client, stream, projectId);
      return { projectId, listings: listings.rowCount ?? 0, dialects: dialects.rowCount ?? 0 };
    }),
  );
}

/** Numbers of deleted rows of one stream in a project. */
export interface Removed {
  readonly stream: string;
  readonly rows: number;
  readonly versions: number;
  readonly rejects: number;
  readonly runs: number;
}

/** Ids of projects with stored data. */
export async function storedProjects(pool: Pool, streams: readonly Stream[]): Promise<readonly string[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<{ projectId: RunRow['project_id'] }>(
      `select project_id as "projectId" from (
         select project_id, stream from sync.runs union select project_id, stream from sync.listings
         union select project_id, stream from sync.rejected_records union select project_id, stream from sync.dialects) known
       where stream = any($1) group by project_id order by project_id`,
      [streams.map(({ name }) => name)],
    ),
  );
  return rows.map(({ projectId }) => projectId);
}

/** Number of rows of a project, including rows marked as gone and earlier versions. */
export async function countProject(pool: Pool, streams: readonly Stream[], projectId: string): Promise<number> {
  const counts = streams
    .flatMap(({ table, history }) => (history === null ? [table] : [table, history]))
    .map((table) => `(select count(*) from ${qualified(table)} where project_id = $1)`);
  const { rows } = await withClient(pool, (client) =>
    client.query<{ count: number }>(`select (${counts.join(' + ')})::float8 as count`, [projectId]),
  );
  return rows[0]?.count ?? 0;
}

/**
 * Deletes everything about a project: rows, history and bookkeeping, in one transaction for each stream. If another
 * process runs streams of the project, deletes nothing and returns their names in `busy`.
 */
export function forgetProject(
  pool: Pool,
  streams: readonly Stream[],
  projectId: string,
): Promise<{ readonly removed: readonly Removed[]; readonly busy: readonly string[] }> {
  return withClient(pool, async (client) => {
    const held: Stream[] = [];
    for (const stream of streams) if (await takeLock(client, { stream, scope: { projectId } })) held.push(stream);
    const busy = streams.filter((stream) => !held.includes(stream)).map(({ name }) => name);
    const removed: Removed[] = [];
    if (busy.length === 0) {
      for (const stream of streams)
        removed.push(await withTransaction(client, () => remove(client, stream, projectId)));
    }
    // If something throws, the connection is closed, which releases the locks.
    for (const stream of held) await releaseLock(client, { stream, scope: { projectId } });
    return { removed, busy };
  });
}

async function remove(client: PoolClient, { name, table, history }: Stream, projectId: string): Promise<Removed> {
  const rowsOf = async (from: string) =>
    (await client.query(`delete from ${from} where project_id = $1`, [projectId])).rowCount ?? 0;
  const ofStream = async (from: string) =>
    (await client.query(`delete from ${from} where project_id = $1 and stream = $2`, [projectId, name])).rowCount ?? 0;
  await ofStream('sync.listings');
  await ofStream('sync.dialects');
  const rows = await rowsOf(qualified(table));
  // The trigger has recorded the deletion above as an edit.
  await ofStream('sync.hand_edits');
  return {
    stream: name,
    rows,
    versions: history === null ? 0 : await rowsOf(qualified(history)),
    rejects: await ofStream('sync.rejected_records'),
    runs: await ofStream('sync.runs'),
  };
}
