import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { asked, fixed } from '../../core/walk/order.ts';

export const hssHostAutoLaunchChanges = defineStream({
  name: 'hss_host_auto_launch_changes',
  about:
    'Changes of autostart items on hosts: services, scheduled tasks, libraries, registry keys and startup folders.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListAutoLaunchChangeHistories.html',
  group: 'hosts',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/asset/auto-launch/change-history'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // The margin is for agents that were offline and report their changes late.
  window: timeWindow({ begin: 'start_time', end: 'end_time', unit: 'ms', column: 'recent_scan_time', margin: '6h' }),
  order: [asked(fixed('recent_scan_time'), 'desc', { sort_key: 'recent_scan_time', sort_dir: 'desc' })],
  appendOnly: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'host_auto_launch_changes',
    key: ['operation_key'],
    indexes: [['recent_scan_time'], ['host_id', 'recent_scan_time']],
    fields: {
      operation_key: identity(
        'Identity of the change: a SHA-256 over host, item, path, program, kind and time of the change.',
        ['host_id', 'type', 'name', 'path', 'hash', 'run_user', 'variation_type', 'recent_scan_time'],
      ),
      agent_id: text('Id of the agent on the host.', { max: 64 }),
      variation_type: text('Kind of the change.', { values: ['add', 'delete', 'modify'] }),
      type: int(
        'Kind of item: 0 service, 1 scheduled task, 2 preloaded library, 3 Run key of the registry, 4 startup folder.',
        { min: 0, max: 4 },
      ),
      host_id: text('Id of the host, as in the other tables about hosts.', { max: 64 }),
      host_name: text('Name of the host.', { max: 256 }),
      host_ip: text('IP address of the host.', { max: 128 }),
      path: text('Path of the started program.', { max: 256 }),
      hash: text('SHA-256 of the file.', { max: 128 }),
      run_user: text('Account it runs as.', { max: 64 }),
      name: text('Name of the item.', { max: 256 }),
      recent_scan_time: instant('When the change was detected.'),
    },
  },
});

export const { table } = drizzleTables(hssHostAutoLaunchChanges);
