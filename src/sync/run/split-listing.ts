import type { Scope } from '../../core/account.ts';
import { areFew, type Certificate, type Evidence, gravest, type Reason } from '../../core/certificate.ts';
import { isReadToCap, type PlannedListing } from '../../core/due.ts';
import { DatabaseError, SyncError } from '../../core/errors.ts';
import type { PageSource } from '../../core/ports.ts';
import type { Conclusion, Hint, ListingState, PageResult, PageWrite, Store, WalkSink } from '../../core/store.ts';
import { fixedListings, part } from '../../core/stream/endpoint.ts';
import type { Split } from '../../core/stream/stream.ts';
import type { Explanation } from '../../core/sweep.ts';
import { judge } from '../../core/walk/poll.ts';
import { PageReader } from './page-reader.ts';
import { hasUnconfirmedRows, type ListingResult, type ListingWalk, walkListing } from './walk-listing.ts';

interface SplitParts {
  readonly source: PageSource;
  readonly store: Store;
  readonly scope: Scope;
}

/** Number of concurrent parts if requests are plentiful: one is read while Postgres writes the rows of the other. */
const PARALLEL_PARTS = 2;

/**
 * Reads a list in parts if it exceeds its cap or has more equal times than fit a page: one part for every value of an
 * immutable column. The parts are the whole list only if all values are known. So the values are read again, and a value
 * on the list's own first or last page that no source knows, or a row without a value, leaves the list capped
 * (docs/decisions.md D2). A part that exceeds the cap itself is read up to the cap; its rows are stored, and the list
 * stays capped.
 */
export async function splitListing(
  { source, store, scope }: SplitParts,
  whole: ListingWalk,
  unsplit: ListingResult,
): Promise<Certificate> {
  const { stream, listing, sink, signal } = whole;
  const began = whole.now();
  const { split } = stream;
  if (split === undefined) return unsplit.certificate;
  const parameter = split.parameter;
  const certified = (await store.certifiedAt(split.stream, scope)) !== null;
  const current = certified ? await valuesNow({ source, store, scope }, split, whole) : null;
  const listed = [...(await store.liveValues(split.stream, scope, split.column)), ...(current ?? [])];
  const before = new Set([...(await sink.valuesOf(parameter, 'before')), ...listed]);
  const known = new Set([...(await sink.valuesOf(parameter, 'ever')), ...listed]);
  const gone = new Set(current === null ? [] : await store.goneValues(split.stream, scope, split.column));
  // If the list lost rows, its parts have to confirm it, so earlier results of the parts do not count.
  const hasUnconfirmed = hasUnconfirmedRows(unsplit.certificate);
  const isPlausible = hasUnconfirmed && unsplit.certificate.kind === 'complete';
  const explain = (value: string): Explanation => {
    if (current === null || current.has(value)) return isPlausible ? 'likely' : 'none';
    return gone.has(value) ? 'certain' : 'likely';
  };
  const states = await sink.states();
  const pieces = [...known].sort().map((value) => part(listing, parameter, value));
  if (pieces.length === 0) return hasUnconfirmed ? unsplit.certificate : await withoutParts(whole, scope);
  // With a part beyond the cap the list cannot be complete, so the other parts are not read more often than necessary.
  const isHopeless = pieces.some(({ key }) => states.get(key)?.reason === 'capped');
  const mode = hasUnconfirmed ? 'full' : whole.mode;
  const modeOf = (state: ListingState | null) => (isHopeless ? modeOfPart(whole, state, scope) : mode);
  // Keep certificate and kind of walk only: the sampled rows of hundreds of parts would be most of a run's memory.
  const read: Pick<ListingResult, 'certificate' | 'walk' | 'showsAll' | 'changed'>[] = [];
  await forEachConcurrently(pieces, whole.reader.isPlentiful ? PARALLEL_PARTS : 1, async (piece) => {
    signal.throwIfAborted();
    const state = states.get(piece.key) ?? null;
    const origin = { ...whole.origin, params: piece.params };
    const { certificate, walk, showsAll, changed } = await walkListing({
      ...whole,
      mode: modeOf(state),
      listing: piece,
      state,
      origin,
      hasParts: false,
      wholeEnd: unsplit.capped === null || unsplit.capped.isDeclared ? null : unsplit.capped.cap,
      explained: explain(piece.params[parameter] ?? ''),
    });
    read.push({ certificate, walk, showsAll, changed });
  });
  const parts = read.map(({ certificate }) => certificate);
  const stray = unsplit.sample.some((row) => {
    const value = row[parameter];
    return typeof value !== 'string' || !before.has(value);
  });
  const reasons: Reason[] = parts.flatMap((one) => (one.kind === 'incomplete' ? [one.reason] : []));
  if (unsplit.suspect !== null) reasons.push(unsplit.suspect);
  if (stray || current === null)
    reasons.push(hasUnconfirmed ? 'suspicious-shrink' : unsplit.capped === null ? 'ties' : 'capped');
  // If parts were only polled, their certificates are older, so the certificate of the whole list is not renewed.
  const renewed = mode === 'full' || read.every(({ walk }) => walk === 'full');
  // Rows of a value that no source knows may lie between the first and the last page. A cap that was only suspected
  // counts on rows that the list had before.
  const isKnownToLack = unsplit.capped?.isDeclared === true && renewed;
  if (isKnownToLack && !areFew(lackingIn(unsplit, parts), unsplit.certificate.evidence.distinct)) reasons.push('count');
  const reason = gravest(reasons);
  const evidence = evidenceOf(unsplit, parts, reason === null);
  const certificate: Certificate =
    reason === null ? { kind: 'complete', proof: 'split', evidence } : { kind: 'incomplete', reason, evidence };
  const checkpoint = certificate.kind === 'complete' ? withoutCeiling(unsplit, evidence) : unsplit.checkpoint;
  const hint = hintAfter(whole.state, unsplit, unsplit.changed || read.some(({ changed }) => changed));
  if (certificate.kind === 'incomplete' || renewed) {
    return sink.conclude({ listing, certificate, checkpoint, sweep: null, hint, tookMs: whole.now() - began });
  }
  const contentForMs = read.every(({ showsAll }) => showsAll) ? whole.now() - began : null;
  await sink.recordPoll(listing, { hint, checkpoint, contentForMs });
  return certificate;
}

