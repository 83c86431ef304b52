import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, json, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { hssHosts } from './hosts.ts';
import { APPS, repairFields, VUL_LEVELS, VUL_STATUS, VUL_TYPES } from './vulnerability-values.ts';

export const hssVulnerabilitiesOfHosts = defineStream({
  name: 'hss_vulnerabilities_of_hosts',
  about:
    'Vulnerabilities of each host with the details for a repair: software, versions, command. hss.host_vulnerabilities needs fewer requests.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListHostVuls.html',
  group: 'vulnerabilities',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/vulnerability/host/{host_id}'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // Without a type the API lists only linux_vul.
  parent: childOf(
    hssHosts,
    { host_id: 'host_id' },
    { hot: { vulnerability: { above: 0 } }, listings: VUL_TYPES.map((type) => ({ type })) },
  ),
  order: [moving('scan_time'), fixed('first_scan_time')],
  history: true,
  members: { app_list: APPS },
  // Five requests a host: 1,000 hosts take 17 hours at five requests a minute.
  schedule: '0 * * * *',
  reconcileEveryMs: 7 * 24 * 3_600_000,
  targetMs: 48 * 3_600_000,
  table: {
    schema: hss,
    name: 'vulnerabilities_of_hosts',
    key: ['host_id', 'type', 'vul_id'],
    indexes: [['vul_id']],
    fields: {
      host_id: text('Id of the host, from the request.', { max: 64, optional: true }),
      type: text('Type of the vulnerability; urgent_vul has urgent vulnerabilities.', { values: VUL_TYPES }),
      vul_id: text('Id of the vulnerability.', { max: 64 }),
      vul_name: text('Name of the vulnerability.', { max: 256 }),
      status: text('State of the finding.', { values: VUL_STATUS }),
      severity_level: text('Severity, by CVSS score.', { values: VUL_LEVELS }),
      repair_necessity: text('Urgency of the repair, by CVSS score.', { values: VUL_LEVELS }),
      repair_priority: text('Repair priority.', { values: VUL_LEVELS }),
      cve_list: json('Its CVEs: a list of objects with cve_id and cvss.'),
      label_list: json('Labels of the vulnerability.'),
      first_scan_time: instant('When it was first found.'),
      scan_time: instant('When it was last found.', { volatile: true }),
      app_list: json('Affected software: objects with name, version, version to upgrade to, and path.'),
      app_name: text('Affected application; empty for a system package.', { max: 256 }),
      app_path: text('Path of the application.', { max: 512 }),
      software_version: text('Installed and fixed versions of the packages, on Linux.', { max: 2048 }),
      repair_cmd: text('Command that repairs it.', { max: 256 }),
      ...repairFields({ optional: false }),
      repair_success_num: int('Number of times that a repair succeeded, over all customers.', {
        min: 0,
        max: 1_000_000,
        volatile: true,
      }),
      version: text('Edition that protects the host.', { max: 128 }),
      description: text('What the vulnerability is.', { max: 65_534 }),
      solution_detail: text('How to fix it.', { max: 65_534 }),
      url: text('Where to read more.', { max: 2048 }),
    },
  },
});

export const { table, history, app_list } = drizzleTables(hssVulnerabilitiesOfHosts);
