import { HIGHEST_PRIORITY, type KeptPlaces } from '../../core/ports.ts';
import { tickEveryMs } from './cron.ts';

/** A stream whose schedule fires at least this often, in ms, has places that long walks of other streams cannot take. */
const FREQUENT_MS = 2 * 60_000;

/** Whether the lanes of a schedule use the places that are kept for frequent ones. */
export function isFrequent(schedule: string): boolean {
  return tickEveryMs(schedule) <= FREQUENT_MS;
}

/**
 * Places kept for frequent lanes and for all others. A walk keeps its place while it waits for its quota, up to many
 * minutes, so without them a minute's lane would wait that long for a place. Each kind has at least a third, so none
 * starves.
 */
export function keptPlaces(schedules: readonly string[], concurrency: number): KeptPlaces {
  if (schedules.length <= 1) return { frequent: 0, others: 0 };
  const most = Math.floor(concurrency / 3);
  const frequent = schedules.filter(isFrequent).length;
  return { frequent: Math.min(most, frequent), others: Math.min(most, schedules.length - frequent) };
}

/** Start of the count of seconds in priorities, which suffices until 2054. */
const PRIORITIES_FROM_MS = Date.UTC(2020, 0, 1);
/** Lanes with longer schedules would otherwise wait for as long if all places are in use. */
const LONGEST_INTERVAL_MS = 3_600_000;

/** When a lane was last served and how often its stream fires. */
export interface Served {
  /** In ms since the epoch. */
  readonly servedAtMs: number;
  /** Interval of the schedule, in ms. */
  readonly everyMs: number;
}

/**
 * Priority of a lane: the earlier it should be served again by its schedule, the higher. It depends on that time and
 * not on how long ago it is, because the queue keeps it: lanes queued later, after a shorter wait, must not go first.
 */
export function priorityOf({ servedAtMs, everyMs }: Served): number {
  const deadline = servedAtMs + Math.min(everyMs, LONGEST_INTERVAL_MS);
  return HIGHEST_PRIORITY - Math.max(0, Math.floor((deadline - PRIORITIES_FROM_MS) / 1000));
}
