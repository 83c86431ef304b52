import { hostColumns, PROTECTION } from './hosts.ts';
import {
  cvesOf,
  daysSince,
  decoded,
  onceComplete,
  projectJoin,
  scopeColumns,
  severityColumns,
  startOf,
  type View,
  type ViewColumns,
} from './view.ts';
import { FINDING_STATUS, HOST_VULNERABILITY_TYPE } from './words.ts';

/** Highest CVSS score of the CVEs of a finding. */
const CVSS = `(SELECT max((c ->> 'cvss')::double precision) FROM jsonb_array_elements(CASE jsonb_typeof(f.cve_list) WHEN 'array' THEN f.cve_list END) c WHERE jsonb_typeof(c -> 'cvss') = 'number')`;

/**
 * Findings have no severity, but their vulnerability has. If it was not read, the CVSS score decides (thresholds of
 * CVSS 3).
 */
const SEVERITY = `coalesce(nullif(v.severity_level, ''), CASE WHEN ${CVSS} >= 9 THEN 'Critical' WHEN ${CVSS} >= 7 THEN 'High' WHEN ${CVSS} >= 4 THEN 'Medium' WHEN ${CVSS} > 0 THEN 'Low' END)`;

/** Final states. Unknown states count as open. */
const SETTLED = "('vul_status_fixed', 'vul_status_ignored')";
const UNSETTLED = (alias: string) => `coalesce(${alias}.status, '') NOT IN ${SETTLED}`;

/** Urgent findings are in a separate list, and usually also in the list of their type. Both rows are one finding. */
const FINDINGS = `FROM hss.host_vulnerabilities f
LEFT JOIN (
  SELECT DISTINCT ON (project_id, vul_id) project_id, vul_id, severity_level
  FROM hss.vulnerabilities
  ORDER BY project_id, vul_id, _deleted_at DESC NULLS FIRST, scan_time DESC NULLS LAST
) v ON v.project_id = f.project_id AND v.vul_id = f.vul_id`;

const sameFinding = (alias: string) =>
  `${alias}.project_id = f.project_id AND ${alias}.host_id = f.host_id AND ${alias}.vul_id = f.vul_id`;

/** Keeps one row of a finding: the listed one, and of several listed ones not that of the urgent list. */
const ONCE = `NOT EXISTS (
  SELECT FROM hss.host_vulnerabilities o
  WHERE ${sameFinding('o')} AND o.type <> f.type
    AND (o._deleted_at IS NOT NULL, o.type = 'urgent_vul', o.type) < (f._deleted_at IS NOT NULL, f.type = 'urgent_vul', f.type)
)`;

/** When a finding was found: as dated by the API, otherwise when it was first read. */
const FOUND = 'coalesce(f.first_scan_time, f._first_seen_at)';

const hostVulnerabilities: View = {
  name: 'host_vulnerabilities',
  about:
    'Which host has which vulnerability: one row a finding, whatever its state. Findings that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('f'),
    ...hostColumns('f'),
    asset_value: ['f.asset_value', 'How important the host is: important, common or test.'],
    private_ip: ['f.private_ip', 'Private IP address of the host.'],
    vul_id: ['f.vul_id', 'Id of the vulnerability.'],
    vul_name: ['f.vul_name', 'Name of the vulnerability.'],
    ...severityColumns(SEVERITY),
    repair_priority: [
      'f.repair_priority',
      'In which order to repair, importance of the host included: Critical, High, Medium or Low.',
    ],
    cves: [cvesOf('f'), 'Ids of its CVEs, separated by commas.'],
    max_cvss_score: [CVSS, 'Highest CVSS score of its CVEs.'],
    ...decoded('type', ['f.type', 'Where the flaw is'], HOST_VULNERABILITY_TYPE),
    is_urgent: [
      `f.type = 'urgent_vul' OR EXISTS (SELECT FROM hss.host_vulnerabilities u WHERE ${sameFinding('u')} AND u.type = 'urgent_vul' AND u._deleted_at IS NULL)`,
      'Whether it is in the list of urgent vulnerabilities.',
    ],
    ...decoded('status', ['f.status', 'State of the finding'], FINDING_STATUS),
    is_open: [
      UNSETTLED('f'),
      'Whether it is neither repaired nor ignored. Findings that wait for a restart count as open.',
    ],
    affects_business: ['f.is_affected_business', 'Whether a repair affects what runs on the host.'],
    found_at: [FOUND, 'When it was first found by a scan, or where the API does not say that, first read.'],
    age_days: [daysSince(FOUND), 'Days since it was first found.'],
    last_found_at: ['f.scan_time', 'When it was last found by a scan.'],
  },
  from: `${FINDINGS}\n${projectJoin('f')}\nWHERE f._deleted_at IS NULL AND ${ONCE}`,
};

