/**
 * Divides a list that is requested between two times into windows (docs/decisions.md D2). The newest window has no end
 * and is polled. Once it is long enough, and late rows have had time to arrive, it is closed and a new one begins. The
 * stored states are the only memory of the windows: each run plans them again from these, and windows keep their
 * bounds.
 *
 * @module
 */

import { type Certificate, type Evidence, gravest, NO_EVIDENCE } from './certificate.ts';
import { type DuePolicy, hasEdits, modeOf, type PlannedListing } from './due.ts';
import type { ListingState } from './store.ts';
import type { Listing } from './stream/endpoint.ts';
import type { Stream } from './stream/stream.ts';
import {
  DAY_MS,
  HOUR_MS,
  instantIn,
  type Span,
  shownOnce,
  spanParams,
  type TimeWindow,
  wallClockIn,
} from './stream/time.ts';

/** Bounds of a window, as in its key in `sync.listings`, in ms. */
interface Bounds {
  readonly from: number;
  /** Null for the newest window. */
  readonly to: number | null;
}

interface StoredWindow extends Bounds {
  readonly key: string;
  readonly state: ListingState;
}

/** A window with its stored state; null if it was never read. */
export interface PlannedWindow {
  readonly listing: Listing & Required<Pick<Listing, 'window'>>;
  readonly state: ListingState | null;
  readonly isNewest: boolean;
  /** A walk that begins at or after this time, in ms, shows all rows of the window, including late ones. */
  readonly settledFrom: number;
}

/** Settings that decide how a list is divided. */
export interface WindowPolicy {
  readonly window: TimeWindow;
  readonly appendOnly: boolean;
  /** Maximum number of rows of a page. */
  readonly limit: number;
  /** In ms since 1970. */
  readonly now: number;
  /** How far back the list is read, in ms. */
  readonly sinceMs: number;
  /** Zone of times without one. */
  readonly timeZone: string;
}

/** The windows of a list. */
export interface WindowPlan {
  /** Newest first; together they cover the whole period without overlap. */
  readonly windows: readonly PlannedWindow[];
  /** Keys of windows that are no longer part of the list. */
  readonly outdated: readonly string[];
}

/** How far back lists are read by default. */
export const SINCE_MS = 90 * DAY_MS;

const MINUTE_MS = 60_000;
/** Windows are never divided below this length. */
const SMALLEST_MS = MINUTE_MS;
/**
 * The newest window is not closed more often than this, however many rows arrive, so that the number of windows stays
 * small.
 */
const LEAST_CLOSED_MS = 60 * MINUTE_MS;
/** Share of a page: with more rows, the newest window is closed before it outgrows the page. */
const FULL_SHARE = 0.6;
/** The API refuses a signature whose time differs from its own clock by more than this. */
const CLOCKS_MS = 15 * MINUTE_MS;
/** Margin on both sides of a request, in case the API excludes the times at the ends; APIs take whole seconds. */
const EDGE_MS = 1_000;
/** Requests end this long before now, if the list may refuse an end that is ahead of the server's clock. */
const LAG_MS = 10_000;
/** A window may be requested this long after it was planned. */
const RUN_MS = 12 * HOUR_MS;

/** Plans the windows of a list from their stored states, by key. */
export function planWindows(
  base: Listing,
  states: ReadonlyMap<string, ListingState>,
  policy: WindowPolicy,
): WindowPlan {
  const { window, now, sinceMs } = policy;
  const known = knownWindows(base, states);
  const capped = known.filter((one) => isCapped(one) && canBeHalved(one, now));
  const usable = known.filter((one) => !capped.includes(one));
  const earliest = wholeMinute(now - Math.min(sinceMs, window.keepMs ?? Number.POSITIVE_INFINITY));
  const newest = Math.max(earliest, newestFrom(known, capped, policy));
  const bounds: Bounds[] = [{ from: newest, to: null }];
  for (let to = newest; to > earliest; ) {
    const from = closedFrom({ usable, capped, earliest }, to, window);
    bounds.push({ from, to });
    to = from;
  }
  const planned = bounds.map((one) => ({ ...one, key: keyOf(base, one) }));
  const keys = new Set(planned.map(({ key }) => key));
  const isOver = (one: StoredWindow) => (one.to ?? one.from) <= earliest;
  return {
    windows: planned.map(({ key, ...one }) => ({
      listing: {
        ...base,
        key,
        window: windowOf(one, policy, base.timeZone ?? policy.timeZone),
      },
      state: states.get(key) ?? null,
      isNewest: one.to === null,
      settledFrom: (one.to ?? now) + window.marginMs + CLOCKS_MS,
    })),
    outdated: known.filter((one) => !keys.has(one.key) && (!capped.includes(one) || isOver(one))).map(({ key }) => key),
  };
}

const WINDOW = /^window=(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z)\/(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z)?$/;

function keyOf({ key }: Listing, { from, to }: Bounds): string {
  const time = (at: number) => `${new Date(at).toISOString().slice(0, 16)}Z`;
  return `${prefixOf(key)}window=${time(from)}/${to === null ? '' : time(to)}`;
}

