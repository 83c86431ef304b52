import type { Listing } from './listing.ts';
import type { ListingState } from './store.ts';

/** How a listing is to be read: `full` to its end, `poll` only as far as something changed. */
export interface Planned {
  readonly listing: Listing;
  readonly mode: 'full' | 'poll';
  readonly state: ListingState | null;
}

export interface DuePolicy {
  readonly now: number;
  /** A full walk at least this often. */
  readonly reconcileEveryMs: number;
  /** Walk everything in full, whatever is certified. */
  readonly full: boolean;
  /** What was certified since then belongs to this run already (it goes on where another broke off). */
  readonly resumesFrom: Date | null;
  /** What was looked at since then belongs to this run already, unless it is to walk everything in full. */
  readonly cutShortSince: Date | null;
  /** The setting of enterprise projects: what was certified under another one says nothing about this one. */
  readonly enterpriseProjectId: string;
}

export interface Due {
  readonly planned: readonly Planned[];
  /** Listings whose standing certificate is young enough for how rarely they change. */
  readonly notAsked: number;
}

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
  return { planned, notAsked };
}

function modeOf(
  state: ListingState | null,
  hot: boolean,
  { now, reconcileEveryMs, full, resumesFrom, cutShortSince, enterpriseProjectId }: DuePolicy,
): Planned['mode'] | 'done' | 'skip' {
  const wasLookedAt = !full && cutShortSince !== null && (state?.walkedAt?.getTime() ?? 0) >= cutShortSince.getTime();
  if (wasLookedAt && state?.certificate === 'incomplete') return 'done';
  if (state === null || state.certificate !== 'complete' || state.certifiedAt === null) return 'full';
  if (state.certifiedUnder !== enterpriseProjectId) return 'full';
  const certifiedAt = state.certifiedAt.getTime();
  if (wasLookedAt || (resumesFrom !== null && certifiedAt >= resumesFrom.getTime())) return 'done';
  if (full || state.checkpoint === null) return 'full';
  if (now - certifiedAt >= (hot ? reconcileEveryMs : COLD_EVERY_MS)) return 'full';
  return hot ? 'poll' : 'skip';
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
