import { getTableConfig } from '../../core/drizzle.ts';
import type { Stream } from '../../core/stream.ts';
import { decoded, literal, scopeColumns, type View } from './view.ts';
import { CERTIFICATE, REASON, RUN_STATUS, WALK } from './words.ts';

/** Streams and how old their data may get; the definitions say it of streams that no service with a configuration has run. */
function targets(streams: readonly Stream[]): string {
  const rows = streams.map(({ name, table, targetMs }) => {
    const { schema, name: target } = getTableConfig(table);
    return `(${literal(name)}, ${literal(`${schema}.${target}`)}, ${targetMs / 1000})`;
  });
  return `defined (stream, table_name, target_seconds) AS (VALUES
  ${rows.join(',\n  ')}
), targets AS (
  SELECT d.stream, d.table_name, coalesce(c.target_seconds, d.target_seconds) AS target_seconds
  FROM defined d LEFT JOIN sync.stream_targets c ON c.stream = d.stream
)`;
}

/** One row for every stream and project that ever ran, by hopping through the index instead of reading all runs. */
const SCOPES = `scopes AS (
  SELECT t.stream, (SELECT min(r.project_id) FROM sync.runs r WHERE r.stream = t.stream) AS project_id
  FROM targets t
  UNION ALL
  SELECT s.stream, (SELECT min(r.project_id) FROM sync.runs r WHERE r.stream = s.stream AND r.project_id > s.project_id)
  FROM scopes s
  WHERE s.project_id IS NOT NULL
)`;

const RUN_OF_SCOPE = 'r.stream = s.stream AND r.project_id = s.project_id';

const JOINS = `FROM scopes s
JOIN targets t ON t.stream = s.stream
CROSS JOIN LATERAL (
  SELECT r.* FROM sync.runs r WHERE ${RUN_OF_SCOPE} ORDER BY r.started_at DESC LIMIT 1
) last
LEFT JOIN LATERAL (
  SELECT r.certificate, r.reason, r.finished_at FROM sync.runs r
  WHERE ${RUN_OF_SCOPE} AND r.finished_at IS NOT NULL ORDER BY r.started_at DESC LIMIT 1
) ended ON true
LEFT JOIN LATERAL (
  SELECT r.started_at, r.certified_at, r.evidence FROM sync.runs r
  WHERE ${RUN_OF_SCOPE} AND r.certificate = 'complete' ORDER BY r.started_at DESC LIMIT 1
) whole ON true
WHERE s.project_id IS NOT NULL`;

const AGE = 'extract(epoch FROM now() - whole.started_at)';
const STATE = `CASE
    WHEN whole.started_at IS NULL THEN 'never complete'
    WHEN ${AGE} > t.target_seconds THEN 'stale'
    WHEN ended.certificate = 'complete' THEN 'fresh'
    ELSE 'incomplete' END`;

function rowCounts(streams: readonly Stream[]): string {
  const counts = streams.map(({ name, table }) => {
    const { schema, name: target } = getTableConfig(table);
    return `WHEN ${literal(name)} THEN (SELECT count(*) FROM ${schema}.${target} d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL)`;
  });
  return `CASE s.stream ${counts.join(' ')} END`;
}

function streamFreshness(streams: readonly Stream[]): View {
  return {
    name: 'stream_freshness',
    about:
      'Is the data complete, and how old is it? One row for every stream and project that the service has read at least once.',
    with: `RECURSIVE ${targets(streams)}, ${SCOPES}`,
    columns: {
      ...scopeColumns('last'),
      stream: ['s.stream', 'Name of the stream: one list of the API and the table it fills.'],
      table_name: ['t.table_name', 'The table it fills.'],
      as_of: [
        'whole.started_at',
        'The data is proven complete as of this time: when the last run started that proved or confirmed it. For lists_not_asked lists that rests on an older reading.',
      ],
      // A run without a single list to read has no time of reading; it is stored as the epoch.
      certified_at: [
        "nullif(whole.certified_at, 'epoch')",
        'When the oldest list behind that proof was last read to its end.',
      ],
      lists_not_asked: [
        "coalesce((whole.evidence ->> 'notAsked')::bigint, 0)",
        'Lists that hardly ever change and were not asked for in that run; each is asked for at least once a week.',
      ],
      age_seconds: [`round(${AGE})::bigint`, 'Seconds since as_of.'],
      target_seconds: [
        't.target_seconds',
        'How old the data may get before it is called stale, in seconds: as configured, but at least two ticks of the schedule.',
      ],
      is_stale: [`coalesce(${AGE} > t.target_seconds, true)`, 'Whether the data is older than its target.'],
      state: [STATE, 'fresh, stale, incomplete (the last run proved less than an earlier one) or never complete.'],
      ...decoded('certificate', 'ended.certificate', 'What the last finished run proved', CERTIFICATE),
      ...decoded('reason', 'ended.reason', 'Why the last finished run did not prove completeness', REASON),
      ...decoded('last_status', 'last.status', 'How the last run ended', RUN_STATUS),
      last_run_at: ['last.started_at', 'When the last run started.'],
      last_error: ['last.error', 'What went wrong in the last run, in one line.'],
      rows: [rowCounts(streams), 'Number of rows that the API lists, as stored. Counted when asked for.'],
      rejects: [
        `(SELECT count(*) FROM sync.rejected_records x
    WHERE x.project_id = s.project_id AND x.stream = s.stream AND x.replayed_at IS NULL)`,
        'Number of records that could not be made rows and wait for a definition that understands them.',
      ],
      drift: [
        '(SELECT count(*) FROM sync.api_drift x WHERE x.stream = s.stream)',
        'Number of ways in which the answers differ from the documents of the API (see sync_drift).',
      ],
      last_new_drift_at: [
        '(SELECT max(x.first_seen_at) FROM sync.api_drift x WHERE x.stream = s.stream)',
        'When the newest of these differences was first seen.',
      ],
    },
    from: JOINS,
  };
}

