import type { Reason } from './certificate.ts';
import type { Checkpoint, ListingState } from './store.ts';
import type { Listing } from './stream/endpoint.ts';
import { fullWalkRequests } from './stream/stream.ts';
import { confirmation } from './sweep.ts';

/**
 * How a listing is to be read: `full` to its end, `poll` only as far as something changed, `first-page` for a list that could
 * not be proven and is not due to be read in full again.
 */
export interface Planned {
  readonly listing: Listing;
  readonly mode: 'full' | 'poll' | 'first-page';
  readonly state: ListingState | null;
  /** A poll has to show every change, and becomes a full walk where less does not. */
  readonly proveContent?: boolean;
}

/** How often lists are read beyond what their polls show, and what that may cost. */
export interface ContentPolicy {
  /** Content is to be at most this old, in ms. */
  readonly everyMs: number;
  /** Between two runs of the stream, in ms. */
  readonly tickMs: number;
  /** Requests a minute that full readings may take of the lane's quota: a share of it. */
  readonly requestsPerMinute: number;
  /** Scopes that share this quota. */
  readonly scopes: number;
}

export interface DuePolicy {
  readonly now: number;
  /** A full walk at least this often. */
  readonly reconcileEveryMs: number;
  /** Walk everything in full, whatever is certified. */
  readonly full: boolean;
  /** Rows were edited by hand: what would be polled is read to its end. */
  readonly isEdited: boolean;
  /** What was certified since then belongs to this run already (it goes on where another broke off). */
  readonly resumesFrom: Date | null;
  /** What was looked at since then belongs to this run already, unless it is to walk everything in full. */
  readonly cutShortSince: Date | null;
  /** The setting of enterprise projects: what was certified under another one says nothing about this one. */
  readonly enterpriseProjectId: string;
  /** Null: nothing is read for the age of its content alone. */
  readonly content: ContentPolicy | null;
  /** A capped list of the stream is read in parts, so a poll of the whole says nothing about it. */
  readonly isSplit: boolean;
}

export interface Due {
  readonly planned: readonly Planned[];
  /** Listings whose standing certificate is young enough for how rarely they change. */
  readonly notAsked: number;
}

/** Reasons that do not pass by themselves: reading such a list again at once would only spend the quota. */
const STUBBORN: ReadonlySet<Reason | null> = new Set(['ties', 'unordered', 'count', 'key']);

/** Times that a stubborn list waits for what one full reading takes of the share for full readings: a tenth of the quota. */
const STUBBORN_WAITS = 5;

/** Listings that hardly ever change are read at least this often. */
export const COLD_EVERY_MS = 7 * 86_400_000;

/**
 * Which listings of a run are read, how, and in which order: hot ones first, the stalest of them before the others. What
 * another run certified before it broke off is not read again.
 */
export function dueListings(
  listings: readonly Listing[],
  states: ReadonlyMap<string, ListingState>,
  policy: DuePolicy,
): Due {
  const planned: (Planned & { readonly hot: boolean })[] = [];
  let notAsked = 0;
  for (const listing of listings) {
    const state = states.get(listing.key) ?? null;
    const hot = isHot(listing, state);
    const mode = modeOf(state, hot, policy);
    if (mode === 'skip') notAsked += 1;
    else if (mode !== 'done') planned.push({ listing, mode, state, hot });
  }
  planned.sort((a, b) => Number(b.hot) - Number(a.hot) || walkedAt(a) - walkedAt(b));
  return { planned: policy.content === null ? planned : withContent(planned, policy.now, policy.content), notAsked };
}

/**
 * Polls whose content is due are to show all of it, the oldest first, and come after everything else, so that no poll
 * waits for them. A run begins no more of them than its share of the quota pays until the next run; a list that costs more
 * than that is read alone, once it is as old as reading all lists of the lane takes at that share.
 */
