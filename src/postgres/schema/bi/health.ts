import type { Stream } from '../../../core/stream/stream.ts';
import { rowCount, STATE, STATE_FROM, stateScopes } from '../../queries/stream-state.ts';
import { decoded, projectJoin, scopeColumns, type View } from './view.ts';
import { CERTIFICATE, REASON, RUN_STATUS, WALK } from './words.ts';

function streamFreshness(streams: readonly Stream[]): View {
  return {
    name: 'stream_freshness',
    about:
      'Is the data complete, and how old is it? One row for every stream and project that the service has read at least once.',
    with: stateScopes(streams),
    columns: {
      ...scopeColumns('last'),
      stream: ['s.stream', 'Name of the stream: one list of the API and the table it fills.'],
      table_name: ['t.table_name', 'The table it fills.'],
      as_of: [
        STATE.as_of,
        'Time for which the data is complete and current: the start of the last reading that showed every change. Reading the first page counts only if every change appears on that page. Lists counted in lists_not_asked are based on older readings.',
      ],
      age_seconds: [`round(${STATE.age_seconds})::bigint`, 'Age of the data: seconds since as_of.'],
      looked_at: [
        STATE.looked_at,
        'When the last run started that proved the data complete, or found no change since the last proof.',
      ],
      look_age_seconds: [`round(${STATE.look_age_seconds})::bigint`, 'Seconds since looked_at.'],
      certified_at: [STATE.certified_at, 'When the oldest list behind that proof was last read to its end.'],
      lists_not_asked: [
        STATE.lists_not_asked,
        'Number of lists that hardly ever change and were not read in that run; each is read at least once a week.',
      ],
      target_seconds: [
        STATE.target_seconds,
        'Age from which the data counts as stale, in seconds: as configured, but at least two ticks of the schedule.',
      ],
      is_stale: [STATE.is_stale, 'Whether the data is older than its target.'],
      state: [
        STATE.state,
        'fresh, stale, incomplete (the last run proved less than an earlier one) or never complete.',
      ],
      ...decoded('certificate', [STATE.certificate, 'What the last finished run proved'], CERTIFICATE),
      ...decoded('reason', [STATE.reason, 'Why the last finished run did not prove completeness'], REASON),
      proof: [
        STATE.proof,
        'How completeness was proven: atomic, order, quiet or split; several if the lists of the stream differ. Null if it was proven before this was stored.',
      ],
      proof_text: [STATE.proof_text, 'How completeness was proven, in plain words.'],
      premises: [STATE.premises, 'What the proof assumes about the server; null if nothing is stored.'],
      ...decoded('last_status', [STATE.last_status, 'How the last run ended'], RUN_STATUS),
      last_run_at: [STATE.last_run_at, 'When the last run started.'],
      last_error: [STATE.last_error, 'What went wrong in the last run, in one line.'],
      rows: [rowCount(streams), 'Number of stored rows that the API lists. Counted by each query.'],
      unconfirmed: [
        STATE.unconfirmed,
        'Number of rows that the API no longer lists but that still count as live, because later full walks have to confirm that they are gone.',
      ],
      rejects: [
        STATE.rejects,
        'Number of records that are not valid rows and are kept until a later definition accepts them.',
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
    from: STATE_FROM,
  };
}

const syncRuns: View = {
  name: 'sync_runs',
  about:
    'Attempts at one stream in one project: requests, changes and proof. Runs without changes share a row (see looks). Filter on started_at.',
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
    ...decoded('status', ['r.status', 'How the run ended'], RUN_STATUS),
    ...decoded('walk', ['r.walk', 'The most thorough reading in the run'], WALK),
    ...decoded('certificate', ['r.certificate', 'What the run proved'], CERTIFICATE),
    ...decoded('reason', ['r.reason', 'Why it did not prove completeness'], REASON),
    requests: ['r.requests', 'Requests sent, failed attempts included.'],
    throttled: ['r.throttled', 'Requests that the API answered with "too many".'],
    records: ['r.records', 'Records received.'],
    inserted: ['r.inserted', 'Rows that were new.'],
    updated: ['r.updated', 'Rows that were written again because they differed.'],
    unchanged: ['r.unchanged', 'Rows equal to the stored ones.'],
    deleted: ['r.deleted', 'Rows that are no longer listed.'],
    rejected: ['r.rejected', 'Records that are not valid rows.'],
    error: ['r.error', 'What went wrong, in one line.'],
    error_code: ['r.error_code', 'Error code of the API, if it sent one.'],
    request_id: ['r.request_id', 'Request id of the API, to quote to its support.'],
    looks: [
      'r.looks',
      'Number of runs in this row. Runs without changes share one row an hour, and after three days one a day; counters are sums, all other values are those of the last run.',
    ],
    first_looked_at: ['coalesce(r.first_looked_at, r.started_at)', 'When the first of these runs started.'],
  },
  from: `FROM sync.runs r\n${projectJoin('r')}`,
};

const syncDrift: View = {
  name: 'sync_drift',
  about: 'Differences between answers of the API and its documents. They cause no rejects.',
  columns: {
    stream: ['d.stream', 'Stream with the difference.'],
    field: ['d.field', 'Field that differs.'],
    kind: [
      'd.kind',
      'unknown field, missing field, undocumented value, beyond length, beyond range, other list, other order, key is not unique, error beside rows, or wrong total.',
    ],
    sample: ['d.sample', 'First value seen.'],
    rows: ['d.count', 'How many new or changed rows had it.'],
    first_seen_at: ['d.first_seen_at', 'When it was first seen.'],
    last_seen_at: ['d.last_seen_at', 'When it was last seen.'],
  },
  from: 'FROM sync.api_drift d',
};

const syncRejects: View = {
  name: 'sync_rejects',
  about: 'Records that are not valid rows, counted by reason. The records themselves are visible to operators only.',
  columns: {
    ...scopeColumns('x'),
    stream: ['x.stream', 'Stream the records belong to.'],
    field: ["coalesce(x.issues -> 0 ->> 'field', '')", 'First field that was refused.'],
    problem: ["coalesce(x.issues -> 0 ->> 'message', '')", 'What was wrong with it.'],
    records: ['count(*)', 'Number of different records.'],
    first_seen_at: ['min(x.first_seen_at)', 'When the first of them was first received.'],
    last_seen_at: ['max(x.last_seen_at)', 'When one of them was last received.'],
  },
  from: `FROM sync.rejected_records x\n${projectJoin('x')}\nWHERE x.replayed_at IS NULL\nGROUP BY 1, 2, 3, 4, 5, 6`,
};

/** Views on completeness and age of the data, the runs, drift and rejects. */
export function healthViews(streams: readonly Stream[]): readonly View[] {
  return [streamFreshness(streams), syncRuns, syncDrift, syncRejects];
}
