import type { Scope } from './account.ts';
import type { Certificate, Evidence, Proof, Reason, RunProof } from './certificate.ts';
import type { Dialect, Listing, ListingWindow } from './stream/endpoint.ts';
import type { Parent, Stream } from './stream/stream.ts';
import type { Drift, Reject, ValidRow } from './stream/validate.ts';
import type { Explanation } from './sweep.ts';

/** The result of a run, with the field names of `sync --json`. */
export interface RunReport {
  readonly stream: string;
  readonly account: string;
  readonly region: string;
  readonly project_id: string;
  readonly status: RunStatus;
  /** Null if the stream was busy. */
  readonly certificate: 'complete' | 'incomplete' | null;
  /** When the oldest of its listings was proven complete; null unless all are. */
  readonly certified_at: string | null;
  /** Null if complete, or busy. */
  readonly reason: Reason | null;
  /** The longest walk of the run; null if it read nothing, or ended early. */
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
  /** Null for a run without an error. */
  readonly error: string | null;
}

/** Status of a finished run. `abandoned`: its process died or lost the database. */
export type RunStatus = 'succeeded' | 'failed' | 'incomplete' | 'busy' | 'abandoned';
/** How much of a list was read: the first page, the newest end, or all of it. */
export type WalkKind = 'probe' | 'head' | 'full';

/** Counters of a run; each page adds to them. */
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

/**
 * What the next walk needs to know about a list. It is left by a full walk that read all listed rows (certified, or
 * withheld as `capped`, `key` or `suspicious-shrink`), and by a poll that found every change.
 */
export interface Checkpoint {
  /** The list's own count of its rows; null if the API gives none. */
  readonly total: number | null;
  /** The list's own update time, in ms since 1970; null if the API gives none. */
  readonly lastUpdateTime: number | null;
  /** Fingerprint of the first page; null if it was not read. */
  readonly firstPage: string | null;
  /** Orders that fitted, with the newest key of each; null for keys that are not times. */
  readonly orders: readonly { readonly name: string; readonly newest: number | null }[];
  /** The API refuses a page as long as the whole list, or shortens it. */
  readonly wholeRefused?: boolean;
  /**
   * Newest keys are limited by the server time. Absent in checkpoints of earlier versions, where a row dated ahead may
   * have raised them; polls do not rely on those.
   */
  readonly bounded?: true;
  /**
   * Version of the fingerprints of rows. Absent in checkpoints of earlier versions of the program, whose first page may
   * have another fingerprint although nothing changed.
   */
  readonly fingerprints?: 3;
  /** Keys shared by several records, with the fingerprint of the record that is the row. The others are rejects. */
  readonly doubled?: Readonly<Record<string, string>>;
  /** Row at which the list was, or may have been, cut off by an undocumented cap. */
  readonly ceiling?: number;
  /** Length of the list before it first ended there; absent without `ceiling`, or if the list had no count. */
  readonly beforeCeiling?: number;
  /** New and returned rows since the list was last read to `ceiling`; absent for none. */
  readonly arrived?: number;
  /** Rows by which the count exceeded the rows read at the last proof; absent if it did not. */
  readonly surplus?: number;
  /** The list's count is that of the page, and says nothing about the list. `total` is the number of rows read. */
  readonly countsPage?: true;
  /** When a capped list was last read up to its cap, in ms since 1970. */
  readonly readAtMs?: number;
  /** Greatest observed lateness of new and changed rows, in ms; absent if all arrived within five minutes. */
  readonly lateByMs?: number;
}

/** How often the update time of a list was right; each walk that could tell adds one. */
export interface Hint {
  /** The update time stood still although rows had changed. */
  readonly silent: number;
  /** It moved although nothing had changed. */
  readonly restless: number;
  /** It moved, and rows had changed. */
  readonly right: number;
}

/** Everything stored about a listing (`sync.listings`). */
export interface ListingState {
  /** Of the last full walk, or incomplete since a refusal; null before the first one. */
  readonly certificate: 'complete' | 'incomplete' | null;
  /** Why `certificate` is incomplete; null if it is not, and before the first full walk. */
  readonly reason: Reason | null;
  /** When the list was last proven complete; null if it never was. An incomplete walk does not change it. */
  readonly certifiedAt: Date | null;
  /** When the run began whose full walk gave the last certificate; null without one, or if it is older than this column. */
  readonly certifiedSince: Date | null;
  /** How its last certificate was proven; null without one, or if the certificate is older than this column. */
  readonly proof: Proof | null;
  /**
   * Time for which all of its rows are known: the start of the last walk that showed every change (a full walk, or a
   * poll of a newest end where every change appears). Null before the first one.
   */
  readonly contentAt: Date | null;
  /** Of the last full walk; null before the first one. */
  readonly evidence: Evidence | null;
  /** Left by the last full walk that read all listed rows, or by a poll after it; null before the first one. */
  readonly checkpoint: Checkpoint | null;
  /** The widest setting of enterprise projects that the stored rows may come from. */
  readonly enterpriseProjectId: string;
  /** Setting of enterprise projects at the time of the checkpoint, even if the rows were not accepted; null without. */
  readonly certifiedUnder: string | null;
  /** When a walk of any kind last ended; null before the first one. */
  readonly walkedAt: Date | null;
  /** When the API last gave no answer for the list; null if that never happened. */
  readonly failedAt: Date | null;
  /** When a walk last found a changed row; null if none did. */
  readonly changedAt: Date | null;
  /** Null if no walk could tell whether the update time was right. */
  readonly hint: Hint | null;
}

