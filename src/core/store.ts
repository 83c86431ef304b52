import type { Scope } from './account.ts';
import type { Certificate, Evidence, Proof, Reason, RunProof } from './certificate.ts';
import type { Dialect, Listing, ListingWindow } from './stream/endpoint.ts';
import type { Parent, Stream } from './stream/stream.ts';
import type { Drift, Reject, ValidRow } from './stream/validate.ts';
import type { Explanation } from './sweep.ts';

/** What a run did, in the words of `sync --json`. */
export interface RunReport {
  readonly stream: string;
  readonly account: string;
  readonly region: string;
  readonly project_id: string;
  readonly status: RunStatus;
  readonly certificate: 'complete' | 'incomplete' | null;
  /** When the oldest of its listings was proven complete. */
  readonly certified_at: string | null;
  readonly reason: Reason | null;
  readonly walk: WalkKind | null;
  readonly requests: number;
  readonly throttled: number;
  readonly records: number;
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly rejected: number;
  readonly duration_ms: number;
  readonly error: string | null;
}

export type RunStatus = 'succeeded' | 'failed' | 'incomplete' | 'busy' | 'abandoned';
export type WalkKind = 'probe' | 'head' | 'full';

/** Counters of a run; each page adds its own. */
export interface Counts {
  readonly requests: number;
  readonly throttled: number;
  readonly records: number;
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly rejected: number;
  readonly stale: number;
}

/** What a certified walk leaves for the next one (all of it was seen, nothing of it is trusted without proof). */
export interface Checkpoint {
  readonly total: number | null;
  readonly lastUpdateTime: number | null;
  /** Fingerprint of the first page. */
  readonly firstPage: string | null;
  /** Orders that fitted, with the newest key of each that goes by time. */
  readonly orders: readonly { readonly name: string; readonly newest: number | null }[];
  /** The API refuses a page as long as the whole list. */
  readonly wholeRefused?: boolean;
  /**
   * Newest keys are bounded by the server's clock. Absent in checkpoints of earlier versions, which a row dated ahead may
   * have raised: no poll relies on those.
   */
  readonly bounded?: true;
  /** Keys that several records have, and the fingerprint of the record that is the row: the others are rejects. */
  readonly doubled?: Readonly<Record<string, string>>;
  /** Row at which the list was cut off or may have been, where no document names that cap. */
  readonly ceiling?: number;
  /** Rows that the list had before it was first seen to end there; absent without `ceiling`, or where the list had no count. */
  readonly beforeCeiling?: number;
  /** Rows that the count had beyond those that were read when the list was last proven; absent where there were none. */
  readonly surplus?: number;
  /** When a list that shows only its first rows was last read up to its cap, in ms. */
  readonly readAtMs?: number;
  /** Greatest lateness seen of new and changed rows, in ms; absent while all came within five minutes. */
  readonly lateByMs?: number;
}

/** How often the hints of a list were right: each count is one walk that could tell. */
export interface Hint {
  /** The list's update time stood still although rows had changed. */
  readonly silent: number;
  /** It moved although nothing had changed. */
  readonly restless: number;
  readonly right: number;
}

export interface ListingState {
  readonly certificate: 'complete' | 'incomplete' | null;
  /** Why the last walk that came to its end did not prove it complete. */
  readonly reason: Reason | null;
  readonly certifiedAt: Date | null;
  /** How its last certificate was proven; null before the first one, or when it is older than this column. */
  readonly proof: Proof | null;
  /**
   * As of when all of its rows are known: when the last walk began that showed every change, a full walk or a poll of the
   * newest end of a list that brings every change there. Null before the first one.
   */
  readonly contentAt: Date | null;
  readonly evidence: Evidence | null;
  readonly checkpoint: Checkpoint | null;
  readonly enterpriseProjectId: string;
  /** The setting the checkpoint was taken under, whether or not it was accepted for the rows. */
  readonly certifiedUnder: string | null;
  /** When the list was last looked at. */
  readonly walkedAt: Date | null;
  /** When a walk last found a changed row. */
  readonly changedAt: Date | null;
  readonly hint: Hint | null;
}

