import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, json, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { AGENT_STATUS, ASSET_VALUE, HOST_STATUS, OS_TYPE } from './host-fields.ts';
import { hssVulnerabilities } from './vulnerabilities.ts';
import { repairFields, VUL_LEVELS, VUL_STATUS, VUL_TYPES } from './vulnerability-values.ts';

const PARAMS = { type: 'type', vul_id: 'vul_id', handle_status: 'handle_status' };
/** Absent in the published example. */
const optional = true;

export const hssHostsOfVulnerabilities = defineStream({
  name: 'hss_hosts_of_vulnerabilities',
  about:
    'Hosts of each vulnerability with their system and the state of the repair. hss.host_vulnerabilities needs fewer requests.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListVulHosts.html',
  group: 'vulnerabilities',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/vulnerability/hosts'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list', cap: 10_000 }),
  parent: childOf(hssVulnerabilities, PARAMS, { hot: { handle_status: 'unhandled', host_num: { above: 0 } } }),
  order: [moving('scan_time'), fixed('first_scan_time')],
  history: true,
  // At least one request for each vulnerability: 3,000 take 10 hours at five requests a minute.
  schedule: '0 * * * *',
  reconcileEveryMs: 7 * 24 * 3_600_000,
  targetMs: 24 * 3_600_000,
  table: {
    schema: hss,
    name: 'hosts_of_vulnerabilities',
    key: [...Object.keys(PARAMS), 'host_id'],
    indexes: [['host_id']],
    fields: {
      vul_id: text('Id of the vulnerability, from the request.', { max: 64, optional }),
      type: text('Where the vulnerability is, from the request.', { values: VUL_TYPES, optional }),
      handle_status: text('Which of the two lists the row comes from: unhandled or handled.', {
        values: ['unhandled', 'handled'],
        optional,
      }),
      host_id: text('Id of the host.', { max: 128 }),
      host_name: text('Name of the host.', { max: 256 }),
      host_ip: text('IP address of the host.', { max: 256 }),
      private_ip: text('Private IP address of the host.', { max: 128, optional }),
      agent_id: text('Id of its agent.', { max: 128, optional }),
      agent_status: text('State of the agent.', { values: AGENT_STATUS, volatile: true, optional }),
      host_status: text('State of the machine.', { values: HOST_STATUS, volatile: true, optional }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE, optional }),
      group_id: text('Id of its server group.', { max: 128, optional }),
      group_name: text('Server group it is in.', { max: 256, optional }),
      node_type: text('cce for a node of a CCE cluster, else not_cce.', { values: ['cce', 'not_cce'], optional }),
      os_type: text('Linux or Windows.', { values: OS_TYPE, optional }),
      os_name: text('Operating system.', { max: 256, optional }),
      os_version: text('Version of the operating system.', { max: 255, optional }),
      os_kernel: text('Version of the kernel.', { max: 64, optional }),
      version: text('Edition that protects it.', { max: 128, optional }),
      status: text('State of the finding.', { values: VUL_STATUS }),
      severity_level: text('Severity, by CVSS score.', { values: VUL_LEVELS }),
      repair_necessity: text('Urgency of the repair.', { values: VUL_LEVELS, optional }),
      repair_priority: text('Repair priority.', { values: VUL_LEVELS, optional }),
      cve_num: int('Number of its CVEs.', { min: 0, max: 10_000 }),
      cve_id_list: json('Ids of its CVEs.'),
      first_scan_time: instant('When it was first found.', { optional }),
      scan_time: instant('When it was last found.', { volatile: true, optional }),
      app_path: text('Path of the affected application.', { max: 512, optional }),
      repair_cmd: text('Command that repairs it, on Linux.', { max: 256 }),
      remark: text('Remark of the person who handled it.', { max: 65_535, optional }),
      ...repairFields({ optional }),
    },
  },
});

export const { table, history } = drizzleTables(hssHostsOfVulnerabilities);
