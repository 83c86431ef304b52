DROP VIEW IF EXISTS "bi"."cluster_events";
DROP VIEW IF EXISTS "bi"."open_cluster_events";
DROP VIEW IF EXISTS "bi"."event_response_times";
DROP VIEW IF EXISTS "bi"."cluster_events_hourly";
DROP VIEW IF EXISTS "bi"."clusters";
DROP VIEW IF EXISTS "bi"."kubernetes_clusters";
DROP VIEW IF EXISTS "bi"."cluster_risk";
DROP VIEW IF EXISTS "bi"."cluster_risk_daily";
DROP VIEW IF EXISTS "bi"."image_vulnerabilities";
DROP VIEW IF EXISTS "bi"."image_vulnerability_operations";
DROP VIEW IF EXISTS "bi"."vulnerability_handling_daily";
DROP VIEW IF EXISTS "bi"."audit_instances";
DROP VIEW IF EXISTS "bi"."audit_reports";
DROP VIEW IF EXISTS "bi"."audit_report_jobs";
DROP VIEW IF EXISTS "bi"."stream_freshness";
DROP VIEW IF EXISTS "bi"."sync_runs";
DROP VIEW IF EXISTS "bi"."sync_drift";
DROP VIEW IF EXISTS "bi"."sync_rejects";
-- The schema bi: generated from src/postgres/bi, complete in every migration that touches it.
CREATE SCHEMA IF NOT EXISTS "bi";
COMMENT ON SCHEMA "bi" IS 'What dashboards and people may rely on: views in plain words, without JSON.';
CREATE INDEX IF NOT EXISTS "cluster_events_create_hour_idx" ON hss.cluster_events (date_bin('1 hour', create_time, '2000-01-01 00:00:00+00'::timestamptz));
CREATE INDEX IF NOT EXISTS "cluster_events_open_idx" ON hss.cluster_events (create_time) WHERE handle_status IS DISTINCT FROM 'handled' AND _deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS "cluster_events_listed_idx" ON hss.cluster_events (project_id) WHERE _deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS "image_vulnerability_operations_day_idx" ON hss.image_vulnerability_operations (date_bin('1 day', handle_time, '2000-01-01 00:00:00+00'::timestamptz));
CREATE VIEW "bi"."cluster_events" AS
SELECT
  e.account AS "account",
  e.region AS "region",
  e.project_id AS "project_id",
  e.enterprise_project_id AS "enterprise_project_id",
  coalesce(ep.name, CASE e.enterprise_project_id WHEN '0' THEN 'default' ELSE e.enterprise_project_id END) AS "enterprise_project",
  e.event_id AS "event_id",
  e.create_time AS "create_time",
  e.update_time AS "update_time",
  e.event_name AS "event_name",
  e.event_class_id AS "event_class_id",
  e.cluster_id AS "cluster_id",
  coalesce(nullif(e.cluster_name, ''), e.cluster_id, '(unknown)') AS "cluster_name",
  coalesce(nullif(e.resource_info_namespace, ''), '(cluster-wide)') AS "namespace",
  e.policy_id AS "policy_id",
  coalesce(nullif(e.policy_name, ''), e.policy_id, '(unknown)') AS "policy_name",
  e.action AS "action",
  CASE e.action WHEN 'warn' THEN 'Warned' WHEN 'alert' THEN 'Warned' WHEN 'deny' THEN 'Blocked' WHEN 'block' THEN 'Blocked' WHEN 'dryrun' THEN 'Only recorded' ELSE e.action END AS "action_text",
  coalesce(e.action, 'warn') NOT IN ('warn', 'alert', 'dryrun') AS "is_critical",
  e.handle_status AS "handle_status",
  CASE e.handle_status WHEN 'unhandled' THEN 'Open' WHEN 'handled' THEN 'Handled' ELSE e.handle_status END AS "handle_status_text",
  e.handle_status IS DISTINCT FROM 'handled' AS "is_open",
  e.resource_info_kind AS "resource_kind",
  e.resource_info_name AS "resource_name",
  e.resource_info_message AS "message",
  e._deleted_at IS NULL AS "listed",
  e._first_seen_at AS "first_seen_at"
FROM hss.cluster_events e
LEFT JOIN sync.enterprise_projects ep ON ep.account = e.account AND ep.id = e.enterprise_project_id;
COMMENT ON VIEW "bi"."cluster_events" IS 'Alarm events of the cluster protection policies, one row each. Filter on create_time.';
COMMENT ON COLUMN "bi"."cluster_events"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."cluster_events"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."cluster_events"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."cluster_events"."enterprise_project_id" IS 'Id of the enterprise project; 0 is the default one.';
COMMENT ON COLUMN "bi"."cluster_events"."enterprise_project" IS 'Name of the enterprise project where it is known (security-sync check --discover reads the names), else its id.';
COMMENT ON COLUMN "bi"."cluster_events"."event_id" IS 'Id of the event.';
COMMENT ON COLUMN "bi"."cluster_events"."create_time" IS 'When the event was created. Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."cluster_events"."update_time" IS 'When the event last changed, its handling included.';
COMMENT ON COLUMN "bi"."cluster_events"."event_name" IS 'What kind of event it is.';
COMMENT ON COLUMN "bi"."cluster_events"."event_class_id" IS 'Id of the class of events.';
COMMENT ON COLUMN "bi"."cluster_events"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."cluster_events"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."cluster_events"."namespace" IS 'Kubernetes namespace of the resource; (cluster-wide) where it has none.';
COMMENT ON COLUMN "bi"."cluster_events"."policy_id" IS 'Id of the protection policy that fired.';
COMMENT ON COLUMN "bi"."cluster_events"."policy_name" IS 'Name of the protection policy that fired, or its id.';
COMMENT ON COLUMN "bi"."cluster_events"."action" IS 'What the policy did, as the API writes it.';
COMMENT ON COLUMN "bi"."cluster_events"."action_text" IS 'What the policy did, in plain words.';
COMMENT ON COLUMN "bi"."cluster_events"."is_critical" IS 'Whether the policy stepped in instead of only warning. The API gives these events no severity; this is the nearest.';
COMMENT ON COLUMN "bi"."cluster_events"."handle_status" IS 'Whether somebody dealt with the event, as the API writes it.';
COMMENT ON COLUMN "bi"."cluster_events"."handle_status_text" IS 'Whether somebody dealt with the event, in plain words.';
COMMENT ON COLUMN "bi"."cluster_events"."is_open" IS 'Whether nobody has dealt with the event yet.';
COMMENT ON COLUMN "bi"."cluster_events"."resource_kind" IS 'Kind of the Kubernetes resource, such as Pod or Deployment.';
COMMENT ON COLUMN "bi"."cluster_events"."resource_name" IS 'Name of the Kubernetes resource.';
COMMENT ON COLUMN "bi"."cluster_events"."message" IS 'Why the policy fired.';
COMMENT ON COLUMN "bi"."cluster_events"."listed" IS 'Whether the API still lists the row; false once it aged out there. Its content stays.';
COMMENT ON COLUMN "bi"."cluster_events"."first_seen_at" IS 'When the service first read the event.';
CREATE VIEW "bi"."open_cluster_events" AS
SELECT
  e.account AS "account",
  e.region AS "region",
  e.project_id AS "project_id",
  e.enterprise_project_id AS "enterprise_project_id",
  coalesce(ep.name, CASE e.enterprise_project_id WHEN '0' THEN 'default' ELSE e.enterprise_project_id END) AS "enterprise_project",
  e.event_id AS "event_id",
  e.create_time AS "create_time",
  e.update_time AS "update_time",
  e.event_name AS "event_name",
  e.event_class_id AS "event_class_id",
  e.cluster_id AS "cluster_id",
  coalesce(nullif(e.cluster_name, ''), e.cluster_id, '(unknown)') AS "cluster_name",
  coalesce(nullif(e.resource_info_namespace, ''), '(cluster-wide)') AS "namespace",
  e.policy_id AS "policy_id",
  coalesce(nullif(e.policy_name, ''), e.policy_id, '(unknown)') AS "policy_name",
  e.action AS "action",
  CASE e.action WHEN 'warn' THEN 'Warned' WHEN 'alert' THEN 'Warned' WHEN 'deny' THEN 'Blocked' WHEN 'block' THEN 'Blocked' WHEN 'dryrun' THEN 'Only recorded' ELSE e.action END AS "action_text",
  coalesce(e.action, 'warn') NOT IN ('warn', 'alert', 'dryrun') AS "is_critical",
  e.handle_status AS "handle_status",
  CASE e.handle_status WHEN 'unhandled' THEN 'Open' WHEN 'handled' THEN 'Handled' ELSE e.handle_status END AS "handle_status_text",
  e.handle_status IS DISTINCT FROM 'handled' AS "is_open",
  e.resource_info_kind AS "resource_kind",
  e.resource_info_name AS "resource_name",
  e.resource_info_message AS "message",
  round((extract(epoch FROM now() - e.create_time) / 3600)::numeric, 1)::double precision AS "age_hours"
