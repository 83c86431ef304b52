import type { Pool, PoolClient } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Certificate } from '../../core/certificate.ts';
import { ApiError, DatabaseError } from '../../core/errors.ts';
import type {
  Conclusion,
  ListingState,
  PageResult,
  PageWrite,
  RunOutcome,
  RunReport,
  StreamRun,
  Visit,
} from '../../core/store.ts';
import type { Dialect, Listing } from '../../core/stream/endpoint.ts';
import { toJson } from '../../core/stream/json.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import { toDatabaseError } from '../connection/database-error.ts';
import { withClient, withTransaction } from '../connection/pool.ts';
import { PageWriter } from '../rows/page-writer.ts';
import type { StreamConnection } from '../rows/row-writer.ts';
import { qualified, quote } from '../rows/statements.ts';
import type { RunRow } from '../schema/tables.ts';
import type { Edits } from '../schema/triggers.ts';
import { addCounts, foldIntoRun, mayBeQuiet, NO_COUNTS, readStates, touchListing } from './bookkeeping.ts';
import { conclude } from './conclude.ts';
import { releaseLock } from './lock.ts';
import { sweepOrphans } from './sweep.ts';

/**
 * Settings of the connection that writes a run. A new table has no statistics, so the planner might choose a sequential
 * scan instead of an index. Pages are committed without waiting for the disk. Conclusions do wait, and since the WAL is
 * written in order, they are never on disk before their pages. If the server crashes, the last pages are lost at most,
 * together with their progress; the connection is lost as well, so the run fails.
 */
export const RUN_SETTINGS = { enable_seqscan: 'off', synchronous_commit: 'off' } as const;
/** Commits with the setting of the server, the database or the role. */
const DURABLE = 'begin; set local synchronous_commit = default';
/**
 * FROM clause that makes the commit of a single statement wait for the disk: resets `synchronous_commit` (null) for the
 * current transaction (`true`).
 */
const DURABLY = "(select set_config('synchronous_commit', null, true) as setting offset 0) durably";

/** Dependencies of a run. */
export interface RunParts extends StreamScope {
  readonly pool: Pool;
  /** The connection that holds the lock and writes. */
  readonly client: PoolClient;
  readonly runId: number;
  readonly timeZone: string;
  readonly skipCertifiedSince: Date | null;
  readonly skipWalkedSince: Date | null;
  /** Edits by hand that were recorded before the run began. */
  readonly edits: Edits;
  readonly beatMs: number;
}

/** One run. The connection that holds the lock is the one that writes. */
export class PostgresRun implements StreamRun {
  readonly #pool: Pool;
  readonly #client: PoolClient;
  readonly #stream: Stream;
  readonly #scope: Scope;
  readonly #at: StreamConnection;
  readonly #runId: number;
  readonly skipCertifiedSince: Date | null;
  readonly skipWalkedSince: Date | null;
  readonly #edits: Edits;
  readonly #pages: PageWriter;
  readonly #timer: NodeJS.Timeout;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** A statement that keeps the connection alive is running. */
  #isKeepingAlive = false;
  /** A heartbeat waits for a connection, or for its answer. */
  #isBeating = false;

