/**
 * The state of every stream in every project: one query for `status`, the metrics, the status page and
 * `bi.stream_freshness`, so that all of them show the same age. Its parts are texts, because a view cannot have
 * parameters.
 *
 * @module
 */

import type { Pool } from 'pg';
import type { Scope } from '../../core/account.ts';
import { type Evidence, evidenceSchema } from '../../core/certificate.ts';
import type { Refusal } from '../../core/errors.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { readStored, withReading } from '../connection/pool.ts';
import { HEARTBEAT } from '../run/lock.ts';
import { literal, projectJoin } from '../schema/bi/view.ts';
import type { RunRow } from '../schema/tables.ts';

/** Streams with the targets of their definitions, which apply if the configuration sets no other. */
function targets(streams: readonly Stream[]): string {
  const rows = streams.map(({ name, table, targetMs }) => {
    const { schema, name: target } = table;
    return `(${literal(name)}, ${literal(`${schema}.${target}`)}, ${targetMs / 1000})`;
  });
  return `targets (stream, table_name, target_seconds) AS (VALUES
  ${rows.join(',\n  ')}
)`;
}

/** One row for every stream and project that ever ran. Skips through the index instead of reading all runs. */
const SCOPES = `scopes AS (
  SELECT t.stream, (SELECT min(r.project_id) FROM sync.runs r WHERE r.stream = t.stream) AS project_id
  FROM targets t
  UNION ALL
  SELECT s.stream, (SELECT min(r.project_id) FROM sync.runs r WHERE r.stream = s.stream AND r.project_id > s.project_id)
  FROM scopes s
  WHERE s.project_id IS NOT NULL
)`;

const RUN_OF_SCOPE = 'r.stream = s.stream AND r.project_id = s.project_id';

/** The common table expressions, to be placed after `WITH`. */
export function stateScopes(streams: readonly Stream[]): string {
  return `RECURSIVE ${targets(streams)}, ${SCOPES}`;
}

/**
 * `s`: stream and project; `t`: table and target of the stream; `pj`: project as configured; `last`: the last run;
 * `ended`: the last finished run; `whole`: the last run that proved or confirmed completeness.
 */
export const STATE_FROM = `FROM scopes s
JOIN targets t ON t.stream = s.stream
CROSS JOIN LATERAL (
  SELECT r.* FROM sync.runs r WHERE ${RUN_OF_SCOPE} ORDER BY r.started_at DESC LIMIT 1
) last
LEFT JOIN LATERAL (
  SELECT r.status, r.certificate, r.reason, r.error, r.started_at FROM sync.runs r
  WHERE ${RUN_OF_SCOPE} AND r.finished_at IS NOT NULL ORDER BY r.started_at DESC LIMIT 1
) ended ON true
LEFT JOIN LATERAL (
  SELECT r.started_at, r.certified_at, coalesce(r.content_at, r.started_at) AS content_at, r.proof, r.evidence FROM sync.runs r
  WHERE ${RUN_OF_SCOPE} AND r.certificate = 'complete' ORDER BY r.started_at DESC LIMIT 1
) whole ON true
${projectJoin('s')}
WHERE s.project_id IS NOT NULL`;

const since = (time: string) => `extract(epoch FROM now() - ${time})`;

const AGE = since('whole.content_at');

const TARGET = 'coalesce((pj.targets ->> s.stream)::bigint, t.target_seconds)';

const PROOF_TEXT = `CASE whole.proof
    WHEN 'atomic' THEN 'Each list was read in one page'
    WHEN 'order' THEN 'Sorted' || coalesce(' by ' || (whole.evidence ->> 'order'), '') || ', without gaps'
    WHEN 'quiet' THEN 'Two consecutive readings were identical'
    WHEN 'split' THEN 'Read in ' || coalesce((whole.evidence ->> 'parts') || ' ', '') || 'parts, each of them complete'
    WHEN 'several' THEN 'Proven in different ways: ' || (
      SELECT string_agg(p.value || ' ' || p.key, ', ' ORDER BY p.key) FROM jsonb_each_text(whole.evidence -> 'proofs') p)
    ELSE whole.proof END`;