FROM hss.cluster_events e
LEFT JOIN sync.enterprise_projects ep ON ep.account = e.account AND ep.id = e.enterprise_project_id
WHERE e.handle_status IS DISTINCT FROM 'handled' AND e._deleted_at IS NULL;
COMMENT ON VIEW "bi"."open_cluster_events" IS 'Events that nobody has dealt with yet and that the API still lists. What became of those that aged out is not known.';
COMMENT ON COLUMN "bi"."open_cluster_events"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."open_cluster_events"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."open_cluster_events"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."open_cluster_events"."enterprise_project_id" IS 'Id of the enterprise project; 0 is the default one.';
COMMENT ON COLUMN "bi"."open_cluster_events"."enterprise_project" IS 'Name of the enterprise project where it is known (security-sync check --discover reads the names), else its id.';
COMMENT ON COLUMN "bi"."open_cluster_events"."event_id" IS 'Id of the event.';
COMMENT ON COLUMN "bi"."open_cluster_events"."create_time" IS 'When the event was created. Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."open_cluster_events"."update_time" IS 'When the event last changed, its handling included.';
COMMENT ON COLUMN "bi"."open_cluster_events"."event_name" IS 'What kind of event it is.';
COMMENT ON COLUMN "bi"."open_cluster_events"."event_class_id" IS 'Id of the class of events.';
COMMENT ON COLUMN "bi"."open_cluster_events"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."open_cluster_events"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."open_cluster_events"."namespace" IS 'Kubernetes namespace of the resource; (cluster-wide) where it has none.';
COMMENT ON COLUMN "bi"."open_cluster_events"."policy_id" IS 'Id of the protection policy that fired.';
COMMENT ON COLUMN "bi"."open_cluster_events"."policy_name" IS 'Name of the protection policy that fired, or its id.';
COMMENT ON COLUMN "bi"."open_cluster_events"."action" IS 'What the policy did, as the API writes it.';
COMMENT ON COLUMN "bi"."open_cluster_events"."action_text" IS 'What the policy did, in plain words.';
COMMENT ON COLUMN "bi"."open_cluster_events"."is_critical" IS 'Whether the policy stepped in instead of only warning. The API gives these events no severity; this is the nearest.';
COMMENT ON COLUMN "bi"."open_cluster_events"."handle_status" IS 'Whether somebody dealt with the event, as the API writes it.';
COMMENT ON COLUMN "bi"."open_cluster_events"."handle_status_text" IS 'Whether somebody dealt with the event, in plain words.';
COMMENT ON COLUMN "bi"."open_cluster_events"."is_open" IS 'Whether nobody has dealt with the event yet.';
COMMENT ON COLUMN "bi"."open_cluster_events"."resource_kind" IS 'Kind of the Kubernetes resource, such as Pod or Deployment.';
COMMENT ON COLUMN "bi"."open_cluster_events"."resource_name" IS 'Name of the Kubernetes resource.';
COMMENT ON COLUMN "bi"."open_cluster_events"."message" IS 'Why the policy fired.';
COMMENT ON COLUMN "bi"."open_cluster_events"."age_hours" IS 'Hours since the event was created.';
CREATE VIEW "bi"."event_response_times" AS
SELECT
  e.account AS "account",
  e.region AS "region",
  e.project_id AS "project_id",
  e.enterprise_project_id AS "enterprise_project_id",
  coalesce(ep.name, CASE e.enterprise_project_id WHEN '0' THEN 'default' ELSE e.enterprise_project_id END) AS "enterprise_project",
  e.event_id AS "event_id",
  e.create_time AS "create_time",
  coalesce(h.handled_at, CASE WHEN e.handle_status = 'handled' THEN coalesce(e.update_time, e._changed_at) END) AS "handled_at",
  CASE WHEN coalesce(h.handled_at, CASE WHEN e.handle_status = 'handled' THEN coalesce(e.update_time, e._changed_at) END) < e.create_time THEN 0 ELSE round((extract(epoch FROM (coalesce(h.handled_at, CASE WHEN e.handle_status = 'handled' THEN coalesce(e.update_time, e._changed_at) END)) - e.create_time) / 60)::numeric, 1)::double precision END AS "minutes",
  e._extra ->> 'user_name' AS "handled_by",
  CASE WHEN h.seen_open THEN 'seen' ELSE 'last change' END AS "basis",
  e.handle_status IS DISTINCT FROM 'handled' AS "reopened",
  e.event_name AS "event_name",
  e.cluster_id AS "cluster_id",
  coalesce(nullif(e.cluster_name, ''), e.cluster_id, '(unknown)') AS "cluster_name",
  coalesce(nullif(e.resource_info_namespace, ''), '(cluster-wide)') AS "namespace",
  e.policy_id AS "policy_id",
  coalesce(nullif(e.policy_name, ''), e.policy_id, '(unknown)') AS "policy_name",
  CASE e.action WHEN 'warn' THEN 'Warned' WHEN 'alert' THEN 'Warned' WHEN 'deny' THEN 'Blocked' WHEN 'block' THEN 'Blocked' WHEN 'dryrun' THEN 'Only recorded' ELSE e.action END AS "action_text",
  coalesce(e.action, 'warn') NOT IN ('warn', 'alert', 'dryrun') AS "is_critical"
FROM hss.cluster_events e
LEFT JOIN LATERAL (
  SELECT min(coalesce(v.update_time, v._valid_from)) FILTER (WHERE v.handle_status = 'handled') AS handled_at,
    coalesce(bool_or(v.handle_status IS DISTINCT FROM 'handled'), false) AS seen_open
  FROM hss.cluster_events_history v
  WHERE v.project_id = e.project_id AND v.event_id = e.event_id
) h ON true
LEFT JOIN sync.enterprise_projects ep ON ep.account = e.account AND ep.id = e.enterprise_project_id
WHERE e.handle_status = 'handled' OR h.handled_at IS NOT NULL;
COMMENT ON VIEW "bi"."event_response_times" IS 'How long it took until events were handled for the first time: one row for each event that ever was.';
COMMENT ON COLUMN "bi"."event_response_times"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."event_response_times"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."event_response_times"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."event_response_times"."enterprise_project_id" IS 'Id of the enterprise project; 0 is the default one.';
COMMENT ON COLUMN "bi"."event_response_times"."enterprise_project" IS 'Name of the enterprise project where it is known (security-sync check --discover reads the names), else its id.';
COMMENT ON COLUMN "bi"."event_response_times"."event_id" IS 'Id of the event.';
COMMENT ON COLUMN "bi"."event_response_times"."create_time" IS 'When the event was created. Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."event_response_times"."handled_at" IS 'When it was handled for the first time, as the API dates that change.';
COMMENT ON COLUMN "bi"."event_response_times"."minutes" IS 'Minutes from its creation to its handling.';
COMMENT ON COLUMN "bi"."event_response_times"."handled_by" IS 'Who handled it, if the API says so. Its documents name no such field, so expect this to be empty.';
COMMENT ON COLUMN "bi"."event_response_times"."basis" IS 'seen: the service saw the event open before it was handled. last change: it was handled when first read, and its last change stands in for the handling.';
COMMENT ON COLUMN "bi"."event_response_times"."reopened" IS 'Whether it was opened again since.';
COMMENT ON COLUMN "bi"."event_response_times"."event_name" IS 'What kind of event it is.';
COMMENT ON COLUMN "bi"."event_response_times"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."event_response_times"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."event_response_times"."namespace" IS 'Kubernetes namespace of the resource; (cluster-wide) where it has none.';
COMMENT ON COLUMN "bi"."event_response_times"."policy_id" IS 'Id of the protection policy that fired.';
COMMENT ON COLUMN "bi"."event_response_times"."policy_name" IS 'Name of the protection policy that fired, or its id.';
COMMENT ON COLUMN "bi"."event_response_times"."action_text" IS 'What the policy did, in plain words.';
COMMENT ON COLUMN "bi"."event_response_times"."is_critical" IS 'Whether the policy stepped in instead of only warning.';
CREATE VIEW "bi"."cluster_events_hourly" AS
SELECT
  e.account AS "account",
  e.region AS "region",
  e.project_id AS "project_id",
  date_bin('1 hour', e.create_time, '2000-01-01 00:00:00+00'::timestamptz) AS "hour",
  e.cluster_id AS "cluster_id",
  coalesce(nullif(e.cluster_name, ''), e.cluster_id, '(unknown)') AS "cluster_name",
  coalesce(nullif(e.resource_info_namespace, ''), '(cluster-wide)') AS "namespace",
  e.policy_id AS "policy_id",
  coalesce(nullif(e.policy_name, ''), e.policy_id, '(unknown)') AS "policy_name",
  CASE e.action WHEN 'warn' THEN 'Warned' WHEN 'alert' THEN 'Warned' WHEN 'deny' THEN 'Blocked' WHEN 'block' THEN 'Blocked' WHEN 'dryrun' THEN 'Only recorded' ELSE e.action END AS "action_text",
  count(*) AS "events",
  count(*) FILTER (WHERE coalesce(e.action, 'warn') NOT IN ('warn', 'alert', 'dryrun')) AS "critical_events",
  count(*) FILTER (WHERE e.handle_status IS DISTINCT FROM 'handled' AND e._deleted_at IS NULL) AS "open_events",
  count(*) FILTER (WHERE e.handle_status = 'handled') AS "handled_events"
