import type { Scope } from '../../core/account.ts';
import {
  type Certificate,
  type Evidence,
  gravest,
  NO_EVIDENCE,
  proofOf,
  type Reason,
  reasonOf,
  sumOfEvidence,
} from '../../core/certificate.ts';
import { type ContentPolicy, type DuePolicy, dueListings, isHot, type PlannedListing } from '../../core/due.ts';
import { coerceError, DatabaseError, refusalOf, SyncError } from '../../core/errors.ts';
import type { Clock, Logger, PageSource } from '../../core/ports.ts';
import type { RunOutcome, RunReport, Store, StreamRun, WalkKind } from '../../core/store.ts';
import { fixedListings, type Listing } from '../../core/stream/endpoint.ts';
import { originOf } from '../../core/stream/record.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import { NewestShown } from './page-filters.ts';
import type { Progress } from './page-flow.ts';
import { PageReader } from './page-reader.ts';
import { readWindows, windowPolicyOf } from './read-windows.ts';
import { splitListing } from './split-listing.ts';
import { type ListingWalk, walkListing } from './walk-listing.ts';

/** The services that runs use. */
export interface Engine {
  readonly source: PageSource;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Zone of times without one. */
  readonly timeZone: string;
  /** How often a full walk renews a stream's certificates, in ms. */
  readonly reconcileEveryMs: (stream: Stream) => number;
  /** How far back lists with windows are read, in ms; default 90 days. */
  readonly sinceMs?: (stream: Stream) => number;
  /** Maximum age of content that polls do not show, with the cost limit; null or absent: only `reconcileEveryMs` applies. */
  readonly content?: (stream: Stream, scope: Scope) => ContentPolicy | null;
}

/** Options of a run. */
export interface RunOptions {
  readonly signal: AbortSignal;
  /** Walk all listings in full, even certified ones. */
  readonly full?: boolean;
  /** Accept that missing rows are gone, without confirmation. */
  readonly acceptShrink?: boolean;
  /** No further listing is started from this time on, in ms; the next run continues. */
  readonly until?: number;
  readonly onListings?: (listings: readonly Listing[]) => void;
  readonly onPage?: (progress: Progress) => void;
}

/** Results of a run so far. */
interface Tally {
  readonly certificates: Certificate[];
  readonly walks: Set<WalkKind>;
  readonly refusals: Error[];
  /** Errors of lists that the API did not answer for. */
  readonly failures: Error[];
  listings: readonly Listing[];
  notAsked: number;
  /** Lists that are due were read by the unfinished runs that this one continues. */
  resumed: boolean;
}

/** What the functions of one run share. */
interface RunContext extends StreamScope {
  readonly engine: Engine;
  readonly options: RunOptions;
  readonly run: StreamRun;
  readonly tally: Tally;
}

/** The order of listings is planned again after this time, because reading them can take hours under a quota. */
const REPLAN_MS = 10 * 60_000;

/** Consecutive failed lists that end the run: `before` the first list that was read or refused, and `after` it. */
const MOST_FAILURES = { before: 3, after: 10 };

/** Reads the due listings of a stream in a scope, and records one row in `sync.runs`. Throws only DatabaseError. */
export async function runStream(
  engine: Engine,
  { stream, scope }: StreamScope,
  options: RunOptions,
): Promise<RunReport> {
  const run = await engine.store.open(stream, scope);
  if (run === 'busy') return busyReport(stream, scope);
  const tally: Tally = {
    certificates: [],
    walks: new Set(),
    refusals: [],
    failures: [],
    listings: [],
    notAsked: 0,
    resumed: false,
  };
  const context: RunContext = { engine, stream, scope, options, run, tally };
  try {
    let outcome: RunOutcome;
    try {
      const { isCutShort } = await readAll(context);
      outcome = isCutShort ? cutShort(tally) : await concluded(context);
    } catch (error) {
      outcome = stopped(tally, options.signal.aborted ? null : coerceError(error));
    }
    const report = await run.finish(outcome);
    logReport(engine.logger, report, outcome.error);
    // The run is recorded as failed, and the caller has to know that the database was the cause.
    if (outcome.error instanceof DatabaseError) throw outcome.error;
    return report;
  } finally {
    await run.close();
  }
}

