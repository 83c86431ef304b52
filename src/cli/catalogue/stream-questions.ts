import type { Question } from './questions.ts';

/** Example questions by stream name. */
export const HSS_QUESTIONS: Readonly<Record<string, readonly Question[]>> = {
  hss_cluster_events: [
    {
      ask: 'What happened in the past hour?',
      sql: `select coalesce(create_time, update_time) as time, cluster_name, resource_info_namespace, policy_name, action, resource_info_message
from hss.cluster_events
where coalesce(create_time, update_time) > now() - interval '1 hour'
order by time desc`,
    },
    {
      ask: 'Which clusters have the most open events?',
      sql: `select cluster_name, count(*) as open, min(coalesce(create_time, update_time)) as oldest
from hss.cluster_events
where handle_status = 'unhandled' and _deleted_at is null
group by cluster_name
order by open desc`,
    },
    {
      ask: 'Which images violated policies?',
      sql: `select substring(resource_info_message from 'image ([^\\s,]+)') as image, count(*) as events
from hss.cluster_events
where resource_info_message like '%image %'
group by image
order by events desc
limit 20`,
    },
    {
      ask: 'Which events aged out of the API and were never handled?',
      sql: `select event_id, cluster_name, policy_name, coalesce(create_time, update_time) as time, _deleted_at
from hss.cluster_events
where _deleted_at is not null and handle_status = 'unhandled'
order by time desc`,
    },
    {
      ask: 'What did an event look like before it was handled?',
      sql: `select h._valid_from, h._valid_to, h.handle_status, e.handle_status as handle_status_now
from hss.cluster_events e
join hss.cluster_events_history h using (project_id, event_id)
where e.handle_status = 'handled'
order by h._valid_to desc
limit 20`,
    },
  ],
  hss_cluster_security_reports: [
    {
      ask: 'Which clusters are at risk, worst first?',
      sql: `select cluster_name, severity, local_image_vul_num, risk_config_num, privileged_container_num
from hss.cluster_security_reports
where _deleted_at is null and severity = 'Insecurity'
order by local_image_vul_num + risk_config_num + privileged_container_num desc`,
    },
    {
      ask: 'Which clusters run privileged containers?',
      sql: `select cluster_name, privileged_container_num
from hss.cluster_security_reports
where _deleted_at is null and privileged_container_num > 0
order by privileged_container_num desc`,
    },
    {
      ask: 'Which clusters were not scanned for a day?',
      sql: `select cluster_name, scan_time, now() - scan_time as ago
from hss.cluster_security_reports
where _deleted_at is null and (scan_time is null or scan_time < now() - interval '1 day')
order by scan_time nulls first`,
    },
    {
      ask: 'Which clusters have a report but are not protected?',
      sql: `select r.cluster_name, p.protect_status
from hss.cluster_security_reports r
left join hss.protected_clusters p on p.project_id = r.project_id and p.cluster_id = r.cluster_id and p._deleted_at is null
where r._deleted_at is null and coalesce(p.protect_status, '') not like 'protected with%'`,
    },
    {
      ask: 'How did the findings of each scan change?',
      sql: `select cluster_name, scan_time, local_image_vul_num,
  local_image_vul_num - lag(local_image_vul_num) over (partition by project_id, report_id order by scan_time) as change
from (
  select project_id, report_id, cluster_name, scan_time, local_image_vul_num from hss.cluster_security_reports
  union all
  select project_id, report_id, cluster_name, scan_time, local_image_vul_num from hss.cluster_security_reports_history
) versions
order by cluster_name, scan_time desc
limit 100`,
    },
  ],
  hss_protected_clusters: [
    {
      ask: 'Which clusters are not protected, or have no policy?',
      sql: `select cluster_name, protect_status, policy_num
from hss.protected_clusters
where _deleted_at is null and protect_status <> 'protected with policy'
order by cluster_name`,
    },
    {
      ask: 'Which versions of Kubernetes are in use?',
      sql: `select cluster_version, count(*) as clusters
from hss.protected_clusters
where _deleted_at is null
group by cluster_version
order by cluster_version`,
    },
    {
      ask: 'Which clusters have the fewest policies?',
      sql: `select cluster_name, policy_num, protect_status
from hss.protected_clusters
where _deleted_at is null
order by policy_num nulls first
limit 10`,
    },
    {
      ask: 'Which clusters came or went in the past 30 days?',
      sql: `select cluster_name, _first_seen_at, _deleted_at
from hss.protected_clusters
where _first_seen_at > now() - interval '30 days' or _deleted_at > now() - interval '30 days'
order by greatest(_first_seen_at, _deleted_at) desc`,
    },
    {
      ask: 'Which clusters have open events but are not protected, or no longer known?',
      sql: `select e.cluster_id, max(e.cluster_name) as cluster_name, max(p.protect_status) as protect_status, count(*) as open
from hss.cluster_events e
left join hss.protected_clusters p on p.project_id = e.project_id and p.cluster_id = e.cluster_id and p._deleted_at is null
where e._deleted_at is null and e.handle_status = 'unhandled'
  and coalesce(p.protect_status, '') not like 'protected with%'
group by e.cluster_id
order by open desc`,
    },
  ],
  hss_kubernetes_clusters: [
    {
      ask: 'Which clusters have nodes without an agent?',
      sql: `select cluster_name, total_nodes_number, agent_not_install_num, agent_install_failed_num
from hss.kubernetes_clusters
where _deleted_at is null and agent_not_install_num + agent_install_failed_num > 0
order by agent_not_install_num desc`,
    },
    {
      ask: 'Which clusters have emergency vulnerabilities?',
      sql: `select cluster_name, emg_vul_num, sys_vul_num, app_vul_num
from hss.kubernetes_clusters
where _deleted_at is null and emg_vul_num > 0
order by emg_vul_num desc`,
    },
    {
      ask: 'Where do clusters run, and which versions?',
      sql: `select cluster_type, version, count(*) as clusters, sum(total_nodes_number) as nodes
from hss.kubernetes_clusters
where _deleted_at is null
group by cluster_type, version
order by clusters desc`,
    },
    {
      ask: 'Which clusters are unhealthy?',
      sql: `select cluster_name, status, active_nodes_number, total_nodes_number
from hss.kubernetes_clusters
where _deleted_at is null and (status <> 'Available' or active_nodes_number < total_nodes_number)`,
    },
    {
      ask: 'Which clusters are known but have no protection?',
      sql: `select k.cluster_name, k.cluster_type, p.protect_status
from hss.kubernetes_clusters k
left join hss.protected_clusters p on p.project_id = k.project_id and p.cluster_id = k.cluster_id and p._deleted_at is null
where k._deleted_at is null and coalesce(p.protect_status, '') not like 'protected with%'
order by k.cluster_name`,
    },
  ],
};