/** If a list was last read in parts, only the parts count; if it was read as a whole, only the whole. */
const UNCONFIRMED = `(SELECT coalesce(sum((l.evidence ->> 'unconfirmed')::bigint), 0) FROM sync.listings l
    WHERE l.project_id = s.project_id AND l.stream = s.stream AND l.certificate IS NOT NULL AND NOT l.evidence ? 'parts'
      AND NOT EXISTS (SELECT FROM sync.listings w WHERE w.project_id = l.project_id AND w.stream = l.stream
        AND w.listing = '' AND l.listing <> '' AND NOT w.evidence ? 'parts'))`;

/** Columns of the state of a stream in a project, as expressions over {@link STATE_FROM}. */
export const STATE = {
  /** Time for which all rows are known. */
  as_of: 'whole.content_at',
  /** Age of the data in seconds: the time since `as_of`. */
  age_seconds: AGE,
  /** Start of the last run that proved or confirmed completeness. */
  looked_at: 'whole.started_at',
  look_age_seconds: since('whole.started_at'),
  /** When the least recently proven list was last read to its end. */
  certified_at: 'whole.certified_at',
  certificate_age_seconds: since('whole.certified_at'),
  lists_not_asked: "coalesce((whole.evidence ->> 'notAsked')::bigint, 0)",
  target_seconds: TARGET,
  is_stale: `coalesce(${AGE} > ${TARGET}, true)`,
  state: `CASE
    WHEN whole.started_at IS NULL THEN 'never complete'
    WHEN ${AGE} > ${TARGET} THEN 'stale'
    WHEN ended.certificate = 'complete' THEN 'fresh'
    ELSE 'incomplete' END`,
  certificate: 'ended.certificate',
  reason: 'ended.reason',
  proof: 'whole.proof',
  proof_text: PROOF_TEXT,
  premises: `(SELECT string_agg(p.value, '; ') FROM jsonb_array_elements_text(whole.evidence -> 'premises') p)`,
  last_status: 'last.status',
  last_run_at: 'last.started_at',
  last_error: 'last.error',
  rejects: `(SELECT count(*) FROM sync.rejected_records x
    WHERE x.project_id = s.project_id AND x.stream = s.stream AND x.replayed_at IS NULL)`,
  unconfirmed: UNCONFIRMED,
} as const;

/** SQL for the number of live rows, counted by each query. */
export function rowCount(streams: readonly Stream[]): string {
  const counts = streams.map(({ name, table }) => {
    const { schema, name: target } = table;
    return `WHEN ${literal(name)} THEN (SELECT count(*) FROM ${schema}.${target} d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL)`;
  });
  return `CASE s.stream ${counts.join(' ')} END`;
}

/** State of a stream in a project. Values about completeness are null if it was never proven. */
export interface StreamState
  extends Pick<
    RunRow,
    'stream' | 'account' | 'region' | 'project_id' | 'started_at' | 'finished_at' | 'requests' | 'error'
  > {
  readonly as_of: RunRow['content_at'];
  readonly age_seconds: number | null;
  readonly looked_at: RunRow['started_at'] | null;
  readonly look_age_seconds: number | null;
  readonly certified_at: RunRow['certified_at'];
  readonly certificate_age_seconds: number | null;
  readonly lists_not_asked: number;
  readonly target_seconds: number;
  readonly is_stale: boolean;
  readonly state: 'fresh' | 'stale' | 'incomplete' | 'never complete';
  /** Certificate of the last finished run. */
  readonly certificate: RunRow['certificate'];
  readonly reason: RunRow['reason'];
  readonly proof: RunRow['proof'];
  readonly proof_text: string | null;
  /** What the proof assumes about the server; null if nothing is stored. */
  readonly premises: string | null;
  /** Status of the last run, finished or not; `abandoned` once its process has no heartbeat. */
  readonly status: RunRow['status'];
  /** False if nothing is stored about its lists: it has none, or it was reset. */
  readonly remembered: boolean;
  readonly evidence: Evidence | null;
  /** Status of the last finished run; null without one. */
  readonly ended_status: RunRow['status'] | null;
  /** Start of that run. */
  readonly ended_at: RunRow['started_at'] | null;
  readonly ended_error: RunRow['error'];
  /** Why all of its lists were refused in that run; null if they were not. */
  readonly refusal: Refusal | null;
  readonly rejects: number;
  /** Live rows that the API no longer lists and that are not marked as gone, because later walks have to confirm it. */
  readonly unconfirmed: number;
}

