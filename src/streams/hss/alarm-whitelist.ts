import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { moving } from '../../core/walk/order.ts';

export const hssAlarmWhitelist = defineStream({
  name: 'hss_alarm_whitelist',
  about: 'Rules that suppress alarms: the type of event, and what is allowed.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListAlarmWhiteList.html',
  group: 'settings',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/event/white-list/alarm'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('update_time')],
  version: 'update_time',
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'alarm_whitelist',
    key: ['entry_key'],
    indexes: [['event_type']],
    fields: {
      // A hash as key: some entries have no file hash, and values can be too long for an index.
      entry_key: identity(
        'Identity of the entry: a SHA-256 over enterprise project, type of event, hash, and comparison.',
        ['enterprise_project_name', 'event_type', 'hash', 'white_field', 'judge_type', 'field_value'],
      ),
      enterprise_project_name: text('Enterprise project that the entry is for.'),
      hash: text('SHA-256 of the entry or of its file.', { max: 64 }),
      description: text('Subject of the entry, such as the path of a program.', { max: 64 }),
      event_type: int('Numeric type of the alarms, such as 1001.', { min: 1001, max: 13004 }),
      white_field: text('Property of an event that is compared.', {
        values: [
          'file/process hash',
          'file_path',
          'process_path',
          'login_ip',
          'reg_key',
          'process_cmdline',
          'username',
        ],
        optional: true,
      }),
      field_value: text('Value it is compared with.', { optional: true }),
      judge_type: text('Whether both must be equal, or one must contain the other.', {
        values: ['equal', 'contain'],
        optional: true,
      }),
      update_time: instant('When the entry was last changed.'),
    },
  },
});

export const { table, history } = drizzleTables(hssAlarmWhitelist);
