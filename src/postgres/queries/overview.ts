/**
 * Small queries on the bookkeeping, for metrics and the status page, none of which reads a payload; and the configured
 * projects, which services and commands store there for the views and for each other.
 *
 * @module
 */

import type { Pool } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { withClient, withReading, withTransaction } from '../connection/pool.ts';
import { QUEUE_APPLICATION, QUEUE_SCHEMA, queueOf } from '../coordination/lane-queue.ts';
import { MARGIN_MS, quotaLimits, WINDOW_MS } from '../coordination/quota.ts';
import { qualified } from '../rows/statements.ts';
import type { DriftRow, ProjectRow, QuotaRow, RejectRow, RunRow, SuspensionRow } from '../schema/tables.ts';
import type { StreamProject } from './stream-state.ts';

/** A run, for the history on the status page. */
export interface RunMark extends StreamProject, Pick<RunRow, 'status' | 'reason' | 'walk' | 'records'> {
  readonly startedAt: RunRow['started_at'];
  readonly durationMs: number | null;
  /** Rows inserted, updated and marked as gone. */
  readonly changed: RunRow['inserted' | 'updated' | 'deleted'];
  /** Number of runs that the row represents. */
  readonly looks: RunRow['looks'];
}

/** The newest `each` runs of each key, newest first. */
export function readRecentRuns(pool: Pool, keys: readonly StreamProject[], each: number): Promise<readonly RunMark[]> {
  return select(
    pool,
    `select k.stream, k.project_id as "projectId", r.status, r.reason, r.walk, r.started_at as "startedAt",
       (extract(epoch from r.finished_at - r.started_at) * 1000)::float8 as "durationMs",
       r.records, r.inserted + r.updated + r.deleted as changed, r.looks
     from unnest($1::text[], $2::text[]) k(stream, project_id)
     cross join lateral (
       select * from sync.runs r where r.stream = k.stream and r.project_id = k.project_id order by r.started_at desc limit $3) r
     order by r.started_at desc`,
    [...columns(keys), each],
  );
}

/** Number of rejects of a stream in a project. */
export interface RejectCount extends StreamProject {
  readonly rejects: number;
}

/** Numbers of rejects that were not replayed, for the given projects. */
export function readRejectCounts(pool: Pool, projects: readonly string[]): Promise<readonly RejectCount[]> {
  return select(
    pool,
    `select stream, project_id as "projectId", count(*)::int as rejects from sync.rejected_records
     where replayed_at is null and project_id = any($1) group by stream, project_id`,
    [projects],
  );
}

/** A reason of rejects, with the number of records. */
export interface RejectSample {
  readonly stream: RejectRow['stream'];
  readonly field: string;
  readonly message: string;
  readonly records: number;
  readonly lastSeenAt: RejectRow['last_seen_at'];
}

/** Reasons of rejects, most frequent first: field and message, never the record. */
export function readRejectSamples(
  pool: Pool,
  projects: readonly string[],
  limit: number,
): Promise<readonly RejectSample[]> {
  return select(
    pool,
    `select r.stream, left(coalesce(i.issue->>'field', ''), 100) as field, left(coalesce(i.issue->>'message', ''), 200) as message,
       count(*)::int as records, max(r.last_seen_at) as "lastSeenAt"
     from sync.rejected_records r cross join lateral jsonb_array_elements(r.issues) i(issue)
     where r.replayed_at is null and r.project_id = any($2) group by 1, 2, 3 order by records desc, 1, 2 limit $1`,
    [limit, projects],
  );
}

/** A difference from the documents. */
export interface DriftSample extends Pick<DriftRow, 'stream' | 'field' | 'kind' | 'count'> {
  /**
   * Only for values of documented enumerations, because values of unknown fields may be confidential. Null otherwise.
   */
  readonly sample: DriftRow['sample'];
  readonly lastSeenAt: DriftRow['last_seen_at'];
}

/** The differences last seen. */
export function readDrift(pool: Pool, limit: number): Promise<readonly DriftSample[]> {
  return select(
    pool,
    `select stream, left(field, 100) as field, kind, case when kind = 'undocumented value' then left(sample, 60) end as sample,
       count, last_seen_at as "lastSeenAt"
     from sync.api_drift order by last_seen_at desc, stream, field limit $1`,
    [limit],
  );
}

