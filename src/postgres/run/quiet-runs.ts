import type { ClientBase } from 'pg';

/**
 * Most polls find nothing changed. Each has its row in `sync.runs` while it is the newest; then it is folded: its looks and
 * counters move to a later quiet run of the same stream, project and hour, and after {@link DAYS_IN_HOURS} of the same day.
 * The newest row always stays as it is, because the state of a stream rests on it.
 */

/** Age in days from which on one row a day is kept: a row takes about one kilobyte, indexes included. */
const DAYS_IN_HOURS = 3;

/** Run `r` proved the data complete by looking, and wrote no row. */
const QUIET = `r.status = 'succeeded' and r.certificate = 'complete' and coalesce(r.walk, 'probe') = 'probe' and r.error is null
  and r.inserted + r.updated + r.deleted + r.rejected + r.stale = 0`;

/** What is added up when runs are folded. */
const SUMS = ['looks', 'requests', 'throttled', 'records', 'unchanged'];

const SUMMED = SUMS.map((name) => `sum(gone.${name})::bigint as ${name}`).join(', ');
const ADDED = SUMS.map((name) => `${name} = r.${name} + added.${name}`).join(', ');
const FIRST = 'first_looked_at = least(coalesce(r.first_looked_at, r.started_at), added.first_looked_at)';
const EARLIEST = 'min(coalesce(gone.first_looked_at, gone.started_at)) as first_looked_at';

/** Start of the hour or day in UTC, whatever the zone of the session. */
const periodOf = (unit: 'hour' | 'day', time: string) => `date_trunc('${unit}', ${time}, 'UTC')`;

const FOLD_INTO_RUN = `with kept as (
  select r.id, r.stream, r.project_id, r.account, r.region, r.started_at from sync.runs r where r.id = $1 and ${QUIET}
), gone as (
  delete from sync.runs r using kept
  where r.stream = kept.stream and r.project_id = kept.project_id and r.account = kept.account and r.region = kept.region
    and r.started_at >= ${periodOf('hour', 'kept.started_at')} and r.started_at <= kept.started_at
    and r.id <> kept.id and ${QUIET}
  returning r.*
), added as (select ${SUMMED}, ${EARLIEST} from gone having count(*) > 0)
update sync.runs r set ${ADDED}, ${FIRST} from added where r.id = $1`;

/** Folds earlier quiet runs of the hour into this one, if it was quiet itself. */
export async function foldIntoRun(client: ClientBase, runId: number): Promise<void> {
  await client.query(FOLD_INTO_RUN, [runId]);
}

/** One day at a time, so that no statement holds its locks for long. */
const FOLD_DAY = `with quiet as (
  select r.id, first_value(r.id) over (
    partition by r.stream, r.project_id, r.account, r.region order by r.started_at desc, r.id desc) as kept
  from sync.runs r where r.started_at >= $1 and r.started_at < $1::timestamptz + interval '24 hours' and ${QUIET}
), gone as (
  delete from sync.runs r using quiet where r.id = quiet.id and quiet.id <> quiet.kept returning r.*, quiet.kept
), added as (select gone.kept, count(*) as rows, ${SUMMED}, ${EARLIEST} from gone group by gone.kept
), written as (update sync.runs r set ${ADDED}, ${FIRST} from added where r.id = added.kept)
select coalesce(sum(rows), 0)::int as folded from added`;

const OLD_DAYS = `select generate_series(${periodOf('day', 'min(r.started_at)')},
  ${periodOf('day', `now() - interval '${DAYS_IN_HOURS} days'`)} - interval '24 hours', interval '24 hours') as day from sync.runs r`;

/** Folds the quiet runs of every day that is older than three days. Returns the number of rows that are no more. */
export async function foldOldRuns(client: ClientBase): Promise<number> {
  let folded = 0;
  const { rows: days } = await client.query<{ day: Date }>(OLD_DAYS);
  for (const { day } of days) {
    const { rows } = await client.query<{ folded: number }>(FOLD_DAY, [day]);
    folded += rows[0]?.folded ?? 0;
  }
  return folded;
}