const NUMBERS = new Set([
  'age_seconds',
  'look_age_seconds',
  'certificate_age_seconds',
  'lists_not_asked',
  'target_seconds',
  'rejects',
  'unconfirmed',
]);
const OF_VIEW_ONLY = new Set(['last_status', 'last_run_at', 'last_error']);

/** A killed process leaves its run as `running` until another process takes the lock. */
const STATUS = `CASE WHEN last.status = 'running' AND last.beat_at < now() - interval '${HEARTBEAT.staleMs} milliseconds' THEN 'abandoned'
    ELSE last.status END`;

const REFUSAL = `(SELECT r.evidence ->> 'refusal' FROM sync.runs r
    WHERE ${RUN_OF_SCOPE} AND r.finished_at IS NOT NULL ORDER BY r.started_at DESC LIMIT 1)`;

const REMEMBERED = 'EXISTS (SELECT FROM sync.listings l WHERE l.project_id = s.project_id AND l.stream = s.stream)';

/** The columns that {@link whyUnavailable} needs. */
type Access = Pick<StreamState, 'as_of' | 'reason' | 'refusal'>;

/**
 * Why a stream cannot be read in a project: it was never complete, and all of its lists, or those of its parent, are
 * refused. Null for a stream that can be, or once could be, read.
 */
export function whyUnavailable(state: Access | undefined, parent: Access | undefined): Refusal | null {
  if (state === undefined || state.as_of !== null) return null;
  const ofParent = state.reason === 'parents' && parent !== undefined && parent.as_of === null ? parent.refusal : null;
  return state.refusal ?? ofParent;
}

/** A stream in a project. */
export interface StreamProject {
  readonly stream: string;
  readonly projectId: Scope['projectId'];
}

/** The part of the state that metrics and the status page query for many streams and projects at once. */
export type StreamStateRow = Pick<
  StreamState,
  | 'stream'
  | 'project_id'
  | 'as_of'
  | 'age_seconds'
  | 'look_age_seconds'
  | 'certified_at'
  | 'certificate_age_seconds'
  | 'certificate'
  | 'reason'
  | 'ended_status'
  | 'ended_at'
  | 'ended_error'
  | 'refusal'
>;

const NEWEST = (columns: string, where: string) =>
  `SELECT ${columns} FROM sync.runs r WHERE ${RUN_OF_SCOPE} AND ${where} ORDER BY r.started_at DESC LIMIT 1`;

/**
 * Like {@link STATE_FROM}, for given pairs. In most cases the last run has finished and proved completeness, so one
 * index lookup is enough for all three.
 */
const STANDING_FROM = `FROM unnest($1::text[], $2::text[]) s(stream, project_id)
CROSS JOIN LATERAL (${NEWEST('r.*', 'true')}) last
LEFT JOIN LATERAL (
  SELECT last.status, last.certificate, last.reason, last.error, last.started_at, last.evidence WHERE last.finished_at IS NOT NULL
  UNION ALL
  (${NEWEST('r.status, r.certificate, r.reason, r.error, r.started_at, r.evidence', 'r.finished_at IS NOT NULL AND last.finished_at IS NULL')})
) ended ON true
LEFT JOIN LATERAL (
  SELECT last.started_at, last.certified_at, coalesce(last.content_at, last.started_at) AS content_at, last.proof, last.evidence
  WHERE last.certificate = 'complete'
  UNION ALL
  (${NEWEST('r.started_at, r.certified_at, coalesce(r.content_at, r.started_at), r.proof, r.evidence', "r.certificate = 'complete' AND last.certificate IS DISTINCT FROM 'complete'")})
) whole ON true`;

