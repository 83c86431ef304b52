import type { Question } from './questions.ts';

/** Stream -> what a security engineer asks of its table. */
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
      ask: 'Which images did the policies complain about?',
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
      ask: 'Which clusters are at risk, the worst first?',
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
      ask: 'Which clusters are not protected, or have no policy to act by?',
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
