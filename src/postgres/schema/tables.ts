import { sql } from 'drizzle-orm';
import { bigint, boolean, index, integer, jsonb, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { Certificate, Proof, Reason, RunProof } from '../../core/certificate.ts';
import type { RunStatus, WalkKind } from '../../core/store.ts';

/**
 * The tables of the service itself. Commands use only the types of their rows: Drizzle is loaded by drizzle-kit, which
 * generates the migrations from this file and from the stream files.
 */
export const hss = pgSchema('hss');
export const dbss = pgSchema('dbss');
export const sync = pgSchema('sync');

/** A time with zone, in milliseconds. */
const timestamptz = () => timestamp({ withTimezone: true, precision: 3 });

const count = () => bigint({ mode: 'number' }).notNull().default(0);

/** One attempt at one stream in one scope. */
export const runs = sync.table(
  'runs',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    stream: text().notNull(),
    account: text().notNull(),
    region: text().notNull(),
    project_id: text().notNull(),
    status: text().$type<RunStatus | 'running'>().notNull(),
    walk: text().$type<WalkKind>(),
    certificate: text().$type<Certificate['kind']>(),
    certified_at: timestamptz(),
    content_at: timestamptz(),
    proof: text().$type<RunProof>(),
    reason: text().$type<Reason>(),
    evidence: jsonb(),
    requests: count(),
    throttled: count(),
    records: count(),
    inserted: count(),
    updated: count(),
    unchanged: count(),
    deleted: count(),
    rejected: count(),
    stale: count(),
    started_at: timestamptz().notNull(),
    beat_at: timestamptz().notNull(),
    finished_at: timestamptz(),
    owner: text().notNull(),
    backend_pid: integer(),
    error: text(),
    error_code: text(),
    request_id: text(),
    looks: bigint({ mode: 'number' }).notNull().default(1),
    first_looked_at: timestamptz(),
  },
  (table) => [
    index('runs_stream_project_idx').on(table.stream, table.project_id, table.started_at),
    index('runs_started_idx').on(table.started_at),
    index('runs_complete_idx')
      .on(table.stream, table.project_id, table.started_at)
      .where(sql`certificate = 'complete'`),
  ],
);

/** Stored state of every list between walks. */
export const listings = sync.table(
  'listings',
  {
    project_id: text().notNull(),
    stream: text().notNull(),
    listing: text().notNull(),
    account: text().notNull(),
    region: text().notNull(),
    params: jsonb().notNull(),
    enterprise_project_id: text().notNull(),
    certificate: text().$type<Certificate['kind']>(),
    reason: text().$type<Reason>(),
    certified_at: timestamptz(),
    content_at: timestamptz(),
    proof: text().$type<Proof>(),
    evidence: jsonb(),
    /** The checkpoint: left by the last certified walk, and brought up to date by polls. */
    certified: jsonb(),
    progress: jsonb(),
    walked_at: timestamptz(),
    changed_at: timestamptz(),
    hint: jsonb(),
    missing: jsonb(),
    certified_since: timestamptz(),
    failed_at: timestamptz(),
  },
  (table) => [primaryKey({ name: 'listings_pk', columns: [table.project_id, table.stream, table.listing] })],
);

/** Records that are not valid rows, kept whole until a later definition accepts them. */
export const rejectedRecords = sync.table(
  'rejected_records',
  {
    project_id: text().notNull(),
    stream: text().notNull(),
    fingerprint: text().notNull(),
    account: text().notNull(),
    region: text().notNull(),
    listing: text().notNull(),
    params: jsonb().notNull(),
    key: text(),
    issues: jsonb().notNull(),
    payload: text().notNull(),
    count: count(),
    first_seen_at: timestamptz().notNull(),
    last_seen_at: timestamptz().notNull(),
    replayed_at: timestamptz(),
  },
  (table) => [
    primaryKey({ name: 'rejected_records_pk', columns: [table.project_id, table.stream, table.fingerprint] }),
    index('rejected_records_last_seen_idx').on(table.last_seen_at),
  ],
);

/** Differences between the API and its documents: one row for each stream, field and kind. */
export const apiDrift = sync.table(
  'api_drift',
  {
    stream: text().notNull(),
    field: text().notNull(),
    kind: text().notNull(),
    sample: text(),
    count: count(),
    first_seen_at: timestamptz().notNull(),
    last_seen_at: timestamptz().notNull(),
  },
  (table) => [primaryKey({ name: 'api_drift_pk', columns: [table.stream, table.field, table.kind] })],
);