FROM hss.cluster_events e
WHERE e.create_time IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;
COMMENT ON VIEW "bi"."cluster_events_hourly" IS 'Number of events by hour of creation, cluster, namespace, policy and action. Hours without events have no row.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."hour" IS 'Start of the hour (UTC). Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."namespace" IS 'Kubernetes namespace of the resource; (cluster-wide) where it has none.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."policy_id" IS 'Id of the protection policy that fired.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."policy_name" IS 'Name of the protection policy that fired, or its id.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."action_text" IS 'What the policy did, in plain words.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."events" IS 'Number of events.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."critical_events" IS 'How many of them the policy stepped in for.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."open_events" IS 'How many of them nobody has dealt with yet.';
COMMENT ON COLUMN "bi"."cluster_events_hourly"."handled_events" IS 'How many of them were handled.';
CREATE VIEW "bi"."clusters" AS
SELECT
  r.account AS "account",
  r.region AS "region",
  r.project_id AS "project_id",
  r.cluster_id AS "cluster_id",
  coalesce(nullif(r.cluster_name, ''), r.cluster_id, '(unknown)') AS "cluster_name",
  r.cluster_version AS "cluster_version",
  r.cluster_type AS "cluster_type",
  CASE r.cluster_type WHEN 'CCE' THEN 'CCE standard' WHEN 'Turbo' THEN 'CCE Turbo' ELSE r.cluster_type END AS "cluster_type_text",
  r.cluster_status AS "cluster_status",
  r.protect_status AS "protect_status",
  r.protect_status = 'protected' AS "is_protected",
  r.policy_num AS "policies",
  r._first_seen_at AS "first_seen_at"
FROM hss.protected_clusters r
WHERE r._deleted_at IS NULL;
COMMENT ON VIEW "bi"."clusters" IS 'Container clusters that cluster protection knows. Clusters that the API no longer lists are hidden.';
COMMENT ON COLUMN "bi"."clusters"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."clusters"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."clusters"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."clusters"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."clusters"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."clusters"."cluster_version" IS 'Kubernetes version of the cluster.';
COMMENT ON COLUMN "bi"."clusters"."cluster_type" IS 'Kind of cluster, as the API writes it.';
COMMENT ON COLUMN "bi"."clusters"."cluster_type_text" IS 'Kind of cluster, in plain words.';
COMMENT ON COLUMN "bi"."clusters"."cluster_status" IS 'State of the cluster.';
COMMENT ON COLUMN "bi"."clusters"."protect_status" IS 'State of the protection, as the API writes it.';
COMMENT ON COLUMN "bi"."clusters"."is_protected" IS 'Whether the whole cluster is protected.';
COMMENT ON COLUMN "bi"."clusters"."policies" IS 'Number of protection policies that apply to the cluster.';
COMMENT ON COLUMN "bi"."clusters"."first_seen_at" IS 'When the service first read the cluster.';
CREATE VIEW "bi"."kubernetes_clusters" AS
SELECT
  r.account AS "account",
  r.region AS "region",
  r.project_id AS "project_id",
  r.cluster_id AS "cluster_id",
  coalesce(nullif(r.cluster_name, ''), r.cluster_id, '(unknown)') AS "cluster_name",
  r.cluster_type AS "cluster_type",
  CASE r.cluster_type WHEN 'cce' THEN 'Huawei Cloud CCE' WHEN 'k8s' THEN 'Kubernetes' WHEN 'ali' THEN 'Alibaba Cloud' WHEN 'tencent' THEN 'Tencent Cloud' WHEN 'azure' THEN 'Azure' WHEN 'aws' THEN 'AWS' WHEN 'self_built_hw' THEN 'Self-built on Huawei Cloud' WHEN 'self_built_idc' THEN 'Self-built in a data centre' ELSE r.cluster_type END AS "cluster_type_text",
  r.status AS "status",
  r.version AS "version",
  r.total_nodes_number AS "nodes",
  r.active_nodes_number AS "working_nodes",
  r.agent_installed_num AS "nodes_with_agent",
  r.agent_not_install_num AS "nodes_without_agent",
  r.agent_install_failed_num AS "failed_agents",
  r.sys_vul_num AS "system_vulnerabilities",
  r.app_vul_num AS "application_vulnerabilities",
  r.emg_vul_num AS "emergency_vulnerabilities",
  r.risk_assess_num AS "risk_findings",
  r.sec_comp_num AS "compliance_findings",
  r.creation_timestamp AS "created_at",
  r.last_scan_time AS "scan_time"
FROM hss.kubernetes_clusters r
WHERE r._deleted_at IS NULL;
COMMENT ON VIEW "bi"."kubernetes_clusters" IS 'Every Kubernetes cluster that is known, of any cloud: nodes, agents and numbers of findings. Clusters that the API no longer lists are hidden.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."cluster_type" IS 'Where the cluster runs, as the API writes it.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."cluster_type_text" IS 'Where the cluster runs, in plain words.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."status" IS 'State of the cluster.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."version" IS 'Kubernetes version of the cluster.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."nodes" IS 'Number of nodes.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."working_nodes" IS 'Number of nodes that work normally.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."nodes_with_agent" IS 'Number of nodes with an agent.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."nodes_without_agent" IS 'Number of nodes without an agent.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."failed_agents" IS 'Number of nodes where installing the agent failed.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."system_vulnerabilities" IS 'Number of system vulnerabilities.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."application_vulnerabilities" IS 'Number of application vulnerabilities.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."emergency_vulnerabilities" IS 'Number of emergency vulnerabilities.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."risk_findings" IS 'Number of findings of the risk assessment.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."compliance_findings" IS 'Number of findings of the security compliance check.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."created_at" IS 'When the cluster was created.';
COMMENT ON COLUMN "bi"."kubernetes_clusters"."scan_time" IS 'When the cluster was last scanned.';
CREATE VIEW "bi"."cluster_risk" AS
SELECT
  r.account AS "account",
  r.region AS "region",
  r.project_id AS "project_id",
  r.cluster_id AS "cluster_id",
  coalesce(nullif(r.cluster_name, ''), r.cluster_id, '(unknown)') AS "cluster_name",
  r.cluster_category AS "cluster_category",
  CASE r.cluster_category WHEN 'CCE' THEN 'CCE standard' WHEN 'Turbo' THEN 'CCE Turbo' ELSE r.cluster_category END AS "cluster_category_text",
  r.severity AS "severity",
  CASE r.severity WHEN 'Security' THEN 'No risk found' WHEN 'Insecurity' THEN 'At risk' ELSE r.severity END AS "severity_text",
  coalesce(r.local_image_vul_num, 0) + coalesce(r.risk_config_num, 0) + coalesce(r.privileged_container_num, 0) AS "risks",
  r.local_image_vul_num AS "image_vulnerabilities",
  r.risk_config_num AS "baseline_risks",
  r.privileged_container_num AS "privileged_containers",
  r.scan_time AS "scan_time",
  p.protect_status AS "protect_status",
  p.policy_num AS "policies"
FROM (
  SELECT DISTINCT ON (project_id, coalesce(cluster_id, report_id)) *
  FROM hss.cluster_security_reports
  WHERE _deleted_at IS NULL
  ORDER BY project_id, coalesce(cluster_id, report_id), scan_time DESC NULLS LAST
) r
LEFT JOIN hss.protected_clusters p
  ON p.project_id = r.project_id AND p.cluster_id = r.cluster_id AND p._deleted_at IS NULL;