function prefixOf(key: string): string {
  return key === '' ? '' : `${key}&`;
}

function knownWindows({ key: base }: Listing, states: ReadonlyMap<string, ListingState>): readonly StoredWindow[] {
  const prefix = prefixOf(base);
  return [...states].flatMap(([key, state]) => {
    const [, from, to] = (key.startsWith(prefix) ? WINDOW.exec(key.slice(prefix.length)) : null) ?? [];
    if (from === undefined) return [];
    return [{ key, state, from: Date.parse(from), to: to === undefined ? null : Date.parse(to) }];
  });
}

function isCapped({ state }: StoredWindow): boolean {
  return state.certificate === 'incomplete' && state.reason === 'capped';
}

function canBeHalved({ from, to }: Bounds, now: number): boolean {
  return (to ?? now) - from >= 2 * SMALLEST_MS;
}

function middleOf(from: number, to: number): number {
  return wholeMinute((from + to) / 2);
}

function wholeMinute(at: number): number {
  return Math.floor(at / MINUTE_MS) * MINUTE_MS;
}

/**
 * Maximum length of a window, in ms. One request may not span more than the API allows, or it silently returns less.
 * The newest window keeps growing until it is closed, and while it is read.
 */
function widest({ maxMs, marginMs, aheadMs }: TimeWindow): number {
  return wholeMinute(Math.max(maxMs / 2, maxMs - 2 * marginMs - CLOCKS_MS - aheadMs - RUN_MS));
}

/** Start of the newest window. It stays until the window is long enough to be closed, or exceeds the cap. */
function newestFrom(known: readonly StoredWindow[], capped: readonly StoredWindow[], policy: WindowPolicy): number {
  const { window, now } = policy;
  const settled = wholeMinute(now - window.marginMs - CLOCKS_MS);
  const [newest] = known.filter(({ to }) => to === null).toSorted((a, b) => b.from - a.from);
  if (newest === undefined) return settled;
  if (capped.includes(newest)) return middleOf(newest.from, now);
  const length = settled - newest.from;
  return isLongEnough(newest, length, policy) ? settled : newest.from;
}

/**
 * For a list that only grows, each day is read once more when it is over, then never again. If rows change, a poll that
 * finds a new row has to read the whole newest window, so that one is limited to a page.
 */
function isLongEnough({ state }: StoredWindow, length: number, { window, appendOnly, limit }: WindowPolicy): boolean {
  if (length >= widest(window)) return true;
  if (appendOnly) return length >= DAY_MS;
  return length >= LEAST_CLOSED_MS && (state.checkpoint?.total ?? 0) >= limit * FULL_SHARE;
}

/** Start of the closed window that ends at `to`: the stored one, otherwise as early as allowed. */
function closedFrom(
  {
    usable,
    capped,
    earliest,
  }: { readonly usable: readonly StoredWindow[]; readonly capped: readonly StoredWindow[]; readonly earliest: number },
  to: number,
  window: TimeWindow,
): number {
  const width = widest(window);
  const closed = usable.filter((one) => one.to !== null && one.from < (one.to ?? 0));
  const before = closed.filter((one) => one.to === to && to - one.from <= Math.max(width, window.maxMs / 2));
  if (before.length > 0) return Math.min(...before.map(({ from }) => from));
  const below = closed.map((one) => one.to ?? 0).filter((end) => end < to);
  const from = Math.max(earliest, to - width, ...below);
  // A capped window is read in halves. If several capped windows contain this time, the innermost one applies.
  const [inside] = capped
    .filter((one) => one.from < to && to <= (one.to ?? Number.POSITIVE_INFINITY))
    .toSorted((a, b) => b.from - a.from || (a.to ?? Number.POSITIVE_INFINITY) - (b.to ?? Number.POSITIVE_INFINITY));
  if (inside === undefined) return from;
  return Math.max(from, inside.to === to ? middleOf(inside.from, to) : inside.from);
}

function windowOf(bounds: Bounds, { window, now }: WindowPolicy, timeZone: string): Required<Listing>['window'] {
  const { from, to } = bounds;
  const kept = window.keepMs === null ? Number.NEGATIVE_INFINITY : now - window.keepMs;
  const ahead = window.aheadMs === 0 ? -LAG_MS : window.aheadMs;
  const isText = window.unit === 'text';
  // A bound in an hour that is shown twice is moved out of it, because the server may take it for either of the two.
  const first = isText ? shownOnce(timeZone, from - EDGE_MS, -1) : from - EDGE_MS;
  const last = to === null ? now + ahead : isText ? shownOnce(timeZone, to + EDGE_MS, 1) : to + EDGE_MS;
  const begin = wholeSecond(Math.max(first, kept));
  const end = wholeSecond(Math.min(last, begin + window.maxMs));
  const asked: Span = { begin, end };
  // The end of the newest window stays, because some lists refuse one in the future. So rows can be missing only up to
  // the first time at which it is shown.
  const shownTo = isText ? instantIn(timeZone, wallClockIn(timeZone, end)).getTime() : end;
  return {
    column: window.column,
    rows: { begin: from, end: to ?? shownTo },
    asked,
    params: spanParams(window, asked, timeZone),
    toleranceMs: window.marginMs,
    timeZone,
    // The hour of the last day at which a row ages out is not known.
    missedFrom: Math.max(from, kept + DAY_MS),
    mayAgeOut: window.keepMs === null,
    canBeHalved: canBeHalved(bounds, now),
  };
}

