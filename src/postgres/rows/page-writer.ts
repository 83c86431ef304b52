import pg from 'pg';
import { coerceError, DatabaseError } from '../../core/errors.ts';
import type { PageResult, PageWrite } from '../../core/store.ts';
import type { Listing } from '../../core/stream/endpoint.ts';
import { toJson } from '../../core/stream/json.ts';
import { originOf } from '../../core/stream/record.ts';
import { driftOf, type Reject, rejectOf, type ValidRow } from '../../core/stream/validate.ts';
import { SeenKeys } from '../../core/walk/row-digest.ts';
import { withTransaction } from '../connection/pool.ts';
import { recordDrift, recordRejects, withLiterals } from '../run/bookkeeping.ts';
import { copyRows } from './copy-rows.ts';
import { type Booking, PageBookings } from './page-bookings.ts';
import {
  type ComparisonInput,
  compareWithTable,
  comparisonInputOf,
  type StreamConnection,
  type Written,
  withoutChange,
  writeCompared,
  writeRows,
} from './row-writer.ts';
import { qualified } from './statements.ts';

/** Maximum number of keys to keep in memory. Beyond it, asking Postgres about each row is cheaper. */
const MOST_REMEMBERED = 130_000;

/** Dependencies of a page writer. */
export interface PageWriterParts extends StreamConnection {
  readonly runId: number;
  readonly timeZone: string;
  /** Gives the work exclusive use of the connection. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Writes pages in the order of the calls, each in its own transaction, or in one statement if only counters and progress
 * change.
 */
export class PageWriter {
  readonly #parts: PageWriterParts;
  #failure: Error | null = null;
  /** A row is in another part of a list than before, so the count of a part's rows is no longer reliable. */
  hasRelistedRows = false;
  /**
   * Keys written by this run, if the table had no row of the scope before; null if it had, undefined before the first
   * page.
   */
  #own: SeenKeys | null | undefined;
  /** Fingerprints of the rows that the last page with new keys stored, by key: the next page begins with some of them. */
  #last: ReadonlyMap<string, string> = new Map();

  readonly #bookings: PageBookings;

  constructor(parts: PageWriterParts) {
    this.#parts = parts;
    this.#bookings = new PageBookings(parts);
  }

  /** Resolves when the page is committed. */
  page(write: PageWrite): Promise<PageResult> {
    // Prepared early, while Postgres is busy with earlier pages, unless those determine which keys may be stored.
    const input = this.#own === null ? comparisonInputOf(this.#parts.stream, write.rows) : null;
    return this.#parts.inTurn(async () => {
      // After a missing page nothing may be concluded from later pages, so they are not written.
      if (this.#failure !== null) throw this.#failure;
      try {
        return await this.#write(write, input);
      } catch (error) {
        this.#failure = coerceError(error);
        throw error;
      }
    });
  }

  /** Writes a page. Records that Postgres refuses become rejects, so that they do not prevent the rest of the page. */
  async #write(write: PageWrite, input: ComparisonInput | null): Promise<PageResult> {
    try {
      return await this.#commit(write, input);
    } catch (error) {
      if (!refusesData(error)) throw error;
      const { rows, rejects } = await sortOut(this.#parts, write);
      if (rejects.length === 0) throw error;
      const result = await this.#commit({ ...write, rows, rejects: [...write.rejects, ...rejects] }, null);
      return { ...result, refused: rejects.length };
    }
  }

