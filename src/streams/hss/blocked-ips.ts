import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssBlockedIps = defineStream({
  name: 'hss_blocked_ips',
  about: 'Addresses blocked on hosts for guessing passwords.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListBlockedIp.html',
  group: 'hosts',
  onByDefault: false,
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/event/blocked-ip'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('latest_time'), fixed('block_time')],
  history: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'blocked_ips',
    // Records have no id. An address that is blocked again later is another row.
    key: ['host_id', 'src_ip', 'login_type', 'block_time'],
    indexes: [['src_ip']],
    fields: {
      host_id: text('Id of the host.', { max: 64 }),
      host_name: text('Name of the host.', { max: 256 }),
      src_ip: text('Address the logins came from.'),
      login_type: text('Target service of the logins.', { values: ['mysql', 'rdp', 'ssh', 'vsftp'] }),
      block_time: instant('When the address was first blocked.'),
      latest_time: instant('When it was last blocked.', { volatile: true }),
      intercept_num: int('Number of logins that were blocked.', { volatile: true }),
      intercept_status: text('Whether it is blocked: intercepted, released (canceled), or about to be released.', {
        values: ['intercepted', 'canceled', 'cancelling'],
      }),
    },
  },
});

export const { table, history } = drizzleTables(hssBlockedIps);
