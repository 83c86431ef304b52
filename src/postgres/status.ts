import type { Pool } from 'pg';
import type { Evidence } from '../core/certificate.ts';
import type { Stream } from '../core/stream.ts';
import { withClient } from './pool.ts';
import { qualified } from './statements.ts';

/** What is known of a stream in a scope, from its last run and its listings. */
export interface StatusRow {
  readonly stream: string;
  readonly account: string;
  readonly region: string;
  readonly project_id: string;
  readonly status: string;
  readonly certificate: 'complete' | 'incomplete' | null;
  readonly reason: string | null;
  readonly evidence: Evidence | null;
  /** When the last run started that proved completeness: how old the data is. */
  readonly as_of: Date | null;
  /** When the oldest list behind that proof was last read to its end. */
  readonly certified_at: Date | null;
  readonly started_at: Date;
  readonly finished_at: Date | null;
  readonly requests: number;
  readonly rejects: number;
  readonly rows: number;
  readonly error: string | null;
}

/** One row for every stream and scope that ever ran; streams in the given order. */
export async function readStatus(pool: Pool, streams: readonly Stream[]): Promise<readonly StatusRow[]> {
  return withClient(pool, async (client) => {
    const { rows } = await client.query<Omit<StatusRow, 'rows'>>(
      `select distinct on (r.stream, r.project_id) r.stream, r.account, r.region, r.project_id, r.status, r.certificate, r.reason, r.evidence,
         (select max(c.certified_at) from sync.runs c where c.stream = r.stream and c.project_id = r.project_id and c.certificate = 'complete') as certified_at,
         (select max(c.started_at) from sync.runs c where c.stream = r.stream and c.project_id = r.project_id and c.certificate = 'complete') as as_of,
         r.started_at, r.finished_at, r.requests, r.error,
         (select count(*)::int from sync.rejected_records x where x.stream = r.stream and x.project_id = r.project_id and x.replayed_at is null) as rejects
       from sync.runs r order by r.stream, r.project_id, r.started_at desc`,
    );
    const counted: StatusRow[] = [];
    for (const stream of streams) {
      for (const row of rows.filter((candidate) => candidate.stream === stream.name)) {
        const count = await client.query<{ rows: number }>(
          `select count(*)::int as rows from ${qualified(stream.table)} where project_id = $1 and _deleted_at is null`,
          [row.project_id],
        );
        counted.push({ ...row, rows: count.rows[0]?.rows ?? 0 });
      }
    }
    return counted;
  });
}
