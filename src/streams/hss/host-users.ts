import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssHostUsers = defineStream({
  name: 'hss_host_users',
  about: 'Accounts of the operating systems of hosts and containers: who may log in, and who has the rights of root.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListUsers.html',
  group: 'hosts',
  onByDefault: false,
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/asset/users'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  listings: [{ category: 'host' }, { category: 'container' }],
  order: [moving('recent_scan_time'), fixed('first_scan_time')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'host_users',
    key: ['category', 'host_id', 'container_id', 'user_name'],
    indexes: [['host_id']],
    fields: {
      category: text('Which of the two lists the row comes from: host or container.', {
        values: ['host', 'container'],
        optional: true,
      }),
      agent_id: text('Id of the agent on the host.', { max: 64 }),
      host_id: text('Id of the host, as in the other tables about hosts.', { max: 64 }),
      host_name: text('Name of the host.', { max: 256 }),
      host_ip: text('IP address of the host.', { max: 128 }),
      user_name: text('Name of the account.', { max: 64 }),
      login_permission: flag('Whether it may log in.'),
      root_permission: flag('Whether it has the rights of root or an administrator.'),
      user_group_name: text('Group of the account.', { max: 128 }),
      user_home_dir: text('Its home directory.', { max: 256 }),
      shell: text('Its login shell.', { max: 128 }),
      recent_scan_time: instant('When it was last found.', { volatile: true }),
      first_scan_time: instant('When it was first found.', { optional: true }),
      container_id: text('Id of the container with the account; empty for an account of the host.', {
        max: 128,
        optional: true,
        emptyInKey: true,
      }),
      container_name: text('Name of the container.', { max: 256, optional: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssHostUsers);
