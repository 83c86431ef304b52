/**
 * For `sync.listings l`: since when a certified list may have changed unseen. A certificate speaks of the time its walk
 * began, and is dated when it ended; the begin of the run is the nearest thing to the former that is stored. Lists that were
 * certified before it was stored with them take it from the runs.
 */
export const CERTIFIED_SINCE = `least(l.certified_at, coalesce(l.certified_since, (select max(r.started_at) from sync.runs r
  where r.stream = l.stream and r.project_id = l.project_id and r.started_at <= l.certified_at)))`;
