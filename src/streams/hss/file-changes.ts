import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssFileChanges = defineStream({
  name: 'hss_file_changes',
  about: 'File and registry changes detected by integrity monitoring, and whether each is trusted.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListFileEvents.html',
  group: 'hosts',
  onByDefault: false,
  // No begin and end: the API then returns the whole list.
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/files/change-files'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('latest_time'), fixed('id')],
  history: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'file_changes',
    key: ['id'],
    indexes: [['latest_time'], ['host_name']],
    fields: {
      id: int('Id of the record.'),
      host_name: text('Name of the host.'),
      file_name: text('Name of the file.'),
      file_path: text('Path of the file.'),
      change_type: text('What changed: file or registry.'),
      change_category: text('How it changed: modify, add or delete.'),
      before_change: text('Hash before the change.'),
      after_change: text('Hash after the change.'),
      status: text('Whether the change is trusted: trust, untrust or unknown.'),
      latest_time: instant('When it last changed.'),
    },
  },
});

export const { table, history } = drizzleTables(hssFileChanges);