/** Example questions by stream name. */
export const VULNERABILITY_QUESTIONS: Readonly<Record<string, readonly Question[]>> = {
  hss_image_vulnerabilities: [
    {
      ask: 'Which critical vulnerabilities are open, and in how many images?',
      sql: `select vul_id, vul_name, image_type, max_cvss_score, image_num
from hss.image_vulnerabilities
where _deleted_at is null and severity_level = 'Critical' and handle_status = 'unhandled'
order by max_cvss_score desc, image_num desc`,
    },
    {
      ask: 'Where is a CVE?',
      sql: `select vul_id, vul_name, image_type, handle_status, image_num
from hss.image_vulnerabilities
where _deleted_at is null and cve_list @> '[{"cve_id": "CVE-2021-44228"}]'`,
    },
    {
      ask: 'What is open, by severity and kind of image?',
      sql: `select severity_level, image_type, count(*) as vulnerabilities, sum(image_num) as images
from hss.image_vulnerabilities
where _deleted_at is null and handle_status = 'unhandled'
group by severity_level, image_type
order by severity_level, image_type`,
    },
    {
      ask: 'Which vulnerabilities are handled in some images and open in others?',
      sql: `select vul_id, image_type, string_agg(handle_status || ': ' || coalesce(image_num, 0), ', ') as images
from hss.image_vulnerabilities
where _deleted_at is null
group by vul_id, image_type
having count(distinct handle_status) > 1`,
    },
    {
      ask: 'What is new this week?',
      sql: `select _first_seen_at, severity_level, vul_id, vul_name, image_type
from hss.image_vulnerabilities
where _deleted_at is null and _first_seen_at > now() - interval '7 days'
order by _first_seen_at desc
limit 100`,
    },
  ],
  hss_image_vulnerability_operations: [
    {
      ask: 'Who handled vulnerabilities in the past 30 days, and how?',
      sql: `select user_name, handle_type, count(*) as operations
from hss.image_vulnerability_operations
where handle_time > now() - interval '30 days'
group by user_name, handle_type
order by operations desc`,
    },
    {
      ask: 'What was ignored without a remark?',
      sql: `select handle_time, user_name, vul_id, image_name
from hss.image_vulnerability_operations
where handle_type in ('ignore', 'add_to_whitelist') and coalesce(remark, '') = ''
order by handle_time desc`,
    },
    {
      ask: 'What was done about a vulnerability, step by step?',
      sql: `select handle_time, user_name, handle_type, status, image_name, image_version, remark
from hss.image_vulnerability_operations
where vul_id = 'HCVD-APP-CVE-2020-15123'
order by handle_time`,
    },
    {
      ask: 'Which ignored vulnerabilities were reopened?',
      sql: `select vul_id, image_type, max(handle_time) as reopened_at
from hss.image_vulnerability_operations
where handle_type = 'not_ignore'
group by vul_id, image_type
order by reopened_at desc`,
    },
    {
      ask: 'Which images are exempted most often?',
      sql: `select image_name, count(*) as exemptions, count(distinct vul_id) as vulnerabilities
from hss.image_vulnerability_operations
where handle_type = 'add_to_whitelist'
group by image_name
order by exemptions desc
limit 20`,
    },
  ],
};