/** State of a request budget. */
export interface QuotaState extends Pick<QuotaRow, 'account' | 'operation' | 'used' | 'throttled'> {
  /** Current limit in requests a minute. */
  readonly limit: number;
  /** Name of the address whose budget it is, empty for the one without a name; null for the budget of an account. */
  readonly address: string | null;
  /** Number of requests that could be sent now. */
  readonly left: number;
  readonly heldUntil: QuotaRow['held_until'];
  readonly lastUsedAt: QuotaRow['last_used_at'];
}

/** The budgets, computed by the formula that grants requests. `now` is for tests; null means the database clock. */
export function readQuota(pool: Pool, now: Date | null = null): Promise<readonly QuotaState[]> {
  return select(
    pool,
    `with bucket as (
       select *, budget as granted_budget, coalesce($3::timestamptz, clock_timestamp()) as t from sync.api_quota
     ), ${quotaLimits('$1::float8', '$2::float8')}
     select b.account, case when b.account = b.egress then substr(b.account, 2) end as address, b.operation, u.a_minute as limit, b.used, b.throttled, b.last_used_at as "lastUsedAt",
       case when b.held_until > b.t then b.held_until end as "heldUntil",
       case when b.held_until > b.t then 0 else u.free end as left
     from bucket b cross join lateral (
       select min(floor(n * 60000 / (span - $2::float8)))::int as a_minute, greatest(0, min(n - cardinality(busy)))::int as free
       from used where used.account = b.account and used.operation = b.operation) u
     order by b.account, b.operation`,
    [WINDOW_MS, MARGIN_MS, now],
  );
}

/** An account whose credentials are suspended. */
export interface SuspendedAccount extends Pick<SuspensionRow, 'account' | 'until' | 'failures'> {}

/**
 * Accounts with suspended credentials. If a later run of the account was answered, it uses other ones: the refused ones were
 * replaced, or tried by another command.
 */
export function readSuspended(pool: Pool): Promise<readonly SuspendedAccount[]> {
  return select(
    pool,
    `select s.account, max(s.until) as until, max(s.failures) as failures from sync.suspended_credentials s
     where s.until > now() and not exists (select from sync.runs r
       where r.started_at > s.last_failed_at and r.account = s.account and r.status = 'succeeded' and r.requests > 0)
     group by s.account`,
  );
}

/** Number of lanes in a state of the queue. */
export interface QueueDepth {
  readonly state: 'created' | 'retry' | 'active';
  readonly jobs: number;
}

/** Numbers of lanes in the queue of a configuration. */
export function readQueueDepth(pool: Pool, configuration: string): Promise<readonly QueueDepth[]> {
  return select(
    pool,
    `select s.state, count(j.id)::int as jobs from unnest(array['created', 'retry', 'active']) s(state)
     left join ${QUEUE_SCHEMA}.job j on j.state::text = s.state and j.name = $1 and j.state in ('created', 'retry', 'active') group by s.state`,
    [queueOf(configuration)],
  );
}

/** Numbers of live rows by project. Counts every row of the tables, so do not call it every second. */
export async function readRowCounts(
  pool: Pool,
  streams: readonly Stream[],
): Promise<readonly (StreamProject & { readonly rows: number })[]> {
  const counted: (StreamProject & { readonly rows: number })[] = [];
  for (const { name, table } of streams) {
    const rows = await select<{ projectId: string; rows: number }>(
      pool,
      `select project_id as "projectId", count(*)::int as rows from ${qualified(table)} where _deleted_at is null group by project_id`,
    );
    counted.push(...rows.map((row) => ({ stream: name, ...row })));
  }
  return counted;
}

function columns(keys: readonly StreamProject[]): [string[], string[]] {
  return [keys.map(({ stream }) => stream), keys.map(({ projectId }) => projectId)];
}

function select<R extends object>(pool: Pool, text: string, values: readonly unknown[] = []): Promise<readonly R[]> {
  return withReading(pool, async (client) => {
    const { rows } = await client.query<R & Record<string, unknown>>(text, [...values]);
    return rows;
  });
}

/** The part of a configuration that the database needs. */
export interface ConfiguredProjects {
  /** Fingerprint of a service's configuration; null for a command that runs once. */
  readonly configuration: string | null;
  readonly scopes: readonly Pick<Scope, 'projectId' | 'account' | 'region'>[];
  /** Age from which the data of each stream counts as stale, in ms. */
  readonly targets: Readonly<Record<string, number>>;
}

