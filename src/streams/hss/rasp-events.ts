import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, instant, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';
import { SEVERITY } from './alarm-fields.ts';

/** Records have no id. */
const IDENTITY = ['host_name', 'private_ip', 'alarm_time', 'req_src_ip', 'req_url', 'chk_rule', 'attack_input_name'];
const TAGS = [
  'Attack Success',
  'Attack Attempt',
  'Attack Blocked',
  'Abnormal Behavior',
  'Collapsible Host',
  'System Vulnerability',
];

export const hssRaspEvents = defineStream({
  name: 'hss_rasp_events',
  about: 'Attacks detected inside applications (RASP): their source, target and input.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListRaspEvents.html',
  group: 'hosts',
  onByDefault: false,
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/rasp/events'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  window: timeWindow({ begin: 'start_time', end: 'end_time', unit: 'ms', column: 'alarm_time' }),
  order: [fixed('alarm_time')],
  secrets: {
    req_headers: 'headers of the request, cookies and tokens of users among them',
    req_params: 'the form that was sent, passwords of users among its fields',
  },
  appendOnly: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'rasp_events',
    key: ['event_key'],
    indexes: [['alarm_time']],
    fields: {
      event_key: identity(
        'Identity of the event: a SHA-256 over host, time, source, address, rule and input.',
        IDENTITY,
      ),
      alarm_time: instant('When it was detected.'),
      event_name: text('Kind of attack, such as ExpressionInject.', { max: 128 }),
      severity: text('Severity.', { values: SEVERITY }),
      attack_tag: text('Kind of threat: an attack, whether it succeeded, or a weakness.', { values: TAGS }),
      exist_bug: text('Whether a vulnerability of the application was exploited.', {
        values: ['yes', 'no', 'unknown'],
      }),
      host_name: text('Name of the host.', { max: 64 }),
      private_ip: text('Private IP addresses of the host.'),
      req_src_ip: text('Source address.'),
      req_method: text('HTTP method of the request.', { max: 10 }),
      req_protocol: text('HTTP version of the request.', { max: 10 }),
      req_url: text('URL of the request.', { max: 1024 }),
      req_path: text('Path of the URL.', { max: 512 }),
      query_string: text('Query of the URL.', { max: 1024 }),
      attack_input_name: text('Name of the header or field with the attack.', { max: 256 }),
      attack_input_value: text('Its value.', { max: 2048 }),
      app_stack: text('Call stack of the application at that moment.', { max: 4096 }),
      chk_probe: text('Probe that detected it.', { max: 128 }),
      chk_rule: text('Id of the rule that found it.', { max: 64 }),
      chk_rule_desc: text('What the rule detects.', { max: 512 }),
    },
  },
});

export const { table } = drizzleTables(hssRaspEvents);
