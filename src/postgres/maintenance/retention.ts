import type { ClientBase, Pool } from 'pg';
import type { Stream } from '../../core/stream/stream.ts';
import { withClient } from '../connection/pool.ts';
import { qualified } from '../rows/statements.ts';
import { foldOldRuns } from '../run/bookkeeping.ts';

/** How long something is kept; null for ever. */
export interface RetentionPeriods {
  /** Also of differences from the documents, since they were last seen. */
  readonly runsMs: number | null;
  readonly rejectsMs: number | null;
  readonly historyMs: number | null;
}

export interface Pruned {
  readonly runs: number;
  readonly rejects: number;
  readonly versions: number;
  readonly drift: number;
  /** Runs that found nothing changed, and of which another row tells now. */
  readonly folded: number;
}

/** Held by the one replica that prunes. */
const LOCK = 4_242_003;

/** One statement removes no more, so that none holds locks or a snapshot for long. */
const BATCH = 5_000;

/** Whatever its age, the last run of a stream in a scope stays, and the last one that proved completeness: status rests on them. */
const OLD_RUNS = `
select r.ctid from sync.runs r
where r.started_at < now() - $1 * interval '1 ms' and r.status <> 'running' and r.project_id <> all($2)
  and exists (select from sync.runs n where n.stream = r.stream and n.project_id = r.project_id and n.started_at > r.started_at)
  and (r.certificate is distinct from 'complete' or exists (select from sync.runs n
    where n.stream = r.stream and n.project_id = r.project_id and n.started_at > r.started_at and n.certificate = 'complete'))`;

const OLD_REJECTS =
  "select r.ctid from sync.rejected_records r where r.last_seen_at < now() - $1 * interval '1 ms' and r.project_id <> all($2)";

/** Differences belong to a stream, not to a project. */
const OLD_DRIFT =
  "select d.ctid from sync.api_drift d where d.last_seen_at < now() - $1 * interval '1 ms' and d.stream <> all($2)";

/** A service says four times a day what it reads; what none said for so long belongs to no other any more. */
const LEFT_TO_OTHERS = "interval '30 days'";

export interface Pruning {
  readonly periods: RetentionPeriods;
  readonly streams: readonly Stream[];
  /** Fingerprint of the configuration: how long the projects of others are kept is theirs to say. */
  readonly configuration: string;
}

/** Deletes what is older than it need be, projects of other configurations left out. Null when another replica is at it. */
export async function prune(pool: Pool, { periods, streams, configuration }: Pruning): Promise<Pruned | null> {
  return withClient(pool, async (client) => {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK]);
    if (rows[0]?.locked !== true) return null;
    const others = await client.query<{ id: string }>(
      `select project_id as id from sync.projects
       where configuration <> $1 and seen_at > now() - ${LEFT_TO_OTHERS}`,
      [configuration],
    );
    const left = others.rows.map(({ id }) => id);
    const runs = await remove(client, 'sync.runs', { old: OLD_RUNS, keptMs: periods.runsMs, left });
    const rejects = await remove(client, 'sync.rejected_records', {
      old: OLD_REJECTS,
      keptMs: periods.rejectsMs,
      left,
    });
    const drift = await remove(client, 'sync.api_drift', { old: OLD_DRIFT, keptMs: periods.runsMs, left: [] });
    const folded = await foldOldRuns(client);
    let versions = 0;
    for (const { history } of streams) {
      if (history === null) continue;
      const table = qualified(history);
      const old = `select h.ctid from ${table} h where h._valid_to < now() - $1 * interval '1 ms' and h.project_id <> all($2)`;
      versions += await remove(client, table, { old, keptMs: periods.historyMs, left });
    }
    await client.query('select pg_advisory_unlock($1)', [LOCK]);
    return { runs, rejects, versions, drift, folded };
  });
}

interface Removal {
  readonly old: string;
  readonly keptMs: number | null;
  /** Projects, or streams, whose rows stay. */
  readonly left: readonly string[];
}

async function remove(client: ClientBase, table: string, { old, keptMs, left }: Removal): Promise<number> {
  if (keptMs === null) return 0;
  for (let removed = 0; ; ) {
    const { rowCount } = await client.query(`delete from ${table} where ctid = any(array(${old} limit ${BATCH}))`, [
      keptMs,
      left,
    ]);
    removed += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH) return removed;
  }
}
