import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, instant, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { asked, fixed } from '../../core/walk/order.ts';

export const hssHostAppChanges = defineStream({
  name: 'hss_host_app_changes',
  about: 'Software changes on hosts: what was installed, updated or removed, and when.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListAppChangeHistories.html',
  group: 'hosts',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/asset/app/change-history'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list', cap: 10_000 }),
  // The margin is for agents that were offline and report their changes late.
  window: timeWindow({ begin: 'start_time', end: 'end_time', unit: 'ms', column: 'recent_scan_time', margin: '6h' }),
  order: [asked(fixed('recent_scan_time'), 'desc', { sort_key: 'recent_scan_time', sort_dir: 'desc' })],
  appendOnly: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'host_app_changes',
    key: ['operation_key'],
    indexes: [['recent_scan_time'], ['host_id', 'recent_scan_time']],
    fields: {
      operation_key: identity(
        'Identity of the change: a SHA-256 over host, software, version, kind and time of the change.',
        ['host_id', 'app_name', 'version', 'variation_type', 'update_time', 'recent_scan_time'],
      ),
      agent_id: text('Id of the agent on the host.', { max: 64 }),
      variation_type: text('Kind of the change.', { values: ['add', 'delete', 'modify'] }),
      host_id: text('Id of the host, as in the other tables about hosts.', { max: 64 }),
      app_name: text('Name of the software.', { max: 256 }),
      host_name: text('Name of the host.', { max: 256 }),
      host_ip: text('IP address of the host.', { max: 128 }),
      version: text('Version of the software.', { max: 128 }),
      update_time: instant('When the software itself was last changed.'),
      recent_scan_time: instant('When the change was detected.'),
    },
  },
});

export const { table } = drizzleTables(hssHostAppChanges);
