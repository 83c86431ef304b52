import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { asked, fixed } from '../../core/walk/order.ts';
import { ATTACK_TAG, EVENT_CLASSES, HANDLE_METHODS, SEVERITY } from './alarm-fields.ts';
import { ASSET_VALUE } from './host-fields.ts';

const UNDONE =
  'unhandle do_not_ignore remove_from_alarm_whitelist remove_from_login_whitelist do_not_isolate_or_kill'.split(' ');

export const hssAlarmOperations = defineStream({
  name: 'hss_alarm_operations',
  about: 'How alarms were handled: by whom, when, and how. Records do not contain the id of the alarm.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListEventHandleHistory.html',
  group: 'hosts',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/event/handle-history'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [asked(fixed('handle_time'), 'desc', { sort_key: 'handle_time', sort_dir: 'desc' })],
  appendOnly: true,
  schedule: '*/2 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 10 * 60_000,
  table: {
    schema: hss,
    name: 'alarm_operations',
    key: ['operation_key'],
    indexes: [['handle_time']],
    fields: {
      operation_key: identity(
        'Identity of the operation: a SHA-256 over class, name, host and times of the alarm, kind and user.',
        [
          'event_class_id',
          'event_name',
          'host_name',
          'private_ip',
          'occur_time',
          'handle_time',
          'operate_type',
          'user_name',
        ],
      ),
      handle_time: instant('When it was handled.'),
      operate_type: text('The action, or the action that was undone.', { values: [...HANDLE_METHODS, ...UNDONE] }),
      handle_status: text('Resulting state of the alarm.', { values: ['unhandled', 'handled'] }),
      user_name: text('Who handled it.'),
      notes: text('Remark of the person who handled it.'),
      event_class_id: text('Class of the alarm.', { values: EVENT_CLASSES }),
      event_type: int('Numeric type of the alarm.'),
      event_name: text('Name of the alarm.'),
      event_abstract: text('What happened, in one sentence.'),
      severity: text('Severity of the alarm.', { values: SEVERITY }),
      attack_tag: text('Kind of threat: an attack, whether it succeeded, or a weakness.', { values: ATTACK_TAG }),
      occur_time: instant('When the alarm occurred.'),
      host_name: text('Name of the host.'),
      private_ip: text('Private IP address of the host.', { max: 128 }),
      public_ip: text('Elastic IP address of the host; empty without one.', { max: 256 }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
    },
  },
});

export const { table } = drizzleTables(hssAlarmOperations);