async function readAll(context: RunContext): Promise<{ readonly isCutShort: boolean }> {
  const { engine, stream, scope, options, run, tally } = context;
  const { source, store, clock } = engine;
  const { signal, full = false, until = Number.POSITIVE_INFINITY, onListings } = options;
  await run.sweepOrphans();
  const reader = new PageReader({ source, stream, scope, dialect: await store.dialect(stream, scope), signal });
  const read = new Set<string>();
  let inARow = 0;
  const isDown = () => inARow >= (tally.certificates.length === 0 ? MOST_FAILURES.before : MOST_FAILURES.after);
  while (!isDown()) {
    tally.listings =
      stream.parent === undefined ? fixedListings(stream) : await store.childListings(stream.parent, scope);
    const due: DuePolicy = {
      now: clock.now(),
      reconcileEveryMs: engine.reconcileEveryMs(stream),
      full,
      editedAt: run.editedAt,
      skipCertifiedSince: run.skipCertifiedSince,
      skipWalkedSince: run.skipWalkedSince,
      enterpriseProjectId: scope.enterpriseProjectId,
      content: engine.content?.(stream, scope) ?? null,
      isSplit: stream.split !== undefined,
    };
    const { planned, notAsked } = dueListings(tally.listings, await run.states(), due);
    tally.notAsked = notAsked;
    const left = planned.filter(({ listing }) => !read.has(listing.key));
    if (read.size === 0) {
      onListings?.(left.map(({ listing }) => listing));
      tally.resumed = left.length + notAsked < tally.listings.length;
    }
    if (left.length === 0) break;
    const replanAt = clock.now() + REPLAN_MS;
    for (const [index, plan] of left.entries()) {
      const isOver = clock.now() >= until && read.size > 0;
      if (isOver || isDown()) tally.notAsked += left.length - index;
      if (isOver) return { isCutShort: true };
      if (isDown() || clock.now() >= replanAt) break;
      signal.throwIfAborted();
      read.add(plan.listing.key);
      const outcome = await readOne(context, { reader, due }, plan);
      inARow = outcome === 'no answer' ? inARow + 1 : 0;
      if (reader.learnt) await run.storeDialect(reader.dialect);
      reader.learnt = false;
      if (outcome !== 'time is over') continue;
      tally.notAsked += left.length - index;
      return { isCutShort: true };
    }
  }
  const [failure] = tally.failures;
  if (failure !== undefined && tally.certificates.length === tally.refusals.length && !tally.resumed) throw failure;
  return { isCutShort: false };
}

/**
 * Reads one listing, unless the API does not answer or the time of the run is over. A refused listing is recorded,
 * which keeps its rows from being swept. In all cases the run goes on with the others.
 */
async function readOne(
  { engine, stream, scope, options, run, tally }: RunContext,
  { reader, due }: { readonly reader: PageReader; readonly due: DuePolicy },
  { listing, mode, state, proveContent = false }: PlannedListing,
): Promise<'read' | 'no answer' | 'time is over'> {
  const { signal, acceptShrink = false, until = Number.POSITIVE_INFINITY, onPage } = options;
  const { split, window } = stream;
  const walk = {
    stream,
    hasParts: split !== undefined && (await engine.store.certifiedAt(split.stream, scope)) !== null,
    listing,
    mode,
    state,
    proveContent,
    now: () => engine.clock.now(),
    origin: originOf(scope, listing, engine.timeZone),
    sink: run,
    reader,
    acceptShrink,
    reconcileEveryMs: engine.reconcileEveryMs(stream),
    signal,
    onPage: (progress) => onPage?.(progress),
    newest: new NewestShown(stream),
    onDrift: (drift) => engine.logger.warn({ stream: stream.name, drift }, 'the API differs from its documents'),
  } satisfies ListingWalk;
  try {
    if (window !== undefined) {
      const policy = () => windowPolicyOf(engine, stream, window);
      const { certificate, walks } = await readWindows({ whole: walk, due, policy, until });
      for (const kind of walks) tally.walks.add(kind);
      if (certificate === null) return 'time is over';
      tally.certificates.push(certificate);
      return 'read';
    }
    const result = await walkListing(walk);
    tally.walks.add(result.walk);
    tally.certificates.push(
      result.needsParts ? await splitListing({ ...engine, scope }, walk, result) : result.certificate,
    );
  } catch (error) {
    if (!(error instanceof SyncError) || error instanceof DatabaseError || signal.aborted) throw error;
    if (error.recovery === 'retry-later') {
      engine.logger.warn({ stream: stream.name, listing: listing.key }, error.message);
      tally.failures.push(error);
      // Records the attempt, so that the other lists come first next time and this one is not always the first.
      await run.recordFailure(listing);
      return 'no answer';
    }
    if (error.recovery !== 'skip') throw error;
    tally.refusals.push(error);
    const certificate = { kind: 'incomplete', reason: 'refused', evidence: NO_EVIDENCE } as const;
    tally.certificates.push(certificate);
    await run.conclude({ listing, certificate, checkpoint: null, sweep: null });
  }
  return 'read';
}

