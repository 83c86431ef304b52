import { offsetPaging } from '../../core/stream/endpoint.ts';
import { inside, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { cveTable, VUL_LEVELS } from './vulnerability-values.ts';

const TYPES = ['linux_vul', 'windows_vul', 'web_cms', 'app_vul'];
/** Absent in the published example. */
const optional = true;
const HOSTS = { min: 0, max: 10_000, volatile: true, optional };
const TIMES = { min: 0, max: 1_000_000, volatile: true, optional };

export const hssVulnerabilities = defineStream({
  name: 'hss_vulnerabilities',
  about: 'Vulnerabilities found on hosts, one row for each handling state, with the number of affected hosts.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListVulnerabilities.html',
  group: 'vulnerabilities',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/vulnerability/vulnerabilities'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // Without these parameters the API lists only unhandled linux_vul.
  listings: TYPES.flatMap((type) => ['unhandled', 'handled'].map((handle_status) => ({ type, handle_status }))),
  order: [moving('scan_time'), fixed('vul_id')],
  history: true,
  members: { cve_list: cveTable('vulnerability_cves', 'Which CVEs a vulnerability stands for.') },
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 60 * 60_000,
  table: {
    schema: hss,
    name: 'vulnerabilities',
    key: ['type', 'handle_status', 'vul_id'],
    indexes: [['vul_id']],
    fields: {
      vul_id: text('Id of the vulnerability.', { max: 64 }),
      vul_name: text('Name of the vulnerability.', { max: 256 }),
      type: text('Where it is: in Linux or Windows, in a content management system, or in an application.', {
        values: TYPES,
      }),
      handle_status: text('Which of the two lists the row comes from: unhandled or handled.', {
        values: ['unhandled', 'handled'],
        optional,
      }),
      severity_level: text('Severity, by CVSS score.', { values: VUL_LEVELS }),
      repair_necessity: text('Urgency of the repair, by CVSS score.', { values: VUL_LEVELS }),
      repair_priority: text('Repair priority, from severity, importance of the hosts and known exploits.', {
        values: VUL_LEVELS,
        optional,
      }),
      repair_priority_list: json('Number of hosts for each priority.', { volatile: true, optional }),
      label_list: json('Labels of the vulnerability.', { optional }),
      cve_list: json('Its CVEs: a list of objects with cve_id and cvss.', { optional }),
      host_num: int('Number of affected hosts.', { volatile: true }),
      unhandle_host_num: int('Number of affected hosts where it is neither ignored nor repaired.', { volatile: true }),
      host_id_list: json('Ids of the hosts where it can be handled.', { volatile: true }),
      ...inside('hosts_num', {
        important: int('Number of affected important hosts.', HOSTS),
        common: int('Number of affected common hosts.', HOSTS),
        test: int('Number of affected test hosts.', HOSTS),
      }),
      repair_success_num: int('Number of times that a repair succeeded.', TIMES),
      fixed_num: int('Number of repairs.', TIMES),
      ignored_num: int('Number of times that it was ignored.', TIMES),
      verify_num: int('Number of times that it was checked again.', TIMES),
      scan_time: instant('When it was last found by a scan.', { volatile: true }),
      description: text('What the vulnerability is.', { max: 65_534 }),
      solution_detail: text('How to fix it.', { max: 65_534 }),
      url: text('Where to read more.', { max: 2083 }),
      patch_url: text('Where the patch is.', { max: 512, optional }),
    },
  },
});

export const { table, history, cve_list } = drizzleTables(hssVulnerabilities);