const hostCves: View = {
  name: 'host_cves',
  about:
    'Which host has which CVE: one row for each CVE of a finding, whatever its state. Findings that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('f'),
    cve_id: ['c.cve_id', 'Id of the CVE.'],
    cvss_score: ['c.cvss', 'CVSS score of the CVE.'],
    ...hostColumns('f'),
    asset_value: ['f.asset_value', 'How important the host is: important, common or test.'],
    private_ip: ['f.private_ip', 'Private IP address of the host.'],
    vul_id: ['f.vul_id', 'Id of the vulnerability that the CVE belongs to.'],
    vul_name: ['f.vul_name', 'Name of that vulnerability.'],
    ...decoded('type', ['f.type', 'Where the flaw is'], HOST_VULNERABILITY_TYPE),
    ...decoded('status', ['f.status', 'State of the finding'], FINDING_STATUS),
    is_open: [
      UNSETTLED('f'),
      'Whether it is neither repaired nor ignored. Findings that wait for a restart count as open.',
    ],
    found_at: [FOUND, 'When it was first found by a scan, or where the API does not say that, first read.'],
    age_days: [daysSince(FOUND), 'Days since it was first found.'],
  },
  from: `FROM hss.host_vulnerability_cves c
JOIN hss.host_vulnerabilities f ON f.project_id = c.project_id AND f.type = c.type AND f.host_id = c.host_id AND f.vul_id = c.vul_id
${projectJoin('f')}
WHERE c._deleted_at IS NULL AND f._deleted_at IS NULL AND ${ONCE}`,
};

/** A finding that is no longer listed on a listed host is fixed, because the scan no longer finds it. */
const ENDED_AS = `CASE WHEN f.status = 'vul_status_fixed' THEN 'fixed'
    WHEN f.status = 'vul_status_ignored' THEN 'ignored'
    WHEN f._deleted_at IS NULL THEN NULL
    WHEN EXISTS (SELECT FROM hss.hosts h WHERE h.project_id = f.project_id AND h.host_id = f.host_id AND h._deleted_at IS NULL) THEN 'fixed'
    ELSE 'gone' END`;

/** End of the last version in which the finding was open; null if it was never seen open. */
const LAST_OPEN = `(SELECT max(p._valid_to) FROM hss.host_vulnerabilities_history p WHERE ${sameFinding('p')} AND p.type = f.type AND ${UNSETTLED('p')})`;

const HOST_VULNERABILITIES = 'hss_host_vulnerabilities';
const WEEK = '1 week';

/**
 * Every finding changes the counts at most twice: when it is found and when it ends. Weeks without a change have rows,
 * too, from the week in which the list was first read to the week in which it was last proven complete. Earlier weeks
 * are unknown.
 */
const MOVES = `findings AS (
  SELECT f.project_id, f.account, f.region, coalesce(${SEVERITY}, 'Unknown') AS severity, ${FOUND} AS found_at,
    ${ENDED_AS} AS ended_as,
    CASE WHEN ${UNSETTLED('f')} THEN f._deleted_at ELSE ${LAST_OPEN} END AS ended_at
  ${FINDINGS}
  WHERE ${ONCE}
), counted AS (
  SELECT * FROM findings WHERE ended_as IS NULL OR ended_at IS NOT NULL
), known AS (
  SELECT p.project_id, ${startOf('week', 'least(min(p.since), now())')} AS first_week,
    (SELECT max(r.started_at) FROM sync.runs r WHERE r.stream = '${HOST_VULNERABILITIES}' AND r.project_id = p.project_id AND r.certificate = 'complete') AS last_read
  FROM (
    SELECT project_id, min(_first_seen_at) AS since FROM hss.host_vulnerabilities GROUP BY 1
    UNION ALL
    SELECT project_id, min(_valid_from) FROM hss.host_vulnerabilities_history GROUP BY 1
  ) p
  GROUP BY p.project_id
), moves AS (
  SELECT project_id, account, region, severity, ${startOf('week', 'found_at')} AS week, 1 AS found, 0 AS fixed, 0 AS ignored, 0 AS gone
  FROM counted
  UNION ALL
  SELECT project_id, account, region, severity, ${startOf('week', 'ended_at')}, 0, (ended_as = 'fixed')::int, (ended_as = 'ignored')::int, (ended_as = 'gone')::int
  FROM counted
  WHERE ended_at IS NOT NULL
  UNION ALL
  SELECT c.project_id, c.account, c.region, c.severity, w.week, 0, 0, 0, 0
  FROM (SELECT DISTINCT project_id, account, region, severity FROM counted) c
  JOIN known k ON k.project_id = c.project_id
  CROSS JOIN LATERAL generate_series(k.first_week, k.last_read, interval '${WEEK}') AS w(week)
), weeks AS (
  SELECT project_id, max(account) AS account, max(region) AS region, severity, week, sum(found) AS found, sum(fixed) AS fixed,
    sum(ignored) AS ignored, sum(gone) AS gone,
    (sum(sum(found - fixed - ignored - gone)) OVER (PARTITION BY project_id, severity ORDER BY week))::bigint AS open_at_end
  FROM moves
  GROUP BY project_id, severity, week
)`;

