import type { ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Counts } from '../../core/store.ts';
import { toJson } from '../../core/stream/json.ts';
import type { Listing } from '../../core/stream/listing.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { Reject } from '../../core/stream/validate.ts';
import { WIDEST } from '../../core/sweep.ts';

/** The service's bookkeeping in the schema `sync`. Every function runs inside the caller's transaction. */

export async function recordRejects(
  client: ClientBase,
  stream: Stream,
  scope: Scope,
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
 * A list that was proven complete without meeting a reject again has no such record any more: it can be read now, or is gone.
 * `everywhere` is for a list read in parts, whose rejects were met in them. Lists that only grow keep theirs: there a record
 * that is listed no more has aged out, and a later version may still make a row of it.
 */
export async function settleRejects(
  client: ClientBase,
  stream: Stream,
  scope: Scope,
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

export const NO_COUNTS: Counts = {
  requests: 0,
  throttled: 0,
  records: 0,
  inserted: 0,
  updated: 0,
  unchanged: 0,
  deleted: 0,
  rejected: 0,
  stale: 0,
};

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

export async function addCounts(client: ClientBase, runId: number, counts: Counts): Promise<void> {
  const { text, values } = addingCounts(runId, counts);
  await client.query(text, values);
}

type Columns = Readonly<Record<string, string | number | boolean | Date | null>>;

/** What a listing is known by; every write to `sync.listings` starts from it. */
export async function touchListing(
  client: ClientBase,
  stream: Stream,
  scope: Scope,
  listing: Listing,
  columns: Columns,
  certified = false,
): Promise<void> {
  const { text, values } = touchingListing(stream, scope, listing, columns, certified);
  await client.query(text, values);
}

/** Counters and progress of a page in one statement: most pages have nothing else to write, and need no transaction. */
export async function bookPage(
  client: ClientBase,
  runId: number,
  counts: Counts,
  stream: Stream,
  scope: Scope,
  listing: Listing,
  columns: Columns,
): Promise<void> {
  const counting = addingCounts(runId, counts);
  const touching = touchingListing(stream, scope, listing, columns, false, counting.values.length);
  await client.query(`with counted as (${counting.text}) ${touching.text}`, [...counting.values, ...touching.values]);
}

interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

function addingCounts(runId: number, counts: Counts): Statement {
  const set = COUNTERS.map((name, index) => `${name} = ${name} + $${index + 2}`).join(', ');
  const text = `update sync.runs set ${set}, beat_at = now() where id = $1`;
  return { text, values: [runId, ...COUNTERS.map((name) => counts[name])] };
}

function touchingListing(
  stream: Stream,
  scope: Scope,
  listing: Listing,
  columns: Columns,
  certified: boolean,
  /** Parameters that come before its own. */
  before = 0,
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
  const widens = certified || scope.enterpriseProjectId === WIDEST;
  const set = ['account', ...(widens ? ['enterprise_project_id'] : []), ...Object.keys(columns)];
  const text = `insert into sync.listings (${names.join(', ')}) values (${names.map((_, index) => `$${before + index + 1}`).join(', ')})
     on conflict (project_id, stream, listing) do update set ${set.map((name) => `${name} = excluded.${name}`).join(', ')}`;
  return { text, values: Object.values(all) };
}
