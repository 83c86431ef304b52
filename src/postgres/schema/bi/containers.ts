import {
  cvesOf,
  decoded,
  inWords,
  listedColumns,
  projectJoin,
  scopeColumns,
  severityColumns,
  startOf,
  type View,
  type ViewColumns,
} from './view.ts';
import {
  CLUSTER_CATEGORY,
  CLUSTER_SEVERITY,
  CLUSTER_STATUS,
  CLUSTER_TYPE,
  HANDLE_STATUS,
  HANDLE_TYPE,
  IMAGE_TYPE,
  PROTECTION,
  VULNERABILITY_STATUS,
  VULNERABILITY_TYPE,
} from './words.ts';

const RISKS = `coalesce(r.local_image_vul_num, 0) + coalesce(r.risk_config_num, 0) + coalesce(r.privileged_container_num, 0)`;

const findings: ViewColumns = {
  ...decoded('severity', ['r.severity', 'Verdict of the last security check'], CLUSTER_SEVERITY),
  risks: [RISKS, 'All findings together: image vulnerabilities, baseline risks and privileged containers.'],
  image_vulnerabilities: ['r.local_image_vul_num', 'Number of vulnerabilities in local images.'],
  baseline_risks: ['r.risk_config_num', 'Number of baseline risks in the configuration.'],
  privileged_containers: ['r.privileged_container_num', 'Number of alarms about privileged containers.'],
  scan_time: ['r.scan_time', 'When the cluster was scanned.'],
};

const cluster: ViewColumns = {
  cluster_id: ['r.cluster_id', 'Id of the cluster.'],
  cluster_name: ["coalesce(nullif(r.cluster_name, ''), r.cluster_id, '(unknown)')", 'Name of the cluster, or its id.'],
};

/** State of the protection; `alias` is the alias of the table of protected clusters. */
function protection(alias: string): ViewColumns {
  const status = `${alias}.protect_status`;
  return {
    ...decoded('protect_status', [status, 'State of the cluster protection; empty if unknown'], PROTECTION),
    is_protected: [
      `${status} IN ('protected with policy', 'protected without policy')`,
      'Whether the protection is on, with or without a policy.',
    ],
    has_policy: [`${status} = 'protected with policy'`, 'Whether the protection is on and has a policy.'],
  };
}

const clusters: View = {
  name: 'clusters',
  about: 'Container clusters that cluster protection knows. Clusters that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('r'),
    ...cluster,
    cluster_version: ['r.cluster_version', 'Kubernetes version of the cluster.'],
    ...decoded('cluster_type', ['r.cluster_type', 'Where the cluster runs'], CLUSTER_TYPE),
    ...decoded('cluster_status', ['r.cluster_status', 'State of the cluster'], CLUSTER_STATUS),
    ...protection('r'),
    policies: ['r.policy_num', 'Number of protection policies that apply to the cluster.'],
    first_seen_at: ['r._first_seen_at', 'When the service first read the cluster.'],
  },
  from: `FROM hss.protected_clusters r\n${projectJoin('r')}\nWHERE r._deleted_at IS NULL`,
};

const kubernetesClusters: View = {
  name: 'kubernetes_clusters',
  about:
    'Every Kubernetes cluster that is known, of any cloud: nodes, agents and numbers of findings. Clusters that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('r'),
    ...cluster,
    ...decoded('cluster_type', ['r.cluster_type', 'Where the cluster runs'], CLUSTER_TYPE),
    status: ['r.status', 'State of the cluster.'],
    version: ['r.version', 'Kubernetes version of the cluster.'],
    nodes: ['r.total_nodes_number', 'Number of nodes.'],
    working_nodes: ['r.active_nodes_number', 'Number of nodes that work normally.'],
    nodes_with_agent: ['r.agent_installed_num', 'Number of nodes with an agent.'],
    nodes_without_agent: ['r.agent_not_install_num', 'Number of nodes without an agent.'],
    failed_agents: ['r.agent_install_failed_num', 'Number of nodes where installing the agent failed.'],
    system_vulnerabilities: ['r.sys_vul_num', 'Number of system vulnerabilities.'],
    application_vulnerabilities: ['r.app_vul_num', 'Number of application vulnerabilities.'],
    emergency_vulnerabilities: ['r.emg_vul_num', 'Number of emergency vulnerabilities.'],
    risk_findings: ['r.risk_assess_num', 'Number of findings of the risk assessment.'],
    compliance_findings: ['r.sec_comp_num', 'Number of findings of the security compliance check.'],
    created_at: ['r.creation_timestamp', 'When the cluster was created.'],
    scan_time: ['r.last_scan_time', 'When the cluster was last scanned.'],
  },
  from: `FROM hss.kubernetes_clusters r\n${projectJoin('r')}\nWHERE r._deleted_at IS NULL`,
};

