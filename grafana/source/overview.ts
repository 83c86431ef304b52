import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, field, pathTo, UID } from './dashboard.ts';
import { freshness } from './freshness.ts';
import { bars, colored, inUnit, leadsTo, limits, named, series, stat, table } from './panels.ts';
import { inDays, inHours, inScope, NOT_READ, onceRead } from './sql.ts';
import { scopeVariables } from './variables.ts';

const numbers = [
  stat({
    title: 'Open events',
    about: 'Events that are not handled yet, however old.',
    sql: onceRead('hss_cluster_events', `select count(*) from bi.open_cluster_events where ${inScope}`),
    width: 4,
    height: 4,
    empty: NOT_READ,
    limits: limits(1000, 10_000),
    link: pathTo(UID.events),
  }),
  stat({
    title: 'Open events, policy stepped in',
    about: 'Open events where the policy blocked something instead of only warning, of the past 7 days.',
    sql: onceRead(
      'hss_cluster_events',
      `select count(*) from bi.open_cluster_events where is_critical and event_time > now() - interval '7 days' and ${inScope}`,
    ),
    width: 4,
    height: 4,
    empty: NOT_READ,
    limits: limits(1, 50),
    link: pathTo(UID.events),
  }),
  stat({
    title: 'Time to handle, median',
    about: 'Of the events of the chosen time that were handled since.',
    sql: `
select percentile_cont(0.5) within group (order by minutes) as median
from bi.event_response_times
where $__timeFilter(event_time) and ${inScope}`,
    width: 4,
    height: 4,
    unit: 'm',
    empty: 'None handled',
    limits: limits(1440, 4320),
    link: pathTo(UID.events),
  }),
  stat({
    title: 'Clusters at risk',
    sql: onceRead(
      'hss_cluster_security_reports',
      `select count(*) from bi.cluster_risk where risks > 0 and ${inScope}`,
    ),
    width: 4,
    height: 4,
    empty: NOT_READ,
    limits: limits(1, 10),
  }),
  stat({
    title: 'Critical vulnerabilities, open',
    about: 'Different critical vulnerabilities in container images that are not handled.',
    sql: onceRead(
      'hss_image_vulnerabilities',
      `select count(distinct vul_id) from bi.image_vulnerabilities where severity = 'Critical' and handle_status = 'unhandled' and ${inScope}`,
    ),
    width: 4,
    height: 4,
    empty: NOT_READ,
    limits: limits(1, 20),
    link: pathTo(UID.vulnerabilities),
  }),
  stat({
    title: 'Stuck audit reports',
    sql: onceRead('dbss_audit_reports', `select count(*) from bi.audit_report_jobs where is_stuck and ${inScope}`),
    width: 4,
    height: 4,
    empty: NOT_READ,
    limits: limits(1),
  }),
];

const eventsOverTime = series({
  title: 'Events by what the policy did',
  sql: `
select $__timeGroupAlias(hour, '$__interval', 0), action_text as metric, sum(events) as events
from bi.cluster_events_hourly
where ${inHours} and ${inScope}
group by 1, 2 order by 1`,
  width: 12,
  height: 8,
  bars: true,
  empty: 'No events in this time',
});

const riskOverTime = series({
  title: 'Findings of all clusters',
  about: 'What was known at the end of each day (UTC). A day without a scan repeats the last one.',
  sql: `
select $__timeGroupAlias(day, '1d'), kind as metric, sum(findings) as findings
from bi.cluster_risk_daily
cross join lateral (values ('Image vulnerabilities', image_vulnerabilities), ('Baseline risks', baseline_risks), ('Privileged containers', privileged_containers)) kinds (kind, findings)
where ${inDays} and ${inScope}
group by 1, 2 order by 1`,
  width: 12,
  height: 8,
  bars: false,
  minInterval: '1d',
  empty: 'No cluster was scanned yet',
});

