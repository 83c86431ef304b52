import { offsetPaging } from '../../core/stream/endpoint.ts';
import { inside, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { OS_TYPE } from './host-fields.ts';

export const hssHostRisks = defineStream({
  name: 'hss_host_risks',
  about: 'Risk score and vulnerability ids of each host: one row per host.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListVulHostHosts.html',
  group: 'vulnerabilities',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/vulnerability/host/hosts'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('scan_time'), fixed('host_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'host_risks',
    key: ['host_id'],
    fields: {
      host_id: text('Id of the host.', { max: 64 }),
      host_name: text('Name of the host.', { max: 64 }),
      score: int('Risk score from 0 to 100.', { min: 0, max: 100 }),
      severity_level: text('Risk: High, Medium or Low; Security if there is none.', { max: 32 }),
      handle_status: text('Whether unhandled findings remain.', { values: ['unhandled', 'handled'] }),
      scan_time: instant('When it was last scanned.', { volatile: true }),
      vul_num_with_repair_priority_list: json('Number of vulnerabilities for each priority of repair.'),
      ...inside('vul_ids_info', {
        linux_vul_id_list: json('Ids of its vulnerabilities in Linux.'),
        windows_vul_id_list: json('Ids of its vulnerabilities in Windows.'),
        webcms_vul_id_list: json('Ids of its vulnerabilities in content management systems.'),
        app_vul_id_list: json('Ids of its vulnerabilities in applications.'),
        urgent_vul_id_list: json('Ids of its urgent vulnerabilities.'),
      }),
      agent_id: text('Id of its agent.', { max: 64 }),
      region_name: text('Region it is in.', { max: 32 }),
      public_ip: text('Elastic IP address; empty without one.', { max: 128 }),
      private_ip: text('Private IP addresses.', { max: 4096 }),
      group_id: text('Id of the server group.', { max: 128 }),
      group_name: text('Server group it is in.', { max: 256 }),
      os_type: text('Linux or Windows.', { values: OS_TYPE }),
      asset_value: text('Importance of the host.', { max: 32 }),
      version: text('Edition that protects it.', { max: 64 }),
      node_type: text('cce for a node of a CCE cluster, else not_cce.', { values: ['cce', 'not_cce'] }),
    },
  },
});

export const { table, history } = drizzleTables(hssHostRisks);