  constructor({
    pool,
    client,
    stream,
    scope,
    runId,
    timeZone,
    skipCertifiedSince,
    skipWalkedSince,
    edits,
    beatMs,
  }: RunParts) {
    this.#pool = pool;
    this.#client = client;
    this.#stream = stream;
    this.#scope = scope;
    this.#at = { client, stream, scope };
    this.#runId = runId;
    const inTurn = <T>(work: () => Promise<T>) => this.#next(work);
    this.#pages = new PageWriter({ client, stream, scope, runId, timeZone, inTurn });
    this.skipCertifiedSince = skipCertifiedSince;
    this.skipWalkedSince = skipWalkedSince;
    this.#edits = edits;
    this.#timer = setInterval(() => {
      this.#beat();
      this.#keepAlive();
    }, beatMs);
    this.#timer.unref();
  }

  get editedAt(): Date | null {
    return this.#edits.seenAt;
  }

  async states(): Promise<ReadonlyMap<string, ListingState>> {
    return await this.#inTurn(() => readStates(this.#client, this.#stream, this.#scope));
  }

  page(write: PageWrite): Promise<PageResult> {
    return this.#pages.page(write);
  }

  conclude(conclusion: Conclusion): Promise<Certificate> {
    return this.#durably(() => {
      const { sweep } = conclusion;
      const basis = sweep !== null && this.#pages.hasRelistedRows ? { ...sweep, stored: null } : sweep;
      this.#pages.forgetLast();
      return conclude(this.#at, this.#runId, { ...conclusion, sweep: basis });
    });
  }

  async recordPoll(listing: Listing, { hint, checkpoint, contentForMs }: Visit): Promise<void> {
    const json = (value: object | null) => (value === null ? null : toJson(value));
    await this.#query(
      `update sync.listings set walked_at = now(), progress = null, hint = coalesce($4::jsonb, hint), certified = coalesce(certified || $5::jsonb, certified),
         content_at = greatest(content_at, now() - $6::float8 * interval '1 ms')
       where project_id = $1 and stream = $2 and listing = $3`,
      [this.#scope.projectId, this.#stream.name, listing.key, json(hint), json(checkpoint), contentForMs],
    );
  }

  async recordFailure(listing: Listing): Promise<void> {
    await this.#inTurn(() => touchListing(this.#at, listing, { columns: { progress: null } }));
    // The latest error counts: a list that was refused before and got no answer now may be allowed by now.
    await this.#query(
      `update sync.listings set failed_at = now(),
         reason = case when certificate = 'incomplete' and reason = 'refused' then 'interrupted' else reason end
       where project_id = $1 and stream = $2 and listing = $3`,
      [this.#scope.projectId, this.#stream.name, listing.key],
    );
  }

  async forget(listings: readonly string[]): Promise<void> {
    await this.#query('delete from sync.listings where project_id = $1 and stream = $2 and listing = any($3)', [
      this.#scope.projectId,
      this.#stream.name,
      listings,
    ]);
  }

  async valuesOf(column: string, when: 'ever' | 'before'): Promise<readonly string[]> {
    const { rows } = await this.#query<{ value: string }>(
      `select distinct ${quote(column)} as value from ${qualified(this.#stream.table)} where project_id = $1 and ${quote(column)} is not null
       and ($2 = 'ever' or _first_seen_at < (select started_at from sync.runs where id = $3))`,
      [this.#scope.projectId, when, this.#runId],
    );
    return rows.map(({ value }) => value);
  }

  async sweepOrphans(): Promise<number> {
    if (this.#stream.parent === undefined) return 0;
    return this.#durably(async () => {
      const deleted = await sweepOrphans(this.#at);
      if (deleted > 0) await addCounts(this.#client, this.#runId, { ...NO_COUNTS, deleted });
      return deleted;
    });
  }

  async countRequests(requests: number, throttled: number): Promise<void> {
    if (requests > 0)
      await this.#inTurn(() => addCounts(this.#client, this.#runId, { ...NO_COUNTS, requests, throttled }));
  }

  async storeDialect(dialect: Dialect): Promise<void> {
    await this.#query(
      `insert into sync.dialects (project_id, stream, generation, spellings, learnt_at) values ($1, $2, $3, $4, now())
       on conflict (project_id, stream) do update set generation = excluded.generation, spellings = excluded.spellings, learnt_at = excluded.learnt_at`,
      [this.#scope.projectId, this.#stream.name, dialect.generation, toJson(dialect.spellings)],
    );
  }

  async finish(outcome: RunOutcome): Promise<RunReport> {
    const { status, walk, certificate, certifiedAt, contentAt, proof, reason, evidence, error } = outcome;
    // A capped list was read as far as possible.
    const isRead = certificate === 'complete' || reason === 'capped';
    const { rows } = await this.#query<FinishedRow>(
      `with seen as (delete from sync.hand_edits where id = any($13::bigint[]))
       update sync.runs r set status = $2, walk = $3, certificate = $4, certified_at = $5, reason = $6, evidence = $7,
         error = $8, error_code = $9, request_id = $10, proof = $11,
         content_at = case when $4 = 'complete' then coalesce($12::timestamptz, started_at) end, finished_at = now(), beat_at = now()
       from ${DURABLY} where r.id = $1
       returning r.*, (extract(epoch from now() - started_at) * 1000)::int as duration_ms`,
      [
        this.#runId,
        status,
        walk,
        certificate,
        certifiedAt,
        reason,
        evidence === null ? null : toJson(evidence),
        error?.message ?? null,
        error instanceof ApiError ? error.failure.code : null,
        error instanceof ApiError ? error.failure.requestId : null,
        proof,
        contentAt,
        isRead ? this.#edits.ids : [],
      ],
    );
    const [row] = rows;
    if (row === undefined) throw new DatabaseError('the row of this run is gone from sync.runs');
    if (mayBeQuiet(row)) await this.#inTurn(() => foldIntoRun(this.#client, this.#runId));
    return reportOf(row, status);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#turn;
    try {
      await this.#pages.flush();
      await releaseLock(this.#client, { ...this.#at, settings: RUN_SETTINGS });
      this.#client.release();
    } catch (error) {
      // The connection is lost or in an unknown state. Closing it releases the lock.
      this.#client.release(error instanceof Error ? error : true);
    }
  }

  /** Uses another connection, so that a long statement on the writing one does not look like a dead process. */
  #beat(): void {
    if (this.#isBeating) return;
    this.#isBeating = true;
    withClient(this.#pool, (other) => other.query('update sync.runs set beat_at = now() where id = $1', [this.#runId]))
      .catch(() => {
        // The database is not reachable; the next page of the run reports it.
      })
      .finally(() => {
        this.#isBeating = false;
      });
  }

  /** Keeps the lock's connection busy between two pages, because servers and load balancers close idle connections. */
  #keepAlive(): void {
    if (this.#isKeepingAlive) return;
    this.#isKeepingAlive = true;
    // Without a flush, whose error would be ignored as well.
    this.#next(() => this.#client.query('select 1'))
      .catch(() => {
        // The next page reports it.
      })
      .finally(() => {
        this.#isKeepingAlive = false;
      });
  }

  /** Runs a transaction that is on disk when this resolves. */
  #durably<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(() => withTransaction(this.#client, work, DURABLE));
  }

  #query<R extends object>(text: string, values: readonly unknown[] = []): Promise<{ rows: R[] }> {
    return this.#inTurn(() => this.#client.query<R & Record<string, unknown>>(text, [...values]));
  }

  /** Work other than that of pages: what they have not stored yet is stored before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#next(async () => {
      await this.#pages.flush();
      return await work();
    });
  }

  /**
   * Serializes work on the connection. A page may still be written when its walk has failed. Without this, the record
   * of the failure would become part of the page's transaction and be rolled back with it.
   */
  async #next<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      await this.#turn;
      throw new DatabaseError('the run is closed, so it may no longer write');
    }
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    try {
      return await mine;
    } catch (error) {
      throw toDatabaseError(error, this.#pool.options.connectionString);
    }
  }
}

type FinishedRow = RunRow & { readonly duration_ms: number };

function reportOf(row: FinishedRow, status: RunOutcome['status']): RunReport {
  return {
    stream: row.stream,
    account: row.account,
    region: row.region,
    project_id: row.project_id,
    status,
    certificate: row.certificate,
    certified_at: row.certified_at?.toISOString() ?? null,
    reason: row.reason,
    walk: row.walk,
    requests: row.requests,
    throttled: row.throttled,
    records: row.records,
    inserted: row.inserted,
    updated: row.updated,
    unchanged: row.unchanged,
    deleted: row.deleted,
    rejected: row.rejected,
    duration_ms: row.duration_ms,
    error: row.error,
  };
}
