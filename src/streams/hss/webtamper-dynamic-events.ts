import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';

/** Records have no id. */
const IDENTITY = ['host_name', 'host_ip', 'alarm_time', 'threat_type', 'source_ip', 'attacked_url'];
/** Absent in the published example. */
const optional = true;

export const hssWebtamperDynamicEvents = defineStream({
  name: 'hss_webtamper_dynamic_events',
  about: 'Attacks on web applications of hosts, detected by dynamic web tamper protection.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListHostRaspProtectHistoryInfo.html',
  group: 'webtamper',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/webtamper/rasp/protect-history'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // The API goes back 30 days, and silently cuts a longer span to one day.
  window: timeWindow({
    begin: 'start_time',
    end: 'end_time',
    unit: 'ms',
    column: 'alarm_time',
    maxDays: 29,
    keepDays: 30,
  }),
  order: [fixed('alarm_time')],
  appendOnly: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'webtamper_dynamic_events',
    key: ['event_key'],
    indexes: [['alarm_time']],
    fields: {
      event_key: identity('Identity of the event: a SHA-256 over host, time, threat, source and address.', IDENTITY),
      alarm_time: instant('When it was detected.'),
      host_name: text('Name of the host.', { max: 256, optional }),
      host_ip: text('IP address of the host.', { max: 64, optional }),
      threat_type: text('Kind of attack.', { max: 128 }),
      alarm_level: int('Severity, from 1 (critical) to 4 (notice).', { min: 1, max: 4 }),
      source_ip: text('Source address.', { max: 128 }),
      attacked_url: text('Attacked URL.', { max: 2000 }),
    },
  },
});

export const { table } = drizzleTables(hssWebtamperDynamicEvents);