const AT_START = 'w.open_at_end - w.found + w.fixed + w.ignored + w.gone';

const hostVulnerabilitiesWeekly: View = {
  name: 'host_vulnerabilities_weekly',
  about:
    'Findings on hosts that were found and repaired, by week (UTC, from Monday) and severity, since the list was first read. Findings that were settled before they were first read are left out.',
  with: MOVES,
  columns: {
    ...scopeColumns('w'),
    week: ['w.week', 'Start of the week (UTC, a Monday).'],
    is_over: [
      `w.week + interval '${WEEK}' <= now()`,
      'Whether the week is over; numbers of the current one will grow.',
    ],
    severity: ['w.severity', 'Severity: Critical, High, Medium, Low or Unknown.'],
    open_at_start: [AT_START, 'Number of findings that were open when the week began.'],
    found: ['w.found', 'Number of findings that were first found in the week.'],
    fixed: [
      'w.fixed',
      'Number of findings that were repaired in the week, or that scans no longer found on a host that is still listed.',
    ],
    ignored: ['w.ignored', 'Number of findings that were ignored in the week.'],
    gone: [
      'w.gone',
      'Number of findings that are no longer listed and whose host is not listed either, so it is unknown whether they were repaired.',
    ],
    open_at_end: ['w.open_at_end', 'Number of findings that are open at the end of the week, or now.'],
    fix_rate: [
      `w.fixed::double precision / nullif(${AT_START} + w.found, 0)`,
      'Share, from 0 to 1, of what was open or found in the week that was repaired in it; null where nothing was.',
    ],
  },
  from: `FROM weeks w\n${projectJoin('w')}\nJOIN known k ON k.project_id = w.project_id\nWHERE w.week >= k.first_week`,
};

export const HOST_VULNERABILITY_VIEWS: readonly View[] = [hostVulnerabilities, hostCves, hostVulnerabilitiesWeekly];

/** For {@link hostRisk}: open findings of a host, by severity. */
export const OPEN_FINDINGS = `SELECT f.project_id, f.host_id,
    count(*) FILTER (WHERE s.severity = 'Critical') AS critical, count(*) FILTER (WHERE s.severity = 'High') AS high, count(*) AS total
  ${FINDINGS}
  CROSS JOIN LATERAL (SELECT ${SEVERITY} AS severity) s
  WHERE f._deleted_at IS NULL AND ${UNSETTLED('f')} AND ${ONCE}
  GROUP BY 1, 2`;

/** A list that contributes to the score. */
interface Source {
  readonly stream: string;
  /** Name of the list, for the column that names lists that were not read. */
  readonly name: string;
  /** Query with the columns `project_id`, `host_id` and the counts. */
  readonly counts: string;
  /** Count -> its column, the points for each, and its description. */
  readonly points: Readonly<Record<string, readonly [column: string, points: number, about: string]>>;
}