const syncRuns: View = {
  name: 'sync_runs',
  about:
    'Every attempt at one stream in one project: what it cost, what it changed, what it proved. Filter on started_at.',
  columns: {
    ...scopeColumns('r'),
    run_id: ['r.id', 'Number of the run.'],
    stream: ['r.stream', 'Name of the stream.'],
    started_at: ['r.started_at', 'When the run started. Filter on this column: it is indexed.'],
    finished_at: ['r.finished_at', 'When the run ended.'],
    duration_seconds: [
      'round(extract(epoch FROM r.finished_at - r.started_at), 1)::double precision',
      'How long the run took, in seconds.',
    ],
    ...decoded('status', 'r.status', 'How the run ended', RUN_STATUS),
    ...decoded('walk', 'r.walk', 'The most thorough reading in the run', WALK),
    ...decoded('certificate', 'r.certificate', 'What the run proved', CERTIFICATE),
    ...decoded('reason', 'r.reason', 'Why it did not prove completeness', REASON),
    requests: ['r.requests', 'Requests sent, failed attempts included.'],
    throttled: ['r.throttled', 'Requests that the API answered with "too many".'],
    records: ['r.records', 'Records received.'],
    inserted: ['r.inserted', 'Rows that were new.'],
    updated: ['r.updated', 'Rows that were written again because they differed.'],
    unchanged: ['r.unchanged', 'Rows that were as they are stored.'],
    deleted: ['r.deleted', 'Rows found to be listed no longer.'],
    rejected: ['r.rejected', 'Records that could not be made rows.'],
    error: ['r.error', 'What went wrong, in one line.'],
    error_code: ['r.error_code', 'Error code of the API, if it sent one.'],
    request_id: ['r.request_id', 'Request id of the API, to quote to its support.'],
  },
  from: 'FROM sync.runs r',
};

const syncDrift: View = {
  name: 'sync_drift',
  about: 'Where answers of the API differ from its documents. Nothing is refused for it.',
  columns: {
    stream: ['d.stream', 'Stream that met the difference.'],
    field: ['d.field', 'Field that differs.'],
    kind: ['d.kind', 'unknown field, missing field, undocumented value, beyond length, beyond range, or wrong total.'],
    sample: ['d.sample', 'First value seen.'],
    rows: ['d.count', 'How many new or changed rows had it.'],
    first_seen_at: ['d.first_seen_at', 'When it was first seen.'],
    last_seen_at: ['d.last_seen_at', 'When it was last seen.'],
  },
  from: 'FROM sync.api_drift d',
};

const syncRejects: View = {
  name: 'sync_rejects',
  about: 'Records that could not be made rows, counted by reason. The records themselves stay with the operators.',
  columns: {
    ...scopeColumns('x'),
    stream: ['x.stream', 'Stream the records belong to.'],
    field: ["coalesce(x.issues -> 0 ->> 'field', '')", 'First field that was refused.'],
    problem: ["coalesce(x.issues -> 0 ->> 'message', '')", 'What was wrong with it.'],
    records: ['count(*)', 'Number of different records.'],
    first_seen_at: ['min(x.first_seen_at)', 'When the first of them was first received.'],
    last_seen_at: ['max(x.last_seen_at)', 'When one of them was last received.'],
  },
  from: 'FROM sync.rejected_records x\nWHERE x.replayed_at IS NULL\nGROUP BY 1, 2, 3, 4, 5, 6',
};

/** Whether the data is complete and how old it is, what the service does, and where the API surprises it. */
export function healthViews(streams: readonly Stream[]): readonly View[] {
  return [streamFreshness(streams), syncRuns, syncDrift, syncRejects];
}
