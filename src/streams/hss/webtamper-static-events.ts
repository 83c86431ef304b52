import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';

/** Records have no id. */
const IDENTITY = ['host_name', 'host_ip', 'occur_time', 'file_path', 'file_operation', 'process_id', 'process_name'];
/** Absent in the published example. */
const optional = true;

export const hssWebtamperStaticEvents = defineStream({
  name: 'hss_webtamper_static_events',
  about: 'Attempts to change protected files of web sites on hosts: which file, how, and by which process.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListHostProtectHistoryInfo.html',
  group: 'webtamper',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/webtamper/static/protect-history'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // The API goes back 30 days, and silently cuts a longer span to one day.
  window: timeWindow({
    begin: 'start_time',
    end: 'end_time',
    unit: 'ms',
    column: 'occur_time',
    maxDays: 29,
    keepDays: 30,
  }),
  order: [fixed('occur_time')],
  appendOnly: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'webtamper_static_events',
    key: ['event_key'],
    indexes: [['occur_time']],
    fields: {
      event_key: identity('Identity of the event: a SHA-256 over host, time, file, operation and process.', IDENTITY),
      // The original name lacked a letter, and the API still sends both.
      occur_time: instant('When it was detected.', { also: ['occr_time'] }),
      host_name: text('Name of the host.', { max: 256, optional }),
      host_ip: text('IP address of the host.', { max: 64, optional }),
      file_path: text('Path of the file.', { max: 2000 }),
      file_operation: text('Attempted operation: add, delete, modify, or change attributes.', {
        values: ['add', 'delete', 'modify', 'attribute', 'unknown'],
        optional,
      }),
      process_id: int('Id of the process.'),
      process_name: text('Name of the process.', { max: 200 }),
      process_cmd: text('Command line of the process.', { max: 8192 }),
    },
  },
});

export const { table } = drizzleTables(hssWebtamperStaticEvents);