COMMENT ON VIEW "bi"."cluster_risk" IS 'What the last security check of each cluster found, and whether the cluster is protected. Clusters whose report the API no longer lists are hidden.';
COMMENT ON COLUMN "bi"."cluster_risk"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."cluster_risk"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."cluster_risk"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."cluster_risk"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."cluster_risk"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."cluster_risk"."cluster_category" IS 'Kind of cluster, as the API writes it.';
COMMENT ON COLUMN "bi"."cluster_risk"."cluster_category_text" IS 'Kind of cluster, in plain words.';
COMMENT ON COLUMN "bi"."cluster_risk"."severity" IS 'Verdict of the last security check, as the API writes it.';
COMMENT ON COLUMN "bi"."cluster_risk"."severity_text" IS 'Verdict of the last security check, in plain words.';
COMMENT ON COLUMN "bi"."cluster_risk"."risks" IS 'All findings together: image vulnerabilities, baseline risks and privileged containers.';
COMMENT ON COLUMN "bi"."cluster_risk"."image_vulnerabilities" IS 'Number of vulnerabilities in local images.';
COMMENT ON COLUMN "bi"."cluster_risk"."baseline_risks" IS 'Number of baseline risks in the configuration.';
COMMENT ON COLUMN "bi"."cluster_risk"."privileged_containers" IS 'Number of alarms about privileged containers.';
COMMENT ON COLUMN "bi"."cluster_risk"."scan_time" IS 'When the cluster was scanned.';
COMMENT ON COLUMN "bi"."cluster_risk"."protect_status" IS 'State of the cluster protection, as the API writes it; empty if unknown.';
COMMENT ON COLUMN "bi"."cluster_risk"."policies" IS 'Number of protection policies that apply to the cluster.';
CREATE VIEW "bi"."cluster_risk_daily" AS
WITH versions AS (
  SELECT account, region, project_id, report_id, cluster_id, cluster_name, severity, local_image_vul_num, risk_config_num, privileged_container_num, scan_time, _valid_from, _valid_to
  FROM hss.cluster_security_reports_history
  UNION ALL
  SELECT account, region, project_id, report_id, cluster_id, cluster_name, severity, local_image_vul_num, risk_config_num, privileged_container_num, scan_time, _changed_at, coalesce(_deleted_at, 'infinity')
  FROM hss.cluster_security_reports
), dated AS (
  SELECT *, least(scan_time, _valid_from) AS effective_from,
    least(_valid_to, lead(least(scan_time, _valid_from)) OVER (
      PARTITION BY project_id, coalesce(cluster_id, report_id) ORDER BY least(scan_time, _valid_from), _valid_from
    )) AS effective_to
  FROM versions
), spans AS (
  SELECT *, date_bin('1 day', effective_from, '2000-01-01 00:00:00+00'::timestamptz) AS first_day,
    date_bin('1 day', least(effective_to, now() + interval '1 day'), '2000-01-01 00:00:00+00'::timestamptz) AS next_day
  FROM dated
)
SELECT
  r.account AS "account",
  r.region AS "region",
  r.project_id AS "project_id",
  d.day AS "day",
  r.cluster_id AS "cluster_id",
  coalesce(nullif(r.cluster_name, ''), r.cluster_id, '(unknown)') AS "cluster_name",
  r.severity AS "severity",
  CASE r.severity WHEN 'Security' THEN 'No risk found' WHEN 'Insecurity' THEN 'At risk' ELSE r.severity END AS "severity_text",
  coalesce(r.local_image_vul_num, 0) + coalesce(r.risk_config_num, 0) + coalesce(r.privileged_container_num, 0) AS "risks",
  r.local_image_vul_num AS "image_vulnerabilities",
  r.risk_config_num AS "baseline_risks",
  r.privileged_container_num AS "privileged_containers",
  r.scan_time AS "scan_time",
  date_bin('1 day', r.scan_time, '2000-01-01 00:00:00+00'::timestamptz) < d.day AS "carried_forward"
FROM spans r
CROSS JOIN LATERAL generate_series(r.first_day, r.next_day - interval '1 day', interval '1 day') AS d(day)
WHERE r.first_day < r.next_day;
COMMENT ON VIEW "bi"."cluster_risk_daily" IS 'What was known of the risk of each cluster at the end of each day (UTC), from the history of its reports. A day without a scan repeats the last one.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."day" IS 'The day (UTC); the row says what was known at its end, or is known now.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."cluster_id" IS 'Id of the cluster.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."cluster_name" IS 'Name of the cluster, or its id.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."severity" IS 'Verdict of the security check, as the API writes it.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."severity_text" IS 'Verdict of the security check, in plain words.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."risks" IS 'All findings together: image vulnerabilities, baseline risks and privileged containers.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."image_vulnerabilities" IS 'Number of vulnerabilities in local images.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."baseline_risks" IS 'Number of baseline risks in the configuration.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."privileged_containers" IS 'Number of alarms about privileged containers.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."scan_time" IS 'When the scan was that the numbers are from.';
COMMENT ON COLUMN "bi"."cluster_risk_daily"."carried_forward" IS 'Whether the numbers are from an earlier day.';
CREATE VIEW "bi"."image_vulnerabilities" AS
SELECT
  v.account AS "account",
  v.region AS "region",
  v.project_id AS "project_id",
  v.vul_id AS "vul_id",
  v.vul_name AS "vul_name",
  coalesce(nullif(v.severity_level, ''), 'Unknown') AS "severity",
  coalesce(array_position('{Critical,High,Medium,Low}'::text[], v.severity_level), 5) AS "severity_rank",
  (SELECT string_agg(c ->> 'cve_id', ', ' ORDER BY c ->> 'cve_id') FROM jsonb_array_elements(CASE jsonb_typeof(v.cve_list) WHEN 'array' THEN v.cve_list END) c) AS "cves",
  v.max_cvss_score AS "max_cvss_score",
  v.type AS "type",
  CASE v.type WHEN 'linux_vul' THEN 'System packages' WHEN 'app_vul' THEN 'Application libraries' ELSE v.type END AS "type_text",
  v.image_type AS "image_type",
  CASE v.image_type WHEN 'local_image' THEN 'Local images' WHEN 'registry' THEN 'Registry images' ELSE v.image_type END AS "image_type_text",
  v.handle_status AS "handle_status",
  CASE v.handle_status WHEN 'unhandled' THEN 'Open' WHEN 'handled' THEN 'Handled' ELSE v.handle_status END AS "handle_status_text",
  v.image_num AS "images",
  v.scan_time AS "scan_time",
  v._first_seen_at AS "first_seen_at",
  v.solution_detail AS "solution",
  v.url AS "url"
FROM hss.image_vulnerabilities v
WHERE v._deleted_at IS NULL;
COMMENT ON VIEW "bi"."image_vulnerabilities" IS 'Vulnerabilities found in container images: one row for each kind of image and handling state. Those that the API no longer lists are hidden.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."vul_id" IS 'Id of the vulnerability.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."vul_name" IS 'Name of the vulnerability.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."severity" IS 'Severity: Critical, High, Medium, Low or Unknown.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."severity_rank" IS 'Severity as a number to sort by: 1 is Critical, 4 is Low, 5 is unknown.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."cves" IS 'Ids of its CVEs, separated by commas.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."max_cvss_score" IS 'Highest CVSS score of its CVEs.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."type" IS 'Where the flaw is, as the API writes it.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."type_text" IS 'Where the flaw is, in plain words.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."image_type" IS 'Which images it was found in, as the API writes it.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."image_type_text" IS 'Which images it was found in, in plain words.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."handle_status" IS 'Whether somebody dealt with it, as the API writes it.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."handle_status_text" IS 'Whether somebody dealt with it, in plain words.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."images" IS 'Number of affected images.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."scan_time" IS 'When it was last found by a scan.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."first_seen_at" IS 'When the service first read it. Filter on this column.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."solution" IS 'How to get rid of it.';
COMMENT ON COLUMN "bi"."image_vulnerabilities"."url" IS 'Where to read more.';
CREATE VIEW "bi"."image_vulnerability_operations" AS
SELECT
  o.account AS "account",
  o.region AS "region",
  o.project_id AS "project_id",
  o.operation_key AS "operation_key",
  o.handle_time AS "handle_time",
  coalesce(nullif(o.user_name, ''), '(unknown)') AS "user_name",
  o.handle_type AS "handle_type",
  CASE o.handle_type WHEN 'ignore' THEN 'Ignored' WHEN 'not_ignore' THEN 'No longer ignored' WHEN 'add_to_whitelist' THEN 'Added to the allowlist' WHEN 'manual_repair' THEN 'Repaired by hand' WHEN 'immediate_repair' THEN 'Repaired by the service' WHEN 'verify' THEN 'Verified' ELSE o.handle_type END AS "handle_type_text",
  o.status AS "status",
  CASE o.status WHEN 'vul_status_unfix' THEN 'Not fixed' WHEN 'vul_status_ignored' THEN 'Ignored' WHEN 'vul_status_fixed' THEN 'Fixed' WHEN 'vul_status_verified' THEN 'Verified' WHEN 'vul_status_fixing' THEN 'Being fixed' ELSE o.status END AS "status_text",
  o.remark AS "remark",
  o.vul_id AS "vul_id",
  v.vul_name AS "vul_name",
  coalesce(nullif(v.severity_level, ''), 'Unknown') AS "severity",
  coalesce(array_position('{Critical,High,Medium,Low}'::text[], v.severity_level), 5) AS "severity_rank",
  (SELECT string_agg(c ->> 'cve_id', ', ' ORDER BY c ->> 'cve_id') FROM jsonb_array_elements(CASE jsonb_typeof(v.cve_list) WHEN 'array' THEN v.cve_list END) c) AS "cves",
  v.max_cvss_score AS "max_cvss_score",
  CASE v.type WHEN 'linux_vul' THEN 'System packages' WHEN 'app_vul' THEN 'Application libraries' ELSE v.type END AS "type_text",
  o.image_type AS "image_type",
  CASE o.image_type WHEN 'local_image' THEN 'Local images' WHEN 'registry' THEN 'Registry images' ELSE o.image_type END AS "image_type_text",
  o.image_name AS "image_name",
  o.image_version AS "image_version",
  o.image_digest AS "image_digest",
  o.app_name AS "app_name",
  o.app_version AS "app_version",
  o.app_path AS "app_path",
  o._deleted_at IS NULL AS "listed"