const clustersAtRisk = table({
  title: 'Clusters at risk, and how that changed in a week',
  about: 'Change: findings now against those known seven days ago. A cluster that is younger has no change.',
  sql: `
select risk.cluster_name, risk.risks, risk.risks - before.risks as change, risk.image_vulnerabilities, risk.baseline_risks,
  risk.privileged_containers, risk.protect_status_text, risk.scan_time
from bi.cluster_risk risk
left join bi.cluster_risk_daily before
  on before.project_id = risk.project_id and before.cluster_id = risk.cluster_id
  and before.day = date_bin('1 day', now() - interval '7 days', '2000-01-01 00:00:00+00')
where risk.risks > 0 and ${inScope.replaceAll(/\b(account|region|project_id) in/g, 'risk.$1 in')}
order by change desc nulls last, risk.risks desc limit 50`,
  width: 12,
  height: 9,
  empty: 'No cluster is at risk',
  fields: {
    cluster_name: [named('Cluster'), leadsTo('Its events', pathTo(UID.events, { cluster: field('cluster_name') }))],
    risks: [named('Findings')],
    change: [named('Change in 7 days')],
    image_vulnerabilities: [named('Image vulnerabilities')],
    baseline_risks: [named('Baseline risks')],
    privileged_containers: [named('Privileged containers')],
    protect_status_text: [named('Protection')],
    scan_time: [named('Scanned')],
  },
});

const policies = bars({
  title: 'Policies that fire most',
  sql: `
select policy_name, sum(events) - sum(open_events) as dealt_with, sum(open_events) as open
from bi.cluster_events_hourly
where ${inHours} and ${inScope}
group by policy_name order by sum(events) desc limit 10`,
  width: 12,
  height: 9,
  name: 'policy_name',
  empty: 'No events in this time',
});

const reportStates = table({
  title: 'Audit reports that are not finished',
  about: 'stuck: no progress for an hour and two hours late, or a day late.',
  sql: `
select state_text, instance_name, report_name, type_text, report_time, percent, waiting_hours
from bi.audit_report_jobs
where state in ('running', 'stuck') and ${inScope}
order by is_stuck desc, report_time limit 50`,
  width: 12,
  height: 7,
  empty: 'All reports are finished',
  fields: {
    state_text: [named('State'), ...colored({ Stuck: 'red', 'Being made': 'blue' })],
    instance_name: [named('Instance')],
    report_name: [named('Report')],
    type_text: [named('Period')],
    report_time: [named('End of period')],
    percent: [named('Progress'), inUnit('percent')],
    waiting_hours: [named('Waiting'), inUnit('h')],
  },
});

const reportMinutes = series({
  title: 'Time until audit reports are finished',
  sql: `
select $__timeGroupAlias(report_time, '1d'), instance_name as metric, avg(minutes) as minutes
from bi.audit_report_jobs
where $__timeFilter(report_time) and state = 'finished' and ${inScope}
group by 1, 2 order by 1`,
  width: 12,
  height: 7,
  unit: 'm',
  bars: false,
  minInterval: '1d',
  empty: 'No report in this time',
});

const latestReports = table({
  title: 'Latest audit reports',
  sql: `
select report_time, instance_name, report_name, type_text, databases, format, is_finished, finish_time, listed
from bi.audit_reports
where $__timeFilter(report_time) and ${inScope}
order by report_time desc limit 100`,
  width: 24,
  height: 8,
  empty: 'No report in this time',
  fields: {
    report_time: [named('End of period')],
    instance_name: [named('Instance')],
    report_name: [named('Report')],
    type_text: [named('Period')],
    databases: [named('Databases')],
    format: [named('Format')],
    is_finished: [named('Finished')],
    finish_time: [named('Finished at')],
    listed: [named('Still listed')],
  },
});

export function overview(): DashboardBuilder {
  return dashboard({
    uid: UID.overview,
    title: 'Security overview',
    about:
      'Where to look first: open events, clusters at risk, critical vulnerabilities, stuck database audit reports.',
    from: 'now-30d',
    variables: scopeVariables,
    rows: [
      { panels: [freshness(9)] },
      { panels: numbers },
      { panels: [eventsOverTime, riskOverTime] },
      { panels: [clustersAtRisk, policies] },
      { title: 'Database audit reports', panels: [reportStates, reportMinutes, latestReports] },
    ],
  });
}
