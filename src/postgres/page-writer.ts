import type { ClientBase } from 'pg';
import type { Scope } from '../core/account.ts';
import { type Drift, driftOf } from '../core/drift.ts';
import { coerceError } from '../core/errors.ts';
import { toJson } from '../core/json.ts';
import type { PageResult, PageWrite } from '../core/store.ts';
import type { Stream } from '../core/stream.ts';
import type { ValidRow } from '../core/validate.ts';
import { bookPage, recordDrift, recordRejects } from './ledger.ts';
import { withTransaction } from './pool.ts';
import { refusesData, sortOut } from './refused-rows.ts';
import { probe, unchanged, type Written, writeProbed } from './row-writer.ts';

interface Queued {
  readonly write: PageWrite;
  readonly settle: PromiseWithResolvers<PageResult>;
}

/** Rows of one transaction, about. Twice as many were no faster, and a page more or less must not be noticed in memory. */
const MOST_ROWS = 2_000;

/** For pages after the first of a transaction: what was found is reported once. */
const NOTHING_MORE: PageResult = { inserted: 0, newDrift: [] };

export interface PageWriterParts {
  readonly client: ClientBase;
  readonly stream: Stream;
  readonly scope: Scope;
  readonly runId: number;
  readonly timeZone: string;
  /** Has the connection to itself until the work is done. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Writes pages in the order they come. What arrives while a transaction is under way goes into the next one together: pages
 * that come slowly are committed one by one, pages that come fast share their round trips.
 */
export class PageWriter {
  readonly #parts: PageWriterParts;
  #queue: Queued[] = [];
  #writing = false;
  #failure: Error | null = null;

  constructor(parts: PageWriterParts) {
    this.#parts = parts;
  }

  /** Resolves when the page is committed. */
  page(write: PageWrite): Promise<PageResult> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const settle = Promise.withResolvers<PageResult>();
    this.#queue.push({ write, settle });
    if (!this.#writing) void this.#run();
    return settle.promise;
  }

  async #run(): Promise<void> {
    this.#writing = true;
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) {
      // Told later than the next batch leaves for Postgres, which then works while whoever waited makes further pages; and
      // failures as late as successes, so that pages end in their order.
      try {
        const result = await this.#write(batch.map(({ write }) => write));
        setImmediate(() => {
          for (const [index, { settle }] of batch.entries()) settle.resolve(index === 0 ? result : NOTHING_MORE);
        });
      } catch (error) {
        // Nothing may be concluded from pages after one that is missing, so they are not written either.
        const failure = coerceError(error);
        this.#failure = failure;
        const lost = [...batch, ...this.#queue.splice(0)];
        setImmediate(() => {
          for (const { settle } of lost) settle.reject(failure);
        });
      }
    }
    this.#writing = false;
  }

  /** The pages of one listing that wait, as far as they fit one transaction. */
  #next(): readonly Queued[] {
    const [first] = this.#queue;
    let rows = 0;
    const end = this.#queue.findIndex(({ write }) => {
      rows += write.rows.length;
      return (
        write.listing !== first?.write.listing || write.refuseOlder !== first.write.refuseOlder || rows > MOST_ROWS
      );
    });
    return this.#queue.splice(0, end === -1 ? this.#queue.length : Math.max(1, end));
  }

  /** A record that Postgres cannot store must take neither its page nor the pages beside it with it. */
  async #write(writes: readonly PageWrite[]): Promise<PageResult> {
    try {
      return await this.#commit(writes);
    } catch (error) {
      if (!refusesData(error)) throw error;
      const [only] = writes;
      if (only === undefined || writes.length > 1) return await this.#writeEach(writes);
      const { client, stream, scope, inTurn } = this.#parts;
      const { rows, rejects } = await inTurn(() => sortOut(client, stream, scope, only));
      if (rejects.length === 0) throw error;
      return await this.#commit([{ ...only, rows, rejects: [...only.rejects, ...rejects] }]);
    }
  }

  async #writeEach(writes: readonly PageWrite[]): Promise<PageResult> {
    const results: PageResult[] = [];
    for (const write of writes) results.push(await this.#write([write]));
    return {
      inserted: results.reduce((sum, { inserted }) => sum + inserted, 0),
      newDrift: results.flatMap(({ newDrift }) => newDrift),
    };
  }

  /** Pages of one listing: rows, rejects, drift, progress and counters, or nothing. */
  #commit(writes: readonly PageWrite[]): Promise<PageResult> {
    const { client, stream, scope, runId, timeZone, inTurn } = this.#parts;
    const last = writes.at(-1);
    if (last === undefined) return Promise.resolve(NOTHING_MORE);
    const { listing, refuseOlder, progress } = last;
    const origin = { projectId: scope.projectId, region: scope.region, params: listing.params, timeZone };
    const rows = writes.flatMap((write) => write.rows);
    const rejects = writes.flatMap((write) => write.rejects);
    const book = async ({ moved, ...written }: Written): Promise<void> => {
      const counts = {
        ...written,
        requests: writes.reduce((sum, { requests }) => sum + requests, 0),
        throttled: writes.reduce((sum, { throttled }) => sum + throttled, 0),
        records: rows.length + rejects.length,
        deleted: 0,
        rejected: rejects.length,
      };
      const when: Record<string, Date> = moved > 0 ? { changed_at: new Date() } : {};
      await bookPage(client, runId, counts, stream, scope, listing, { progress: toJson(progress), ...when });
    };
    return inTurn(async () => {
      const probed = await probe(client, stream, scope, rows);
      if (probed.fresh.length + probed.different.length + rejects.length === 0) {
        await book(unchanged(rows));
        return NOTHING_MORE;
      }
      return await withTransaction(client, async () => {
        // Unchanged rows were compared with the documents when they were new.
        const drifts: Drift[] = [];
        const compare = ({ record }: ValidRow) => drifts.push(...driftOf(stream, record, origin));
        const written = await writeProbed(client, stream, scope, probed, refuseOlder, compare);
        await recordRejects(client, stream, scope, listing, rejects);
        const newDrift = await recordDrift(client, stream, drifts);
        await book(written);
        return { inserted: written.inserted, newDrift };
      });
    });
  }
}
