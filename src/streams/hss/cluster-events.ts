import { offsetPaging } from '../../core/stream/endpoint.ts';
import { inside, instant, int, parsedFrom, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { hssProtectedClusters } from './protected-clusters.ts';

export const hssClusterEvents = defineStream({
  name: 'hss_cluster_events',
  about:
    'Alarm events of the cluster protection policies: what a policy warned about or blocked, where, and whether that was handled.',
  document: 'https://support.huaweicloud.com/intl/en-us/api-hss2.0/ListClusterEvents.html',
  group: 'containers',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/cluster-protect/events'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list', cap: 10_000 }),
  order: [moving('update_time'), fixed('create_time')],
  version: 'update_time',
  split: { parameter: 'cluster_id', stream: hssProtectedClusters, column: 'cluster_id' },
  history: true,
  schedule: '* * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 2 * 60_000,
  table: {
    schema: hss,
    name: 'cluster_events',
    key: ['event_id'],
    indexes: [['update_time'], ['cluster_id', 'update_time']],
    fields: {
      event_id: text('Id of the event.', { max: 128 }),
      event_class_id: text('Id of the class of events, such as clusterprotect_1001.', { max: 128 }),
      event_name: text('Name of the event.', { max: 128, optional: true }),
      event_type: int('Numeric type of the event, such as 3009.', { min: 1000, max: 30_000 }),
      // Documented with at most 128 characters; the published examples have 165 and 241.
      event_content: text('Description by the service: text that usually contains JSON.'),
      event_content_json: parsedFrom(
        'event_content',
        'The event content as JSON; null if the text is not a JSON object or array.',
      ),
      action: text('What the policy did: warn, or a blocking action.', { max: 32 }),
      handle_status: text('Whether the event was handled.', { values: ['unhandled', 'handled'] }),
      create_time: instant('When the event was created.', { optional: true }),
      update_time: instant('When the event last changed, including its handling.'),
      cluster_id: text('Id of the cluster.', { max: 256 }),
      cluster_name: text('Name of the cluster.', { max: 64, optional: true }),
      enterprise_project_id: text('Enterprise project of the cluster; 0 is the default one.', { max: 256 }),
      policy_id: text('Id of the protection policy that fired.', { max: 128 }),
      policy_name: text('Name of the protection policy that fired.', { max: 128 }),
      ...inside('resource_info', {
        enforcement_action: text('Action of the policy on the resource.', { max: 256 }),
        group: text('API group of the resource; empty for the core group.', { max: 256 }),
        kind: text('Kind of the resource, such as Pod or Deployment.', { max: 64 }),
        message: text('Why the policy fired.', { max: 256 }),
        name: text('Name of the resource.', { max: 256 }),
        namespace: text('Namespace of the resource; empty for cluster-wide ones.', { max: 256 }),
        resource_name: text('Name of the resource type or instance, where the service sends it.', {
          max: 256,
          optional: true,
        }),
        version: text('API version of the resource.', { max: 128 }),
      }),
    },
  },
});

export const { table, history } = drizzleTables(hssClusterEvents);