/** The spellings and API versions that a server accepts. */
export const dialects = sync.table(
  'dialects',
  {
    project_id: text().notNull(),
    stream: text().notNull(),
    generation: integer(),
    spellings: jsonb().notNull(),
    learnt_at: timestamptz().notNull(),
  },
  (table) => [primaryKey({ name: 'dialects_pk', columns: [table.project_id, table.stream] })],
);

/** Names of the enterprise projects that an account may see, as last discovered. */
export const enterpriseProjects = sync.table(
  'enterprise_projects',
  {
    account: text().notNull(),
    id: text().notNull(),
    name: text().notNull(),
    enabled: boolean().notNull(),
    seen_at: timestamptz().notNull(),
  },
  (table) => [primaryKey({ name: 'enterprise_projects_pk', columns: [table.account, table.id] })],
);

/** Edits of data rows by others than the service. Triggers record them until a run has read the lists in full. */
export const handEdits = sync.table(
  'hand_edits',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    stream: text().notNull(),
    project_id: text().notNull(),
    noted_at: timestamptz().notNull(),
    seen_at: timestamptz(),
  },
  (table) => [index('hand_edits_stream_project_idx').on(table.stream, table.project_id)],
);

/** What the configuration says about each project, for the views and for services of other configurations. */
export const projects = sync.table('projects', {
  project_id: text().primaryKey(),
  account: text().notNull(),
  region: text().notNull(),
  targets: jsonb().notNull(),
  configuration: text(),
  seen_at: timestamptz().notNull(),
});

/** Replaced by `projects.targets`; replicas of earlier versions read it while they are being replaced. */
export const streamTargets = sync.table('stream_targets', {
  stream: text().primaryKey(),
  target_seconds: bigint({ mode: 'number' }).notNull(),
  written_at: timestamptz().notNull(),
});

/** Applied scripts of views, indexes and comments, the newest last. */
export const schemaScripts = sync.table('schema_scripts', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  hash: text().notNull().unique('schema_scripts_hash_key'),
  objects: jsonb().notNull(),
  applied_at: timestamptz().notNull(),
});

/** The request budgets: one row for every account and operation, and one for every address, named with a `*`, and operation. */
export const apiQuota = sync.table(
  'api_quota',
  {
    account: text().notNull(),
    operation: text().notNull(),
    budget: integer().notNull(),
    learnt_limit: integer(),
    learnt_window_ms: integer(),
    learnt_dimension: text(),
    reduced_limit: integer(),
    reduced_at: timestamptz(),
    held_until: timestamptz(),
    recent: timestamp({ withTimezone: true }).array().notNull().default([]),
    used: count(),
    throttled: count(),
    last_used_at: timestamptz(),
    last_throttled_at: timestamptz(),
    egress: text().notNull().default('*'),
  },
  (table) => [primaryKey({ name: 'api_quota_pk', columns: [table.account, table.operation] })],
);

/** Credentials that the API refused. They are suspended, because an access key locks after a few failures. */
export const suspendedCredentials = sync.table(
  'suspended_credentials',
  {
    account: text().notNull(),
    fingerprint: text().notNull(),
    failures: integer().notNull(),
    reason: text().notNull(),
    until: timestamptz().notNull(),
    last_failed_at: timestamptz().notNull(),
    server_time: timestamptz(),
  },
  (table) => [primaryKey({ name: 'suspended_credentials_pk', columns: [table.account, table.fingerprint] })],
);

// Rows as the driver returns them. The rows of a query are `Pick`ed from these types or name their members, so that a
// query of a renamed column does not compile. JSON columns are unknown until `readStored` has parsed them.

/** A row of `sync.runs`. */
export type RunRow = Readonly<typeof runs.$inferSelect>;
/** A row of `sync.listings`. */
export type ListingRow = Readonly<typeof listings.$inferSelect>;
/** A row of `sync.rejected_records`. */
export type RejectRow = Readonly<typeof rejectedRecords.$inferSelect>;
/** A row of `sync.api_drift`. */
export type DriftRow = Readonly<typeof apiDrift.$inferSelect>;
/** A row of `sync.dialects`. */
export type DialectRow = Readonly<typeof dialects.$inferSelect>;
/** A row of `sync.projects`. */
export type ProjectRow = Readonly<typeof projects.$inferSelect>;
/** A row of `sync.hand_edits`. */
export type HandEditRow = Readonly<typeof handEdits.$inferSelect>;
/** A row of `sync.schema_scripts`. */
export type ScriptRow = Readonly<typeof schemaScripts.$inferSelect>;
/** A row of `sync.api_quota`. */
export type QuotaRow = Readonly<typeof apiQuota.$inferSelect>;
/** A row of `sync.suspended_credentials`. */
export type SuspensionRow = Readonly<typeof suspendedCredentials.$inferSelect>;