FROM hss.image_vulnerability_operations o
LEFT JOIN LATERAL (
  SELECT x.vul_name, x.severity_level, x.cve_list, x.max_cvss_score, x.type
  FROM hss.image_vulnerabilities x
  WHERE x.project_id = o.project_id AND x.vul_id = o.vul_id AND x.image_type = o.image_type
  ORDER BY x._deleted_at DESC NULLS FIRST, x.scan_time DESC NULLS LAST
  LIMIT 1
) v ON true;
COMMENT ON VIEW "bi"."image_vulnerability_operations" IS 'How image vulnerabilities were handled: by whom, when, in which image, with the severity and CVEs of the vulnerability. Filter on handle_time.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."operation_key" IS 'Identity of the operation, computed from its content.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."handle_time" IS 'When it was handled. Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."user_name" IS 'Who handled it.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."handle_type" IS 'What was done, as the API writes it.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."handle_type_text" IS 'What was done, in plain words.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."status" IS 'State of the vulnerability after that, as the API writes it.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."status_text" IS 'State of the vulnerability after that, in plain words.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."remark" IS 'Remark of the person who handled it.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."vul_id" IS 'Id of the vulnerability.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."vul_name" IS 'Name of the vulnerability.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."severity" IS 'Severity: Critical, High, Medium, Low or Unknown.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."severity_rank" IS 'Severity as a number to sort by: 1 is Critical, 4 is Low, 5 is unknown.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."cves" IS 'Ids of its CVEs, separated by commas.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."max_cvss_score" IS 'Highest CVSS score of its CVEs.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."type_text" IS 'Where the flaw is, in plain words.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."image_type" IS 'Where the image is, as the API writes it.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."image_type_text" IS 'Where the image is, in plain words.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."image_name" IS 'Name of the image.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."image_version" IS 'Tag of the image.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."image_digest" IS 'Digest of the image.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."app_name" IS 'Affected package or library.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."app_version" IS 'Version of the package.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."app_path" IS 'Path of the package in the image.';
COMMENT ON COLUMN "bi"."image_vulnerability_operations"."listed" IS 'Whether the API still lists the row; false once it aged out there. Its content stays.';
CREATE VIEW "bi"."vulnerability_handling_daily" AS
SELECT
  o.account AS "account",
  o.region AS "region",
  o.project_id AS "project_id",
  date_bin('1 day', o.handle_time, '2000-01-01 00:00:00+00'::timestamptz) AS "day",
  coalesce(nullif(o.user_name, ''), '(unknown)') AS "user_name",
  CASE o.handle_type WHEN 'ignore' THEN 'Ignored' WHEN 'not_ignore' THEN 'No longer ignored' WHEN 'add_to_whitelist' THEN 'Added to the allowlist' WHEN 'manual_repair' THEN 'Repaired by hand' WHEN 'immediate_repair' THEN 'Repaired by the service' WHEN 'verify' THEN 'Verified' ELSE o.handle_type END AS "handle_type_text",
  CASE o.image_type WHEN 'local_image' THEN 'Local images' WHEN 'registry' THEN 'Registry images' ELSE o.image_type END AS "image_type_text",
  coalesce(nullif(v.severity_level, ''), 'Unknown') AS "severity",
  coalesce(array_position('{Critical,High,Medium,Low}'::text[], v.severity_level), 5) AS "severity_rank",
  count(*) AS "operations",
  count(DISTINCT o.vul_id) AS "vulnerabilities"
FROM hss.image_vulnerability_operations o
LEFT JOIN LATERAL (
  SELECT x.vul_name, x.severity_level, x.cve_list, x.max_cvss_score, x.type
  FROM hss.image_vulnerabilities x
  WHERE x.project_id = o.project_id AND x.vul_id = o.vul_id AND x.image_type = o.image_type
  ORDER BY x._deleted_at DESC NULLS FIRST, x.scan_time DESC NULLS LAST
  LIMIT 1
) v ON true
WHERE o.handle_time IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
COMMENT ON VIEW "bi"."vulnerability_handling_daily" IS 'How many image vulnerabilities were handled each day (UTC), by whom and how. Days without any have no row.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."day" IS 'The day (UTC). Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."user_name" IS 'Who handled them.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."handle_type_text" IS 'What was done, in plain words.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."image_type_text" IS 'Where the images are, in plain words.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."severity" IS 'Severity: Critical, High, Medium, Low or Unknown.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."severity_rank" IS 'Severity as a number to sort by: 1 is Critical, 4 is Low, 5 is unknown.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."operations" IS 'Number of operations.';
COMMENT ON COLUMN "bi"."vulnerability_handling_daily"."vulnerabilities" IS 'Number of different vulnerabilities among them.';
CREATE VIEW "bi"."audit_instances" AS
SELECT
  i.account AS "account",
  i.region AS "region",
  i.project_id AS "project_id",
  i.enterprise_project_id AS "enterprise_project_id",
  coalesce(ep.name, CASE i.enterprise_project_id WHEN '0' THEN 'default' ELSE i.enterprise_project_id END) AS "enterprise_project",
  i.instance_id AS "instance_id",
  coalesce(nullif(i.name, ''), i.instance_id) AS "instance_name",
  i.status AS "status",
  CASE i.status WHEN 'ACTIVE' THEN 'Running' WHEN 'SHUTOFF' THEN 'Stopped' WHEN 'BUILD' THEN 'Being created' WHEN 'DELETING' THEN 'Being deleted' WHEN 'DELETED' THEN 'Deleted' WHEN 'ERROR' THEN 'Faulty' WHEN 'HAWAIT' THEN 'Waiting for its standby' WHEN 'FROZEN' THEN 'Frozen' WHEN 'UPGRADING' THEN 'Being upgraded' ELSE i.status END AS "status_text",
  i.version AS "version",
  i.charge_model AS "charge_model",
  CASE i.charge_model WHEN 'Period' THEN 'Subscription' WHEN 'Demand' THEN 'Pay per use' ELSE i.charge_model END AS "charge_model_text",
  i.config_num AS "databases",
  i.database_limit AS "database_limit",
  i.remain_days AS "remaining_days",
  i.connect_ip AS "address"