/** State of the given streams and projects; pairs that were never read are missing. */
export function readStatesOf(pool: Pool, keys: readonly StreamProject[]): Promise<readonly StreamStateRow[]> {
  const columns = ['as_of', 'age_seconds', 'look_age_seconds', 'certified_at', 'certificate_age_seconds'] as const;
  const own = [...columns, 'certificate', 'reason'] as const;
  return ofKeys(
    pool,
    keys,
    `s.stream, s.project_id, ${own.map((name) => `${NUMBERS.has(name) ? `(${STATE[name]})::float8` : STATE[name]} AS ${name}`).join(', ')},
     ended.status AS ended_status, ended.started_at AS ended_at, ended.error AS ended_error, ended.evidence ->> 'refusal' AS refusal`,
  );
}

/** How completeness was proven, and what the proof assumes, as text. */
export type ProofText = Pick<StreamState, 'stream' | 'project_id' | 'proof_text' | 'premises'>;

/** Proofs of the given streams and projects. */
export function readProofs(pool: Pool, keys: readonly StreamProject[]): Promise<readonly ProofText[]> {
  return ofKeys(pool, keys, `s.stream, s.project_id, ${STATE.proof_text} AS proof_text, ${STATE.premises} AS premises`);
}

async function ofKeys<R extends Pick<StreamState, 'stream' | 'project_id'>>(
  pool: Pool,
  keys: readonly StreamProject[],
  columns: string,
): Promise<readonly R[]> {
  const values = [keys.map(({ stream }) => stream), keys.map(({ projectId }) => projectId)];
  const { rows } = await withReading(pool, (client) => client.query<R>(`SELECT ${columns} ${STANDING_FROM}`, values));
  return rows;
}

/** States of the given streams, in their order, then by project id. */
export function readStreamStates(pool: Pool, streams: readonly Stream[]): Promise<readonly StreamState[]> {
  return select(pool, streams, []);
}

/** A state with the number of live rows, which takes longer than all other columns. */
export interface CountedState extends StreamState {
  readonly rows: number;
}

/** States with numbers of live rows. */
export function readCountedStates(pool: Pool, streams: readonly Stream[]): Promise<readonly CountedState[]> {
  return select(pool, streams, [`(${rowCount(streams)})::float8 AS rows`]);
}

async function select<R extends StreamState>(
  pool: Pool,
  streams: readonly Stream[],
  more: readonly string[],
): Promise<readonly R[]> {
  const columns = Object.entries(STATE)
    .filter(([name]) => !OF_VIEW_ONLY.has(name))
    .map(([name, sql]) => `${NUMBERS.has(name) ? `(${sql})::float8` : sql} AS ${name}`);
  const { rows } = await withReading(pool, (client) =>
    client.query<R>(
      `WITH ${stateScopes(streams)}
       SELECT s.stream, coalesce(pj.account, last.account) AS account, coalesce(pj.region, last.region) AS region, s.project_id, ${STATUS} AS status, ${REMEMBERED} AS remembered, last.evidence,
         last.started_at, last.finished_at, last.requests, last.error, ended.status AS ended_status, ended.started_at AS ended_at,
         ended.error AS ended_error, ${REFUSAL} AS refusal, ${[...columns, ...more].join(', ')}
       ${STATE_FROM}
       ORDER BY array_position($1::text[], s.stream), s.project_id`,
      [streams.map(({ name }) => name)],
    ),
  );
  return rows.map((row) => ({ ...row, evidence: readStored(evidenceSchema, row.evidence) }));
}
