import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssClusterPolicies = defineStream({
  name: 'hss_cluster_policies',
  about: 'Protection policies of the clusters: what each checks, where, and whether it is deployed.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListClusterProtectionPolicy.html',
  group: 'containers',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/cluster-protect/policy'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list', cap: 10000 }),
  order: [moving('update_time'), fixed('create_time')],
  version: 'update_time',
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'cluster_policies',
    key: ['cluster_id', 'policy_id'],
    indexes: [['policy_id']],
    fields: {
      cluster_id: text('Id of the cluster, as in the other tables about clusters.'),
      cluster_name: text('Name of the cluster.'),
      content: json('Content of the policy, as an object.'),
      deploy_content: text('What was deployed to the cluster.'),
      parameters: text('Parameters of the policy.'),
      policy_name: text('Name of the policy.'),
      policy_id: text('Id of the policy, as in the events of the clusters.'),
      resources: json('Scope: objects with cluster_id, namespace, images and labels.'),
      template_id: text('Id of its template.'),
      template_name: text('Name of the template.'),
      template_type: text('Type of the template.'),
      description: text('Description of the policy.'),
      update_time: instant('When it was last changed.'),
      create_time: instant('When it was created.'),
      image_num: int('Number of images that it covers.'),
      labels_num: int('Number of labels that it covers.'),
      status: text('State of its deployment.'),
      white_images: json('Excluded images: objects with cluster_id, image_name and image_version.'),
    },
  },
});

export const { table, history } = drizzleTables(hssClusterPolicies);
