import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

const TYPES = ['risk_assessment', 'benchmark'];
const CATEGORIES = ['control_plane', 'access_control', 'network', 'workload', 'secrets', 'node_escape'];

export const hssClusterRisks = defineStream({
  name: 'hss_cluster_risks',
  about: 'Risks in the configuration of clusters. Solved risks are no longer listed.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListClusterRisks.html',
  group: 'containers',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/container/cluster/risks'],
    query: { risk_status: 'risky' }, // else the list has every check that passed as well
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  listings: TYPES.map((risk_type) => ({ risk_type })),
  order: [moving('last_scan_time'), fixed('risk_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'cluster_risks',
    key: ['risk_type', 'cluster_id', 'risk_id'],
    indexes: [['cluster_id']],
    fields: {
      risk_type: text(
        'Which of the two lists the row comes from: risk assessment, or security compliance (benchmark).',
        {
          values: TYPES,
          optional: true,
        },
      ),
      cluster_id: text('Id of the cluster, as in the other tables about clusters.'),
      cluster_name: text('Name of the cluster.'),
      risk_id: text('Id of the risk.'),
      risk_name: text('Name of the risk.'),
      risk_level: text('Severity; tips is a hint.', { values: ['high', 'medium', 'low', 'tips'] }),
      risk_category: text('Affected part of the cluster.', { values: CATEGORIES }),
      risk_num: int('Number of affected resources.'),
      last_scan_time: instant('When the cluster was last checked.', { volatile: true }),
      description: text('What the risk is.'),
      remediation: text('How to fix it.'),
    },
  },
});

export const { table, history } = drizzleTables(hssClusterRisks);