export interface PageWrite {
  readonly listing: Listing;
  readonly rows: readonly ValidRow[];
  readonly rejects: readonly Reject[];
  readonly requests: number;
  readonly throttled: number;
  readonly progress: { readonly offset: number; readonly total: number | null };
  /** Refuse rows whose stored content is newer: for anything but a full walk. */
  readonly refuseOlder: boolean;
  /** The pages may be older than what is stored: without a version, which would tell, only new rows are written. */
  readonly isOld?: boolean;
  /** What the pages as a whole say otherwise than they should. */
  readonly drift?: readonly Drift[];
}

/**
 * How a row differs from what is stored under its key: `new` (no such key), `moved` (an older version is stored), `in-place`
 * (the same version, or the stream has none), `older` (a newer version is stored), `back` (it was marked as gone).
 */
export type RowChange = 'new' | 'moved' | 'in-place' | 'older' | 'back';

/**
 * How a row that is not stored just so differs from what is stored under its key, if anything is. Versions are times; anything
 * else says nothing.
 */
export function rowChange(
  stored: { readonly gone: boolean; readonly version: unknown } | null,
  version: unknown,
): RowChange {
  if (stored === null) return 'new';
  if (stored.gone) return 'back';
  if (!(stored.version instanceof Date && version instanceof Date)) return 'in-place';
  const by = version.getTime() - stored.version.getTime();
  return by === 0 ? 'in-place' : by > 0 ? 'moved' : 'older';
}

export interface PageResult {
  /** Rows that the table did not have. */
  readonly inserted: number;
  /** Rows that are stored otherwise, by key. */
  readonly changed: ReadonlyMap<string, RowChange>;
  /** Rows that the table could not take: they are rejects now. */
  readonly refused: number;
  /** Drift that was not met before: worth a line in the log. */
  readonly newDrift: readonly string[];
}

export interface Conclusion {
  readonly listing: Listing;
  readonly certificate: Certificate;
  /** Null leaves the one that is stored. */
  readonly checkpoint: Checkpoint | null;
  /** Null when the walk proves nothing about absence. */
  readonly sweep: SweepBasis | null;
  readonly hint?: Hint | null;
  /** How long ago the walk began, in ms: what it proved holds since then. 0 unless said. */
  readonly tookMs?: number;
  /** Of a list that was read window by window: as of when its windows are certified and their rows known. */
  readonly asOf?: { readonly certifiedAt: Date; readonly contentAt: Date };
}

/** What a poll left that did not read the whole list. */
export interface Visit {
  readonly hint: Hint | null;
  /** Where the next poll starts from; null leaves the one that is stored. */
  readonly checkpoint: Checkpoint | null;
  /** How long ago the poll began, in ms, when it showed every change of the list since its checkpoint; else null. */
  readonly contentForMs: number | null;
}

export interface SweepBasis {
  readonly seen: { has(key: string): boolean };
  /** Lower bound of live rows that this walk wrote or confirmed; null: unknown, the sweep must then read all keys. */
  readonly stored: number | null;
  readonly moved: boolean;
  readonly unreadable: number;
  /** Rows that the list's own count has beyond those that were read. */
  readonly promised: number;
  readonly explained: Explanation;
  /** The list can be read in parts, and is where more than a few rows are missing. */
  readonly hasParts: boolean;
  readonly acceptShrink: boolean;
  readonly reconcileEveryMs: number;
  /** The list is a window: only rows whose time lies in it can be missing from it. */
  readonly within?: ListingWindow;
}

/** What the run as a whole proved, once all its listings were read. */
export interface RunOutcome {
  readonly status: Exclude<RunStatus, 'busy' | 'abandoned'>;
  readonly walk: WalkKind | null;
  readonly certificate: 'complete' | 'incomplete' | null;
  readonly certifiedAt: Date | null;
  /** As of when the rows of all its lists are known; null where it has no list to read: then since the run began. */
  readonly contentAt: Date | null;
  readonly proof: RunProof | null;
  readonly reason: Reason | null;
  readonly evidence: Evidence | null;
  readonly error: Error | null;
}

