import { COLD_EVERY_MS } from './due.ts';
import { fullWalkRequests } from './plan.ts';

/** What a lane (account + stream) has to read, over all its scopes. */
export interface LaneLoad {
  /** Rows of each hot listing, as far as they are known. */
  readonly hot: readonly number[];
  /** Listings that hardly ever change, read once a week. */
  readonly cold: number;
  readonly limit: number;
  readonly scheduleEveryMs: number;
  readonly reconcileEveryMs: number;
  readonly requestsPerMinute: number;
}

export interface Forecast {
  /** Requests of a first load. */
  readonly firstLoad: number;
  readonly firstLoadMs: number;
  /** Requests an hour once everything is certified and little changes. */
  readonly perHour: number;
  /** Share of the quota these take, 0 to 1 and beyond. */
  readonly share: number;
  /** How old the table gets at most between two looks; null when the quota does not even pay for the full walks. */
  readonly ageMs: number | null;
}

const HOUR_MS = 3_600_000;

/**
 * How fresh a lane can be kept. Full walks and the weekly look at cold listings come first, because the certificates
 * depend on them; what is left of the quota goes into polls of one request for each hot listing.
 */
export function forecast({
  hot,
  cold,
  limit,
  scheduleEveryMs,
  reconcileEveryMs,
  requestsPerMinute,
}: LaneLoad): Forecast {
  const full = hot.reduce((sum, rows) => sum + fullWalkRequests(rows, limit), 0);
  const firstLoad = full + cold;
  const capacity = requestsPerMinute * 60;
  const proving = (full * HOUR_MS) / reconcileEveryMs + (cold * HOUR_MS) / COLD_EVERY_MS;
  const left = capacity - proving;
  const wanted = (hot.length * HOUR_MS) / scheduleEveryMs;
  const polls = Math.max(0, Math.min(wanted, left));
  return {
    firstLoad,
    firstLoadMs: (firstLoad / requestsPerMinute) * 60_000,
    perHour: proving + polls,
    share: (proving + wanted) / capacity,
    ageMs:
      left <= 0 ? null : hot.length === 0 ? scheduleEveryMs : Math.max(scheduleEveryMs, (hot.length / left) * HOUR_MS),
  };
}
