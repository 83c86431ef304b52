import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, identity, instant, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';

export const hssHostUserChanges = defineStream({
  name: 'hss_host_user_changes',
  about: 'Account changes on hosts: which account was added, changed or deleted, when, and its rights.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListUserChangeHistories.html',
  group: 'hosts',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/asset/user/change-history'],
    enterpriseProjects: true,
  },
  // One generation of the document allows 100 rows a page, another 200; rows beyond 10,000 cannot be requested.
  paging: offsetPaging({ list: 'data_list', limit: 100, cap: 10_000 }),
  // The margin is for agents that were offline and report their changes late.
  window: timeWindow({ begin: 'start_time', end: 'end_time', unit: 'ms', column: 'recent_scan_time', margin: '6h' }),
  order: [fixed('recent_scan_time')],
  appendOnly: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'host_user_changes',
    key: ['operation_key'],
    indexes: [['recent_scan_time'], ['host_id', 'recent_scan_time']],
    fields: {
      operation_key: identity(
        'Identity of the change: a SHA-256 over host, account, kind and time of the change, and the account after it.',
        [
          'host_id',
          'user_name',
          'change_type',
          'recent_scan_time',
          'user_group_name',
          'user_home_dir',
          'shell',
          'login_permission',
          'root_permission',
          'expire_time',
        ],
      ),
      agent_id: text('Id of the agent on the host.', { max: 128 }),
      change_type: text('Kind of the change.', { values: ['ADD', 'DELETE', 'MODIFY'] }),
      host_id: text('Id of the host, as in the other tables about hosts.', { max: 128 }),
      host_name: text('Name of the host.', { max: 128 }),
      private_ip: text('Private IP address of the host.', { max: 128 }),
      login_permission: flag('Whether the account may log in.'),
      root_permission: flag('Whether it has the rights of root or an administrator.'),
      user_group_name: text('Group of the account.', { max: 128 }),
      user_home_dir: text('Its home directory.', { max: 128 }),
      shell: text('Its login shell.', { max: 128 }),
      user_name: text('Name of the account.', { max: 128 }),
      expire_time: instant('When the account expires; null if it does not.'),
      recent_scan_time: instant('When it changed.'),
    },
  },
});

export const { table } = drizzleTables(hssHostUserChanges);