FROM dbss.audit_instances i
LEFT JOIN sync.enterprise_projects ep ON ep.account = i.account AND ep.id = i.enterprise_project_id
WHERE i._deleted_at IS NULL;
COMMENT ON VIEW "bi"."audit_instances" IS 'Database audit instances. Those that the API no longer lists are hidden.';
COMMENT ON COLUMN "bi"."audit_instances"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."audit_instances"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."audit_instances"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."audit_instances"."enterprise_project_id" IS 'Id of the enterprise project; 0 is the default one.';
COMMENT ON COLUMN "bi"."audit_instances"."enterprise_project" IS 'Name of the enterprise project where it is known (security-sync check --discover reads the names), else its id.';
COMMENT ON COLUMN "bi"."audit_instances"."instance_id" IS 'Id of the audit instance.';
COMMENT ON COLUMN "bi"."audit_instances"."instance_name" IS 'Name of the instance, or its id.';
COMMENT ON COLUMN "bi"."audit_instances"."status" IS 'State of the instance, as the API writes it.';
COMMENT ON COLUMN "bi"."audit_instances"."status_text" IS 'State of the instance, in plain words.';
COMMENT ON COLUMN "bi"."audit_instances"."version" IS 'Version of the instance.';
COMMENT ON COLUMN "bi"."audit_instances"."charge_model" IS 'How it is billed, as the API writes it.';
COMMENT ON COLUMN "bi"."audit_instances"."charge_model_text" IS 'How it is billed, in plain words.';
COMMENT ON COLUMN "bi"."audit_instances"."databases" IS 'Number of databases it is set up to audit.';
COMMENT ON COLUMN "bi"."audit_instances"."database_limit" IS 'Number of databases it may audit.';
COMMENT ON COLUMN "bi"."audit_instances"."remaining_days" IS 'Days until it expires, as the API writes it.';
COMMENT ON COLUMN "bi"."audit_instances"."address" IS 'IPv4 address of the instance.';
CREATE VIEW "bi"."audit_reports" AS
SELECT
  r.account AS "account",
  r.region AS "region",
  r.project_id AS "project_id",
  r.instance_id AS "instance_id",
  coalesce(nullif(i.name, ''), r.instance_id) AS "instance_name",
  r.id AS "report_id",
  r.name AS "report_name",
  r.type AS "type",
  CASE r.type WHEN 'AUDIT_REPORT_DAY' THEN 'Daily' WHEN 'AUDIT_REPORT_WEEK' THEN 'Weekly' WHEN 'AUDIT_REPORT_MONTH' THEN 'Monthly' WHEN 'AUDIT_REPORT_YEAR' THEN 'Yearly' WHEN 'AUDIT_REPORT_REAL_TIME' THEN 'On demand' ELSE r.type END AS "type_text",
  r.start_time AS "start_time",
  r.end_time AS "end_time",
  r.finish_time AS "finish_time",
  r.percentum AS "percent",
  (r.finish_time IS NOT NULL OR r.percentum >= 100) AS "is_finished",
  r.format AS "format",
  r.template_type AS "template_type",
  coalesce(nullif(r.db_names, ''), '(all)') AS "databases",
  r._deleted_at IS NULL AS "listed"
FROM dbss.audit_reports r
LEFT JOIN dbss.audit_instances i ON i.project_id = r.project_id AND i.instance_id = r.instance_id;
COMMENT ON VIEW "bi"."audit_reports" IS 'Reports of the database audit instances, finished or in progress. Filter on end_time.';
COMMENT ON COLUMN "bi"."audit_reports"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."audit_reports"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."audit_reports"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."audit_reports"."instance_id" IS 'Id of the audit instance.';
COMMENT ON COLUMN "bi"."audit_reports"."instance_name" IS 'Name of the audit instance, or its id.';
COMMENT ON COLUMN "bi"."audit_reports"."report_id" IS 'Id of the report.';
COMMENT ON COLUMN "bi"."audit_reports"."report_name" IS 'Name of the report.';
COMMENT ON COLUMN "bi"."audit_reports"."type" IS 'Period of the report, as the API writes it.';
COMMENT ON COLUMN "bi"."audit_reports"."type_text" IS 'Period of the report, in plain words.';
COMMENT ON COLUMN "bi"."audit_reports"."start_time" IS 'Start of the period the report covers.';
COMMENT ON COLUMN "bi"."audit_reports"."end_time" IS 'End of the period the report covers. Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."audit_reports"."finish_time" IS 'When the report was finished; empty while it is being made.';
COMMENT ON COLUMN "bi"."audit_reports"."percent" IS 'Progress in percent.';
COMMENT ON COLUMN "bi"."audit_reports"."is_finished" IS 'Whether the report is finished.';
COMMENT ON COLUMN "bi"."audit_reports"."format" IS 'File format: pdf or zip.';
COMMENT ON COLUMN "bi"."audit_reports"."template_type" IS 'Template, such as COMPREHENSIVE.';
COMMENT ON COLUMN "bi"."audit_reports"."databases" IS 'Names of the databases it covers.';
COMMENT ON COLUMN "bi"."audit_reports"."listed" IS 'Whether the API still lists the row; false once it aged out there. Its content stays.';
CREATE VIEW "bi"."audit_report_jobs" AS
SELECT
  r.account AS "account",
  r.region AS "region",
  r.project_id AS "project_id",
  r.instance_id AS "instance_id",
  coalesce(nullif(i.name, ''), r.instance_id) AS "instance_name",
  r.id AS "report_id",
  r.name AS "report_name",
  r.type AS "type",
  CASE r.type WHEN 'AUDIT_REPORT_DAY' THEN 'Daily' WHEN 'AUDIT_REPORT_WEEK' THEN 'Weekly' WHEN 'AUDIT_REPORT_MONTH' THEN 'Monthly' WHEN 'AUDIT_REPORT_YEAR' THEN 'Yearly' WHEN 'AUDIT_REPORT_REAL_TIME' THEN 'On demand' ELSE r.type END AS "type_text",
  r.start_time AS "start_time",
  r.end_time AS "end_time",
  r.finish_time AS "finish_time",
  r.percentum AS "percent",
  CASE WHEN (r.finish_time IS NOT NULL OR r.percentum >= 100) THEN 'finished' WHEN r._deleted_at IS NOT NULL THEN 'gone' WHEN NOT (r.finish_time IS NOT NULL OR r.percentum >= 100) AND r._deleted_at IS NULL
    AND (r.end_time < now() - interval '1 day' OR (r.end_time < now() - interval '2 hours' AND r._changed_at < now() - interval '1 hour')) THEN 'stuck' ELSE 'running' END AS "state",
  CASE CASE WHEN (r.finish_time IS NOT NULL OR r.percentum >= 100) THEN 'finished' WHEN r._deleted_at IS NOT NULL THEN 'gone' WHEN NOT (r.finish_time IS NOT NULL OR r.percentum >= 100) AND r._deleted_at IS NULL
    AND (r.end_time < now() - interval '1 day' OR (r.end_time < now() - interval '2 hours' AND r._changed_at < now() - interval '1 hour')) THEN 'stuck' ELSE 'running' END WHEN 'finished' THEN 'Finished' WHEN 'running' THEN 'Being made' WHEN 'stuck' THEN 'Stuck' WHEN 'gone' THEN 'Never finished, listed no longer' ELSE CASE WHEN (r.finish_time IS NOT NULL OR r.percentum >= 100) THEN 'finished' WHEN r._deleted_at IS NOT NULL THEN 'gone' WHEN NOT (r.finish_time IS NOT NULL OR r.percentum >= 100) AND r._deleted_at IS NULL
    AND (r.end_time < now() - interval '1 day' OR (r.end_time < now() - interval '2 hours' AND r._changed_at < now() - interval '1 hour')) THEN 'stuck' ELSE 'running' END END AS "state_text",
  coalesce(NOT (r.finish_time IS NOT NULL OR r.percentum >= 100) AND r._deleted_at IS NULL
    AND (r.end_time < now() - interval '1 day' OR (r.end_time < now() - interval '2 hours' AND r._changed_at < now() - interval '1 hour')), false) AS "is_stuck",
  CASE WHEN r.finish_time < r.end_time THEN 0 ELSE round((extract(epoch FROM (r.finish_time) - r.end_time) / 60)::numeric, 1)::double precision END AS "minutes",
  CASE WHEN NOT (r.finish_time IS NOT NULL OR r.percentum >= 100) THEN round((extract(epoch FROM now() - r.end_time) / 3600)::numeric, 1)::double precision END AS "waiting_hours",
  CASE WHEN NOT (r.finish_time IS NOT NULL OR r.percentum >= 100) THEN r._changed_at END AS "last_progress_at"