/** Outcome when no due listing is left: complete if all listings and their parents are. */
async function concluded({ engine, stream, scope, run, tally }: RunContext): Promise<RunOutcome> {
  const { store } = engine;
  const { listings, certificates, refusals, failures, walks, resumed } = tally;
  const states = await run.states();
  const stored = listings.map(({ key }) => states.get(key));
  const reasons: Reason[] = certificates.flatMap((one) => (one.kind === 'incomplete' ? [one.reason] : []));
  for (const state of stored) {
    if (state?.certificate === 'complete') continue;
    reasons.push((state?.certificate === 'incomplete' ? state.reason : null) ?? 'not-asked');
  }
  if (failures.length > 0) reasons.push('interrupted');
  const parentAt = stream.parent === undefined ? null : await store.certifiedAt(stream.parent.stream, scope);
  if (stream.parent !== undefined && parentAt === null) reasons.push('parents');
  const reason = gravest(reasons);
  const certifiedAt = stored.flatMap((state) => state?.certifiedAt ?? []);
  // The parent's certificate proves that there are no lists.
  const readAt = listings.length === 0 && parentAt !== null ? [parentAt] : certifiedAt;
  // Cold lists are not read in every run; the evidence has their number.
  const contentAt = listings.flatMap((listing) => {
    const state = states.get(listing.key) ?? null;
    return isHot(listing, state) ? (state?.contentAt ?? []) : [];
  });
  const { proof, evidence } = proofOf(stored.flatMap((state) => (state?.certificate === 'complete' ? [state] : [])));
  // A run that failed would leave the lists of the runs that it continues unread.
  const nothingRead = !resumed && refusals.length > 0 && refusals.length === certificates.length;
  const refusal = nothingRead ? refusalOf(refusals) : null;
  return {
    status: reason === null ? 'succeeded' : nothingRead ? 'failed' : 'incomplete',
    walk: (['full', 'head', 'probe'] as const).find((kind) => walks.has(kind)) ?? null,
    certificate: reason === null ? 'complete' : 'incomplete',
    certifiedAt: reason === null ? oldestOf(readAt) : null,
    contentAt: reason === null ? oldestOf(contentAt) : null,
    proof: reason === null ? proof : null,
    reason,
    evidence: { ...sum(tally), ...evidence, ...(refusal === null ? {} : { refusal }) },
    error: failures[0] ?? refusals[0] ?? null,
  };
}

function oldestOf(times: readonly Date[]): Date | null {
  return times.length === 0 ? null : new Date(Math.min(...times.map((time) => time.getTime())));
}

/** Outcome if the time was over before all listings were read. */
function cutShort(tally: Tally): RunOutcome {
  return { ...stopped(tally, null), error: tally.failures[0] ?? null };
}

/** Outcome of a run that ended early. `error` is null if it was aborted by its signal. */
function stopped(tally: Tally, error: Error | null): RunOutcome {
  return {
    status: error === null ? 'incomplete' : 'failed',
    walk: null,
    certificate: 'incomplete',
    certifiedAt: null,
    contentAt: null,
    proof: null,
    reason: reasonOf(error),
    evidence: sum(tally),
    error,
  };
}

function sum({ certificates, listings, notAsked }: Tally): Evidence {
  const all = certificates.map(({ evidence }) => evidence);
  const [only] = all;
  if (only !== undefined && listings.length === 1) return only;
  return { ...sumOfEvidence(all), listings: listings.length, ...(notAsked === 0 ? {} : { notAsked }) };
}

/** Report of a run that did nothing because another process is reading the stream. */
export function busyReport(stream: Stream, scope: Scope): RunReport {
  return {
    stream: stream.name,
    account: scope.account,
    region: scope.region,
    project_id: scope.projectId,
    status: 'busy',
    certificate: null,
    certified_at: null,
    reason: null,
    walk: null,
    requests: 0,
    throttled: 0,
    records: 0,
    inserted: 0,
    updated: 0,
    unchanged: 0,
    deleted: 0,
    rejected: 0,
    duration_ms: 0,
    error: null,
  };
}

/** Rejects never fail a run; above this share of the records the log has a warning. */
const MANY_REJECTS = 0.05;

/** Logs a run in one line. Errors of the whole account are logged once, by its session. */
export function logReport(logger: Logger, report: RunReport, error: Error | null): void {
  const reason = report.reason === null ? '' : ` (${report.reason})`;
  const message = `${report.stream}: ${report.status}${reason}`;
  if (report.reason === 'interrupted' && report.error === null) {
    const { stream, project_id, requests } = report;
    logger.info({ stream, project_id, requests }, `${stream}: interrupted; the next run continues`);
  } else if (error instanceof SyncError && error.recovery === 'stop-account') logger.debug(report, message);
  else if (report.status === 'failed') logger.error(report, message);
  else if (report.status === 'incomplete') logger.warn(report, message);
  else logger.info(report, message);
  if (report.rejected > report.records * MANY_REJECTS) {
    logger.warn(
      { stream: report.stream, rejected: report.rejected, records: report.records },
      `${report.stream}: many records were rejected; see sync.rejected_records`,
    );
  }
}
