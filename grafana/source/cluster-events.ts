import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, field, pathTo, UID } from './dashboard.ts';
import { freshness } from './freshness.ts';
import { bars, inUnit, leadsTo, limits, named, series, stat, table } from './panels.ts';
import { inEvents, inHours, NOT_READ, onceRead } from './sql.ts';
import { eventVariables, scopeVariables } from './variables.ts';

const CREATED = `$__timeFilter(event_time)\n  and ${inEvents}`;
const HOURLY = `${inHours}\n  and ${inEvents}`;
const only = (column: string, variable: string) =>
  leadsTo('Only these', pathTo(UID.events, { [variable]: field(column) }));

const number = { width: 4, height: 4 } as const;

const numbers = [
  stat({
    ...number,
    title: 'Events',
    about: 'Of the chosen time; its first and last hour count whole.',
    sql: onceRead(
      'hss_cluster_events',
      `select coalesce(sum(events), 0) from bi.cluster_events_hourly where ${HOURLY}`,
    ),
    empty: NOT_READ,
  }),
  stat({
    ...number,
    title: 'Still open',
    about: 'Of the chosen time; not handled yet.',
    sql: onceRead('hss_cluster_events', `select count(*) from bi.open_cluster_events where ${CREATED}`),
    empty: NOT_READ,
    limits: limits(100, 1000),
  }),
  stat({
    ...number,
    title: 'Policy stepped in',
    about: 'Events where the policy blocked something instead of only warning.',
    sql: onceRead(
      'hss_cluster_events',
      `select coalesce(sum(critical_events), 0) from bi.cluster_events_hourly where ${HOURLY}`,
    ),
    empty: NOT_READ,
    limits: limits(1, 100),
  }),
  stat({
    ...number,
    title: 'Handled',
    sql: `select sum(handled_events)::float / nullif(sum(events), 0) from bi.cluster_events_hourly where ${HOURLY}`,
    unit: 'percentunit',
    empty: 'No events',
  }),
  stat({
    ...number,
    title: 'Time to handle, median',
    about: 'From an event to its first handling, for events of the chosen time.',
    sql: `select percentile_cont(0.5) within group (order by minutes) from bi.event_response_times where ${CREATED}`,
    unit: 'm',
    empty: 'None handled',
    limits: limits(1440, 4320),
  }),
  stat({
    ...number,
    title: 'Time to handle, 90 %',
    about: 'Nine of ten handled events took no longer.',
    sql: `select percentile_cont(0.9) within group (order by minutes) from bi.event_response_times where ${CREATED}`,
    unit: 'm',
    empty: 'None handled',
    limits: limits(4320, 10_080),
  }),
];

const overTime = (title: string, column: string) =>
  series({
    title,
    sql: `
select $__timeGroupAlias(hour, '$__interval', 0), ${column} as metric, sum(events) as events
from bi.cluster_events_hourly
where ${HOURLY}
group by 1, 2 order by 1`,
    width: 12,
    height: 8,
    bars: true,
    empty: 'No events in this time',
  });

const responseOverTime = series({
  title: 'Time to handle, by day of the event',
  about: 'Events that are still open are not in it: the newest days look better than they will.',
  sql: `
select $__timeGroupAlias(event_time, '1d'), percentile_cont(0.5) within group (order by minutes) as "median",
  percentile_cont(0.9) within group (order by minutes) as "90 %"
from bi.event_response_times
where ${CREATED}
group by 1 order by 1`,
  width: 12,
  height: 8,
  unit: 'm',
  bars: false,
  minInterval: '1d',
  empty: 'Nothing was handled in this time',
});

const namespaces = bars({
  title: 'Namespaces with most events',
  sql: `
select namespace, sum(events) - sum(open_events) as dealt_with, sum(open_events) as open
from bi.cluster_events_hourly
where ${HOURLY}
group by namespace order by sum(events) desc limit 12`,
  width: 12,
  height: 8,
  name: 'namespace',
  empty: 'No events in this time',
});

const policies = table({
  title: 'Which policy fires most, and where',
  sql: `
select policy_name, cluster_name, namespace, sum(events) as events, sum(open_events) as open, sum(critical_events) as stepped_in, max(hour) as latest
from bi.cluster_events_hourly
where ${HOURLY}
group by 1, 2, 3 order by events desc limit 100`,
  width: 12,
  height: 9,
  empty: 'No events in this time',
  fields: {
    policy_name: [named('Policy'), only('policy_name', 'policy')],
    cluster_name: [named('Cluster'), only('cluster_name', 'cluster')],
    namespace: [named('Namespace'), only('namespace', 'namespace')],
    events: [named('Events')],
    open: [named('Open')],
    stepped_in: [named('Policy stepped in')],
    latest: [named('Latest hour')],
  },
});

const oldestOpen = table({
  title: 'Open events, the oldest first',
  sql: `
select age_hours, cluster_name, namespace, policy_name, action_text, resource_kind, resource_name, message, event_time, event_id
from bi.open_cluster_events
where ${CREATED}
order by event_time limit 200`,
  width: 12,
  height: 9,
  empty: 'Nothing is open',
  fields: {
    age_hours: [named('Age'), inUnit('h')],
    cluster_name: [named('Cluster'), only('cluster_name', 'cluster')],
    namespace: [named('Namespace'), only('namespace', 'namespace')],
    policy_name: [named('Policy'), only('policy_name', 'policy')],
    action_text: [named('Action')],
    resource_kind: [named('Kind')],
    resource_name: [named('Resource')],
    message: [named('Message')],
    event_time: [named('When')],
    event_id: [named('Event')],
  },
});

const latest = table({
  title: 'Events',
  about: 'The latest 500 of the chosen time.',
  sql: `
select event_time, cluster_name, namespace, policy_name, action_text, handle_status_text, resource_kind, resource_name, message, enterprise_project, listed, event_id
from bi.cluster_events
where ${CREATED}
order by event_time desc limit 500`,
  width: 24,
  height: 12,
  empty: 'No events in this time',
  fields: {
    event_time: [named('When')],
    cluster_name: [named('Cluster'), only('cluster_name', 'cluster')],
    namespace: [named('Namespace'), only('namespace', 'namespace')],
    policy_name: [named('Policy'), only('policy_name', 'policy')],
    action_text: [named('Action')],
    handle_status_text: [named('State')],
    resource_kind: [named('Kind')],
    resource_name: [named('Resource')],
    message: [named('Message')],
    enterprise_project: [named('Enterprise project')],
    listed: [named('Still listed')],
    event_id: [named('Event')],
  },
});

export function clusterEvents(): DashboardBuilder {
  return dashboard({
    uid: UID.events,
    title: 'Cluster events',
    about:
      'Alarm events of the cluster protection policies: what fires, where, what is open, and how long handling takes.',
    from: 'now-7d',
    variables: [...scopeVariables, ...eventVariables],
    rows: [
      { panels: [freshness(7, ['hss_cluster_events', 'hss_protected_clusters'])] },
      { panels: numbers },
      { panels: [overTime('Events by policy', 'policy_name'), overTime('Events by cluster', 'cluster_name')] },
      { panels: [policies, oldestOpen] },
      { panels: [responseOverTime, namespaces] },
      { panels: [latest] },
    ],
  });
}
