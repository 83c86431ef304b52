import pg from 'pg';
import { coerceError, DatabaseError } from '../../core/errors.ts';
import type { PageResult, PageWrite } from '../../core/store.ts';
import type { Listing } from '../../core/stream/endpoint.ts';
import { toJson } from '../../core/stream/json.ts';
import { originOf } from '../../core/stream/record.ts';
import { type Drift, driftOf, type Reject, rejectOf, type ValidRow } from '../../core/stream/validate.ts';
import { SeenKeys } from '../../core/walk/row-digest.ts';
import { withTransaction } from '../connection/pool.ts';
import { bookPage, recordDrift, recordRejects } from '../run/bookkeeping.ts';
import {
  probe,
  type Question,
  questionOf,
  type StreamConnection,
  unchanged,
  type Written,
  writeProbed,
  writeRows,
} from './row-writer.ts';
import { qualified } from './statements.ts';

/** 2 MB of keys; beyond that, asking Postgres about each row is the cheaper way to know. */
const MOST_REMEMBERED = 130_000;

export interface PageWriterParts extends StreamConnection {
  readonly runId: number;
  readonly timeZone: string;
  /** Has the connection to itself until the work is done. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Writes pages in the order they come, each in a transaction of its own. */
export class PageWriter {
  readonly #parts: PageWriterParts;
  #failure: Error | null = null;
  /** A row has gone from one part of a list to another: what a walk has left in its part may be there no more. */
  isMixed = false;
  /** Keys of this run in a table that had no row of the scope; null where it had some, undefined before the first page. */
  #own: SeenKeys | null | undefined;

  constructor(parts: PageWriterParts) {
    this.#parts = parts;
  }

  /** Resolves when the page is committed. */
  page(write: PageWrite): Promise<PageResult> {
    // Made before its turn, while Postgres is busy with the pages before: unless what they bring decides what to ask.
    const question = this.#own === null ? questionOf(this.#parts.stream, write.rows) : null;
    return this.#parts.inTurn(async () => {
      // Nothing may be concluded from pages after one that is missing, so they are not written either.
      if (this.#failure !== null) throw this.#failure;
      try {
        return await this.#write(write, question);
      } catch (error) {
        this.#failure = coerceError(error);
        throw error;
      }
    });
  }

  /** A record that Postgres cannot store must not take its page with it. */
  async #write(write: PageWrite, question: Question | null): Promise<PageResult> {
    try {
      return await this.#commit(write, question);
    } catch (error) {
      if (!refusesData(error)) throw error;
      const { rows, rejects } = await sortOut(this.#parts, write);
      if (rejects.length === 0) throw error;
      const result = await this.#commit({ ...write, rows, rejects: [...write.rejects, ...rejects] }, null);
      return { ...result, refused: rejects.length };
    }
  }

  /** Rows, rejects, drift, progress and counters, or nothing. */
  async #commit(write: PageWrite, question: Question | null): Promise<PageResult> {
    const { listing, rows, rejects, requests, throttled, progress, refuseOlder, isOld = false, drift = [] } = write;
    const { client, stream, scope, runId, timeZone } = this.#parts;
    const origin = originOf(scope, listing, timeZone);
    const book = async ({ moved, relisted, ...counted }: Written): Promise<void> => {
      const { unchanged, stale } = counted;
      const written = { ...counted, unchanged: unchanged - kept, stale: stale + kept };
      if (relisted > 0) this.isMixed = true;
      const records = rows.length + rejects.length;
      const counts = { ...written, requests, throttled, records, deleted: 0, rejected: rejects.length };
      const when: Record<string, Date> = moved > 0 ? { changed_at: new Date() } : {};
      const columns = { progress: toJson(progress), ...when };
      await bookPage(this.#parts, listing, { runId, counts, columns });
    };
    const asking = question ?? questionOf(stream, rows, await this.#stored());
    const found = await probe(this.#parts, asking);
    // Without a version nothing tells which content is the newer one, so what is stored stays.
    const kept = isOld && stream.version === undefined ? found.different.length : 0;
    const probed = kept > 0 ? { ...found, different: [] } : found;
    if (probed.fresh.length + probed.different.length + rejects.length + drift.length === 0) {
      await book(unchanged(rows));
      return { inserted: 0, changed: probed.changed, refused: 0, newDrift: [] };
    }
    const result = await withTransaction(client, async () => {
      // Unchanged rows were compared with the documents when they were new.
      const drifts: Drift[] = [...drift];
      const compare = ({ record }: ValidRow) => drifts.push(...driftOf(stream, record, origin));
      const written = await writeProbed(this.#parts, probed, { refuseOlder, onChanged: compare });
      await recordRejects(this.#parts, listing, rejects);
      const newDrift = await recordDrift(client, stream, drifts);
      await book(written);
      return { inserted: written.inserted, changed: probed.changed, refused: 0, newDrift };
    });
    this.#remember(probed.fresh);
    return result;
  }

  /** What may be in the table: anything, or where it had no rows of the scope, what this run has put there. */
  async #stored(): Promise<(key: string) => boolean> {
    const { client, stream, scope } = this.#parts;
    if (this.#own === undefined) {
      const { rows } = await client.query(`select from ${qualified(stream.table)} where project_id = $1 limit 1`, [
        scope.projectId,
      ]);
      this.#own = rows.length === 0 ? new SeenKeys() : null;
    }
    const own = this.#own;
    return own === null ? () => true : (key) => own.has(key);
  }

  #remember(rows: readonly ValidRow[]): void {
    for (const { key } of rows) this.#own?.add(key);
    if (this.#own !== undefined && this.#own !== null && this.#own.size > MOST_REMEMBERED) this.#own = null;
  }
}

/** SQLSTATE 22 is about a value, 54 about a limit of Postgres, such as a key too long for its index. */
const ABOUT_DATA = /^(22|54)/;

/** Whether Postgres refused what a row holds, rather than the statement or the connection. */
export function refusesData(error: unknown): boolean {
  const code = error instanceof DatabaseError ? error.context.code : codeOf(error);
  return typeof code === 'string' && ABOUT_DATA.test(code);
}

/**
 * Tells the rows that Postgres takes from those it does not, by trying each alone; nothing stays written. Whatever
 * validation let through that no column can hold becomes a reject like any other, and its page goes on without it.
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