function withContent(planned: readonly Planned[], now: number, policy: ContentPolicy): readonly Planned[] {
  const { tickMs, requestsPerMinute, scopes } = policy;
  const polls = planned.filter(({ mode, state }) => mode === 'poll' && state?.certificate === 'complete');
  const longMs = paceMs(polls.reduce((sum, one) => sum + cost(one), 0) * scopes, requestsPerMinute);
  let left = (requestsPerMinute * tickMs) / 60_000 / scopes;
  const taken = new Set<Planned>();
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

/** Requests of its last full walk: what another one takes. */
function cost({ state }: Planned): number {
  return Math.max(1, state?.evidence?.requests ?? 1);
}

/**
 * Content of this age would be too old at the next run; half a tick is for a run that begins late and for the reading itself.
 * A run that comes sooner after the one before it, by a restart or by hand, reads nothing again.
 */
function contentDueFromMs({ everyMs, tickMs }: ContentPolicy): number {
  return Math.max(tickMs / 2, everyMs - 1.5 * tickMs);
}

/** How long `requests` take at a rate of `perMinute`, in ms. */
function paceMs(requests: number, perMinute: number): number {
  return perMinute > 0 ? (requests / perMinute) * 60_000 : Number.POSITIVE_INFINITY;
}

/** How often content is read at most, in ms, where full readings of all lists of a lane take `requests`. */
export function contentEveryMs(requests: number, policy: ContentPolicy): number {
  const ticks = Math.max(1, Math.ceil(contentDueFromMs(policy) / policy.tickMs));
  return Math.max(ticks * policy.tickMs, paceMs(requests, policy.requestsPerMinute));
}

function contentAt({ state }: Planned): number {
  return state?.contentAt?.getTime() ?? 0;
}

/** How one listing is to be read; `done`: in this run already, `skip`: its certificate is young enough. */
export function modeOf(state: ListingState | null, hot: boolean, policy: DuePolicy): Planned['mode'] | 'done' | 'skip' {
  const { now, reconcileEveryMs, full, isEdited, resumesFrom, cutShortSince, enterpriseProjectId } = policy;
  const wasLookedAt = !full && cutShortSince !== null && (state?.walkedAt?.getTime() ?? 0) >= cutShortSince.getTime();
  if (wasLookedAt && state?.certificate === 'incomplete') return 'done';
  if (!full && !isEdited && !policy.isSplit && isReadToCap(state, enterpriseProjectId)) {
    return now - (state.checkpoint.readAtMs ?? 0) >= reconcileEveryMs ? 'full' : 'poll';
  }
  if (!full && isWaiting(state, now, policy.content)) return 'first-page';
  const doubt = confirmation(state?.evidence ?? null, now);
  // What is listed was read. Until a full walk counts as the confirmation of what is missing, a poll will do.
  const isWithheld = state?.reason === 'suspicious-shrink' && doubt === 'waits';
  if (state === null || !(isWithheld || state.certificate === 'complete')) return 'full';
  if (state.certifiedUnder !== enterpriseProjectId) return 'full';
  const certifiedAt = state.certifiedAt?.getTime() ?? 0;
  if (wasLookedAt || (resumesFrom !== null && certifiedAt >= resumesFrom.getTime())) return 'done';
  if (full || state.checkpoint === null || doubt === 'due') return 'full';
  if (isWithheld) return 'poll';
  if (now - certifiedAt >= (hot ? reconcileEveryMs : COLD_EVERY_MS)) return 'full';
  if (!hot) return 'skip';
  return isEdited ? 'full' : 'poll';
}

/** The list could not be proven for a reason that stays, and reading it again so soon would take more than a tenth of the quota. */
function isWaiting(state: ListingState | null, now: number, content: ContentPolicy | null): boolean {
  if (content === null || state?.certificate !== 'incomplete' || !STUBBORN.has(state.reason)) return false;
  const requests = (state.evidence?.requests ?? 0) * content.scopes;
  return now - (state.walkedAt?.getTime() ?? 0) < STUBBORN_WAITS * paceMs(requests, content.requestsPerMinute);
}

/** Everything in sight of a capped list was read, under this setting: until the next full walk its newest end is enough. */
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

/** Without a word from its parent a listing is hot; with one, once it was seen to hold rows. */
export function isHot(listing: Listing, state: ListingState | null): boolean {
  return (
    listing.hot === true ||
    (state?.checkpoint?.total ?? 0) > 0 ||
    (state?.changedAt !== null && state?.changedAt !== undefined)
  );
}

function walkedAt({ state }: Planned): number {
  return state?.walkedAt?.getTime() ?? 0;
}

/** What a lane (account + stream) has to read, over all its scopes. */
export interface LaneLoad {
  /** Rows of each hot listing, as far as they are known. */
  readonly hot: readonly number[];
  /** Listings that hardly ever change, read once a week. */
  readonly cold: number;
  /** Rows of each closed window of lists that are read window by window, and whether those are read again. */
  readonly closed?: { readonly rows: readonly number[]; readonly areReread: boolean };
  readonly limit: number;
  readonly scheduleEveryMs: number;
  readonly reconcileEveryMs: number;
  readonly requestsPerMinute: number;
  /** Every change of a list comes to where its polls read. */
  readonly pollsShowAll: boolean;
  readonly content: ContentPolicy;
}

export interface Forecast {
  /** Requests of a first load. */
  readonly firstLoad: number;
  readonly firstLoadMs: number;
  /** Requests an hour once everything is certified and little changes. */
  readonly perHour: number;
  /** Share of the quota these take, 0 to 1 and beyond. */
  readonly share: number;
  /** How old the table gets at most between two polls; null when the quota does not even pay for the full walks. */
  readonly ageMs: number | null;
  /** How old content gets at most that polls do not show; null when the quota does not even pay for the full walks. */
  readonly contentAgeMs: number | null;
}

const HOUR_MS = 3_600_000;

/**
 * How fresh a lane can be kept. Full walks and the weekly poll of cold listings come first, because the certificates
 * depend on them; what is left of the quota goes into polls of one request for each hot listing.
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
  // Polls see the newest window only.
  const reread = closed?.areReread === true ? requests(closed.rows) : 0;
  const full = requests(hot) + reread;
  const firstLoad = requests([...hot, ...(closed?.rows ?? [])]) + cold;
  const capacity = requestsPerMinute * 60;
  // A list of one page is read whole by each poll.
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
  // A reading that begins at a tick shows what changed before it, and takes its time.
  const takesMs = (hidden / requestsPerMinute) * 60_000;
  return {
    firstLoad,
    firstLoadMs: (firstLoad / requestsPerMinute) * 60_000,
    perHour: proving + polls,
    share: (proving + wanted) / capacity,
    ageMs,
    contentAgeMs: ageMs === null || hidden === 0 ? ageMs : Math.max(ageMs, hiddenEveryMs + takesMs),
  };
}
