import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';

export const hssQuotas = defineStream({
  name: 'hss_quotas',
  about: 'Protection quotas that were bought: edition, billing, expiry, and the host that uses each.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListQuotasDetail.html',
  group: 'settings',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/billing/quotas-detail'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('create_time'), fixed('resource_id')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'quotas',
    key: ['resource_id'],
    indexes: [['host_id'], ['expire_time']],
    fields: {
      resource_id: text('Id of the quota, as in the tables about hosts.', { max: 128 }),
      version: text('Purchased edition.', {
        values: [
          'hss.version.basic',
          'hss.version.advanced',
          'hss.version.enterprise',
          'hss.version.premium',
          'hss.version.wtp',
          'hss.version.container.enterprise',
        ],
      }),
      quota_status: text('Whether it is valid, expired or frozen.', { values: ['normal', 'expired', 'freeze'] }),
      used_status: text('Whether a host uses it.', { values: ['idle', 'used'] }),
      host_id: text('Id of the host that uses it; empty without one.', { max: 64 }),
      host_name: text('Name of the host.', { max: 128 }),
      charging_mode: text('Billing: packet_cycle for subscriptions, on_demand for pay per use.', {
        values: ['packet_cycle', 'on_demand'],
      }),
      tags: json('Tags: objects with key and value.'),
      expire_time: instant('When it expires; null if it does not.'),
      create_time: instant('When it was created.', { optional: true }),
      shared_quota: text('Whether other enterprise projects may use it.', { values: ['shared', 'unshared'] }),
      enterprise_project_id: text('Enterprise project it belongs to; 0 is the default one.', {
        max: 256,
        optional: true,
      }),
      enterprise_project_name: text('Name of the enterprise project.', { max: 256, optional: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssQuotas);