const clusterRisk: View = {
  name: 'cluster_risk',
  about:
    'What the last security check of each cluster found, and whether the cluster is protected. Clusters whose report the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('r'),
    ...cluster,
    ...decoded('cluster_category', ['r.cluster_category', 'Kind of cluster'], CLUSTER_CATEGORY),
    ...findings,
    ...protection('p'),
    policies: ['p.policy_num', 'Number of protection policies that apply to the cluster.'],
  },
  from: `FROM (
  SELECT DISTINCT ON (project_id, coalesce(cluster_id, report_id)) *
  FROM hss.cluster_security_reports
  WHERE _deleted_at IS NULL
  ORDER BY project_id, coalesce(cluster_id, report_id), scan_time DESC NULLS LAST
) r
${projectJoin('r')}
LEFT JOIN hss.protected_clusters p
  ON p.project_id = r.project_id AND p.cluster_id = r.cluster_id AND p._deleted_at IS NULL`,
};

const CONTENT = 'account, region, project_id, report_id, cluster_id, cluster_name';
const NUMBERS = 'severity, local_image_vul_num, risk_config_num, privileged_container_num, scan_time';

/**
 * A version is valid from its scan (it may have been read later) until the next scan, or until the report was no longer
 * listed. A day shows the version valid at its end, so days without a scan repeat the last version.
 */
const VERSIONS = `versions AS (
  SELECT ${CONTENT}, ${NUMBERS}, _valid_from, _valid_to
  FROM hss.cluster_security_reports_history
  UNION ALL
  SELECT ${CONTENT}, ${NUMBERS}, _changed_at, coalesce(_deleted_at, 'infinity')
  FROM hss.cluster_security_reports
), dated AS (
  SELECT *, least(scan_time, _valid_from) AS effective_from,
    least(_valid_to, lead(least(scan_time, _valid_from)) OVER (
      PARTITION BY project_id, coalesce(cluster_id, report_id) ORDER BY least(scan_time, _valid_from), _valid_from
    )) AS effective_to
  FROM versions
), spans AS (
  SELECT *, ${startOf('day', 'effective_from')} AS first_day,
    ${startOf('day', "least(effective_to, now() + interval '1 day')")} AS next_day
  FROM dated
)`;

const clusterRiskDaily: View = {
  name: 'cluster_risk_daily',
  about:
    'Risk of each cluster as known at the end of each day (UTC), from the history of its reports. A day without a scan repeats the last one.',
  with: VERSIONS,
  columns: {
    ...scopeColumns('r'),
    day: ['d.day', 'The day (UTC); the row says what was known at its end, or is known now.'],
    ...cluster,
    severity: ['r.severity', 'Verdict of the security check, as the API writes it.'],
    severity_text: [inWords('r.severity', CLUSTER_SEVERITY), 'Verdict of the security check, in plain words.'],
    risks: [RISKS, 'All findings together: image vulnerabilities, baseline risks and privileged containers.'],
    image_vulnerabilities: ['r.local_image_vul_num', 'Number of vulnerabilities in local images.'],
    baseline_risks: ['r.risk_config_num', 'Number of baseline risks in the configuration.'],
    privileged_containers: ['r.privileged_container_num', 'Number of alarms about privileged containers.'],
    scan_time: ['r.scan_time', 'When the scan was made that the numbers come from.'],
    carried_forward: [`${startOf('day', 'r.scan_time')} < d.day`, 'Whether the numbers are from an earlier day.'],
  },
  // Excludes versions that end on the day they begin, before days are generated.
  from: `FROM spans r
${projectJoin('r')}
CROSS JOIN LATERAL generate_series(r.first_day, r.next_day - interval '1 day', interval '1 day') AS d(day)
WHERE r.first_day < r.next_day`,
};

export const RISK_VIEWS: readonly View[] = [clusters, kubernetesClusters, clusterRisk, clusterRiskDaily];

/** Dashboards turn it into a link, and `javascript:` would be executed. So only http(s) addresses pass. */
function webAddress(column: string): string {
  return `CASE WHEN ${column} ~* '^https?://' THEN ${column} END`;
}

const level = severityColumns('v.severity_level');

const severity: ViewColumns = {
  ...level,
  cves: [cvesOf('v'), 'Ids of its CVEs, separated by commas.'],
  max_cvss_score: ['v.max_cvss_score', 'Highest CVSS score of its CVEs.'],
};

