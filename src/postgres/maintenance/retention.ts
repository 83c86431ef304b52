import type { ClientBase, Pool } from 'pg';
import type { Stream } from '../../core/stream/stream.ts';
import { ADVISORY_LOCKS, withClient } from '../connection/pool.ts';
import { qualified } from '../rows/statements.ts';
import { foldOldRuns } from '../run/bookkeeping.ts';
import type { ProjectRow } from '../schema/tables.ts';

/** Retention periods; null means forever. */
export interface RetentionPeriods {
  /** Also for differences from the documents, counted from when they were last seen. */
  readonly runsMs: number | null;
  readonly rejectsMs: number | null;
  readonly historyMs: number | null;
}

/** Numbers of deleted rows. */
export interface Pruned {
  readonly runs: number;
  readonly rejects: number;
  readonly versions: number;
  readonly drift: number;
  /** Runs without changes that were folded into other rows. */
  readonly folded: number;
}

/** Maximum number of rows deleted by one statement, so that none holds locks or a snapshot for long. */
const BATCH = 5_000;

/**
 * The last run of a stream in a scope and the last complete one are kept regardless of age, because the status needs
 * them.
 */
const OLD_RUNS = `
r.started_at < now() - $1 * interval '1 ms' and r.status <> 'running' and r.project_id <> all($2)
  and exists (select from sync.runs n where n.stream = r.stream and n.project_id = r.project_id and n.started_at > r.started_at)
  and (r.certificate is distinct from 'complete' or exists (select from sync.runs n
    where n.stream = r.stream and n.project_id = r.project_id and n.started_at > r.started_at and n.certificate = 'complete'))`;

const OLD_REJECTS = "r.last_seen_at < now() - $1 * interval '1 ms' and r.project_id <> all($2)";

/** Differences belong to a stream, not to a project. */
const OLD_DRIFT = "r.last_seen_at < now() - $1 * interval '1 ms' and r.stream <> all($2)";

const OLD_VERSIONS = "r._valid_to < now() - $1 * interval '1 ms' and r.project_id <> all($2)";

/**
 * Services publish their projects four times a day. After this time without it, a project no longer belongs to another
 * one.
 */
const LEFT_TO_OTHERS = "interval '30 days'";

/** Dependencies of `prune`. */
export interface PruneOptions {
  readonly periods: RetentionPeriods;
  readonly streams: readonly Stream[];
  /** Fingerprint of the configuration. Projects of other configurations have their own retention periods. */
  readonly configuration: string;
}

/** Deletes old data, except in projects of other configurations. Returns null if another replica is pruning. */
export async function prune(pool: Pool, { periods, streams, configuration }: PruneOptions): Promise<Pruned | null> {
  return withClient(pool, async (client) => {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      ADVISORY_LOCKS.pruning,
    ]);
    if (rows[0]?.locked !== true) return null;
    const others = await client.query<{ id: ProjectRow['project_id'] }>(
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
      versions += await remove(client, qualified(history), { old: OLD_VERSIONS, keptMs: periods.historyMs, left });
    }
    await client.query('select pg_advisory_unlock($1)', [ADVISORY_LOCKS.pruning]);
    return { runs, rejects, versions, drift, folded };
  });
}

interface Removal {
  /** Condition on the rows `r`. */
  readonly old: string;
  readonly keptMs: number | null;
  /** Projects, or streams, to be skipped. */
  readonly left: readonly string[];
}

async function remove(client: ClientBase, table: string, { old, keptMs, left }: Removal): Promise<number> {
  if (keptMs === null) return 0;
  for (let removed = 0; ; ) {
    // The condition again, because the partitions of a table number their rows each from the start.
    const { rowCount } = await client.query(
      `delete from ${table} r where r.ctid = any(array(select r.ctid from ${table} r where ${old} limit ${BATCH})) and ${old}`,
      [keptMs, left],
    );
    removed += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH) return removed;
  }
}
