import type { Scope } from '../../core/account.ts';
import { type Certificate, gravest, NO_EVIDENCE, type Reason, reasonOf } from '../../core/certificate.ts';
import { coerceError, DatabaseError, SyncError } from '../../core/errors.ts';
import type { ListingState, Store } from '../../core/store.ts';
import { fixedListings, type Listing } from '../../core/stream/endpoint.ts';
import { originOf } from '../../core/stream/record.ts';
import { inOrder, type Stream, type StreamScope } from '../../core/stream/stream.ts';
import type { TableClaims, TableReader } from '../../core/verify.ts';
import { planWindows, type WindowPolicy } from '../../core/windows.ts';
import { forEachLane, type StreamsAndScopes, type SyncOptions } from '../once.ts';
import { PageReader } from '../run/page-reader.ts';
import { windowPolicyOf } from '../run/read-windows.ts';
import type { Engine, RunOptions } from '../run/run-stream.ts';
import { splitListing } from '../run/split-listing.ts';
import { walkListing } from '../run/walk-listing.ts';
import { Comparison, type ComparisonParts, type Difference, DifferenceCollector } from './compare-page.ts';

/** Result of a comparison of one stream in one scope, with the field names of `verify --json`. */
export interface Verification {
  readonly stream: string;
  readonly account: string;
  readonly region: string;
  readonly project_id: string;
  /** Everything was read to a proven end, and nothing differs. */
  readonly ok: boolean;
  /** `never read`: no list was ever certified, so there is nothing to compare, and no request was sent. */
  readonly state: 'compared' | 'never read';
  /** What the walks of this comparison proved. */
  readonly certificate: 'complete' | 'incomplete';
  /** Why they proved nothing; null if they are complete. */
  readonly reason: Reason | null;
  readonly lists: number;
  readonly requests: number;
  /** Rows that the API listed and that were compared with the table. */
  readonly compared: number;
  /** Rows that the table lacks, rows that only the table has, and rows with another content. */
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  /** Rows that differ only in fields that change with every scan; not counted as differences. */
  readonly volatile: number;
  /** Differences that may be newer than the certificate of their list; not counted. */
  readonly excused: number;
  /** Records that are rejects. */
  readonly rejected: number;
  /** Null unless an error ended the comparison. */
  readonly error: string | null;
  readonly differences: readonly Difference[];
}

/** Options of the comparison of one stream. */
export interface VerifyOptions extends Pick<RunOptions, 'signal' | 'onPage' | 'onListings'> {
  /** Maximum number of differences to keep for each stream and scope. */
  readonly keep: number;
}

/** What the comparison of one stream needs besides its options. */
export interface VerifyContext {
  readonly tables: TableReader;
  /** Lists that the parent's rows name now, in addition to those of the table. */
  readonly lists: readonly Listing[];
  readonly parentProven: boolean;
  readonly children: ComparisonParts['children'];
}

