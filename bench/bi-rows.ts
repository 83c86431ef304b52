/** SQL that generates the rows of a large estate: a million events over 90 days and everything related. */

const CLUSTER = "'cluster-' || lpad((least(power(random(), 3) * 100, 99))::int::text, 3, '0')";

/** Statements in order, each with what it generates. */
export function estate(events: number): readonly (readonly [what: string, sql: string])[] {
  return [
    [
      'events',
      `insert into hss.cluster_events (project_id, region, account, event_id, event_class_id, event_name, event_type,
         event_content, action, handle_status, create_time, update_time, cluster_id, cluster_name, enterprise_project_id,
         policy_id, policy_name, resource_info_enforcement_action, resource_info_kind, resource_info_message,
         resource_info_name, resource_info_namespace, _hash, _first_seen_at, _changed_at, _deleted_at)
       select 'p1', 'cn-north-4', 'default', gen_random_uuid()::text, 'clusterprotect_1001', 'Vulnerable image startup', 3009,
         repeat('x', 220), (array['warn', 'warn', 'warn', 'deny', 'dryrun'])[1 + (random() * 4)::int],
         case when handled then 'handled' else 'unhandled' end, created,
         created + case when handled then random() * interval '5 days' else interval '0' end, cluster, 'prod-' || cluster,
         (i % 4)::text, 'policy-' || policy, 'policy-' || policy, 'warn', 'Pod', repeat('m', 90), 'pod-' || i,
         'namespace-' || (i * 7919) % 40, sha256(i::text::bytea), created, created,
         case when random() < 0.05 then now() end
       from (select i, now() - i * interval '90 days' / ${events} as created, random() < 0.4 as handled,
               ${CLUSTER} as cluster, (power(random(), 2) * 9)::int as policy
             from generate_series(0::bigint, ${events - 1}) i) made`,
    ],
    [
      'earlier versions of handled events',
      `insert into hss.cluster_events_history (project_id, region, account, event_id, handle_status, create_time, update_time,
         cluster_id, cluster_name, policy_name, _valid_from, _valid_to)
       select project_id, region, account, event_id, 'unhandled', create_time, create_time, cluster_id, cluster_name,
         policy_name, create_time, update_time
       from hss.cluster_events where handle_status = 'handled'`,
    ],
    [
      'protected clusters',
      `insert into hss.protected_clusters (project_id, region, account, cluster_id, cluster_name, protect_status, policy_num,
         _hash, _first_seen_at, _changed_at)
       select 'p1', 'cn-north-4', 'default', 'cluster-' || lpad(i::text, 3, '0'), 'prod-cluster-' || lpad(i::text, 3, '0'),
         'protected with policy', 3, 'x', now(), now() from generate_series(0, 99) i`,
    ],
    [
      'cluster security reports',
      `insert into hss.cluster_security_reports (project_id, region, account, report_id, cluster_id, cluster_name,
         cluster_category, severity, local_image_vul_num, risk_config_num, privileged_container_num, scan_time, _hash,
         _first_seen_at, _changed_at)
       select 'p1', 'cn-north-4', 'default', 'report-' || i, 'cluster-' || lpad(i::text, 3, '0'),
         'prod-cluster-' || lpad(i::text, 3, '0'), 'CCE', 'Insecurity', 40, 4, 2, now(), 'x', now(), now()
       from generate_series(0, 99) i`,
    ],
    [
      'their versions, four scans a day',
      `insert into hss.cluster_security_reports_history (project_id, region, account, report_id, cluster_id, cluster_name,
         cluster_category, severity, local_image_vul_num, risk_config_num, privileged_container_num, scan_time, _valid_from,
         _valid_to)
       select project_id, region, account, report_id, cluster_id, cluster_name, cluster_category, severity,
         (random() * 90)::int, 4, 2, at, at, at + interval '6 hours'
       from hss.cluster_security_reports, generate_series(now() - interval '90 days', now() - interval '6 hours', interval '6 hours') at`,
    ],
    [
      'vulnerabilities',
      `insert into hss.image_vulnerabilities (project_id, region, account, vul_id, vul_name, image_type, type, handle_status,
         severity_level, max_cvss_score, cve_list, image_num, scan_time, _hash, _first_seen_at, _changed_at)
       select 'p1', 'cn-north-4', 'default', 'vul-' || i, 'openssl security update', t, 'linux_vul',
         case when i % 8 = 0 then 'handled' else 'unhandled' end, (array['Critical', 'High', 'Medium', 'Low'])[1 + i % 4], 7.5,
         '[{"cve_id": "CVE-2024-1234", "cvss": 7.5}, {"cve_id": "CVE-2024-4321", "cvss": 5.0}]', 5, now(), 'x', now(), now()
       from generate_series(1, 10000) i, unnest('{local_image,registry}'::text[]) t`,
    ],
    [
      'operations',
      `insert into hss.image_vulnerability_operations (project_id, region, account, vul_id, image_type, operation_key,
         image_name, user_name, handle_type, handle_time, status, _hash, _first_seen_at, _changed_at)
       select 'p1', 'cn-north-4', 'default', 'vul-' || 1 + i % 10000, (array['local_image', 'registry'])[1 + i % 2],
         'operation-' || i, 'payments/api', 'user-' || i % 9, (array['ignore', 'add_to_whitelist'])[1 + i % 2],
         now() - random() * interval '90 days', 'vul_status_ignored', 'x', now(), now()
       from generate_series(1, 100000) i`,
    ],
    [
      'audit instances',
      `insert into dbss.audit_instances (project_id, region, account, instance_id, name, status, _hash, _first_seen_at, _changed_at)
       select 'p1', 'cn-north-4', 'default', 'instance-' || i, 'audit-' || i, 'ACTIVE', 'x', now(), now() from generate_series(1, 50) i`,
    ],
    [
      'audit reports',
      `insert into dbss.audit_reports (project_id, region, account, instance_id, id, name, type, percentum, start_time, end_time,
         finish_time, _hash, _first_seen_at, _changed_at)
       select 'p1', 'cn-north-4', 'default', 'instance-' || i, 'report-' || d, 'Daily', 'AUDIT_REPORT_DAY', 100,
         now() - (d + 1) * interval '1 day', now() - d * interval '1 day', now() - d * interval '1 day', 'x', now(), now()
       from generate_series(1, 50) i, generate_series(0, 400) d`,
    ],
    [
      'runs',
      `insert into sync.runs (stream, account, region, project_id, status, walk, certificate, certified_at, requests, records,
         started_at, beat_at, finished_at, owner)
       select s, 'default', 'cn-north-4', 'p1', 'succeeded', 'probe', 'complete', at, 1, 200, at, at, at + interval '1 second', 'bench'
       from (values ('hss_cluster_events', 1), ('hss_cluster_security_reports', 5), ('hss_protected_clusters', 10),
               ('hss_image_vulnerabilities', 15), ('hss_image_vulnerability_operations', 10), ('dbss_audit_reports', 5),
               ('dbss_audit_instances', 10)) streams (s, minutes),
         generate_series(now() - interval '90 days', now(), minutes * interval '1 minute') at`,
    ],
  ];
}
