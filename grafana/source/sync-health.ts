import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, field, pathTo, UID } from './dashboard.ts';
import { colored, inUnit, leadsTo, limits, named, series, stat, table } from './panels.ts';
import { chosen, inScope } from './sql.ts';
import { scopeVariables, streamVariable } from './variables.ts';

const ROWS = `${inScope} and ${chosen('stream', 'stream')}`;
const RUNS = `$__timeFilter(started_at)\n  and ${ROWS}`;
const onlyStream = leadsTo('Only this stream', pathTo(UID.health, { stream: field('stream') }));

const streams = table({
  title: 'Is the data complete, and how old is it?',
  about:
    'One row for each list of the API and project. fresh: proven complete within its target age. Rejects: records that could not be made rows. Differences: ways in which answers differ from the documents of the API.',
  sql: `
select state, stream, account, project_id, as_of, certified_at, lists_not_asked, age_seconds, look_age_seconds, target_seconds, certificate_text, reason_text,
  proof_text, premises, last_status_text, last_error, rows, rejects, drift
from bi.stream_freshness
where ${ROWS}
order by (state = 'fresh'), stream, project_id`,
  width: 24,
  height: 9,
  empty: 'Nothing was read yet: is the service running?',
  fields: {
    state: [
      ...colored({ fresh: 'green', stale: 'orange', incomplete: 'orange', 'never complete': 'red' }),
      named('State'),
    ],
    stream: [named('Stream'), onlyStream],
    account: [named('Account')],
    project_id: [named('Project')],
    as_of: [named('Complete as of')],
    certified_at: [named('Oldest list read to its end')],
    lists_not_asked: [named('Lists not asked')],
    age_seconds: [inUnit('dtdurations'), named('Age')],
    look_age_seconds: [inUnit('dtdurations'), named('Last look')],
    target_seconds: [inUnit('dtdurations'), named('Target')],
    certificate_text: [named('Certificate')],
    reason_text: [named('Why not')],
    proof_text: [named('How it was proven')],
    premises: [named('Taken for granted')],
    last_status_text: [named('Last run')],
    last_error: [named('Last error')],
    rows: [named('Rows')],
    rejects: [named('Rejects')],
    drift: [named('Differences')],
  },
});

const number = { width: 6, height: 4, empty: 'No runs' } as const;

const numbers = [
  stat({
    ...number,
    title: 'Runs proven complete',
    sql: `select (sum(looks) filter (where certificate = 'complete'))::float / nullif(sum(looks) filter (where finished_at is not null), 0) from bi.sync_runs where ${RUNS}`,
    unit: 'percentunit',
    limits: [
      { value: null, color: 'red' },
      { value: 0.9, color: 'orange' },
      { value: 0.99, color: 'green' },
    ],
  }),
  stat({ ...number, title: 'Requests', sql: `select coalesce(sum(requests), 0) from bi.sync_runs where ${RUNS}` }),
  stat({
    ...number,
    title: 'Throttled',
    about: 'Requests that the API answered with "too many".',
    sql: `select coalesce(sum(throttled), 0) from bi.sync_runs where ${RUNS}`,
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'Rejected records',
    about: 'Records that could not be made rows and wait for a definition that understands them.',
    sql: `select coalesce(sum(records), 0) from bi.sync_rejects where ${ROWS}`,
    limits: limits(1, 100),
  }),
];

const perStream = (title: string, value: string, options: { readonly bars: boolean; readonly unit?: string }) =>
  series({
    title,
    sql: `
select $__timeGroupAlias(started_at, '$__interval'), stream as metric, ${value}
from bi.sync_runs
where ${RUNS}
group by 1, 2 order by 1`,
    width: 12,
    height: 8,
    minInterval: '1m',
    empty: 'No runs in this time',
    ...options,
  });

const written = series({
  title: 'Rows that changed',
  sql: `
select $__timeGroupAlias(started_at, '$__interval'), sum(inserted) as "new", sum(updated) as "changed", sum(deleted) as "listed no longer"
from bi.sync_runs
where ${RUNS}
group by 1 order by 1`,
  width: 12,
  height: 8,
  bars: true,
  minInterval: '1m',
  empty: 'No runs in this time',
});

const troubled = table({
  title: 'Runs that proved less than completeness',
  sql: `
select started_at, stream, project_id, status_text, reason_text, error, error_code, request_id, requests, throttled, duration_seconds
from bi.sync_runs
where ${RUNS} and certificate is distinct from 'complete' and status <> 'running'
order by started_at desc limit 200`,
  width: 24,
  height: 7,
  empty: 'Every run proved its lists complete',
  fields: {
    started_at: [named('Started')],
    stream: [named('Stream'), onlyStream],
    project_id: [named('Project')],
    status_text: [named('Status')],
    reason_text: [named('Why')],
    error: [named('Error')],
    error_code: [named('Code')],
    request_id: [named('Request id')],
    requests: [named('Requests')],
    throttled: [named('Throttled')],
    duration_seconds: [named('Duration'), inUnit('s')],
  },
});

const drift = table({
  title: 'Where the API differs from its documents',
  about: 'Nothing is refused for it; new ones are worth a look.',
  sql: `
select first_seen_at, stream, field, kind, sample, rows, last_seen_at
from bi.sync_drift
where ${chosen('stream', 'stream')}
order by first_seen_at desc limit 200`,
  width: 12,
  height: 8,
  empty: 'Answers are as documented',
  fields: {
    first_seen_at: [named('First seen')],
    stream: [named('Stream')],
    field: [named('Field')],
    kind: [named('Difference')],
    sample: [named('First value')],
    rows: [named('Rows')],
    last_seen_at: [named('Last seen')],
  },
});

const rejects = table({
  title: 'Rejected records, by reason',
  sql: `
select stream, field, problem, sum(records) as records, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at
from bi.sync_rejects
where ${ROWS}
group by 1, 2, 3 order by records desc limit 100`,
  width: 12,
  height: 8,
  empty: 'Every record became a row',
  fields: {
    stream: [named('Stream')],
    field: [named('Field')],
    problem: [named('Problem')],
    records: [named('Records')],
    first_seen_at: [named('First seen')],
    last_seen_at: [named('Last seen')],
  },
});

export function syncHealth(): DashboardBuilder {
  return dashboard({
    uid: UID.health,
    title: 'Sync health',
    about: 'What the service read, what that cost, what it proved, and where the API surprised it.',
    from: 'now-6h',
    variables: [...scopeVariables, streamVariable],
    rows: [
      { panels: [streams] },
      { panels: numbers },
      {
        panels: [
          perStream('Requests', 'sum(requests) as requests', { bars: true }),
          perStream('Throttled requests', 'sum(throttled) as throttled', { bars: true }),
        ],
      },
      {
        panels: [
          perStream('Duration of runs', 'max(duration_seconds) as seconds', { bars: false, unit: 's' }),
          written,
        ],
      },
      { panels: [troubled] },
      { panels: [drift, rejects] },
    ],
  });
}