/** Reads all lists of a stream in a scope to their end and compares them with its table. Writes nothing. */
export async function verifyStream(
  engine: Engine,
  { stream, scope }: StreamScope,
  options: VerifyContext & VerifyOptions,
): Promise<Verification> {
  const { tables, lists, parentProven, children } = options;
  const collector = new DifferenceCollector(stream, options.keep);
  const certificates: Certificate[] = [];
  const reasons: Reason[] = parentProven ? [] : ['parents'];
  let listings: readonly Listing[] = [];
  let error: Error | null = null;
  let state: Verification['state'] = 'compared';
  try {
    const claims = await tables.claims(stream, scope);
    if (await isNeverRead(engine.store, { stream, scope }, claims)) {
      state = 'never read';
      reasons.push('not-asked');
    } else {
      const sink = new Comparison({ tables, stream, scope, claims, collector, children });
      listings = await listingsOf(engine, { stream, scope }, lists);
      options.onListings?.(listings);
      const dialect = await engine.store.dialect(stream, scope);
      const reader = new PageReader({ source: engine.source, stream, scope, dialect, signal: options.signal });
      const context = { engine, stream, scope, sink, reader, options };
      for (const listing of listings) {
        options.signal.throwIfAborted();
        if (stream.window !== undefined) {
          const policy = windowPolicyOf(engine, stream, stream.window);
          const states = await engine.store.states(stream, scope);
          const read = (one: Listing) => verifyListing(context, one);
          certificates.push(...(await verifyWindows({ listing, states, policy, read })));
          continue;
        }
        const certificate = await verifyListing(context, listing);
        if (certificate !== null) certificates.push(certificate);
      }
      await sink.findExtra();
      for (const { row, table, ...texts } of await tables.strayMembers(stream, scope)) {
        collector.add({
          kind: 'changed',
          key: row,
          fields: [{ field: table, ...texts, volatile: false }],
          excused: false,
        });
      }
    }
  } catch (thrown) {
    error = coerceError(thrown);
    if (error instanceof DatabaseError || !(error instanceof SyncError || options.signal.aborted)) throw error;
    reasons.push(reasonOf(error));
  }
  for (const one of certificates) if (one.kind === 'incomplete') reasons.push(one.reason);
  const reason = gravest(reasons);
  const { requests, compared, missing, extra, changed, volatile, excused, rejected, differences } = collector;
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

/** The stream has no certificates (never read, or reset), so every difference would be excused. */
async function isNeverRead(store: Store, { stream, scope }: StreamScope, claims: TableClaims): Promise<boolean> {
  if ([...claims.certified.values()].some((since) => since !== null)) return false;
  if (!claims.wasComplete) return true;
  // Without parent rows there are no lists, and a run that read none was complete.
  return stream.parent === undefined || (await store.childListings(stream.parent, scope)).length > 0;
}

/** The lists that the table names, and those that it would name if its parent were up to date. */
async function listingsOf(
  { store }: Engine,
  { stream, scope }: StreamScope,
  lists: readonly Listing[],
): Promise<readonly Listing[]> {
  if (stream.parent === undefined) return fixedListings(stream);
  const stored = await store.childListings(stream.parent, scope);
  return [...new Map([...stored, ...lists].map((one) => [one.key, one])).values()];
}

interface WindowsToVerify {
  readonly listing: Listing;
  readonly states: ReadonlyMap<string, ListingState>;
  readonly policy: WindowPolicy;
  /** Returns null if the window exceeds the cap. */
  readonly read: (window: Listing) => Promise<Certificate | null>;
}

/** Reads the same windows as a run, each to its end, and halves of those that exceed the cap. */
async function verifyWindows({ listing, states, policy, read }: WindowsToVerify): Promise<readonly Certificate[]> {
  const known = new Map(states);
  const certificates = new Map<string, Certificate>();
  for (;;) {
    const { windows } = planWindows(listing, known, policy);
    const next = windows.find((one) => !certificates.has(one.listing.key));
    if (next === undefined) return [...certificates.values()];
    const certificate = await read(next.listing);
    if (certificate === null) known.set(next.listing.key, { ...(next.state ?? UNREAD), ...TOO_LONG });
    else certificates.set(next.listing.key, certificate);
  }
}

const TOO_LONG = { certificate: 'incomplete', reason: 'capped' } as const;

const UNREAD: ListingState = {
  ...TOO_LONG,
  certifiedAt: null,
  certifiedSince: null,
  proof: null,
  contentAt: null,
  evidence: null,
  checkpoint: null,
  enterpriseProjectId: '',
  certifiedUnder: null,
  walkedAt: null,
  failedAt: null,
  changedAt: null,
  hint: null,
};

interface ListingContext extends StreamScope {
  readonly engine: Engine;
  readonly sink: Comparison;
  readonly reader: PageReader;
  readonly options: VerifyOptions;
}

/** Reads a listing to its end. Returns null for a window that has to be read in halves. */
async function verifyListing(
  { engine, stream, scope, sink, reader, options }: ListingContext,
  listing: Listing,
): Promise<Certificate | null> {
  const { signal, onPage } = options;
  const walk = {
    stream,
    listing,
    mode: 'full',
    state: null,
    origin: originOf(scope, listing, engine.timeZone),
    sink,
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
    if (result.needsParts && listing.window !== undefined) return null;
    return result.needsParts ? await splitListing({ ...engine, scope }, walk, result) : result.certificate;
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

/** Options of `verifyAll`. */
export interface VerifyAllOptions extends Pick<SyncOptions, 'signal' | 'watch'>, Pick<VerifyOptions, 'keep'> {
  readonly onVerified?: (verification: Verification) => void;
}

/**
 * Compares every stream in every scope with what the API lists now. Parents come first, because they name further
 * lists.
 */
export async function verifyAll(
  { engine, tables }: { readonly engine: Engine; readonly tables: TableReader },
  { streams, scopes }: StreamsAndScopes,
  { signal, watch, keep, onVerified }: VerifyAllOptions,
): Promise<readonly Verification[]> {
  const ordered = inOrder(streams);
  const results: Verification[] = [];
  const proven = new Set<string>();
  const named = new Map<string, Map<string, Listing>>();
  const nameOf = (stream: Stream, scope: Scope) => `${scope.projectId}/${stream.name}`;
  const listsOf = (stream: Stream, scope: Scope) => {
    const lists = named.get(nameOf(stream, scope)) ?? new Map<string, Listing>();
    named.set(nameOf(stream, scope), lists);
    return lists;
  };
  await forEachLane(ordered, scopes, async (stream, scope) => {
    const children = ordered.flatMap((child) =>
      child.parent?.stream === stream ? [{ parent: child.parent, lists: listsOf(child, scope) }] : [],
    );
    const { parent } = stream;
    const verification = await verifyStream(
      engine,
      { stream, scope },
      {
        ...{
          tables,
          lists: [...listsOf(stream, scope).values()],
          parentProven: parent === undefined || proven.has(nameOf(parent.stream, scope)),
          children,
        },
        ...{ signal, keep, ...watch?.(stream, scope) },
      },
    );
    if (verification.certificate === 'complete') proven.add(nameOf(stream, scope));
    onVerified?.(verification);
    results.push(verification);
  });
  return results;
}