const imageVulnerabilities: View = {
  name: 'image_vulnerabilities',
  about:
    'Vulnerabilities found in container images: one row for each kind of image and handling state. Those that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('v'),
    vul_id: ['v.vul_id', 'Id of the vulnerability.'],
    vul_name: ['v.vul_name', 'Name of the vulnerability.'],
    ...severity,
    ...decoded('type', ['v.type', 'Where the flaw is'], VULNERABILITY_TYPE),
    ...decoded('image_type', ['v.image_type', 'Which images it was found in'], IMAGE_TYPE),
    ...decoded('handle_status', ['v.handle_status', 'Whether it was handled'], HANDLE_STATUS),
    images: ['v.image_num', 'Number of affected images.'],
    scan_time: ['v.scan_time', 'When it was last found by a scan.'],
    first_seen_at: ['v._first_seen_at', 'When the service first read it. Filter on this column.'],
    solution: ['v.solution_detail', 'How to repair it.'],
    url: [webAddress('v.url'), 'Where to read more; null if the API gives no http(s) address.'],
  },
  from: `FROM hss.image_vulnerabilities v\n${projectJoin('v')}\nWHERE v._deleted_at IS NULL`,
};

/**
 * A vulnerability may be in both handling lists and both types. Of several rows, the listed one with the latest scan
 * counts.
 */
const VULNERABILITY = `${projectJoin('o')}
LEFT JOIN LATERAL (
  SELECT x.vul_name, x.severity_level, x.cve_list, x.max_cvss_score, x.type
  FROM hss.image_vulnerabilities x
  WHERE x.project_id = o.project_id AND x.vul_id = o.vul_id AND x.image_type = o.image_type
  ORDER BY x._deleted_at DESC NULLS FIRST, x.scan_time DESC NULLS LAST
  LIMIT 1
) v ON true`;

/** A record without the time of handling is dated when it was first read. */
const handlingTime = (prefix: string) => `coalesce(${prefix}handle_time, ${prefix}_first_seen_at)`;
const HANDLING_TIME = handlingTime('o.');

const operations: View = {
  name: 'image_vulnerability_operations',
  about:
    'How image vulnerabilities were handled: by whom, when, in which image, with the severity and CVEs of the vulnerability. Filter on operation_time.',
  columns: {
    ...scopeColumns('o'),
    operation_key: ['o.operation_key', 'Identity of the operation, computed from its content.'],
    operation_time: [
      HANDLING_TIME,
      'When it was handled, or where the API does not say that, when the service first read it. Filter on this column: it is indexed.',
    ],
    handle_time: ['o.handle_time', 'When it was handled; empty where the API does not say.'],
    user_name: ["coalesce(nullif(o.user_name, ''), '(unknown)')", 'Who handled it.'],
    ...decoded('handle_type', ['o.handle_type', 'What was done'], HANDLE_TYPE),
    ...decoded('status', ['o.status', 'State of the vulnerability after that'], VULNERABILITY_STATUS),
    remark: ['o.remark', 'Remark of the person who handled it.'],
    vul_id: ['o.vul_id', 'Id of the vulnerability.'],
    vul_name: ['v.vul_name', 'Name of the vulnerability.'],
    ...severity,
    type_text: [inWords('v.type', VULNERABILITY_TYPE), 'Where the flaw is, in plain words.'],
    ...decoded('image_type', ['o.image_type', 'Where the image is'], IMAGE_TYPE),
    image_name: ['o.image_name', 'Name of the image.'],
    image_version: ['o.image_version', 'Tag of the image.'],
    image_digest: ['o.image_digest', 'Digest of the image.'],
    app_name: ['o.app_name', 'Affected package or library.'],
    app_version: ['o.app_version', 'Version of the package.'],
    app_path: ['o.app_path', 'Path of the package in the image.'],
    ...listedColumns('o'),
  },
  from: `FROM hss.image_vulnerability_operations o\n${VULNERABILITY}`,
};

const DAY = startOf('day', HANDLING_TIME);

const handlingDaily: View = {
  name: 'vulnerability_handling_daily',
  about: 'How many image vulnerabilities were handled each day (UTC), by whom and how. Days without any have no row.',
  columns: {
    ...scopeColumns('o'),
    day: [DAY, 'The day (UTC). Filter on this column: it is indexed.'],
    user_name: ["coalesce(nullif(o.user_name, ''), '(unknown)')", 'Who handled them.'],
    handle_type_text: [inWords('o.handle_type', HANDLE_TYPE), 'What was done, in plain words.'],
    image_type_text: [inWords('o.image_type', IMAGE_TYPE), 'Where the images are, in plain words.'],
    ...level,
    operations: ['count(*)', 'Number of operations.'],
    vulnerabilities: ['count(DISTINCT o.vul_id)', 'Number of different vulnerabilities among them.'],
  },
  from: `FROM hss.image_vulnerability_operations o\n${VULNERABILITY}\nGROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9`,
};

export const VULNERABILITY_VIEWS: readonly View[] = [imageVulnerabilities, operations, handlingDaily];

export const VULNERABILITY_INDEXES: Readonly<Record<string, string>> = {
  image_vulnerability_operations_day_idx: `hss.image_vulnerability_operations (${startOf('day', handlingTime(''))})`,
  image_vulnerability_operations_time_idx: `hss.image_vulnerability_operations (project_id, (${handlingTime('')}))`,
};