/**
 * Stores account, region and targets of each project for the views. Names of enterprise projects are copied to the new
 * name of a renamed account.
 */
export async function publishProjects(
  pool: Pool,
  { configuration, scopes, targets }: ConfiguredProjects,
): Promise<void> {
  const seconds = Object.entries(targets).map(([stream, ms]) => [stream, Math.ceil(ms / 1000)]);
  const projects = [...new Map(scopes.map((scope) => [scope.projectId, scope])).values()];
  const rows = JSON.stringify(projects.map(({ projectId, account, region }) => ({ projectId, account, region })));
  await withTransaction(pool, async (client) => {
    await client.query(
      `insert into sync.enterprise_projects as e (account, id, name, enabled, seen_at)
       select distinct on (r.account, o.id) r.account, o.id, o.name, o.enabled, o.seen_at
       from json_to_recordset($1::json) as r("projectId" text, account text)
       join sync.projects p on p.project_id = r."projectId" and p.account <> r.account
       join sync.enterprise_projects o on o.account = p.account
       order by r.account, o.id, o.seen_at desc
       on conflict (account, id) do nothing`,
      [rows],
    );
    await client.query(
      `insert into sync.projects as p (project_id, account, region, targets, configuration, seen_at)
       select r."projectId", r.account, r.region, $2::jsonb, $3, now()
       from json_to_recordset($1::json) as r("projectId" text, account text, region text) order by 1
       on conflict (project_id) do update set account = excluded.account, region = excluded.region,
         targets = p.targets || excluded.targets, configuration = coalesce(excluded.configuration, p.configuration), seen_at = excluded.seen_at`,
      [rows, JSON.stringify(Object.fromEntries(seconds)), configuration],
    );
  });
}

/** Ids of the projects, other than the given ones, that running services of other configurations read. */
export async function projectsOfOthers(pool: Pool, own: readonly string[]): Promise<readonly string[]> {
  const serving = await servingConfigurations(pool);
  const { rows } = await withClient(pool, (client) =>
    client.query<{ id: ProjectRow['project_id'] }>(
      'select project_id as id from sync.projects where project_id <> all($1) and configuration = any($2) order by 1',
      [own, serving],
    ),
  );
  return rows.map(({ id }) => id);
}

/** A running service reads one of the projects; without projects, any service is running. */
export async function isServed(pool: Pool, projects: readonly string[]): Promise<boolean> {
  const serving = await servingConfigurations(pool);
  // Services of versions that do not state their configuration may read any project.
  if (projects.length === 0 || serving.includes('')) return serving.length > 0;
  const { rows } = await withClient(pool, (client) =>
    client.query('select from sync.projects where project_id = any($1) and configuration = any($2) limit 1', [
      projects,
      serving,
    ]),
  );
  return rows.length > 0;
}

/** An enterprise project of an account. */
export interface EnterpriseProject {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
}

/** Stores the names of enterprise projects, so that views can show them beside the ids. */
export async function rememberEnterpriseProjects(
  pool: Pool,
  account: string,
  projects: readonly EnterpriseProject[],
): Promise<void> {
  if (projects.length === 0) return;
  await withClient(pool, (client) =>
    client.query(
      `insert into sync.enterprise_projects (account, id, name, enabled, seen_at)
       select $1, p.id, p.name, p.enabled, now() from json_to_recordset($2::json) as p(id text, name text, enabled boolean)
       on conflict (account, id) do update set name = excluded.name, enabled = excluded.enabled, seen_at = excluded.seen_at`,
      [account, JSON.stringify(projects)],
    ),
  );
}

/**
 * Fingerprints of the configurations of running services, which each keep a connection with this name. An empty text
 * for a service of a version that does not state its configuration.
 */
async function servingConfigurations(pool: Pool): Promise<readonly string[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<{ configuration: string }>(
      `select distinct ltrim(substr(application_name, $2)) as configuration from pg_stat_activity
       where datname = current_database() and starts_with(application_name, $1) order by 1`,
      [QUEUE_APPLICATION, QUEUE_APPLICATION.length + 1],
    ),
  );
  return rows.map(({ configuration }) => configuration);
}
