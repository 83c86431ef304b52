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
import { HANDLE_STATUS, HANDLE_TYPE, IMAGE_TYPE, VULNERABILITY_STATUS, VULNERABILITY_TYPE } from './words.ts';

/** Dashboards make a link of it, and `javascript:` in one is a program: only what a browser fetches may pass. */
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
    solution: ['v.solution_detail', 'How to get rid of it.'],
    url: [webAddress('v.url'), 'Where to read more; null where the API gives anything but an http(s) address.'],
  },
  from: `FROM hss.image_vulnerabilities v\n${projectJoin('v')}\nWHERE v._deleted_at IS NULL`,
};

/** A vulnerability may stand in both handling lists and both types; of several rows the listed, freshest one speaks. */
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
