import { offsetPaging } from '../../core/stream/endpoint.ts';
import { inside, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { VUL_LEVELS } from './vulnerability-values.ts';

const HOSTS = { min: 0, max: 10_000 };
/** The counters change while a scan runs. */
const volatile = true;

export const hssUrgentVulnerabilities = defineStream({
  name: 'hss_urgent_vulnerabilities',
  about: 'Vulnerabilities announced as urgent, and the number of affected hosts.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListUrgentVulnerabilities.html',
  group: 'vulnerabilities',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/vulnerability/urgent-vulnerabilities'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('scan_time'), fixed('publish_time'), fixed('vul_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'urgent_vulnerabilities',
    key: ['vul_id'],
    fields: {
      vul_id: text('Id of the vulnerability.', { max: 64 }),
      vul_name: text('Name of the vulnerability.', { max: 256 }),
      severity_level: text('Severity, by CVSS score.', { values: VUL_LEVELS }),
      label_list: json('Labels of the vulnerability.'),
      publish_time: instant('When it was published.'),
      scan_time: instant('When hosts were last scanned for it; null before the first scan.', { volatile }),
      scan_status: text('State of the scan.', { values: ['never_scan', 'scanning', 'finished'], volatile }),
      ...inside('hosts_num', {
        important: int('Number of affected important hosts.', HOSTS),
        common: int('Number of affected common hosts.', HOSTS),
        test: int('Number of affected test hosts.', HOSTS),
      }),
      scanning_host_num: int('Number of hosts that are being scanned for it.', { volatile }),
      success_host_num: int('Number of hosts whose scan succeeded.', { volatile }),
      failed_host_num: int('Number of hosts whose scan failed.', { volatile }),
      description: text('What the vulnerability is.', { max: 2048 }),
      solution_detail: text('How to fix it.', { max: 65_534 }),
    },
  },
});

export const { table, history } = drizzleTables(hssUrgentVulnerabilities);
