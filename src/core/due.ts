import type { Reason } from './certificate.ts';
import type { Checkpoint, ListingState } from './store.ts';
import type { Listing } from './stream/endpoint.ts';
import { fullWalkRequests } from './stream/stream.ts';
import { DAY_MS, HOUR_MS } from './stream/time.ts';
import { confirmation } from './sweep.ts';

/**
 * How to read a listing: `full` to its end, `poll` only as far as something changed, `first-page` for a list that could
 * not be proven and is not due for a full walk yet.
 */
export interface PlannedListing {
  readonly listing: Listing;
  readonly mode: 'full' | 'poll' | 'first-page';
  /** Null if the listing was never walked. */
  readonly state: ListingState | null;
  /** The poll must find every change, and becomes a full walk if less is not enough. */
  readonly proveContent?: boolean;
}

/** How often to read lists for changes that polls do not show, and the cost limit. */
export interface ContentPolicy {
  /** Maximum age of content, in ms. */
  readonly everyMs: number;
  /** Time between two runs of the stream, in ms. */
  readonly tickMs: number;
  /** The share of the lane's quota for full walks for content, in requests a minute. */
  readonly requestsPerMinute: number;
  /** Number of scopes that share this quota. */
  readonly scopes: number;
}

/** Settings and state of a run that decide which listings are due. */
export interface DuePolicy {
  /** In ms since 1970. */
  readonly now: number;
  /** Maximum time between two full walks of each hot list, in ms. */
  readonly reconcileEveryMs: number;
  /** Walk listings in full, even if they are certified, except those in `skipCertifiedSince`. */
  readonly full: boolean;
  /** When edits of rows by hand were first seen: full walks replace polls of lists read before. Null without edits. */
  readonly editedAt: Date | null;
  /** Listings certified since then are done (see `StreamRun`). Null if this run does not continue an unfinished one. */
  readonly skipCertifiedSince: Date | null;
  /** Listings walked since then are done, certified or not, unless `full` is set. Null: none of them is. */
  readonly skipWalkedSince: Date | null;
  /** The enterprise projects that are read now. Certificates for another setting do not apply. */
  readonly enterpriseProjectId: string;
  /** Null: no listing is read only because its content is old. */
  readonly content: ContentPolicy | null;
  /** Capped lists of the stream are read in parts, so a poll of the whole list shows nothing about it. */
  readonly isSplit: boolean;
}

/** The listings of a run, in the order of reading. */
export interface DuePlan {
  readonly planned: readonly PlannedListing[];
  /** Number of listings that rarely change and whose certificate is recent enough. */
  readonly notAsked: number;
}

/** Reasons that do not pass by themselves. An immediate full walk would only use up the quota. */
const STUBBORN: ReadonlySet<Reason | null> = new Set(['ties', 'unordered', 'count', 'key']);

/**
 * Waiting time before a stubborn list is read in full again, in multiples of the time that a full walk takes at the
 * rate for such walks. With the default share this limits the cost to a tenth of the quota.
 */
const STUBBORN_WAITS = 5;

/** Maximum time between two walks of listings that hardly ever change. */
export const COLD_EVERY_MS = 7 * DAY_MS;

/**
 * Selects the listings that a run reads, their mode and their order: hot ones first, and the least recently walked
 * first among them. Listings that an interrupted run already certified are skipped.
 */
export function dueListings(
  listings: readonly Listing[],
  states: ReadonlyMap<string, ListingState>,
  policy: DuePolicy,
): DuePlan {
  const planned: (PlannedListing & { readonly hot: boolean })[] = [];
  let notAsked = 0;
  for (const listing of listings) {
    const state = states.get(listing.key) ?? null;
    const hot = isHot(listing, state);
    const mode = modeOf({ state, hot }, policy);
    if (mode === 'skip') notAsked += 1;
    else if (mode !== 'done') planned.push({ listing, mode, state, hot });
  }
  planned.sort((a, b) => Number(b.hot) - Number(a.hot) || triedAt(a) - triedAt(b));
  return { planned: policy.content === null ? planned : withContent(planned, policy.now, policy.content), notAsked };
}

/**
 * Turns polls whose content is due into proving ones, the oldest content first. They come after all others, so that no
 * poll waits for them. A run starts only as many as its share of the quota pays for until the next run. A list that
 * costs more than that is read alone, once its content is as old as a full walk of all lists of the lane takes at that
 * share.
 */
function withContent(
  planned: readonly PlannedListing[],
  now: number,
  policy: ContentPolicy,
): readonly PlannedListing[] {
  const { tickMs, requestsPerMinute, scopes } = policy;
  const polls = planned.filter(({ mode, state }) => mode === 'poll' && state?.certificate === 'complete');
  const longMs = paceMs(polls.reduce((sum, one) => sum + cost(one), 0) * scopes, requestsPerMinute);
  let left = (requestsPerMinute * tickMs) / 60_000 / scopes;
  const taken = new Set<PlannedListing>();
  for (const one of polls.toSorted((a, b) => contentAt(a) - contentAt(b))) {
    const ageMs = now - contentAt(one);
    if (ageMs < contentDueFromMs(policy)) break;
    if (cost(one) > left && (taken.size > 0 || ageMs < longMs)) continue;
    left -= cost(one);
    taken.add(one);
  }
  const proving = [...taken].map((one) => ({ ...one, proveContent: true }));
  return [...planned.filter((one) => !taken.has(one)), ...proving];
}