/** Updates the hint of the whole list from the changes in its parts. Null keeps the stored one. */
function hintAfter(state: ListingState | null, { checkpoint }: ListingResult, changed: boolean): Hint | null {
  if (state?.checkpoint?.lastUpdateTime == null || !changed) return null;
  return judge(state.hint, checkpoint.lastUpdateTime !== state.checkpoint.lastUpdateTime, changed);
}

/** No values are known to split by, so only the visible part of the list is read. */
async function withoutParts(whole: ListingWalk, scope: Scope): Promise<Certificate> {
  const mode = modeOfPart(whole, whole.state, scope);
  const { certificate } = await walkListing({ ...whole, mode, readsToCap: true });
  return certificate;
}

/** Mode of a part: once proven, or read up to its cap, it is only polled until its next full walk is due. */
function modeOfPart(
  { reconcileEveryMs, now }: ListingWalk,
  state: ListingState | null,
  { enterpriseProjectId }: Scope,
): PlannedListing['mode'] {
  if (state?.checkpoint === null || state?.certifiedUnder !== enterpriseProjectId) return 'full';
  const readAt = isReadToCap(state, enterpriseProjectId)
    ? (state.checkpoint.readAtMs ?? 0)
    : state.certificate === 'complete'
      ? (state.certifiedAt?.getTime() ?? 0)
      : 0;
  return now() - readAt >= reconcileEveryMs ? 'full' : 'poll';
}

/** Combined evidence of the parts, with the number of rows that they are known to lack. */
function evidenceOf(unsplit: ListingResult, parts: readonly Certificate[], isComplete: boolean): Evidence {
  const add = (pick: (evidence: Evidence) => number) => parts.reduce((sum, { evidence }) => sum + pick(evidence), 0);
  const { outOfSight: _, unconfirmed: __, confirmFrom: ___, ...whole } = unsplit.certificate.evidence;
  const distinct = add((one) => one.distinct);
  const outOfSight = Math.max(
    lackingIn(unsplit, parts),
    add((one) => one.outOfSight ?? 0),
  );
  return {
    ...whole,
    distinct,
    rejects: add((one) => one.rejects),
    requests: whole.requests + add((one) => one.requests),
    parts: parts.length,
    ...(isComplete || outOfSight <= 0 ? {} : { outOfSight }),
    ...unconfirmedOf(parts),
  };
}

