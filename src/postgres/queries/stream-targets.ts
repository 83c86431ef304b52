import type { Pool } from 'pg';
import { withClient } from '../connection/pool.ts';

export interface StreamTarget {
  readonly stream: string;
  readonly targetMs: number;
}

/** Makes the targets in force known to the views, which know no configuration. */
export async function writeTargets(pool: Pool, targets: readonly StreamTarget[]): Promise<void> {
  const rows = targets.map(({ stream, targetMs }) => ({ stream, target_seconds: Math.ceil(targetMs / 1000) }));
  await withClient(pool, (client) =>
    client.query(
      `insert into sync.stream_targets as t (stream, target_seconds, written_at)
       select r.stream, r.target_seconds, now() from json_to_recordset($1::json) as r(stream text, target_seconds bigint) order by 1
       on conflict (stream) do update set target_seconds = excluded.target_seconds, written_at = excluded.written_at
       where t.target_seconds <> excluded.target_seconds`,
      [JSON.stringify(rows)],
    ),
  );
}
