import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';
import { ATTACK_TAG, DETAIL_FIELDS, EVENT_CLASSES, HANDLE_METHODS, RESOURCE_FIELDS, SEVERITY } from './alarm-fields.ts';
import { AGENT_STATUS, ASSET_VALUE, HOST_STATUS, OS_TYPE } from './host-fields.ts';

const PHASES = 'reconnaissance weaponization delivery exploit installation command_and_control actions';
/** Absent in the published example: each alarm only has the fields that apply to it. */
const optional = true;

export const hssAlarms = defineStream({
  name: 'hss_alarms',
  about: 'Alarms about hosts and containers: what was detected, where, how severe it is, and whether it was handled.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListSecurityEvents.html',
  group: 'hosts',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/event/events'], enterpriseProjects: true },
  // Up to 1000 are allowed, but a single record can have 200 KB of details.
  paging: offsetPaging({ list: 'data_list', limit: 500 }),
  listings: [{ category: 'host' }, { category: 'container' }],
  window: timeWindow({ begin: 'begin_time', end: 'end_time', unit: 'ms-text', column: 'occur_time', maxDays: 30 }),
  order: [fixed('occur_time')],
  // Members of `user_info_list`.
  secrets: { pwd_hash: 'the hash of a password', pwd_with_fuzzing: 'a password with some of its characters hidden' },
  history: true,
  schedule: '* * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 2 * 60_000,
  table: {
    schema: hss,
    name: 'alarms',
    key: ['category', 'event_id'],
    indexes: [['occur_time'], ['host_id', 'occur_time']],
    fields: {
      event_id: text('Id of the alarm.', { max: 64 }),
      category: text('Which of the two lists the row comes from: host or container.', {
        values: ['host', 'container'],
        optional,
      }),
      occur_time: instant('When it occurred.'),
      event_class_id: text('Class of the alarm, such as lgin_1002.', { values: EVENT_CLASSES }),
      event_type: int('Numeric type of the alarm, such as 4004.', { min: 1001, max: 13_004 }),
      event_name: text('Name of the alarm.', { max: 256 }),
      severity: text('Severity.', { values: SEVERITY }),
      attack_tag: text('Kind of threat: an attack, whether it succeeded, or a weakness.', { values: ATTACK_TAG }),
      attack_phase: text('Phase of the attack.', { values: PHASES.split(' ') }),
      event_count: int('Number of times that it occurred.', { optional }),
      handle_status: text('Whether it was handled.', { values: ['unhandled', 'handled'] }),
      handle_time: instant('When it was handled; null until then.', { optional }),
      handle_method: text('How it was handled.', { values: HANDLE_METHODS, optional }),
      handler: text('Remark of the person who handled it.', { max: 256, optional }),
      host_id: text('Id of the host.', { max: 64, optional }),
      host_name: text('Name of the host.', { max: 256 }),
      private_ip: text('Private IP address of the host.', { max: 128 }),
      public_ip: text('Elastic IP address of the host; empty without one.', { max: 256, optional }),
      os_type: text('Linux or Windows.', { values: OS_TYPE }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
      host_status: text('State of the machine.', { values: HOST_STATUS, volatile: true }),
      agent_status: text('State of the agent.', { values: AGENT_STATUS, volatile: true }),
      protect_status: text('Whether the protection is enabled.', { values: ['closed', 'opened'], volatile: true }),
      container_name: text('Name of the container.', { max: 256, optional }),
      image_name: text('Name of its image.', { max: 256, optional }),
      ...RESOURCE_FIELDS,
      description: text('What such an alarm means.', { max: 1024, optional }),
      event_abstract: text('What happened, in one sentence.', { max: 512, optional }),
      event_details: text('What happened, as the service wrote it.', { max: 204_800 }),
      recommendation: text('What to do about it.', { max: 256, optional }),
      operate_type: text('What was done to a file.', {
        values: ['add', 'delete', 'change_attribute', 'modify', 'move'],
        optional,
      }),
      tag_list: json('Tags: a list of texts.', { optional }),
      ...DETAIL_FIELDS,
    },
  },
});

export const { table, history } = drizzleTables(hssAlarms);