/** One or several pages to be written in one transaction. */
export interface PageWrite {
  readonly listing: Listing;
  readonly rows: readonly ValidRow[];
  readonly rejects: readonly Reject[];
  readonly requests: number;
  readonly throttled: number;
  /** Rows read so far, and the list's own count of its rows; null if it gives none. */
  readonly progress: { readonly offset: number; readonly total: number | null };
  /** Do not overwrite newer stored content: set for anything but a full walk. */
  readonly refuseOlder: boolean;
  /** The pages may be older than the stored rows. Without a version to compare, only new rows are written. */
  readonly isOld?: boolean;
  /** Drift that concerns the pages as a whole. */
  readonly drift?: readonly Drift[];
}

/**
 * How a row differs from the stored row with its key: `new` (none is stored), `newer` (an older version is stored),
 * `in-place` (the same version, or the stream has no version), `older` (a newer version is stored), `back` (it was
 * marked as gone).
 */
export type RowChange = 'new' | 'newer' | 'in-place' | 'older' | 'back';

/**
 * Classifies a row that differs from what is stored. `stored` is null if the key is new. Versions are compared only if
 * both are times.
 */
export function rowChange(
  stored: { readonly gone: boolean; readonly version: unknown } | null,
  version: unknown,
): RowChange {
  if (stored === null) return 'new';
  if (stored.gone) return 'back';
  if (!(stored.version instanceof Date && version instanceof Date)) return 'in-place';
  const by = version.getTime() - stored.version.getTime();
  return by === 0 ? 'in-place' : by > 0 ? 'newer' : 'older';
}

/** Result of writing pages. */
export interface PageResult {
  /** Rows that were not in the table. */
  readonly inserted: number;
  /** Rows that differ from what was stored, by key. */
  readonly changed: ReadonlyMap<string, RowChange>;
  /** Rows that Postgres refused; they are rejects now. */
  readonly refused: number;
  /** Drift that was not recorded before, for the log. */
  readonly newDrift: readonly string[];
}

/** The result of a walk of one listing, to be stored. */
export interface Conclusion {
  readonly listing: Listing;
  readonly certificate: Certificate;
  /** Null keeps the stored one. */
  readonly checkpoint: Checkpoint | null;
  /** Null if the walk proves nothing about missing rows. */
  readonly sweep: SweepBasis | null;
  /** Null or absent keeps the stored one. */
  readonly hint?: Hint | null;
  /** Time since the start of the walk, in ms: the certificate is valid from then on. 0 if absent. */
  readonly tookMs?: number;
  /** For a list read window by window: the times of its oldest certificate and content among the windows. */
  readonly asOf?: { readonly certifiedAt: Date; readonly contentAt: Date };
}

/** The result of a poll that did not read the whole list. */
export interface Visit {
  /** Null if the poll could not tell whether the update time was right. */
  readonly hint: Hint | null;
  /** Start of the next poll; null keeps the stored checkpoint. */
  readonly checkpoint: Checkpoint | null;
  /** Time since the start of the poll, in ms, if it showed every change since the checkpoint; otherwise null. */
  readonly contentForMs: number | null;
}

/** What the sweep of a listing needs to know about its walk. */
export interface SweepBasis {
  readonly seen: { has(key: string): boolean };
  /** Lower bound of live rows that this walk wrote or confirmed. Null: unknown, and the sweep has to read all keys. */
  readonly stored: number | null;
  readonly moved: boolean;
  /** Number of rejects without a readable key. */
  readonly unreadable: number;
  /** Rows by which the list's own count exceeds the rows read. */
  readonly surplus: number;
  readonly explained: Explanation;
  /** The list can be read in parts, and is if more than a few rows are missing. */
  readonly hasParts: boolean;
  /** Rows may be marked as gone without confirmation (`sync --accept-shrink`). */
  readonly acceptShrink: boolean;
  /** Maximum time between two full walks of each hot list. */
  readonly reconcileEveryMs: number;
  /** The time window of the list: only rows within it can be missing. Absent for a list without windows. */
  readonly within?: ListingWindow;
}