/** Example questions by stream name. */
export const DBSS_QUESTIONS: Readonly<Record<string, readonly Question[]>> = {
  dbss_audit_instances: [
    {
      ask: 'Which audit instances do not run?',
      sql: `select name, status, task
from dbss.audit_instances
where _deleted_at is null and status <> 'ACTIVE'`,
    },
    {
      ask: 'Which instances expire within 60 days?',
      sql: `select name, remain_days, expired
from dbss.audit_instances
where _deleted_at is null and remain_days ~ '^\\d+$' and remain_days::int <= 60
order by remain_days::int`,
    },
    {
      ask: 'How many databases do they audit, and how many could they?',
      sql: `select name, config_num, database_limit
from dbss.audit_instances
where _deleted_at is null
order by config_num desc nulls last`,
    },
    {
      ask: 'Which instances wait for an upgrade?',
      sql: `select name, version, new_version
from dbss.audit_instances
where _deleted_at is null and new_version <> '' and new_version is distinct from version`,
    },
    {
      ask: 'Which instances created no report in the past two days?',
      sql: `select i.name, max(r.finish_time) as last_report
from dbss.audit_instances i
left join dbss.audit_reports r using (project_id, instance_id)
where i._deleted_at is null
group by i.project_id, i.instance_id, i.name
having max(r.finish_time) is null or max(r.finish_time) < now() - interval '2 days'`,
    },
  ],
  dbss_audit_reports: [
    {
      ask: 'Which reports were finished in the past week?',
      sql: `select finish_time, instance_id, name, type, format
from dbss.audit_reports
where finish_time > now() - interval '7 days'
order by finish_time desc`,
    },
    {
      ask: 'Which reports are not finished?',
      sql: `select instance_id, id, name, type, percentum, end_time
from dbss.audit_reports
where _deleted_at is null and finish_time is null
order by end_time`,
    },
    {
      ask: 'Is there a daily report for each of the past 14 days?',
      sql: `select i.name, day::date
from dbss.audit_instances i
cross join generate_series(now()::date - 14, now()::date - 2, interval '1 day') day
where i._deleted_at is null and not exists (
  select from dbss.audit_reports r
  where r.project_id = i.project_id and r.instance_id = i.instance_id and r.type = 'AUDIT_REPORT_DAY'
    and r.finish_time is not null and r.end_time >= day and r.end_time < day + interval '1 day'
)
order by day, i.name`,
    },
    {
      ask: 'Who requested reports on demand: which, and over what time?',
      sql: `select end_time, name, template_type, start_time, coalesce(nullif(db_names, ''), '(all)') as databases
from dbss.audit_reports
where type = 'AUDIT_REPORT_REAL_TIME'
order by end_time desc`,
    },
    {
      ask: 'How did the progress of each report change?',
      sql: `select r.name, h._valid_from, h.percentum, r.percentum as percentum_now
from dbss.audit_reports_history h
join dbss.audit_reports r using (project_id, instance_id, id)
order by h._valid_from desc
limit 50`,
    },
  ],
};