/** Estimated requests of a full walk: those of the last one. */
function cost({ state }: PlannedListing): number {
  return Math.max(1, state?.evidence?.requests ?? 1);
}

/**
 * Age from which content is due, in ms: older content would exceed the limit before the next run. Half a tick allows
 * for a late start and for the walk itself. A run that starts soon after another one (restart, by hand) reads
 * nothing again.
 */
function contentDueFromMs({ everyMs, tickMs }: ContentPolicy): number {
  return Math.max(tickMs / 2, everyMs - 1.5 * tickMs);
}

/** Time that `requests` take at a rate of `perMinute`, in ms. */
function paceMs(requests: number, perMinute: number): number {
  return perMinute > 0 ? (requests / perMinute) * 60_000 : Number.POSITIVE_INFINITY;
}

/** Shortest interval between full walks for content, in ms, if full walks of all lists of a lane take `requests`. */
export function contentEveryMs(requests: number, policy: ContentPolicy): number {
  const ticks = Math.max(1, Math.ceil(contentDueFromMs(policy) / policy.tickMs));
  return Math.max(ticks * policy.tickMs, paceMs(requests, policy.requestsPerMinute));
}

function contentAt({ state }: PlannedListing): number {
  return state?.contentAt?.getTime() ?? 0;
}

/**
 * How to read one listing. `done`: read by the unfinished runs that this one continues. `skip`: its certificate is
 * recent enough.
 */
export function modeOf(
  { state, hot }: { readonly state: ListingState | null; readonly hot: boolean },
  policy: DuePolicy,
): PlannedListing['mode'] | 'done' | 'skip' {
  const { now, reconcileEveryMs, full, skipCertifiedSince, skipWalkedSince, enterpriseProjectId } = policy;
  const isEdited = hasEdits(state, policy);
  const wasWalked = !full && skipWalkedSince !== null && (state?.walkedAt?.getTime() ?? 0) >= skipWalkedSince.getTime();
  if (wasWalked && !isEdited && state?.certificate === 'incomplete') return 'done';
  if (!full && !isEdited && !policy.isSplit && isReadToCap(state, enterpriseProjectId)) {
    return now - (state.checkpoint.readAtMs ?? 0) >= reconcileEveryMs ? 'full' : 'poll';
  }
  if (!full && isWaiting(state, now, policy.content)) return 'first-page';
  const confirming = confirmation(state?.evidence ?? null, now);
  // All listed rows were read. A poll is enough until a full walk counts as confirmation of the missing ones.
  const isWithheld = state?.reason === 'suspicious-shrink' && confirming === 'waits';
  if (state === null || !(isWithheld || state.certificate === 'complete')) return 'full';
  if (state.certifiedUnder !== enterpriseProjectId) return 'full';
  const certifiedAt = state.certifiedAt?.getTime() ?? 0;
  const isCertified = skipCertifiedSince !== null && certifiedAt >= skipCertifiedSince.getTime();
  if (!isEdited && (wasWalked || isCertified)) return 'done';
  if (full || state.checkpoint === null || confirming === 'due') return 'full';
  if (isWithheld) return 'poll';
  if (now - certifiedAt >= (hot ? reconcileEveryMs : COLD_EVERY_MS)) return 'full';
  if (!hot) return 'skip';
  return isEdited ? 'full' : 'poll';
}

/**
 * Rows of the list may have been edited by hand since it was last read in full. A poll does not change `certifiedAt`, so
 * a certificate after the edits were seen is that of a full walk. Of an unproven list only the start of the chain of
 * unfinished runs is known, all of which saw edits that are older.
 */
export function hasEdits(state: ListingState | null, { editedAt, skipWalkedSince }: DuePolicy): boolean {
  if (editedAt === null) return false;
  const seen = editedAt.getTime();
  if (state?.certificate !== 'complete') return (skipWalkedSince?.getTime() ?? 0) < seen;
  return Math.min(state.certifiedAt?.getTime() ?? 0, state.certifiedSince?.getTime() ?? 0) < seen;
}

/**
 * The list could not be proven for a lasting reason, and another full walk would take more than a tenth of the quota.
 */
function isWaiting(state: ListingState | null, now: number, content: ContentPolicy | null): boolean {
  if (content === null || state?.certificate !== 'incomplete' || !STUBBORN.has(state.reason)) return false;
  const requests = (state.evidence?.requests ?? 0) * content.scopes;
  return now - (state.walkedAt?.getTime() ?? 0) < STUBBORN_WAITS * paceMs(requests, content.requestsPerMinute);
}

