import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';

export const hssPolicyGroups = defineStream({
  name: 'hss_policy_groups',
  about: 'Policy groups: for which edition and system each is, and on how many hosts it is used.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListPolicyGroup.html',
  group: 'settings',
  onByDefault: false,
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/policy/groups'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('group_id')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'policy_groups',
    key: ['group_id'],
    fields: {
      group_name: text('Name of the group.', { max: 256 }),
      group_id: text('Id of the group, as `policy_group_id` of the hosts.', { max: 256 }),
      description: text('Remark on the group.', { max: 64 }),
      host_num: int('Number of hosts it applies to.', { min: 0, max: 1_000_000, volatile: true }),
      default_group: flag('Whether the service made it.'),
      deletable: flag('Whether it can be deleted.'),
      support_os: text('Operating system of its hosts.', { values: ['Linux', 'Windows'] }),
      support_version: text('Edition whose hosts it applies to.', {
        values: [
          'hss.version.advanced',
          'hss.version.enterprise',
          'hss.version.premium',
          'hss.version.wtp',
          'hss.version.container.enterprise',
        ],
      }),
      protect_mode: text('Whether it detects as much as possible, or balances detections against false alarms.', {
        values: ['high_detection', 'equalization'],
        optional: true,
      }),
    },
  },
});

export const { table, history } = drizzleTables(hssPolicyGroups);
