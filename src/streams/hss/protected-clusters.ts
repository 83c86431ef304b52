import { offsetPaging } from '../../core/stream/endpoint.ts';
import { int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';

const KINDS = ['k8s', 'cce', 'ali', 'tencent', 'azure', 'aws', 'self_built_hw', 'self_built_idc'];
const PROTECTION = [
  'unprotected',
  'plugin error',
  'protected with policy',
  'deploy policy failed',
  'protected without policy',
  'uninstall failed',
  'uninstall',
];

export const hssProtectedClusters = defineStream({
  name: 'hss_protected_clusters',
  about: 'Container clusters in cluster protection, and whether they are protected.',
  document: 'https://support.huaweicloud.com/intl/en-us/api-hss2.0/ListClusterProtectionInfo.html',
  group: 'containers',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/cluster-protect/clusters'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list', cap: 10_000 }),
  order: [fixed('cluster_id')],
  schedule: '*/10 * * * *',
  reconcileEveryMs: 3_600_000,
  targetMs: 20 * 60_000,
  table: {
    schema: hss,
    name: 'protected_clusters',
    key: ['cluster_id'],
    fields: {
      cluster_id: text('Id of the cluster.'),
      cluster_name: text('Name of the cluster.'),
      cluster_version: text('Kubernetes version of the cluster.'),
      cluster_type: text('Where the cluster runs: cce, another cloud, self-built, or plain k8s.', { values: KINDS }),
      cluster_status: text('Whether the cluster is available.', { values: ['Available', 'Unavailable'] }),
      protect_status: text(
        'State of the protection. It is enabled in `protected with policy` and `protected without policy`.',
        { values: PROTECTION },
      ),
      policy_num: int('Number of protection policies that apply to the cluster.'),
    },
  },
});

export const { table } = drizzleTables(hssProtectedClusters);
