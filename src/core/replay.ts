import type { Listing } from './stream/listing.ts';
import type { Stream } from './stream/stream.ts';
import type { ValidRow } from './stream/validate.ts';

/** A stored record that was no row when it came. */
export interface PendingReject {
  readonly fingerprint: string;
  readonly account: string;
  readonly region: string;
  readonly projectId: string;
  readonly listing: Listing;
  readonly payload: string;
  readonly lastSeenAt: Date;
}

/** `superseded`: the table has newer content under the key, so nothing of the reject is missing. */
export type Replayed =
  | { readonly kind: 'written' }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'refused'; readonly reason: string };

/** The rejects of one stream in one project, while nobody else writes its rows. */
export interface RejectDesk {
  /** The newest first, from behind the given one. */
  pending(after: PendingReject | null): Promise<readonly PendingReject[]>;
  /** Writes what a reject has become, unless the table knows better, and marks it: both or nothing. */
  write(reject: PendingReject, row: ValidRow): Promise<Replayed>;
}

export interface RejectStore {
  /** Where there are rejects that were not replayed, and how many. */
  count(): Promise<readonly { readonly stream: string; readonly projectId: string; readonly rejects: number }[]>;
  /** `busy` while another process runs the stream in the project. */
  open<T>(stream: Stream, projectId: string, work: (desk: RejectDesk) => Promise<T>): Promise<T | 'busy'>;
}