/** Number of rows that a capped list shows or counts and that its parts do not contain. */
function lackingIn({ certificate: { evidence }, capped }: ListingResult, parts: readonly Certificate[]): number {
  const found = parts.reduce((sum, one) => sum + one.evidence.distinct, 0);
  return capped === null ? 0 : Math.max(0, evidence.distinct + (evidence.outOfSight ?? 0) - found);
}

/** If the parts have no more rows than the list shows, a cap that was only suspected is disproved. */
function withoutCeiling({ checkpoint, capped }: ListingResult, { distinct }: Evidence): ListingResult['checkpoint'] {
  if (capped === null || capped.isDeclared || distinct > capped.cap) return checkpoint;
  const { ceiling: _, beforeCeiling: __, ...rest } = checkpoint;
  return rest;
}

/** Number of missing, unmarked rows of the parts, and when the first of them can be confirmed. */
function unconfirmedOf(parts: readonly Certificate[]): Pick<Evidence, 'unconfirmed' | 'confirmFrom'> {
  const unconfirmed = parts.reduce((sum, { evidence }) => sum + (evidence.unconfirmed ?? 0), 0);
  const times = parts.flatMap(({ evidence }) => evidence.confirmFrom ?? []);
  return {
    ...(unconfirmed === 0 ? {} : { unconfirmed }),
    ...(times.length === 0 ? {} : { confirmFrom: Math.min(...times) }),
  };
}

/**
 * The values that rows can have now, or null if they cannot be determined. The certificate of their own stream is older
 * than the walk that needs them: a value that appeared since may own rows that no page of the long list shows.
 */
export async function valuesNow(
  { source, store, scope }: SplitParts,
  { stream, column }: Split,
  { sink, origin, signal, reconcileEveryMs, now }: ListingWalk,
): Promise<ReadonlySet<string> | null> {
  const dialect = await store.dialect(stream, scope);
  const reader = new PageReader({ source, stream, scope, dialect, signal });
  const values = new ValueSink(column, sink);
  try {
    for (const listing of fixedListings(stream)) {
      const parts = { stream, listing, sink: values, reader, signal, reconcileEveryMs, now, acceptShrink: false };
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
    if (error.recovery !== 'skip' && error.recovery !== 'retry-later') throw error;
    return null;
  }
  return values.rejects > 0 ? null : values.found;
}

/** Collects the values of a column from the pages of a walk; stores only the number of requests. */
class ValueSink implements WalkSink {
  readonly found = new Set<string>();
  rejects = 0;
  readonly #column: string;
  readonly #sink: WalkSink;

  constructor(column: string, sink: WalkSink) {
    this.#column = column;
    this.#sink = sink;
  }

  async page({ rows, rejects, requests, throttled }: PageWrite): Promise<PageResult> {
    for (const { row } of rows) this.found.add(String(row[this.#column]));
    this.rejects += rejects.length;
    await this.countRequests(requests, throttled);
    return { inserted: 0, changed: new Map(), refused: 0, newDrift: [] };
  }

  countRequests(requests: number, throttled: number): Promise<void> {
    return this.#sink.countRequests(requests, throttled);
  }

  async conclude({ certificate }: Conclusion): Promise<Certificate> {
    return certificate;
  }

  async states(): Promise<ReadonlyMap<string, ListingState>> {
    return new Map();
  }

  async recordPoll(): Promise<void> {}

  async valuesOf(): Promise<readonly string[]> {
    return [];
  }
}

/**
 * Does the work for all items in order, at most `width` at a time. After a failure no further item is started; running
 * ones finish first, then the failure is thrown.
 */
export async function forEachConcurrently<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    for (let next = left.next(); !next.done && failures.length === 0; next = left.next()) {
      await work(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  if (failures.length > 0) throw failures[0];
}
