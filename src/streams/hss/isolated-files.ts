import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { ASSET_VALUE, OS_TYPE } from './host-fields.ts';

/** Each file has one of the two, depending on its source. */
const optional = true;

export const hssIsolatedFiles = defineStream({
  name: 'hss_isolated_files',
  about: 'Files isolated on hosts, by an alarm or a virus scan, and whether they were restored.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListIsolatedFile.html',
  group: 'malware',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/event/isolated-file'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('update_time'), fixed('host_id')],
  version: 'update_time',
  // Members of the alarm's `user_info_list`.
  secrets: { pwd_hash: 'the hash of a password', pwd_with_fuzzing: 'a password with some of its characters hidden' },
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'isolated_files',
    key: ['host_id', 'file_hash', 'file_path'],
    indexes: [['file_hash']],
    fields: {
      host_id: text('Id of the host.', { max: 64 }),
      file_hash: text('SHA-256 of the file.', { max: 256 }),
      file_path: text('Path of the file.', { max: 256 }),
      file_attr: text('Attributes of the file, such as its permissions.', { max: 256 }),
      isolation_status: text('State: isolated, restored, or changing to one of them.', {
        values: ['isolated', 'restored', 'isolating', 'restoring'],
      }),
      isolate_source: text('What isolated it: an alarm (event) or a virus scan (antivirus).', {
        values: ['event', 'antivirus'],
      }),
      event_name: text('Name of the alarm.', { max: 256 }),
      update_time: instant('When the state last changed.'),
      host_name: text('Name of the host.', { max: 256 }),
      private_ip: text('Private IP address of the host.', { max: 128 }),
      public_ip: text('Elastic IP address of the host; empty without one.', { max: 256 }),
      os_type: text('Linux or Windows.', { values: OS_TYPE }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
      agent_version: text('Version of the agent.', { volatile: true }),
      agent_event_info: json('The alarm, with the members of hss.alarms; times inside are not converted.', {
        volatile: true,
        optional,
      }),
      antivirus_result_info: json('The finding of the virus scan: malware, file and its times, not converted.', {
        volatile: true,
        optional,
      }),
    },
  },
});

export const { table, history } = drizzleTables(hssIsolatedFiles);
