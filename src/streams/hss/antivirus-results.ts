import { offsetPaging } from '../../core/stream/endpoint.ts';
import { inside, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { AGENT_STATUS, ASSET_VALUE, HOST_STATUS, OS_TYPE } from './host-fields.ts';

const METHODS =
  'mark_as_handled ignore add_to_alarm_whitelist isolate_and_kill unhandle do_not_ignore remove_from_alarm_whitelist ' +
  'do_not_isolate_or_kill';

export const hssAntivirusResults = defineStream({
  name: 'hss_antivirus_results',
  about: 'Malware that virus scans found in files of hosts, and whether it was handled.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListAntiVirusResult.html',
  group: 'malware',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/antivirus/result'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('occur_time')],
  history: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'antivirus_results',
    key: ['result_id'],
    indexes: [['occur_time'], ['resource_info_host_id']],
    fields: {
      result_id: text('Id of the finding.'),
      occur_time: instant('When it was found.'),
      malware_name: text('Name of the malware.', { max: 128 }),
      malware_type: text('Kind of malware, such as Trojan, Virus or Worm.'),
      severity: text('Severity.', { values: ['Low', 'Medium', 'High', 'Critical'] }),
      event_type: int('Numeric type: 0 for malware in a file, 1 in memory.', { min: 0, max: 10 }),
      handle_status: text('Whether it was handled.', { values: ['unhandled', 'handled'] }),
      handle_method: text('How it was handled.', { values: METHODS.split(' '), optional: true }),
      isolate_tag: text('Whether the file was isolated: by the service, by hand, or not.', {
        values: ['auto_isolate', 'manual', 'none'],
      }),
      memo: text('Remark.', { max: 512 }),
      task_id: text('Id of the scan that found it.', { max: 64 }),
      task_name: text('Name of the scan.', { max: 255 }),
      ...inside('file_info', {
        file_path: text('Path of the file.', { max: 256 }),
        file_hash: text('SHA-256 of the file.', { max: 256 }),
        file_size: int('Size of the file in bytes.'),
        file_owner: text('Owner of the file.', { max: 64 }),
        file_attr: text('Attributes of the file, such as its permissions.', { max: 256 }),
        file_ctime: instant('When the file was created.'),
        file_mtime: instant('When the file was last changed.'),
      }),
      ...inside('resource_info', {
        host_id: text('Id of the host.', { max: 64 }),
        host_name: text('Name of the host.', { max: 256 }),
        agent_id: text('Id of the agent of the host.', { max: 64 }),
        private_ip: text('Private IP address of the host.', { max: 128 }),
        public_ip: text('Elastic IP address of the host; empty without one.', { max: 256 }),
        host_status: text('State of the machine.', { values: HOST_STATUS, volatile: true }),
        agent_status: text('State of the agent.', { values: AGENT_STATUS, volatile: true }),
        protect_status: text('Whether the protection is enabled.', { values: ['closed', 'opened'], volatile: true }),
        asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
        os_type: text('Linux or Windows.', { values: OS_TYPE }),
        os_name: text('Operating system of the host.', { max: 128 }),
        os_version: text('Version of the operating system.', { max: 64 }),
      }),
      operate_accept_list: json('Possible ways to handle it.', { volatile: true }),
      operate_detail_list: json('Details for an entry in the alarm whitelist.'),
    },
  },
});

export const { table, history } = drizzleTables(hssAntivirusResults);
