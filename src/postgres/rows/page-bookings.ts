import type { Counts } from '../../core/store.ts';
import type { Listing } from '../../core/stream/endpoint.ts';
import { type ListingChange, pageBooking, type Statement, sumOf } from '../run/bookkeeping.ts';
import type { StreamConnection } from './row-writer.ts';

/** How long the counters and the progress of pages without changes may wait for the next page, in ms. */
const WITHIN_MS = 250;

/** Counters and progress of one page, or of several pages of a listing. */
export interface Booking extends Pick<ListingChange, 'columns'> {
  readonly listing: Listing;
  readonly counts: Counts;
}

/**
 * Stores counters and progress of a run's pages. Pages that write no row share a statement, which would otherwise be one of
 * two that they take; a page that writes a row stores its own and those that wait in its transaction. A process that is
 * killed loses the counters of the last pages without changes, but no row.
 */
export class PageBookings {
  readonly #at: StreamConnection & { readonly runId: number };
  /** Time in ms of a clock that is never set. */
  readonly #now: () => number;
  #waiting: Booking | null = null;
  #storedAt = Number.NEGATIVE_INFINITY;

  constructor(at: StreamConnection & { readonly runId: number }, now = () => performance.now()) {
    this.#at = at;
    this.#now = now;
  }

  /** Stores what waits for other listings. To be called before the booking of a page of this listing. */
  async enter({ key }: Listing): Promise<void> {
    if (this.#waiting?.listing.key !== key) await this.flush();
  }

  /** Stores the booking of a page that wrote nothing, at the latest with the first page after {@link WITHIN_MS}. */
  async later(booking: Booking): Promise<void> {
    this.#waiting = this.#withWaiting(booking);
    if (this.#now() - this.#storedAt >= WITHIN_MS) await this.flush();
  }

  /** The statement that stores a booking and what waits. Call {@link stored} when it is committed. */
  statementOf(booking: Booking): Statement {
    return this.#statement(this.#withWaiting(booking));
  }

  /** Everything that waited is committed. */
  stored(): void {
    this.#waiting = null;
    this.#storedAt = this.#now();
  }

  /** Stores what waits. Throws the error of Postgres; then it is given up, so that the run can still record its failure. */
  async flush(): Promise<void> {
    if (this.#waiting === null) return;
    const { text, values } = this.#statement(this.#waiting);
    this.#waiting = null;
    await this.#at.client.query(text, values);
    this.stored();
  }

  #withWaiting(booking: Booking): Booking {
    if (this.#waiting === null) return booking;
    const { counts, columns } = this.#waiting;
    return { ...booking, counts: sumOf(counts, booking.counts), columns: { ...columns, ...booking.columns } };
  }

  #statement({ listing, counts, columns }: Booking): Statement {
    return pageBooking(this.#at, listing, { runId: this.#at.runId, counts, columns });
  }
}
