import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { ASSET_VALUE } from './host-fields.ts';
import { cveTable, VUL_LEVELS, VUL_TYPES } from './vulnerability-values.ts';

export const hssHostVulnerabilities = defineStream({
  name: 'hss_host_vulnerabilities',
  about: 'Vulnerabilities of each host, since when, and how they were handled: one row per finding.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListVulHostVuls.html',
  group: 'vulnerabilities',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/vulnerability/host-vulnerability/vulnerabilities'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  listings: VUL_TYPES.map((type) => ({ type })),
  order: [moving('scan_time'), fixed('first_scan_time')],
  history: true,
  members: { cve_list: cveTable('host_vulnerability_cves', 'Which host has which CVE: the CVEs of each finding.') },
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'host_vulnerabilities',
    key: ['type', 'host_id', 'vul_id'],
    indexes: [['host_id'], ['vul_id']],
    fields: {
      host_id: text('Id of the host.', { max: 64 }),
      vul_id: text('Id of the vulnerability.', { max: 64 }),
      type: text('Which of the lists the row comes from; urgent_vul has urgent vulnerabilities.', {
        values: VUL_TYPES,
        optional: true,
      }),
      status: text('State of the finding: not repaired, ignored, being checked, being repaired, repaired, or failed.', {
        max: 32,
      }),
      vul_name: text('Name of the vulnerability.', { max: 256 }),
      cve_list: json('Its CVEs: a list of objects with cve_id and cvss.'),
      label_list: json('Labels of the vulnerability.'),
      repair_priority: text('Repair priority.', { values: VUL_LEVELS }),
      is_affected_business: flag('Whether a repair affects the applications on the host.'),
      disabled_operate_types: json('Actions that are not possible, and why.', { volatile: true }),
      repair_success_num: int('Number of times that a repair succeeded.', { min: 0, max: 1_000_000, volatile: true }),
      first_scan_time: instant('When it was first found.'),
      scan_time: instant('When it was last found.', { volatile: true }),
      host_name: text('Name of the host.', { max: 128 }),
      private_ip: text('Private IP address of the host.', { max: 128 }),
      public_ip: text('Elastic IP address of the host; empty without one.', { max: 128 }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
    },
  },
});

export const { table, history, cve_list } = drizzleTables(hssHostVulnerabilities);
