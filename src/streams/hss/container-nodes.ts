import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { HOST_FIELDS } from './host-fields.ts';

export const hssContainerNodes = defineStream({
  name: 'hss_container_nodes',
  about: 'Hosts that run containers, including cluster nodes, and whether they are protected.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListContainerNodes.html',
  group: 'containers',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/container/nodes'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('host_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'container_nodes',
    key: ['host_id'],
    fields: {
      ...HOST_FIELDS,
      agent_id: text('Id of its agent; empty without one.', { max: 64 }),
      agent_status: text('State of the agent.', { values: ['not_installed', 'online', 'offline'] }),
      protect_status: text('Whether the protection is enabled.', { values: ['closed', 'opened'] }),
      container_tags: text('Kind of node: of a CCE cluster, of a self-built one, or another.', {
        values: ['cce', 'self', 'other'],
      }),
      // Added with version 3.1.219 of the SDK; older servers omit it.
      is_container_node: flag('Whether containers run on it.', { optional: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssContainerNodes);