/**
 * A capped list was read up to its cap under this setting, so until the next full walk a poll of its newest end is
 * enough.
 */
export function isReadToCap(
  state: ListingState | null,
  enterpriseProjectId: string,
): state is ListingState & { readonly checkpoint: Checkpoint } {
  return (
    state?.reason === 'capped' &&
    state.checkpoint?.readAtMs !== undefined &&
    state.certifiedUnder === enterpriseProjectId
  );
}

/** A listing is hot if its parent says so (or it has no parent), or if it ever had rows. */
export function isHot(listing: Listing, state: ListingState | null): boolean {
  return (
    listing.hot === true ||
    (state?.checkpoint?.total ?? 0) > 0 ||
    (state?.changedAt !== null && state?.changedAt !== undefined)
  );
}

/** When the list was last walked or got no answer: a list without an answer goes behind the others. */
function triedAt({ state }: PlannedListing): number {
  return Math.max(state?.walkedAt?.getTime() ?? 0, state?.failedAt?.getTime() ?? 0);
}

/** What a lane (account and stream) has to read, over all its scopes. */
export interface LaneLoad {
  /** Number of rows of each hot listing, as far as known. */
  readonly hot: readonly number[];
  /** Number of listings that hardly ever change, which are read once a week. */
  readonly cold: number;
  /** Closed windows of lists that are read window by window: the rows of each, and whether they are read again. */
  readonly closed?: { readonly rows: readonly number[]; readonly areReread: boolean };
  /** Maximum number of rows of a page. */
  readonly limit: number;
  readonly scheduleEveryMs: number;
  readonly reconcileEveryMs: number;
  readonly requestsPerMinute: number;
  /** Every change of a list appears where polls read. */
  readonly pollsShowAll: boolean;
  readonly content: ContentPolicy;
}

/** How fresh a lane can be kept, and the requests this takes. */
export interface Forecast {
  /** Requests of a first load. */
  readonly firstLoad: number;
  /** How long these requests take. */
  readonly firstLoadMs: number;
  /** Time in which every list can be read once, in ms. If lists are read in turn, this is the maximum age of a list. */
  readonly cycleMs: number;
  /** Requests an hour once everything is certified and little changes. */
  readonly perHour: number;
  /** Share of the quota that these requests take; above 1, the quota is too small. */
  readonly share: number;
  /** Maximum age of the table between two polls, in ms; null if the quota is too small even for the full walks. */
  readonly ageMs: number | null;
  /** Maximum age of content that polls do not show, in ms; null if the quota is too small even for the full walks. */
  readonly contentAgeMs: number | null;
}

/**
 * How fresh a lane can be kept. Full walks and the weekly reading of cold listings come first, because the certificates
 * depend on them. The rest of the quota goes into polls, one request for each hot listing.
 */
export function forecast({
  hot,
  cold,
  closed,
  limit,
  scheduleEveryMs,
  reconcileEveryMs,
  requestsPerMinute,
  pollsShowAll,
  content,
}: LaneLoad): Forecast {
  const requests = (lists: readonly number[]) => lists.reduce((sum, rows) => sum + fullWalkRequests(rows, limit), 0);
  // Polls read the newest window only.
  const reread = closed?.areReread === true ? requests(closed.rows) : 0;
  const full = requests(hot) + reread;
  const firstLoad = requests([...hot, ...(closed?.rows ?? [])]) + cold;
  const capacity = requestsPerMinute * 60;
  // Each poll reads a list of one page completely.
  const hidden = reread + (pollsShowAll ? 0 : requests(hot.filter((rows) => rows >= limit)));
  const hiddenEveryMs = Math.min(reconcileEveryMs, contentEveryMs(hidden, content));
  const proving =
    ((full - hidden) * HOUR_MS) / reconcileEveryMs +
    (hidden * HOUR_MS) / hiddenEveryMs +
    (cold * HOUR_MS) / COLD_EVERY_MS;
  const left = capacity - proving;
  const wanted = (hot.length * HOUR_MS) / scheduleEveryMs;
  const polls = Math.max(0, Math.min(wanted, left));
  const ageMs =
    left <= 0 ? null : hot.length === 0 ? scheduleEveryMs : Math.max(scheduleEveryMs, (hot.length / left) * HOUR_MS);
  // A full walk shows the changes up to its start, and takes time itself.
  const takesMs = (hidden / requestsPerMinute) * 60_000;
  return {
    firstLoad,
    firstLoadMs: (firstLoad / requestsPerMinute) * 60_000,
    cycleMs: ((full + cold) / requestsPerMinute) * 60_000,
    perHour: proving + polls,
    share: (proving + wanted) / capacity,
    ageMs,
    contentAgeMs: ageMs === null || hidden === 0 ? ageMs : Math.max(ageMs, hiddenEveryMs + takesMs),
  };
}
