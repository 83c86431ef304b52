/**
 * Statements on the schema `sync`. Every function runs inside the caller's transaction.
 *
 * @module
 */

import pg, { type ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import { evidenceSchema } from '../../core/certificate.ts';
import type { Counts, ListingState } from '../../core/store.ts';
import type { Listing } from '../../core/stream/endpoint.ts';
import { toJson } from '../../core/stream/json.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import type { Drift, Reject } from '../../core/stream/validate.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../../core/sweep.ts';
import { hintSchema } from '../../core/walk/poll.ts';
import { checkpointSchema } from '../../core/walk/result.ts';
import { readStored } from '../connection/pool.ts';
import type { StreamConnection } from '../rows/row-writer.ts';
import type { DriftRow, ListingRow, RunRow } from '../schema/tables.ts';

/** Stores rejects, or counts repeated ones. */
export async function recordRejects(
  { client, stream, scope }: StreamConnection,
  listing: Listing,
  rejects: readonly Reject[],
): Promise<void> {
  if (rejects.length === 0) return;
  const distinct = [...new Map(rejects.map((reject) => [reject.fingerprint, reject])).values()];
  await client.query(
    `insert into sync.rejected_records as r (project_id, stream, fingerprint, account, region, listing, params, key, issues, payload, count, first_seen_at, last_seen_at)
     select $1, $2, i.fingerprint, $3, $4, $5, $6::jsonb, i.key, i.issues, i.payload, 1, now(), now()
     from json_to_recordset($7::json) as i(fingerprint text, key text, issues jsonb, payload text)
     on conflict (project_id, stream, fingerprint) do update
     set count = r.count + 1, last_seen_at = excluded.last_seen_at, issues = excluded.issues, replayed_at = null`,
    [scope.projectId, stream.name, scope.account, scope.region, listing.key, toJson(listing.params), toJson(distinct)],
  );
}

/**
 * Marks as settled the rejects of a list that a complete walk did not contain: their records are valid now, or gone.
 * With `everywhere` (for a list read in parts), the rejects of all parts. Lists that only grow keep their rejects: a
 * record that is no longer listed has aged out, and a later version may still accept it.
 */
export async function settleRejects(
  { client, stream, scope }: StreamConnection,
  { listing, runId, everywhere }: { readonly listing: Listing; readonly runId: number; readonly everywhere: boolean },
): Promise<void> {
  if (stream.appendOnly) return;
  await client.query(
    `update sync.rejected_records set replayed_at = now()
     where project_id = $1 and stream = $2 and replayed_at is null and ($4 or listing = $3)
       and last_seen_at < (select started_at from sync.runs where id = $5)`,
    [scope.projectId, stream.name, listing.key, everywhere, runId],
  );
}

export const NO_COUNTS = {
  requests: 0,
  throttled: 0,
  records: 0,
  inserted: 0,
  updated: 0,
  unchanged: 0,
  deleted: 0,
  rejected: 0,
  stale: 0,
} satisfies Counts;

const COUNTERS = [
  'requests',
  'throttled',
  'records',
  'inserted',
  'updated',
  'unchanged',
  'deleted',
  'rejected',
  'stale',
] as const;

/** The sum of two sets of counters. */
export function sumOf(a: Counts, b: Counts): Counts {
  const sum = { ...NO_COUNTS };
  for (const name of COUNTERS) sum[name] = a[name] + b[name];
  return sum;
}

/** Adds to the counters of a run. */
export async function addCounts(client: ClientBase, runId: number, counts: Counts): Promise<void> {
  const { text, values } = addingCounts(runId, counts);
  await client.query(text, values);
}

/** Changes to a row of `sync.listings`. */
export interface ListingChange {
  readonly columns: Readonly<Partial<Record<keyof ListingRow, Value>>>;
  /** The walk proved the list complete, so a narrower setting of enterprise projects may replace a wider one. */
  readonly certified?: boolean;
  /** Number of parameters of the statement before those of this change. */
  readonly before?: number;
}

/** Counters and progress of a page. */
export interface PageBooking extends Pick<ListingChange, 'columns'> {
  readonly runId: number;
  readonly counts: Counts;
}

/** Inserts or updates the row of a listing in `sync.listings`. */
export async function touchListing(at: StreamConnection, listing: Listing, change: ListingChange): Promise<void> {
  const { text, values } = touchingListing(at, listing, change);
  await at.client.query(text, values);
}

/** Stores counters and progress of a page in one statement. Most pages write nothing else, and need no transaction. */
export function pageBooking(at: StreamScope, listing: Listing, { runId, counts, columns }: PageBooking): Statement {
  const counting = addingCounts(runId, counts);
  const touching = touchingListing(at, listing, { columns, before: counting.values.length });
  const text = `with counted as (${counting.text}) ${touching.text}`;
  return { text, values: [...counting.values, ...touching.values] };
}

type Value = string | number | boolean | Date | null;

/** A statement and its parameters. */
export interface Statement {
  readonly text: string;
  readonly values: Value[];
}

/** The statement with its parameters in the text, so that it can follow others in one message. */
export function withLiterals({ text, values }: Statement): string {
  return text.replaceAll(/\$(\d+)/g, (_, position: string) => literalOf(values[Number(position) - 1] ?? null));
}

function literalOf(value: Value): string {
  if (value === null) return 'null';
  return pg.escapeLiteral(value instanceof Date ? value.toISOString() : String(value));
}

function addingCounts(runId: number, counts: Counts): Statement {
  const set = COUNTERS.map((name, index) => `${name} = ${name} + $${index + 2}`).join(', ');
  const text = `update sync.runs set ${set}, beat_at = now() where id = $1`;
  return { text, values: [runId, ...COUNTERS.map((name) => counts[name])] };
}

function touchingListing(
  { stream, scope }: StreamScope,
  listing: Listing,
  { columns, certified = false, before = 0 }: ListingChange,
): Statement {
  const known = {
    project_id: scope.projectId,
    stream: stream.name,
    listing: listing.key,
    account: scope.account,
    region: scope.region,
    params: toJson(listing.params),
    enterprise_project_id: scope.enterpriseProjectId,
  };
  const all = { ...known, ...columns };
  const names = Object.keys(all);
  const widens = certified || scope.enterpriseProjectId === ALL_ENTERPRISE_PROJECTS;
  const set = ['account', 'region', ...(widens ? ['enterprise_project_id'] : []), ...Object.keys(columns)];
  const text = `insert into sync.listings (${names.join(', ')}) values (${names.map((_, index) => `$${before + index + 1}`).join(', ')})
     on conflict (project_id, stream, listing) do update set ${set.map((name) => `${name} = excluded.${name}`).join(', ')}`;
  return { text, values: Object.values(all) };
}

const STATE_COLUMNS = [
  'listing',
  'certificate',
  'reason',
  'certified_at',
  'certified_since',
  'proof',
  'content_at',
  'evidence',
  'certified',
  'enterprise_project_id',
  'walked_at',
  'failed_at',
  'changed_at',
  'hint',
] as const satisfies readonly (keyof ListingRow)[];

type StateRow = Pick<ListingRow, (typeof STATE_COLUMNS)[number]> & { readonly certified_under: string | null };

/** Stored state of a stream's listings in a scope, by key. */
export async function readStates(
  client: ClientBase,
  stream: Stream,
  scope: Scope,
): Promise<ReadonlyMap<string, ListingState>> {
  const { rows } = await client.query<StateRow>(
    `select ${STATE_COLUMNS.join(', ')}, certified->>'enterpriseProjectId' as certified_under
     from sync.listings where project_id = $1 and stream = $2`,
    [scope.projectId, stream.name],
  );
  return new Map(
    rows.map((row) => [
      row.listing,
      {
        certificate: row.certificate,
        reason: row.reason,
        certifiedAt: row.certified_at,
        certifiedSince: row.certified_since,
        proof: row.proof,
        contentAt: row.content_at ?? row.certified_at,
        evidence: readStored(evidenceSchema, row.evidence),
        checkpoint: readStored(checkpointSchema, row.certified),
        enterpriseProjectId: row.enterprise_project_id,
        certifiedUnder: row.certified_under,
        walkedAt: row.walked_at,
        failedAt: row.failed_at,
        changedAt: row.changed_at,
        hint: readStored(hintSchema, row.hint),
      },
    ]),
  );
}

/**
 * SQL for `sync.listings l`: the time since which a certified list may have changed unnoticed. A certificate is valid
 * for the start of its walk but dated at its end; the start of the run is the closest stored time. For lists certified
 * by versions that did not store it, the runs provide it.
 */
export const CERTIFIED_SINCE = `least(l.certified_at, coalesce(l.certified_since, (select max(r.started_at) from sync.runs r
  where r.stream = l.stream and r.project_id = l.project_id and r.started_at <= l.certified_at)))`;

// Most polls find no change. The newest one keeps its own row in `sync.runs`, because the state of a stream depends on
// it. Older ones are folded: their counters move to a later quiet run of the same stream, project and hour, and after
// DAYS_IN_HOURS to one of the same day.

/** Age in days from which one row a day is kept, to limit the size of the table. */
const DAYS_IN_HOURS = 3;

/** Condition: run `r` proved the data complete by polls, and wrote no row. */
const QUIET = `r.status = 'succeeded' and r.certificate = 'complete' and coalesce(r.walk, 'probe') = 'probe' and r.error is null
  and r.inserted + r.updated + r.deleted + r.rejected + r.stale = 0`;

/** False if a finished run is certainly not quiet, so that nothing can be folded into it. */
export function mayBeQuiet({ status, walk, inserted, updated, deleted }: RunRow): boolean {
  return status === 'succeeded' && (walk ?? 'probe') === 'probe' && inserted + updated + deleted === 0;
}

/** Columns that are summed up when runs are folded. */
const SUMS = ['looks', 'requests', 'throttled', 'records', 'unchanged'];

const SUMMED = SUMS.map((name) => `sum(gone.${name})::bigint as ${name}`).join(', ');
const ADDED = SUMS.map((name) => `${name} = r.${name} + added.${name}`).join(', ');
const FIRST = 'first_looked_at = least(coalesce(r.first_looked_at, r.started_at), added.first_looked_at)';
const EARLIEST = 'min(coalesce(gone.first_looked_at, gone.started_at)) as first_looked_at';

/** Start of the hour or day in UTC, independent of the zone of the session. */
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

/** Folds earlier quiet runs of the hour into this run, if it was quiet itself. */
export async function foldIntoRun(client: ClientBase, runId: number): Promise<void> {
  await client.query(FOLD_INTO_RUN, [runId]);
}

/** Folds one day at a time, so that no statement holds locks for long. */
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

/** Folds the quiet runs of every day older than {@link DAYS_IN_HOURS}. Returns the number of deleted rows. */
export async function foldOldRuns(client: ClientBase): Promise<number> {
  let folded = 0;
  const { rows: days } = await client.query<{ day: Date }>(OLD_DAYS);
  for (const { day } of days) {
    const { rows } = await client.query<{ folded: number }>(FOLD_DAY, [day]);
    folded += rows[0]?.folded ?? 0;
  }
  return folded;
}

/** Maximum number of differences stored for one stream. The API chooses field names, so nothing else limits them. */
const MOST_DIFFERENCES = 200;

/** Field name of the row that counts the differences beyond the limit; one row for each kind of difference. */
const MORE = '(more fields)';

/**
 * Counts differences from the documents inside the caller's transaction. Returns texts of those not stored before.
 * Beyond {@link MOST_DIFFERENCES} for a stream, only their number is stored.
 */
export async function recordDrift(
  client: ClientBase,
  stream: Stream,
  drifts: readonly Drift[],
): Promise<readonly string[]> {
  if (drifts.length === 0) return [];
  const tally = new Map<string, Drift & { count: number }>();
  for (const drift of drifts) {
    const name = `${drift.field}\u0001${drift.kind}`;
    const entry = tally.get(name) ?? { ...drift, count: 0 };
    entry.count += 1;
    tally.set(name, entry);
  }
  const { rows } = await client.query<Pick<DriftRow, 'field' | 'kind' | 'sample'> & { is_new: boolean }>(
    `with met as (
       select i.*, d.stream is not null as is_known, row_number() over (partition by d.stream is null order by i.field, i.kind) as place
       from json_to_recordset($2::json) as i(field text, kind text, sample text, count bigint)
       left join sync.api_drift d on d.stream = $1 and d.field = i.field and d.kind = i.kind
     ), placed as (
       select *, is_known or place <= $3 - (select count(*) from sync.api_drift where stream = $1 and field <> $4) as fits from met
     ), counted as (
       select case when fits then field else $4 end as field, kind, min(sample) filter (where fits) as sample, sum(count)::bigint as count
       from placed group by 1, 2
     )
     insert into sync.api_drift as d (stream, field, kind, sample, count, first_seen_at, last_seen_at)
     select $1, field, kind, sample, count, now(), now() from counted order by field, kind
     on conflict (stream, field, kind) do update set count = d.count + excluded.count, last_seen_at = excluded.last_seen_at
     returning d.field, d.kind, d.sample, d.xmax = 0 as is_new`,
    [stream.name, toJson([...tally.values()]), MOST_DIFFERENCES, MORE],
  );
  return rows
    .filter(({ is_new }) => is_new)
    .map(({ field, kind, sample }) => `${kind}: ${field}${sample === null ? '' : ` = ${sample}`}`);
}