const SOURCES: readonly Source[] = [
  {
    stream: 'hss_host_vulnerabilities',
    name: 'vulnerabilities',
    counts: OPEN_FINDINGS,
    points: {
      open_vulnerabilities: ['total', 0, 'Number of open vulnerabilities.'],
      critical_vulnerabilities: ['critical', 10, 'How many of them are critical.'],
      high_vulnerabilities: ['high', 3, 'How many of them are of high severity.'],
    },
  },
  {
    stream: 'hss_weak_passwords',
    name: 'weak passwords',
    counts: `SELECT w.project_id, w.host_id,
    sum(CASE jsonb_typeof(w.weak_pwd_accounts) WHEN 'array' THEN greatest(jsonb_array_length(w.weak_pwd_accounts), 1) ELSE 1 END)::bigint AS accounts
  FROM hss.weak_passwords w
  WHERE w._deleted_at IS NULL
  GROUP BY 1, 2`,
    points: { weak_passwords: ['accounts', 20, 'Number of accounts with a weak password.'] },
  },
  {
    stream: 'hss_alarms',
    name: 'alarms',
    counts: `SELECT a.project_id, a.host_id, count(*) AS open, count(*) FILTER (WHERE a.severity = 'Critical') AS critical,
    count(*) FILTER (WHERE a.severity = 'High') AS high, count(*) FILTER (WHERE a.severity = 'Medium') AS medium
  FROM hss.alarms a
  WHERE a._deleted_at IS NULL AND a.handle_status IS DISTINCT FROM 'handled'
  GROUP BY 1, 2`,
    points: {
      open_alarms: ['open', 0, 'Number of open alarms.'],
      critical_alarms: ['critical', 40, 'How many of them are critical.'],
      high_alarms: ['high', 20, 'How many of them are of high severity.'],
      medium_alarms: ['medium', 5, 'How many of them are of medium severity.'],
    },
  },
  {
    stream: 'hss_antivirus_results',
    name: 'malware',
    counts: `SELECT m.project_id, m.resource_info_host_id AS host_id, count(*) AS open
  FROM hss.antivirus_results m
  WHERE m._deleted_at IS NULL AND m.handle_status IS DISTINCT FROM 'handled'
  GROUP BY 1, 2`,
    points: { open_malware: ['open', 40, 'Number of findings of malware that were not dealt with.'] },
  },
];

const UNPROTECTED_POINTS = 30;
const UNPROTECTED = `(${PROTECTION}) NOT IN ('protected', 'degraded', 'shut off')`;

const counts: ViewColumns = Object.fromEntries(
  SOURCES.flatMap(({ points }, index) =>
    Object.entries(points).map(([column, [count, , about]]) => [
      column,
      [
        `CASE WHEN known.s${index} THEN coalesce(s${index}.${count}, 0) END`,
        `${about} Null where the list was never read completely.`,
      ],
    ]),
  ),
);

const points = SOURCES.flatMap((source, index) =>
  Object.values(source.points).flatMap(([column, each]) =>
    each === 0 ? [] : [`${each} * coalesce(s${index}.${column}, 0)`],
  ),
);

const WEIGHTS = SOURCES.flatMap((source) =>
  Object.entries(source.points).flatMap(([column, [, each]]) => (each === 0 ? [] : [`${each} for each of ${column}`])),
).join(', ');

const NOT_READ = `nullif(concat_ws(', ', ${SOURCES.map(({ name }, index) => `CASE WHEN NOT known.s${index} THEN '${name}' END`).join(', ')}), '')`;

const hostRisk: View = {
  name: 'host_risk',
  about:
    'What is wrong with each host, over all lists about hosts, and a score to sort by. Hosts that the API no longer lists are hidden.',
  with: `known AS (
  SELECT p.project_id, ${SOURCES.map(({ stream }, index) => `${onceComplete(stream, 'p.project_id')} AS s${index}`).join(', ')}
  FROM (SELECT DISTINCT project_id FROM hss.hosts) p
)`,
  columns: {
    ...scopeColumns('h'),
    ...hostColumns('h'),
    private_ip: ['h.private_ip', 'Private IP address.'],
    asset_value: ['h.asset_value', 'How important the host is: important, common or test.'],
    group_name: ["coalesce(nullif(h.group_name, ''), '(none)')", 'Server group it is in.'],
    protection: [PROTECTION, 'State of the protection, as in bi.hosts.'],
    ...counts,
    score: [
      `round((CASE WHEN ${UNPROTECTED} THEN ${UNPROTECTED_POINTS} ELSE 0 END + ${points.join(' + ')}) * CASE h.asset_value WHEN 'important' THEN 2 WHEN 'test' THEN 0.5 ELSE 1 END)::bigint`,
      `Points of this service, not of the API: ${UNPROTECTED_POINTS} where it is not protected, ${WEIGHTS}; twice that for an important host, half for a test host. Lists named in not_read do not contribute.`,
    ],
    not_read: [
      NOT_READ,
      'Lists that were never read completely in the project, so that nothing is known about the host from them; null for none.',
    ],
  },
  from: `FROM hss.hosts h
${projectJoin('h')}
JOIN known ON known.project_id = h.project_id
${SOURCES.map((source, index) => `LEFT JOIN (${source.counts}) s${index} ON s${index}.project_id = h.project_id AND s${index}.host_id = h.host_id`).join('\n')}
WHERE h._deleted_at IS NULL`,
};

export const HOST_RISK_VIEWS: readonly View[] = [hostRisk];
