/** A question and the query that answers it. */
export interface Question {
  readonly ask: string;
  readonly sql: string;
}

/** General questions; each is one query on the schema `bi`. */
export const QUESTIONS: readonly Question[] = [
  {
    ask: 'Which clusters became riskier this week?',
    sql: `select today.cluster_name, before.risks as a_week_ago, today.risks as now, today.risks - before.risks as change
from bi.cluster_risk today
join bi.cluster_risk_daily before using (project_id, cluster_id)
where before.day = date_bin('1 day', now() - interval '7 days', '2000-01-01 00:00:00+00')
  and today.risks > before.risks
order by change desc`,
  },
  {
    ask: 'Which policy fires most, and where?',
    sql: `select policy_name, cluster_name, namespace, sum(events) as events, sum(open_events) as open
from bi.cluster_events_hourly
where hour > now() - interval '7 days'
group by policy_name, cluster_name, namespace
order by events desc
limit 20`,
  },
  {
    ask: 'How long until events are handled, median and 90th percentile?',
    sql: `select coalesce(policy_name, '(all)') as policy_name, count(*) as handled,
  round(percentile_cont(0.5) within group (order by minutes)) as median_minutes,
  round(percentile_cont(0.9) within group (order by minutes)) as p90_minutes
from bi.event_response_times
where event_time > now() - interval '30 days'
group by rollup (policy_name)
order by handled desc`,
  },
  {
    ask: 'Which critical image vulnerabilities were ignored, by whom, when?',
    sql: `select operation_time, user_name, handle_type_text, vul_id, cves, max_cvss_score, image_name, remark
from bi.image_vulnerability_operations
where severity = 'Critical' and handle_type in ('ignore', 'add_to_whitelist')
order by operation_time desc`,
  },
  {
    ask: 'Which audit reports are stuck?',
    sql: `select instance_name, report_name, type_text, end_time, percent, waiting_hours
from bi.audit_report_jobs
where is_stuck
order by waiting_hours desc`,
  },
  {
    ask: 'Which hosts have no working protection, most important first?',
    sql: `select host_name, private_ip, asset_value, group_name, protection_text, agent_status_text, edition_text
from bi.hosts
where not is_protected
order by (asset_value = 'important') desc nulls last, protection_text, host_name`,
  },
  {
    ask: 'Which hosts have the highest risk score?',
    sql: `select score, host_name, asset_value, protection, critical_vulnerabilities, high_vulnerabilities, weak_passwords, not_read
from bi.host_risk
order by score desc
limit 20`,
  },
  {
    ask: 'Which critical and high vulnerabilities have been open on hosts for more than 30 days?',
    sql: `select severity, age_days, host_name, asset_value, vul_id, cves, status_text
from bi.host_vulnerabilities
where is_open and severity in ('Critical', 'High') and age_days > 30
order by severity_rank, age_days desc`,
  },
  {
    ask: 'How many open vulnerabilities of hosts are fixed each week?',
    sql: `select week, severity, open_at_start, found, fixed, ignored, open_at_end, round((100 * fix_rate)::numeric, 1) as percent_fixed
from bi.host_vulnerabilities_weekly
where week > now() - interval '90 days'
order by week desc, severity`,
  },
  {
    ask: 'Whose passwords are weak, and on which hosts?',
    sql: `select user_name, service_text, count(*) as hosts, string_agg(host_name, ', ' order by host_name) as on_hosts, max(in_use_days) as in_use_days
from bi.weak_passwords
group by user_name, service_text
order by hosts desc`,
  },
  {
    ask: 'How many rules of each standard are passed, now and 30 days ago?',
    sql: `select today.standard_text, today.passed, today.failed, round((100 * today.pass_rate)::numeric, 1) as percent,
  round((100 * before.pass_rate)::numeric, 1) as percent_30_days_ago
from bi.baseline_pass_rate_daily today
left join bi.baseline_pass_rate_daily before
  on before.project_id = today.project_id and before.standard = today.standard and before.day = today.day - interval '30 days'
where today.day = date_bin('1 day', now(), '2000-01-01 00:00:00+00')
order by today.pass_rate`,
  },
  {
    ask: 'Which rules of high severity failed, and on how many hosts?',
    sql: `select standard_text, check_name, rule_name, failed_hosts, checked_hosts, can_be_repaired
from bi.baseline_rules
where result = 'failed' and severity = 'High'
order by failed_hosts desc nulls last`,
  },
  {
    ask: 'Which alarms are open, most severe first, then oldest?',
    sql: `select severity, age_hours, attack_tag_text, host_name, asset_value, alarm_name, what_happened
from bi.alarms
where is_open
order by severity_rank, age_hours desc
limit 100`,
  },
  {
    ask: 'How long until alarms are handled, by severity, median and 90th percentile?',
    sql: `select severity, count(*) as handled, round(percentile_cont(0.5) within group (order by minutes)) as median_minutes,
  round(percentile_cont(0.9) within group (order by minutes)) as p90_minutes
from bi.alarms
where alarm_time > now() - interval '30 days' and minutes is not null
group by severity, severity_rank
order by severity_rank`,
  },
  {
    ask: 'Who handled alarms in the past 30 days, how, and how soon?',
    sql: `select user_name, operation_text, count(*) as operations, round(percentile_cont(0.5) within group (order by minutes)) as median_minutes
from bi.alarm_operations
where operation_time > now() - interval '30 days'
group by user_name, operation_text
order by operations desc`,
  },
  {
    ask: 'Which malware is not handled yet, and where?',
    sql: `select severity, age_days, host_name, asset_value, malware_name, malware_type, file_path, isolated_text
from bi.malware
where is_open
order by severity_rank, age_days desc`,
  },
  {
    ask: 'Is the data complete, and how old is it?',
    sql: `select stream, project_id, state, as_of, age_seconds, target_seconds, certificate_text, reason_text, rows, rejects, drift
from bi.stream_freshness
order by state = 'fresh', stream`,
  },
];
