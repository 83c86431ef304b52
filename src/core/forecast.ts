import { COLD_EVERY_MS, type ContentPolicy, contentEveryMs } from './due.ts';
import { fullWalkRequests } from './plan.ts';

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