FROM dbss.audit_reports r
LEFT JOIN dbss.audit_instances i ON i.project_id = r.project_id AND i.instance_id = r.instance_id;
COMMENT ON VIEW "bi"."audit_report_jobs" IS 'The making of audit reports: how long it took, and which are stuck. Filter on end_time.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."instance_id" IS 'Id of the audit instance.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."instance_name" IS 'Name of the audit instance, or its id.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."report_id" IS 'Id of the report.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."report_name" IS 'Name of the report.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."type" IS 'Period of the report, as the API writes it.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."type_text" IS 'Period of the report, in plain words.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."start_time" IS 'Start of the period the report covers.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."end_time" IS 'End of the period the report covers. Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."finish_time" IS 'When the report was finished; empty while it is being made.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."percent" IS 'Progress in percent.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."state" IS 'finished, running, stuck (no progress for an hour and two hours late, or a day late), or gone (unfinished and listed no longer).';
COMMENT ON COLUMN "bi"."audit_report_jobs"."state_text" IS 'The same in plain words.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."is_stuck" IS 'Whether the report is stuck.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."minutes" IS 'Minutes from the end of the period to the finished report; empty until it is finished.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."waiting_hours" IS 'Hours since the end of the period for a report that is not finished.';
COMMENT ON COLUMN "bi"."audit_report_jobs"."last_progress_at" IS 'When an unfinished report was last seen to change.';
CREATE VIEW "bi"."stream_freshness" AS
WITH RECURSIVE defined (stream, table_name, target_seconds) AS (VALUES
  ('hss_protected_clusters', 'hss.protected_clusters', 1200),
  ('hss_kubernetes_clusters', 'hss.kubernetes_clusters', 1800),
  ('hss_cluster_events', 'hss.cluster_events', 120),
  ('hss_cluster_security_reports', 'hss.cluster_security_reports', 900),
  ('hss_image_vulnerabilities', 'hss.image_vulnerabilities', 1800),
  ('hss_image_vulnerability_operations', 'hss.image_vulnerability_operations', 10800),
  ('dbss_audit_instances', 'dbss.audit_instances', 1800),
  ('dbss_audit_reports', 'dbss.audit_reports', 600)
), targets AS (
  SELECT d.stream, d.table_name, coalesce(c.target_seconds, d.target_seconds) AS target_seconds
  FROM defined d LEFT JOIN sync.stream_targets c ON c.stream = d.stream
), scopes AS (
  SELECT t.stream, (SELECT min(r.project_id) FROM sync.runs r WHERE r.stream = t.stream) AS project_id
  FROM targets t
  UNION ALL
  SELECT s.stream, (SELECT min(r.project_id) FROM sync.runs r WHERE r.stream = s.stream AND r.project_id > s.project_id)
  FROM scopes s
  WHERE s.project_id IS NOT NULL
)
SELECT
  last.account AS "account",
  last.region AS "region",
  last.project_id AS "project_id",
  s.stream AS "stream",
  t.table_name AS "table_name",
  whole.started_at AS "as_of",
  nullif(whole.certified_at, 'epoch') AS "certified_at",
  coalesce((whole.evidence ->> 'notAsked')::bigint, 0) AS "lists_not_asked",
  round(extract(epoch FROM now() - whole.started_at))::bigint AS "age_seconds",
  t.target_seconds AS "target_seconds",
  coalesce(extract(epoch FROM now() - whole.started_at) > t.target_seconds, true) AS "is_stale",
  CASE
    WHEN whole.started_at IS NULL THEN 'never complete'
    WHEN extract(epoch FROM now() - whole.started_at) > t.target_seconds THEN 'stale'
    WHEN ended.certificate = 'complete' THEN 'fresh'
    ELSE 'incomplete' END AS "state",
  ended.certificate AS "certificate",
  CASE ended.certificate WHEN 'complete' THEN 'Proven complete' WHEN 'incomplete' THEN 'Not proven complete' ELSE ended.certificate END AS "certificate_text",
  ended.reason AS "reason",
  CASE ended.reason WHEN 'unordered' THEN 'The list moved and has no order that would prove it complete' WHEN 'ties' THEN 'The list moved and too many of its rows share one time' WHEN 'moving' THEN 'The list moved faster than it could be read' WHEN 'capped' THEN 'The API shows only the first rows of the list' WHEN 'suspicious-shrink' THEN 'More rows vanished at once than is believable' WHEN 'refused' THEN 'The API refused to show the list' WHEN 'parents' THEN 'The lists that say what to ask for are not proven complete' WHEN 'not-asked' THEN 'Some lists were not due or not affordable yet' WHEN 'interrupted' THEN 'The run ended before the list was read' ELSE ended.reason END AS "reason_text",
  last.status AS "last_status",
  CASE last.status WHEN 'running' THEN 'Running' WHEN 'succeeded' THEN 'Succeeded' WHEN 'incomplete' THEN 'Incomplete' WHEN 'failed' THEN 'Failed' WHEN 'abandoned' THEN 'Abandoned: its process is gone' ELSE last.status END AS "last_status_text",
  last.started_at AS "last_run_at",
  last.error AS "last_error",
  CASE s.stream WHEN 'hss_protected_clusters' THEN (SELECT count(*) FROM hss.protected_clusters d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) WHEN 'hss_kubernetes_clusters' THEN (SELECT count(*) FROM hss.kubernetes_clusters d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) WHEN 'hss_cluster_events' THEN (SELECT count(*) FROM hss.cluster_events d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) WHEN 'hss_cluster_security_reports' THEN (SELECT count(*) FROM hss.cluster_security_reports d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) WHEN 'hss_image_vulnerabilities' THEN (SELECT count(*) FROM hss.image_vulnerabilities d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) WHEN 'hss_image_vulnerability_operations' THEN (SELECT count(*) FROM hss.image_vulnerability_operations d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) WHEN 'dbss_audit_instances' THEN (SELECT count(*) FROM dbss.audit_instances d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) WHEN 'dbss_audit_reports' THEN (SELECT count(*) FROM dbss.audit_reports d WHERE d.project_id = s.project_id AND d._deleted_at IS NULL) END AS "rows",
  (SELECT count(*) FROM sync.rejected_records x
    WHERE x.project_id = s.project_id AND x.stream = s.stream AND x.replayed_at IS NULL) AS "rejects",
  (SELECT count(*) FROM sync.api_drift x WHERE x.stream = s.stream) AS "drift",
  (SELECT max(x.first_seen_at) FROM sync.api_drift x WHERE x.stream = s.stream) AS "last_new_drift_at"
FROM scopes s
JOIN targets t ON t.stream = s.stream
CROSS JOIN LATERAL (
  SELECT r.* FROM sync.runs r WHERE r.stream = s.stream AND r.project_id = s.project_id ORDER BY r.started_at DESC LIMIT 1
) last
LEFT JOIN LATERAL (
  SELECT r.certificate, r.reason, r.finished_at FROM sync.runs r
  WHERE r.stream = s.stream AND r.project_id = s.project_id AND r.finished_at IS NOT NULL ORDER BY r.started_at DESC LIMIT 1
) ended ON true
LEFT JOIN LATERAL (
  SELECT r.started_at, r.certified_at, r.evidence FROM sync.runs r
  WHERE r.stream = s.stream AND r.project_id = s.project_id AND r.certificate = 'complete' ORDER BY r.started_at DESC LIMIT 1
) whole ON true
WHERE s.project_id IS NOT NULL;
COMMENT ON VIEW "bi"."stream_freshness" IS 'Is the data complete, and how old is it? One row for every stream and project that the service has read at least once.';
COMMENT ON COLUMN "bi"."stream_freshness"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."stream_freshness"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."stream_freshness"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."stream_freshness"."stream" IS 'Name of the stream: one list of the API and the table it fills.';
COMMENT ON COLUMN "bi"."stream_freshness"."table_name" IS 'The table it fills.';
COMMENT ON COLUMN "bi"."stream_freshness"."as_of" IS 'The data is proven complete as of this time: when the last run started that proved or confirmed it. For lists_not_asked lists that rests on an older reading.';
COMMENT ON COLUMN "bi"."stream_freshness"."certified_at" IS 'When the oldest list behind that proof was last read to its end.';
COMMENT ON COLUMN "bi"."stream_freshness"."lists_not_asked" IS 'Lists that hardly ever change and were not asked for in that run; each is asked for at least once a week.';
COMMENT ON COLUMN "bi"."stream_freshness"."age_seconds" IS 'Seconds since as_of.';
COMMENT ON COLUMN "bi"."stream_freshness"."target_seconds" IS 'How old the data may get before it is called stale, in seconds: as configured, but at least two ticks of the schedule.';
COMMENT ON COLUMN "bi"."stream_freshness"."is_stale" IS 'Whether the data is older than its target.';
COMMENT ON COLUMN "bi"."stream_freshness"."state" IS 'fresh, stale, incomplete (the last run proved less than an earlier one) or never complete.';
COMMENT ON COLUMN "bi"."stream_freshness"."certificate" IS 'What the last finished run proved, as the API writes it.';
COMMENT ON COLUMN "bi"."stream_freshness"."certificate_text" IS 'What the last finished run proved, in plain words.';
COMMENT ON COLUMN "bi"."stream_freshness"."reason" IS 'Why the last finished run did not prove completeness, as the API writes it.';
COMMENT ON COLUMN "bi"."stream_freshness"."reason_text" IS 'Why the last finished run did not prove completeness, in plain words.';
COMMENT ON COLUMN "bi"."stream_freshness"."last_status" IS 'How the last run ended, as the API writes it.';
COMMENT ON COLUMN "bi"."stream_freshness"."last_status_text" IS 'How the last run ended, in plain words.';
COMMENT ON COLUMN "bi"."stream_freshness"."last_run_at" IS 'When the last run started.';
COMMENT ON COLUMN "bi"."stream_freshness"."last_error" IS 'What went wrong in the last run, in one line.';
COMMENT ON COLUMN "bi"."stream_freshness"."rows" IS 'Number of rows that the API lists, as stored. Counted when asked for.';
COMMENT ON COLUMN "bi"."stream_freshness"."rejects" IS 'Number of records that could not be made rows and wait for a definition that understands them.';
COMMENT ON COLUMN "bi"."stream_freshness"."drift" IS 'Number of ways in which the answers differ from the documents of the API (see sync_drift).';
COMMENT ON COLUMN "bi"."stream_freshness"."last_new_drift_at" IS 'When the newest of these differences was first seen.';
CREATE VIEW "bi"."sync_runs" AS
SELECT
  r.account AS "account",
  r.region AS "region",
  r.project_id AS "project_id",
  r.id AS "run_id",
  r.stream AS "stream",
  r.started_at AS "started_at",
  r.finished_at AS "finished_at",
  round(extract(epoch FROM r.finished_at - r.started_at), 1)::double precision AS "duration_seconds",
  r.status AS "status",
  CASE r.status WHEN 'running' THEN 'Running' WHEN 'succeeded' THEN 'Succeeded' WHEN 'incomplete' THEN 'Incomplete' WHEN 'failed' THEN 'Failed' WHEN 'abandoned' THEN 'Abandoned: its process is gone' ELSE r.status END AS "status_text",
  r.walk AS "walk",
  CASE r.walk WHEN 'probe' THEN 'First page only' WHEN 'head' THEN 'Newest rows' WHEN 'full' THEN 'Everything' ELSE r.walk END AS "walk_text",
  r.certificate AS "certificate",
  CASE r.certificate WHEN 'complete' THEN 'Proven complete' WHEN 'incomplete' THEN 'Not proven complete' ELSE r.certificate END AS "certificate_text",
  r.reason AS "reason",
  CASE r.reason WHEN 'unordered' THEN 'The list moved and has no order that would prove it complete' WHEN 'ties' THEN 'The list moved and too many of its rows share one time' WHEN 'moving' THEN 'The list moved faster than it could be read' WHEN 'capped' THEN 'The API shows only the first rows of the list' WHEN 'suspicious-shrink' THEN 'More rows vanished at once than is believable' WHEN 'refused' THEN 'The API refused to show the list' WHEN 'parents' THEN 'The lists that say what to ask for are not proven complete' WHEN 'not-asked' THEN 'Some lists were not due or not affordable yet' WHEN 'interrupted' THEN 'The run ended before the list was read' ELSE r.reason END AS "reason_text",
  r.requests AS "requests",
  r.throttled AS "throttled",
  r.records AS "records",
  r.inserted AS "inserted",
  r.updated AS "updated",
  r.unchanged AS "unchanged",
  r.deleted AS "deleted",
  r.rejected AS "rejected",
  r.error AS "error",
  r.error_code AS "error_code",
  r.request_id AS "request_id"