/** What one run holds open in the database: its lock, its row in `sync.runs`, and the only right to write its rows. */
export interface StreamRun {
  /** Everything remembered of the stream's listings in this scope, by key. */
  states(): Promise<ReadonlyMap<string, ListingState>>;
  /** When the unfinished runs before this one began: what was certified since then need not be read again. */
  readonly resumesFrom: Date | null;
  /**
   * When the first of the runs began that were cut short just before this one, none of them having failed: a list that
   * they came to the end of, whatever they found there, need not be looked at again.
   */
  readonly cutShortSince: Date | null;
  /** Others than the service changed or deleted rows of the stream since its last complete run. */
  readonly isEdited: boolean;
  /**
   * Rows, rejects, drift, progress and counters of one or several pages, or nothing. Resolves when they are committed; what
   * is handed over meanwhile is written in its order.
   */
  page(write: PageWrite): Promise<PageResult>;
  /**
   * What the walk of a listing proved; a certified full walk also says which rows are listed no longer. Answers with the
   * certificate that stands, which a shrink beyond belief turns into an incomplete one.
   */
  conclude(conclusion: Conclusion): Promise<Certificate>;
  /**
   * The list was looked at and its standing certificate holds; with a checkpoint, everything that changed since is read
   * and the next poll starts from there.
   */
  visited(listing: Listing, visit: Visit): Promise<void>;
  /** The API did not answer for the list; what is known of it stands. */
  tried(listing: Listing): Promise<void>;
  /** Windows that are no part of their list any more: what is remembered of them goes, their rows stay. */
  forget(listings: readonly string[]): Promise<void>;
  /** Values of an immutable column among all rows ever seen in the scope, or seen before this run. */
  valuesOf(column: string, when: 'ever' | 'before'): Promise<readonly string[]>;
  /** Marks rows whose parent is listed no longer. */
  sweepOrphans(): Promise<number>;
  /** Requests that brought no page. */
  spent(requests: number, throttled: number): Promise<void>;
  learn(dialect: Dialect): Promise<void>;
  /** Ends the run and says what it did. */
  finish(outcome: RunOutcome): Promise<RunReport>;
  /** Releases the lock; safe to call twice. */
  close(): Promise<void>;
}

/** What reading a listing needs of a run: a place for its pages and for what they prove. `verify` has one that writes nothing. */
export type WalkSink = Pick<StreamRun, 'states' | 'page' | 'conclude' | 'visited' | 'valuesOf' | 'spent'>;

/** The database as the engine sees it. */
export interface Store {
  /** The right to write a stream's rows of a scope; `busy` while another process has it. */
  open(stream: Stream, scope: Scope): Promise<StreamRun | 'busy'>;
  /** A listing for every distinct combination of the parameters among the live rows of the parent. */
  childListings(parent: Parent, scope: Scope): Promise<readonly Listing[]>;
  /**
   * When the oldest listing of the stream in the scope was last certified; null while one of them has no complete
   * certificate. A stream without a single listing is as certified as the parent that says so.
   */
  certifiedAt(stream: Stream, scope: Scope): Promise<Date | null>;
  /** Everything remembered of the stream's listings in the scope, by key. */
  states(stream: Stream, scope: Scope): Promise<ReadonlyMap<string, ListingState>>;
  dialect(stream: Stream, scope: Scope): Promise<Dialect>;
  /** Values of a column among the live rows of a stream in a scope. */
  liveValues(stream: Stream, scope: Scope, column: string): Promise<readonly string[]>;
  /** Values of a column all of whose rows were marked as gone at least `LEAST_DISTANCE_MS` ago. */
  goneValues(stream: Stream, scope: Scope, column: string): Promise<readonly string[]>;
}
