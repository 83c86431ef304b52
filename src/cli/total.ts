import type { App } from '../app.ts';
import type { Scope } from '../core/account.ts';
import type { Listing } from '../core/stream/listing.ts';
import type { Stream } from '../core/stream/stream.ts';
import { PageReader } from '../sync/run/page-reader.ts';

export interface Asking {
  readonly source: App['source'];
  readonly signal: AbortSignal;
}

/** Number of rows that the API says a list has, by one request; of a list without a count, the rows of its first page. */
export async function totalOf({ source, signal }: Asking, stream: Stream, scope: Scope, listing: Listing) {
  const reader = new PageReader({ source, stream, scope, dialect: { generation: null, spellings: {} }, signal });
  const limit = stream.paging.kind === 'page' ? stream.paging.limit : 10;
  const { page } = await reader.read(listing, { offset: 0, limit }, { requests: 0, throttled: 0 });
  return page.total ?? page.records.length;
}
