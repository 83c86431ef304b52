import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssClusterSecurityReports = defineStream({
  name: 'hss_cluster_security_reports',
  about: 'Security check reports of container clusters: the latest numbers of findings of each.',
  document: 'https://support.huaweicloud.com/intl/en-us/api-hss2.0/ListSecurityCheckClusterReports.html',
  group: 'containers',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/security-check/containers/cluster-reports'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('scan_time'), fixed('report_id')],
  version: 'scan_time',
  history: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 15 * 60_000,
  table: {
    schema: hss,
    name: 'cluster_security_reports',
    key: ['report_id'],
    indexes: [['cluster_id'], ['scan_time']],
    fields: {
      report_id: text('Id of the report.'),
      cluster_id: text('Id of the cluster.'),
      cluster_name: text('Name of the cluster.'),
      cluster_category: text('CCE for standard clusters, Turbo for CCE Turbo clusters.', { values: ['CCE', 'Turbo'] }),
      severity: text('Security if the check found no risk, else Insecurity.', {
        values: ['Security', 'Insecurity'],
      }),
      local_image_vul_num: int('Number of vulnerabilities in local images.'),
      risk_config_num: int('Number of baseline risks in the configuration.'),
      privileged_container_num: int('Number of alarms about privileged containers.'),
      scan_time: instant('When the cluster was last scanned.'),
    },
  },
});

export const { table, history } = drizzleTables(hssClusterSecurityReports);