/** The result of a run over all its listings. */
export interface RunOutcome {
  readonly status: Exclude<RunStatus, 'busy' | 'abandoned'>;
  /** The longest walk of the run; null if it read nothing, or ended early. */
  readonly walk: WalkKind | null;
  readonly certificate: 'complete' | 'incomplete';
  /** When the oldest of its listings was proven complete; null unless all are. */
  readonly certifiedAt: Date | null;
  /** Time for which the rows of all its lists are known; null without lists, then the start of the run applies. */
  readonly contentAt: Date | null;
  /** Null unless the run is complete. */
  readonly proof: RunProof | null;
  /** Null if complete. */
  readonly reason: Reason | null;
  readonly evidence: Evidence;
  /** Null for a run without an error. */
  readonly error: Error | null;
}

/** An open run: holds the lock, its row in `sync.runs`, and the exclusive right to write the stream's rows. */
export interface StreamRun {
  /** Stored state of the stream's listings in this scope, by key. */
  states(): Promise<ReadonlyMap<string, ListingState>>;
  /**
   * Listings certified since then are not read again in this run: the start of the chain of unfinished runs
   * (interrupted, abandoned or failed) directly before it. Null without such a chain. If the chain has read all lists
   * that are due, the run makes no request: it only concludes what the chain has read.
   */
  readonly skipCertifiedSince: Date | null;
  /**
   * Listings walked to their end since then, with or without a certificate, are not read again in this run: the start
   * of the same chain, but after its last failed run. Null if there is none, as after a failed run.
   */
  readonly skipWalkedSince: Date | null;
  /**
   * When a run first saw the newest edit of rows by others since the last complete run. Null without such edits.
   */
  readonly editedAt: Date | null;
  /**
   * Writes rows, rejects, drift, progress and counters of one or several pages in one transaction. Resolves after the
   * commit. Concurrent calls are written in the order of the calls.
   */
  page(write: PageWrite): Promise<PageResult>;
  /**
   * Stores what the walk of a listing proved and, after a certified full walk, sweeps missing rows. Returns the
   * certificate that was stored: an implausible loss of rows makes it incomplete.
   */
  conclude(conclusion: Conclusion): Promise<Certificate>;
  /**
   * Records a poll that left the certificate valid. With a checkpoint, all changes since the last one were read, and
   * the next poll starts from it.
   */
  recordPoll(listing: Listing, visit: Visit): Promise<void>;
  /**
   * Records that the API did not answer for the list: stores the time, clears the progress, and replaces the reason
   * `refused` by `interrupted`. Everything else stored about the list stays.
   */
  recordFailure(listing: Listing): Promise<void>;
  /** Deletes the state of windows that are no longer part of their list. Their rows stay. */
  forget(listings: readonly string[]): Promise<void>;
  /** Values of an immutable column among all rows ever stored in the scope, or stored before this run. */
  valuesOf(column: string, when: 'ever' | 'before'): Promise<readonly string[]>;
  /** Marks rows whose parent is no longer listed. Returns their number. */
  sweepOrphans(): Promise<number>;
  /** Counts requests that returned no page. */
  countRequests(requests: number, throttled: number): Promise<void>;
  /** Stores what answers showed about the dialect of the server. */
  storeDialect(dialect: Dialect): Promise<void>;
  /** Ends the run and returns its report. */
  finish(outcome: RunOutcome): Promise<RunReport>;
  /** Releases the lock. Safe to call twice. */
  close(): Promise<void>;
}

/** The part of a run that reading a listing needs. `verify` has an implementation that writes nothing. */
export type WalkSink = Pick<StreamRun, 'states' | 'page' | 'conclude' | 'recordPoll' | 'valuesOf' | 'countRequests'>;

/** The database, as the engine uses it. */
export interface Store {
  /** Takes the lock of a stream in a scope and starts a run; `busy` if another process holds the lock. */
  open(stream: Stream, scope: Scope): Promise<StreamRun | 'busy'>;
  /** One listing for every distinct combination of the parameters among the live rows of the parent. */
  childListings(parent: Parent, scope: Scope): Promise<readonly Listing[]>;
  /**
   * When the least recently certified listing of the stream in the scope was certified; null if a listing has no
   * complete certificate. A stream without listings takes the time of its parent.
   */
  certifiedAt(stream: Stream, scope: Scope): Promise<Date | null>;
  /** Stored state of the stream's listings in the scope, by key. */
  states(stream: Stream, scope: Scope): Promise<ReadonlyMap<string, ListingState>>;
  /** The stored dialect; `FIRST_DIALECT` before the first response. */
  dialect(stream: Stream, scope: Scope): Promise<Dialect>;
  /** Values of a column among the live rows of a stream in a scope. */
  liveValues(stream: Stream, scope: Scope, column: string): Promise<readonly string[]>;
  /** Values of a column whose rows were all marked as gone at least `LEAST_DISTANCE_MS` ago. */
  goneValues(stream: Stream, scope: Scope, column: string): Promise<readonly string[]>;
}