function wholeSecond(at: number): number {
  return Math.floor(at / 1_000) * 1_000;
}

/** Whether the list only grows, and whether the run has to show all of its content. */
export interface WindowReading {
  readonly appendOnly: boolean;
  readonly proveContent: boolean;
}

/**
 * How to read a window now; null if it is not due. A closed window is read to its end once it is settled. That is final
 * if the list only grows. Otherwise it is read again when its certificate is due.
 */
export function modeOfWindow(
  { state, settledFrom, isNewest, listing }: PlannedWindow,
  policy: DuePolicy,
  { appendOnly, proveContent }: WindowReading,
): PlannedListing['mode'] | null {
  const mode = modeOf({ state, hot: true }, { ...policy, isSplit: false });
  if (mode === 'done' || mode === 'skip') {
    return isNewest && state?.certificate === 'complete' ? 'poll' : null;
  }
  if (isNewest) return mode;
  const isFinal = appendOnly && isSettled({ state, settledFrom, isNewest, listing });
  const isAsked = policy.full || hasEdits(state, policy) || state?.certifiedUnder !== policy.enterpriseProjectId;
  if (mode === 'full') return isFinal && !isAsked ? null : 'full';
  const isUnsettled = !isSettled({ state, settledFrom, isNewest, listing }) && policy.now >= settledFrom;
  const isDue = state?.certificate === 'complete' && (isUnsettled || (proveContent && !isFinal));
  return mode === 'poll' && isDue ? 'full' : null;
}

/** A walk that began after late rows had time to arrive certified the window. */
function isSettled({ state, settledFrom }: PlannedWindow): boolean {
  return state?.certificate === 'complete' && (state.contentAt?.getTime() ?? 0) >= settledFrom;
}

/** Combined result of the windows of a list. */
export interface CombinedWindows {
  readonly certificate: Certificate;
  /** The oldest certificate of a window that still ages; null if one was never certified. */
  readonly certifiedAt: Date | null;
  /** The oldest content of a window that still ages; null if one was never certified. */
  readonly contentAt: Date | null;
  /** Rows of all windows. */
  readonly total: number;
}

/**
 * Combines the certificates of all windows; the result is as old as the oldest one. Windows that are final do not age.
 */
export function combineWindows(windows: readonly PlannedWindow[], appendOnly: boolean): CombinedWindows {
  const open = windows.filter((one) => !(appendOnly && !one.isNewest && isSettled(one)));
  const states = windows.map(({ state }) => state);
  const evidence = windows.map(({ state }) => state?.evidence ?? NO_EVIDENCE);
  const add = (pick: (one: Evidence) => number) => evidence.reduce((sum, one) => sum + pick(one), 0);
  const outOfSight = add((one) => one.outOfSight ?? 0);
  const unconfirmed = add((one) => one.unconfirmed ?? 0);
  const together: Evidence = {
    ...NO_EVIDENCE,
    requests: open.reduce((sum, { state }) => sum + (state?.evidence?.requests ?? 1), 0),
    totalFirst: add((one) => one.totalFirst ?? 0),
    totalLast: add((one) => one.totalLast ?? 0),
    distinct: add((one) => one.distinct),
    unreadable: add((one) => one.unreadable),
    repeats: add((one) => one.repeats),
    rejects: add((one) => one.rejects),
    parts: windows.length,
    ...(outOfSight === 0 ? {} : { outOfSight }),
    ...(unconfirmed === 0 ? {} : { unconfirmed }),
  };
  const reason = gravest(
    states.flatMap((state) => {
      if (state?.certificate === 'complete') return [];
      return [(state?.certificate === 'incomplete' ? state.reason : null) ?? ('not-asked' as const)];
    }),
  );
  const oldest = (pick: (state: ListingState) => Date | null) => {
    const times = open.flatMap(({ state }) => (state === null ? [] : (pick(state)?.getTime() ?? [])));
    return times.length < open.length || times.length === 0 ? null : new Date(Math.min(...times));
  };
  return {
    certificate:
      reason === null
        ? { kind: 'complete', proof: 'split', evidence: together }
        : { kind: 'incomplete', reason, evidence: together },
    certifiedAt: oldest(({ certifiedAt }) => certifiedAt),
    contentAt: oldest(({ contentAt }) => contentAt),
    total: states.reduce((sum, state) => sum + (state?.checkpoint?.total ?? 0), 0),
  };
}

/** Changed rows get a later time, so they can leave their window. */
export function rowsCanLeaveWindow({ order }: Pick<Stream, 'order'>, { column }: Pick<TimeWindow, 'column'>): boolean {
  return order.every((one) => one.column !== column || one.kind === 'moving');
}