FROM sync.runs r;
COMMENT ON VIEW "bi"."sync_runs" IS 'Every attempt at one stream in one project: what it cost, what it changed, what it proved. Filter on started_at.';
COMMENT ON COLUMN "bi"."sync_runs"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."sync_runs"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."sync_runs"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."sync_runs"."run_id" IS 'Number of the run.';
COMMENT ON COLUMN "bi"."sync_runs"."stream" IS 'Name of the stream.';
COMMENT ON COLUMN "bi"."sync_runs"."started_at" IS 'When the run started. Filter on this column: it is indexed.';
COMMENT ON COLUMN "bi"."sync_runs"."finished_at" IS 'When the run ended.';
COMMENT ON COLUMN "bi"."sync_runs"."duration_seconds" IS 'How long the run took, in seconds.';
COMMENT ON COLUMN "bi"."sync_runs"."status" IS 'How the run ended, as the API writes it.';
COMMENT ON COLUMN "bi"."sync_runs"."status_text" IS 'How the run ended, in plain words.';
COMMENT ON COLUMN "bi"."sync_runs"."walk" IS 'The most thorough reading in the run, as the API writes it.';
COMMENT ON COLUMN "bi"."sync_runs"."walk_text" IS 'The most thorough reading in the run, in plain words.';
COMMENT ON COLUMN "bi"."sync_runs"."certificate" IS 'What the run proved, as the API writes it.';
COMMENT ON COLUMN "bi"."sync_runs"."certificate_text" IS 'What the run proved, in plain words.';
COMMENT ON COLUMN "bi"."sync_runs"."reason" IS 'Why it did not prove completeness, as the API writes it.';
COMMENT ON COLUMN "bi"."sync_runs"."reason_text" IS 'Why it did not prove completeness, in plain words.';
COMMENT ON COLUMN "bi"."sync_runs"."requests" IS 'Requests sent, failed attempts included.';
COMMENT ON COLUMN "bi"."sync_runs"."throttled" IS 'Requests that the API answered with "too many".';
COMMENT ON COLUMN "bi"."sync_runs"."records" IS 'Records received.';
COMMENT ON COLUMN "bi"."sync_runs"."inserted" IS 'Rows that were new.';
COMMENT ON COLUMN "bi"."sync_runs"."updated" IS 'Rows that were written again because they differed.';
COMMENT ON COLUMN "bi"."sync_runs"."unchanged" IS 'Rows that were as they are stored.';
COMMENT ON COLUMN "bi"."sync_runs"."deleted" IS 'Rows found to be listed no longer.';
COMMENT ON COLUMN "bi"."sync_runs"."rejected" IS 'Records that could not be made rows.';
COMMENT ON COLUMN "bi"."sync_runs"."error" IS 'What went wrong, in one line.';
COMMENT ON COLUMN "bi"."sync_runs"."error_code" IS 'Error code of the API, if it sent one.';
COMMENT ON COLUMN "bi"."sync_runs"."request_id" IS 'Request id of the API, to quote to its support.';
CREATE VIEW "bi"."sync_drift" AS
SELECT
  d.stream AS "stream",
  d.field AS "field",
  d.kind AS "kind",
  d.sample AS "sample",
  d.count AS "rows",
  d.first_seen_at AS "first_seen_at",
  d.last_seen_at AS "last_seen_at"
FROM sync.api_drift d;
COMMENT ON VIEW "bi"."sync_drift" IS 'Where answers of the API differ from its documents. Nothing is refused for it.';
COMMENT ON COLUMN "bi"."sync_drift"."stream" IS 'Stream that met the difference.';
COMMENT ON COLUMN "bi"."sync_drift"."field" IS 'Field that differs.';
COMMENT ON COLUMN "bi"."sync_drift"."kind" IS 'unknown field, missing field, undocumented value, beyond length, beyond range, or wrong total.';
COMMENT ON COLUMN "bi"."sync_drift"."sample" IS 'First value seen.';
COMMENT ON COLUMN "bi"."sync_drift"."rows" IS 'How many new or changed rows had it.';
COMMENT ON COLUMN "bi"."sync_drift"."first_seen_at" IS 'When it was first seen.';
COMMENT ON COLUMN "bi"."sync_drift"."last_seen_at" IS 'When it was last seen.';
CREATE VIEW "bi"."sync_rejects" AS
SELECT
  x.account AS "account",
  x.region AS "region",
  x.project_id AS "project_id",
  x.stream AS "stream",
  coalesce(x.issues -> 0 ->> 'field', '') AS "field",
  coalesce(x.issues -> 0 ->> 'message', '') AS "problem",
  count(*) AS "records",
  min(x.first_seen_at) AS "first_seen_at",
  max(x.last_seen_at) AS "last_seen_at"
FROM sync.rejected_records x
WHERE x.replayed_at IS NULL
GROUP BY 1, 2, 3, 4, 5, 6;
COMMENT ON VIEW "bi"."sync_rejects" IS 'Records that could not be made rows, counted by reason. The records themselves stay with the operators.';
COMMENT ON COLUMN "bi"."sync_rejects"."account" IS 'Name of the account (the set of credentials) that reads the project.';
COMMENT ON COLUMN "bi"."sync_rejects"."region" IS 'Region of the project, such as cn-north-4.';
COMMENT ON COLUMN "bi"."sync_rejects"."project_id" IS 'Id of the Huawei Cloud project.';
COMMENT ON COLUMN "bi"."sync_rejects"."stream" IS 'Stream the records belong to.';
COMMENT ON COLUMN "bi"."sync_rejects"."field" IS 'First field that was refused.';
COMMENT ON COLUMN "bi"."sync_rejects"."problem" IS 'What was wrong with it.';
COMMENT ON COLUMN "bi"."sync_rejects"."records" IS 'Number of different records.';
COMMENT ON COLUMN "bi"."sync_rejects"."first_seen_at" IS 'When the first of them was first received.';
COMMENT ON COLUMN "bi"."sync_rejects"."last_seen_at" IS 'When one of them was last received.';
