import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, json, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { hssClusterRisks } from './cluster-risks.ts';

export const hssClusterRiskResources = defineStream({
  name: 'hss_cluster_risk_resources',
  about: 'Cluster resources with a risk, and the rule that found it.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListClusterRiskAffectResources.html',
  group: 'containers',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/container/cluster/risk/{risk_id}/affected-resources'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  parent: childOf(
    hssClusterRisks,
    { cluster_id: 'cluster_id', risk_id: 'risk_id' },
    { hot: { risk_level: 'high', risk_num: { above: 0 } } },
  ),
  order: [moving('last_scan_time'), fixed('first_scan_time')],
  schedule: '*/30 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 12 * 3_600_000,
  table: {
    schema: hss,
    name: 'cluster_risk_resources',
    key: ['cluster_id', 'risk_id', 'resource_id'],
    indexes: [['risk_id']],
    fields: {
      cluster_id: text('Id of the cluster, from the request.', { optional: true }),
      risk_id: text('Id of the risk, from the request.', { optional: true }),
      resource_name: text('Name of the resource.'),
      resource_id: text('Id of the resource.'),
      resource_type: text('Kind of the resource, such as Pod.'),
      namespace: text('Namespace of the resource; empty for one of the whole cluster.'),
      hit_rule: text('Rule that found the risk.'),
      hit_path_list: json('Where in the resource the risk is: a list of texts.'),
      first_scan_time: instant('When it was first found.'),
      last_scan_time: instant('When it was last found.', { volatile: true }),
    },
  },
});

export const { table } = drizzleTables(hssClusterRiskResources);
