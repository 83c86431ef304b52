import { type Certificate, NO_EVIDENCE } from '../../core/certificate.ts';
import type { DuePolicy, PlannedListing } from '../../core/due.ts';
import { DatabaseError, SyncError } from '../../core/errors.ts';
import type { ListingState, StreamRun, WalkKind } from '../../core/store.ts';
import type { Listing } from '../../core/stream/endpoint.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { TimeWindow } from '../../core/stream/time.ts';
import {
  combineWindows,
  modeOfWindow,
  type PlannedWindow,
  planWindows,
  rowsCanLeaveWindow,
  SINCE_MS,
  type WindowPlan,
  type WindowPolicy,
} from '../../core/windows.ts';
import type { Engine } from './run-stream.ts';
import { type ListingWalk, walkListing } from './walk-listing.ts';

/** What reading windows needs in addition to reading a listing. */
export interface Windows {
  readonly whole: Omit<ListingWalk, 'sink'> & { readonly sink: StreamRun };
  readonly due: DuePolicy;
  /** How to divide the list; called again for every plan, because it contains the time. */
  readonly policy: () => WindowPolicy;
  /** No further window is started from this time on, in ms. */
  readonly until: number;
}

/** Result of reading a list window by window. */
export interface WindowsResult {
  /** Null if the time of the run was over first; then nothing is concluded about the list. */
  readonly certificate: Certificate | null;
  readonly walks: readonly WalkKind[];
}

/** After this number of consecutive windows without an answer the service counts as down. */
const MOST_FAILURES = 3;

/**
 * Reads a list window by window, the newest first, and polls the newest again after each tick, so that its poll does
 * not wait for all others. A window that exceeds the cap is read in halves from then on. The list is as complete as all
 * of its windows and as old as the oldest. Throws the first failure.
 */
export async function readWindows(windows: Windows): Promise<WindowsResult> {
  const { whole, due, until, policy } = windows;
  const { stream, sink, signal, now, proveContent = false } = whole;
  const kind = { appendOnly: stream.appendOnly === true, proveContent };
  const tickMs = due.content?.tickMs ?? Number.POSITIVE_INFINITY;
  const read = new Set<string>();
  const walks: WalkKind[] = [];
  const failures: SyncError[] = [];
  let polledAt = now();
  let inARow = 0;
  let readsOlder = false;
  for (;;) {
    const plan = await planOf(windows);
    if (plan.outdated.length > 0) await sink.forget(plan.outdated);
    const next = plan.windows.flatMap((one) => {
      const mode = read.has(one.listing.key) ? null : modeOfWindow(one, due, kind);
      return mode === null ? [] : [{ ...one, mode }];
    })[0];
    if (next === undefined || inARow >= MOST_FAILURES) break;
    if (now() >= until && read.size > 0) return { certificate: null, walks };
    signal.throwIfAborted();
    read.add(next.listing.key);
    try {
      walks.push(await readWindow(windows, next));
      inARow = 0;
    } catch (error) {
      if (!(error instanceof SyncError) || error instanceof DatabaseError || signal.aborted) throw error;
      // If the newest rows cannot be read for this reason, no rows can.
      if (error.recovery !== 'retry-later' && (error.recovery !== 'skip' || next.isNewest)) throw error;
      if (error.recovery === 'skip') await refuse(windows, next);
      else {
        failures.push(error);
        inARow += 1;
        await sink.recordFailure(next.listing);
      }
    }
    if (next.isNewest) polledAt = now();
    else {
      readsOlder = true;
      if (now() - polledAt >= tickMs) {
        await pollNewest(windows, walks);
        polledAt = now();
      }
    }
  }
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  // A row whose time changed may have left an older window before that was read, and entered the newest one afterwards.
  if (readsOlder && rowsCanLeaveWindow(stream, policy().window)) await pollNewest(windows, walks);
  return { certificate: await conclude(windows), walks };
}

async function planOf({ whole: { listing, sink }, policy }: Windows): Promise<WindowPlan> {
  return planWindows(listing, await sink.states(), policy());
}

/** How to divide the list of a stream now. */
export function windowPolicyOf(
  { clock, sinceMs, timeZone }: Pick<Engine, 'clock' | 'sinceMs' | 'timeZone'>,
  stream: Stream,
  window: TimeWindow,
): WindowPolicy {
  const appendOnly = stream.appendOnly === true;
  const { limit } = stream.paging;
  return { window, appendOnly, limit, now: clock.now(), sinceMs: sinceMs?.(stream) ?? SINCE_MS, timeZone };
}

/** The windows of a list as a run would read them now, newest first; empty if the list is read as a whole. */
export function windowsOf(
  engine: Pick<Engine, 'clock' | 'sinceMs' | 'timeZone'>,
  {
    stream,
    listing,
    states,
  }: {
    readonly stream: Stream;
    readonly listing: Listing;
    readonly states: ReadonlyMap<string, ListingState>;
  },
): readonly PlannedWindow[] {
  if (stream.window === undefined) return [];
  return planWindows(listing, states, windowPolicyOf(engine, stream, stream.window)).windows;
}

async function readWindow(
  { whole }: Windows,
  { listing, state, mode }: PlannedWindow & { readonly mode: PlannedListing['mode'] },
): Promise<WalkKind> {
  const result = await walkListing({ ...whole, listing, state, mode, hasParts: false });
  if (result.needsParts) {
    const { certificate } = result;
    await whole.sink.conclude({ listing, certificate, checkpoint: null, sweep: null });
  }
  return result.walk;
}

async function pollNewest(windows: Windows, walks: WalkKind[]): Promise<void> {
  const [newest] = (await planOf(windows)).windows;
  if (newest?.state?.certificate === 'complete') walks.push(await readWindow(windows, { ...newest, mode: 'poll' }));
}

async function refuse({ whole: { sink } }: Windows, { listing }: PlannedWindow): Promise<void> {
  const certificate = { kind: 'incomplete', reason: 'refused', evidence: NO_EVIDENCE } as const;
  await sink.conclude({ listing, certificate, checkpoint: null, sweep: null });
}

async function conclude(windows: Windows): Promise<Certificate> {
  const { whole } = windows;
  const { listing, sink, stream } = whole;
  const plan = await planOf(windows);
  const { certificate, certifiedAt, contentAt, total } = combineWindows(plan.windows, stream.appendOnly === true);
  const asOf = certifiedAt === null || contentAt === null ? {} : { asOf: { certifiedAt, contentAt } };
  const checkpoint = { total, lastUpdateTime: null, firstPage: null, orders: [], bounded: true } as const;
  return await sink.conclude({ listing, certificate, checkpoint, sweep: null, ...asOf });
}