  /**
   * Writes rows, rejects, drift, progress and counters in one transaction. If no row is stored differently, this takes one
   * message, which is a transaction of its own.
   */
  async #commit(write: PageWrite, input: ComparisonInput | null): Promise<PageResult> {
    const { listing, rows, rejects, requests, throttled, progress, refuseOlder, isOld = false, drift = [] } = write;
    const { client, stream, scope, timeZone } = this.#parts;
    const origin = originOf(scope, listing, timeZone);
    const booking = ({ significant, relisted, ...counted }: Written): Booking => {
      const { unchanged, stale } = counted;
      const written = { ...counted, unchanged: unchanged - kept, stale: stale + kept };
      if (relisted > 0) this.hasRelistedRows = true;
      const records = rows.length + rejects.length;
      const counts = { ...written, requests, throttled, records, deleted: 0, rejected: rejects.length };
      const when = significant > 0 ? { changed_at: new Date() } : {};
      return { listing, counts, columns: { progress: toJson(progress), ...when } };
    };
    await this.#bookings.enter(listing);
    const comparison = input ?? comparisonInputOf(stream, rows, await this.#known());
    const found = await compareWithTable(this.#parts, comparison);
    // Without a version, nothing shows which content is newer, so the stored one stays.
    const kept = isOld && stream.version === undefined ? found.different.length : 0;
    const compared = kept > 0 ? { ...found, different: [] } : found;
    const { fresh, different, changed } = compared;
    // Unchanged rows were compared with the documents when they were new.
    const drifts = [...drift, ...[...fresh, ...different].flatMap(({ record }) => driftOf(stream, record, origin))];
    const result = { inserted: fresh.length, changed, refused: 0, newDrift: [] };
    if (different.length + rejects.length + drifts.length > 0) {
      const commit = async () => {
        const written = await writeCompared(this.#parts, compared, { refuseOlder });
        await recordRejects(this.#parts, listing, rejects);
        const newDrift = await recordDrift(client, stream, drifts);
        const { text, values } = this.#bookings.statementOf(booking(written));
        await client.query(text, values);
        return { ...result, inserted: written.inserted, newDrift };
      };
      const committed = await withTransaction(client, commit);
      this.#bookings.stored();
      this.#remember(fresh);
      return committed;
    }
    if (fresh.length === 0) {
      await this.#bookings.later(booking(withoutChange(compared)));
      return result;
    }
    await copyRows(this.#parts, fresh, withLiterals(this.#bookings.statementOf(booking(withoutChange(compared)))));
    this.#bookings.stored();
    this.#remember(fresh);
    return result;
  }

  /** What is known about rows without asking: only if the table had no row of the scope before this run. */
  async #known(): Promise<((row: ValidRow) => 'new' | 'stored' | 'unknown') | undefined> {
    const { client, stream, scope } = this.#parts;
    if (this.#own === undefined) {
      const { rows } = await client.query(`select from ${qualified(stream.table)} where project_id = $1 limit 1`, [
        scope.projectId,
      ]);
      this.#own = rows.length === 0 ? new SeenKeys() : null;
    }
    const own = this.#own;
    if (own === null) return undefined;
    return ({ key, hash }) => (this.#last.get(key) === hash ? 'stored' : own.has(key) ? 'unknown' : 'new');
  }

  /** Stores the counters and the progress of pages that wrote nothing. */
  async flush(): Promise<void> {
    await this.#bookings.flush();
  }

  /** To be called when rows may have been marked as gone. */
  forgetLast(): void {
    this.#last = new Map();
  }

  #remember(rows: readonly ValidRow[]): void {
    if (this.#own === undefined || this.#own === null) return;
    for (const { key } of rows) this.#own.add(key);
    this.#last = new Map(rows.map(({ key, hash }) => [key, hash]));
    if (this.#own.size <= MOST_REMEMBERED) return;
    this.#own = null;
    this.forgetLast();
  }
}

/** SQLSTATE class 22 concerns a value, 54 a limit of Postgres, such as a key too long for its index. */
const ABOUT_DATA = /^(22|54)/;

/** Postgres refused the content of a row, not the statement or the connection. */
export function refusesData(error: unknown): boolean {
  const code = error instanceof DatabaseError ? error.context.code : codeOf(error);
  return typeof code === 'string' && ABOUT_DATA.test(code);
}

/**
 * Separates the rows that Postgres accepts from those it refuses, by trying each one; nothing stays written. Valid rows
 * that no column can store become rejects, and the rest of the page is written without them.
 */
export async function sortOut(
  at: StreamConnection,
  { listing, rows }: { readonly listing: Listing; readonly rows: readonly ValidRow[] },
): Promise<{ readonly rows: readonly ValidRow[]; readonly rejects: readonly Reject[] }> {
  const taken: ValidRow[] = [];
  const rejects: Reject[] = [];
  const { client } = at;
  await client.query('begin');
  try {
    for (const row of rows) {
      await client.query('savepoint row');
      try {
        await writeRows(at, [row], { refuseOlder: false });
        taken.push(row);
      } catch (error) {
        if (!refusesData(error)) throw error;
        const issues = [{ field: '', message: `Postgres refused it: ${error instanceof Error ? error.message : ''}` }];
        rejects.push(rejectOf(row.record, { key: row.key, issues }, listing.key));
      }
      await client.query('rollback to savepoint row');
    }
  } finally {
    await client.query('rollback');
  }
  return { rows: taken, rejects };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
