import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { asked, fixed } from '../../core/walk/order.ts';
import { SEVERITY } from './alarm-fields.ts';
import { ASSET_VALUE } from './host-fields.ts';

const METHODS =
  'mark_as_handled ignore add_to_alarm_whitelist isolate_and_kill unhandle do_not_ignore remove_from_alarm_whitelist ' +
  'do_not_isolate_or_kill';

export const hssAntivirusOperations = defineStream({
  name: 'hss_antivirus_operations',
  about: 'How malware found by virus scans was handled: by whom, when, and how.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListAntivirusHandleHistory.html',
  group: 'malware',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/antivirus/handle-history'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [asked(fixed('handle_time'), 'desc', { sort_key: 'handle_time', sort_dir: 'desc' })],
  appendOnly: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'antivirus_operations',
    key: ['result_id', 'handle_time'],
    indexes: [['handle_time']],
    fields: {
      result_id: text('Id of the finding, as in hss.antivirus_results.'),
      handle_time: instant('When it was handled.'),
      handle_method: text('The action, or the action that was undone.', { values: METHODS.split(' ') }),
      handle_status: text('Resulting state of the finding.', { values: ['unhandled', 'handled'] }),
      user_name: text('Who handled it.', { max: 64 }),
      notes: text('Remark of the person who handled it.', { max: 512 }),
      malware_name: text('Name of the malware.', { max: 128 }),
      malware_type: text('Kind of malware, such as Trojan, Virus or Worm.'),
      severity: text('Severity of the finding.', { values: SEVERITY }),
      occur_time: instant('When the malware was found.'),
      file_path: text('Path of the file.', { max: 256 }),
      host_name: text('Name of the host.', { max: 256 }),
      private_ip: text('Private IP address of the host.', { max: 128 }),
      public_ip: text('Elastic IP address of the host; empty without one.', { max: 256 }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
    },
  },
});

export const { table } = drizzleTables(hssAntivirusOperations);
