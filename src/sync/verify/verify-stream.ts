import type { Scope } from '../../core/account.ts';
import { type Certificate, gravest, NO_EVIDENCE, type Reason } from '../../core/certificate.ts';
import { coerceError, DatabaseError, SyncError } from '../../core/errors.ts';
import type { Store } from '../../core/store.ts';
import { fixedListings, type Listing } from '../../core/stream/listing.ts';
import { originOf } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { Baseline, TableReader } from '../../core/verify.ts';
import { PageReader } from '../run/page-reader.ts';
import { reasonOf } from '../run/report.ts';
import type { Engine, RunOptions } from '../run/run-stream.ts';
import { splitListing } from '../run/split-listing.ts';
import { walkListing } from '../run/walk-listing.ts';
import { Comparison, type ComparisonParts } from './compare-page.ts';
import { type Difference, Findings } from './differences.ts';

/** What a comparison of one stream in one scope found, in the words of `verify --json`. */
export interface Verification {
  readonly stream: string;
  readonly account: string;
  readonly region: string;
  readonly project_id: string;
  /** Everything was read to its proven end, and nothing differs. */
  readonly ok: boolean;
  /** `never read`: no list of it was ever certified, so the table claims nothing that could be compared; nothing was asked. */
  readonly state: 'compared' | 'never read';
  /** What the walks of this comparison proved. */
  readonly certificate: 'complete' | 'incomplete';
  readonly reason: Reason | null;
  readonly lists: number;
  readonly requests: number;
  readonly compared: number;
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  readonly volatile: number;
  readonly excused: number;
  /** Records that are no rows. */
  readonly rejected: number;
  readonly error: string | null;
  readonly differences: readonly Difference[];
}

export interface VerifyOptions extends Pick<RunOptions, 'signal' | 'onPage' | 'onListings'> {
  /** Differences to remember for each stream and scope. */
  readonly keep: number;
}

export interface VerifyContext {
  readonly tables: TableReader;
  /** Lists that the parent's rows name now, besides those of the table. */
  readonly lists: readonly Listing[];
  readonly parentProven: boolean;
  readonly children: ComparisonParts['children'];
}

/** Reads all lists of a stream in a scope to their ends and compares them with its table. Writes nothing at all. */
export async function verifyStream(
  engine: Engine,
  stream: Stream,
  scope: Scope,
  { tables, lists, parentProven, children }: VerifyContext,
  options: VerifyOptions,
): Promise<Verification> {
  const findings = new Findings(stream, options.keep);
  const certificates: Certificate[] = [];
  const reasons: Reason[] = parentProven ? [] : ['parents'];
  let listings: readonly Listing[] = [];
  let error: Error | null = null;
  let state: Verification['state'] = 'compared';
  try {
    const baseline = await tables.baseline(stream, scope);
    if (await isNeverRead(engine.store, stream, scope, baseline)) {
      state = 'never read';
      reasons.push('not-asked');
    } else {
      const sink = new Comparison({ tables, stream, scope, baseline, findings, children });
      listings = await listingsOf(engine, stream, scope, lists);
      options.onListings?.(listings);
      const dialect = await engine.store.dialect(stream, scope);
      const reader = new PageReader({ source: engine.source, stream, scope, dialect, signal: options.signal });
      for (const listing of listings) {
        options.signal.throwIfAborted();
        certificates.push(await verifyListing(engine, stream, scope, listing, sink, reader, options));
      }
      await sink.findSurplus();
    }
  } catch (thrown) {
    error = coerceError(thrown);
    if (error instanceof DatabaseError || !(error instanceof SyncError || options.signal.aborted)) throw error;
    reasons.push(reasonOf(error));
  }
  for (const one of certificates) if (one.kind === 'incomplete') reasons.push(one.reason);
  const reason = gravest(reasons);
  const { requests, compared, missing, extra, changed, volatile, excused, rejected, differences } = findings;
  return {
    stream: stream.name,
    account: scope.account,
    region: scope.region,
    project_id: scope.projectId,
    ok: reason === null && missing + extra + changed === 0,
    state,
    certificate: reason === null ? 'complete' : 'incomplete',
    reason,
    lists: listings.length,
    requests,
    compared,
    missing,
    extra,
    changed,
    volatile,
    excused,
    rejected,
    error: error?.message ?? null,
    differences,
  };
}

/** A table that was never certified, or whose certificates were forgotten, excuses every difference. */
async function isNeverRead(store: Store, stream: Stream, scope: Scope, baseline: Baseline): Promise<boolean> {
  if ([...baseline.certified.values()].some((since) => since !== null)) return false;
  if (!baseline.wasComplete) return true;
  // Without a parent's row there is no list, and a run that read none of them was complete.
  return stream.parent === undefined || (await store.childListings(stream.parent, scope)).length > 0;
}

/** The lists the table names, and those that it would name if its parent were up to date. */
async function listingsOf(
  { store }: Engine,
  stream: Stream,
  scope: Scope,
  lists: readonly Listing[],
): Promise<readonly Listing[]> {
  if (stream.parent === undefined) return fixedListings(stream);
  const stored = await store.childListings(stream.parent, scope);
  return [...new Map([...stored, ...lists].map((one) => [one.key, one])).values()];
}

async function verifyListing(
  engine: Engine,
  stream: Stream,
  scope: Scope,
  listing: Listing,
  sink: Comparison,
  reader: PageReader,
  { signal, onPage }: VerifyOptions,
): Promise<Certificate> {
  const walk = {
    stream,
    listing,
    mode: 'full',
    state: null,
    origin: originOf(scope, listing, engine.timeZone),
    sink: sink,
    reader,
    now: () => engine.clock.now(),
    acceptShrink: false,
    reconcileEveryMs: engine.reconcileEveryMs(stream),
    signal,
    onPage: (progress) => onPage?.(progress),
    onDrift: () => {},
  } as const satisfies Parameters<typeof walkListing>[0];
  try {
    const result = await walkListing(walk);
    return result.needsParts ? await splitListing(engine, scope, walk, result) : result.certificate;
  } catch (error) {
    if (!(error instanceof SyncError) || error.recovery !== 'skip') throw error;
    return sink.conclude({
      listing,
      certificate: { kind: 'incomplete', reason: 'refused', evidence: NO_EVIDENCE },
      checkpoint: null,
      sweep: null,
    });
  }
}
