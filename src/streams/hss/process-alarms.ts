import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';
import { ATTACK_TAG, EVENT_CLASSES, SEVERITY } from './alarm-fields.ts';
import { AGENT_STATUS, ASSET_VALUE, HOST_STATUS, OS_TYPE } from './host-fields.ts';

/** Excludes the login class that occurs only in the published example of hss.alarms. */
const CLASSES = EVENT_CLASSES.filter((name) => name !== 'lgin_1002');
const PHASES = 'reconnaissance weaponization delivery exploit installation command_and_control actions';

export const hssProcessAlarms = defineStream({
  name: 'hss_process_alarms',
  about: 'Alarms about processes that are not on the allowlist, and whether they were handled.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListAppWhitelistEvent.html',
  group: 'hosts',
  onByDefault: false,
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/app/event'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  window: timeWindow({ begin: 'begin_time', end: 'end_time', unit: 'ms', column: 'occur_time' }),
  order: [fixed('occur_time')],
  history: true,
  schedule: '*/2 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 15 * 60_000,
  table: {
    schema: hss,
    name: 'process_alarms',
    key: ['event_id'],
    indexes: [['occur_time'], ['host_id', 'occur_time']],
    fields: {
      event_id: text('Id of the alarm.', { max: 64 }),
      occur_time: instant('When it occurred.'),
      event_class_id: text('Class of the alarm.', { values: CLASSES }),
      event_type: int('Numeric type of the alarm.', { min: 1001, max: 13_004 }),
      event_name: text('Name of the alarm: a malicious or a suspicious process.'),
      severity: text('Severity.', { values: SEVERITY }),
      attack_tag: text('Kind of threat: an attack, whether it succeeded, or a weakness.', { values: ATTACK_TAG }),
      attack_phase: text('Phase of the attack.', { values: PHASES.split(' ') }),
      handle_status: text('Whether it was handled.', { values: ['unhandled', 'handled'] }),
      handle_time: instant('When it was handled; null until then.', { optional: true }),
      handle_method: text('How it was handled.', {
        values: ['mark_as_trust', 'mark_as_suspicious', 'isolate_and_kill'],
        optional: true,
      }),
      policy_id: text('Id of the policy that fired.'),
      policy_name: text('Name of the policy that fired.'),
      host_id: text('Id of the host.', { max: 64 }),
      host_name: text('Name of the host.', { max: 256 }),
      private_ip: text('Private IP address of the host.', { max: 128 }),
      public_ip: text('Elastic IP address of the host; empty without one.', { max: 256 }),
      os_type: text('Linux or Windows.', { values: OS_TYPE }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
      host_status: text('State of the machine.', { values: HOST_STATUS, volatile: true }),
      agent_status: text('State of the agent.', { values: [...AGENT_STATUS, 'not_online'], volatile: true }),
      protect_status: text('Whether the protection is enabled.', { values: ['closed', 'opened'], volatile: true }),
      process_info: json('Processes, with their parents and children; times inside are not converted.'),
      resource_info: json('Resource of the alarm: host, container, image and cluster.'),
      operate_accept_list: json('Possible ways to handle it.', { volatile: true }),
      operate_detail_list: json('Parameters needed to handle it: process, file, login and hashes.'),
      recommendation: text('What to do about it.'),
    },
  },
});

export const { table, history } = drizzleTables(hssProcessAlarms);
