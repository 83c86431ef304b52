import type { Scope } from '../../core/account.ts';
import type { Certificate } from '../../core/certificate.ts';
import { DatabaseError, SyncError } from '../../core/errors.ts';
import type { PageSource } from '../../core/ports.ts';
import type { Conclusion, ListingState, PageResult, PageWrite, Store, WalkSink } from '../../core/store.ts';
import { fixedListings } from '../../core/stream/listing.ts';
import type { Split } from '../../core/stream/stream.ts';
import { PageReader } from './page-reader.ts';
import { type ListingWalk, walkListing } from './walk-listing.ts';

/**
 * The values that rows can have right now, or null where nobody can say. What was certified of their own stream is older
 * than the walk that needs them: a value that came up in between may own rows that no page of the long list shows.
 */
export async function valuesNow(
  source: PageSource,
  store: Store,
  scope: Scope,
  { stream, column }: Split,
  { load, origin, signal, reconcileEveryMs, now }: ListingWalk,
): Promise<ReadonlySet<string> | null> {
  const dialect = await store.dialect(stream, scope);
  const reader = new PageReader({ source, stream, scope, dialect, signal });
  const sink = new ValueSink(column, load);
  try {
    for (const listing of fixedListings(stream)) {
      const parts = { stream, listing, load: sink, reader, signal, reconcileEveryMs, now, acceptShrink: false };
      const { certificate } = await walkListing({
        ...parts,
        mode: 'full',
        state: null,
        origin: { ...origin, params: listing.params },
        onPage: () => {},
        onDrift: () => {},
      });
      if (certificate.kind !== 'complete') return null;
    }
  } catch (error) {
    if (!(error instanceof SyncError) || error instanceof DatabaseError) throw error;
    if (error.recovery !== 'skip' && error.recovery !== 'fail-run') throw error;
    return null;
  }
  return sink.rejects > 0 ? null : sink.found;
}

/** Takes the values of a column from the pages of a walk; of the pages, only the requests are written down. */
class ValueSink implements WalkSink {
  readonly found = new Set<string>();
  rejects = 0;
  readonly #column: string;
  readonly #load: WalkSink;

  constructor(column: string, load: WalkSink) {
    this.#column = column;
    this.#load = load;
  }

  async page({ rows, rejects, requests, throttled }: PageWrite): Promise<PageResult> {
    for (const { row } of rows) this.found.add(String(row[this.#column]));
    this.rejects += rejects.length;
    await this.spent(requests, throttled);
    return { inserted: 0, changed: new Map(), refused: 0, newDrift: [] };
  }

  spent(requests: number, throttled: number): Promise<void> {
    return this.#load.spent(requests, throttled);
  }

  async conclude({ certificate }: Conclusion): Promise<Certificate> {
    return certificate;
  }

  async states(): Promise<ReadonlyMap<string, ListingState>> {
    return new Map();
  }

  async visited(): Promise<void> {}
  async tried(): Promise<void> {}

  async valuesOf(): Promise<readonly string[]> {
    return [];
  }
}
