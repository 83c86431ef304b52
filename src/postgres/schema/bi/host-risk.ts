import { OPEN_FINDINGS } from './host-vulnerabilities.ts';
import { hostColumns, PROTECTION } from './hosts.ts';
import { onceComplete, projectJoin, scopeColumns, type View, type ViewColumns } from './view.ts';

/** A list that the score is made from, and what a host has in it. */
interface Source {
  readonly stream: string;
  /** What the list is about, for the column that names the lists that were not read. */
  readonly name: string;
  /** Rows of `project_id`, `host_id` and the counts. */
  readonly counts: string;
  /** Count -> points for each, and what it counts. */
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
      `Points of this service, not of the API: ${UNPROTECTED_POINTS} where it is not protected, ${WEIGHTS}; twice that for an important host, half for a test host. What not_read names is not in it.`,
    ],
    not_read: [
      NOT_READ,
      'Lists that were never read completely in the project, so that nothing is known of the host there; null for none.',
    ],
  },
  from: `FROM hss.hosts h
${projectJoin('h')}
JOIN known ON known.project_id = h.project_id
${SOURCES.map((source, index) => `LEFT JOIN (${source.counts}) s${index} ON s${index}.project_id = h.project_id AND s${index}.host_id = h.host_id`).join('\n')}
WHERE h._deleted_at IS NULL`,
};

export const HOST_RISK_VIEWS: readonly View[] = [hostRisk];
