import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

const TYPES = ['k8s', 'cce', 'ali', 'tencent', 'azure', 'aws', 'self_built_hw', 'self_built_idc'];
const STATES =
  'Available Unavailable ScalingUp ScalingDown Creating Deleting Upgrading Resizing RollingBack RollbackFailed Empty';

export const hssKubernetesClusters = defineStream({
  name: 'hss_kubernetes_clusters',
  about: 'Every Kubernetes cluster the service knows, of any cloud, with its nodes, agents and number of findings.',
  document: 'https://support.huaweicloud.com/intl/en-us/api-hss2.0/ListKubernetesClusterDetails.html',
  group: 'containers',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/kubernetes/clusters'],
    query: { load_agent_info: 'true' }, // else the columns about agents come empty
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'cluster_info_list' }),
  order: [moving('last_scan_time'), fixed('creation_timestamp'), fixed('id'), fixed('cluster_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'kubernetes_clusters',
    key: ['cluster_id'],
    fields: {
      cluster_id: text('Id of the cluster, as in the other tables about clusters.'),
      id: text('Id of the record; not documented further.'),
      cluster_name: text('Name of the cluster.'),
      cluster_type: text('Where the cluster runs: cce, another cloud, self-built, or plain k8s.', { values: TYPES }),
      status: text('State of the cluster.', { values: STATES.split(' ') }),
      version: text('Kubernetes version of the cluster.'),
      total_nodes_number: int('Number of nodes.'),
      active_nodes_number: int('Number of healthy nodes.'),
      creation_timestamp: instant('When the cluster was created.'),
      // Documented, but the API omits the agent columns unless `load_agent_info` requests them.
      agent_installed_num: int('Number of nodes with an agent.', { optional: true }),
      agent_install_failed_num: int('Number of nodes where installing the agent failed.', { optional: true }),
      agent_not_install_num: int('Number of nodes without an agent.', { optional: true }),
      agent_ds_install_status: text('DaemonSet of the agent.', { values: ['Installed', 'NotInstall'], optional: true }),
      agent_ds_failed_reason: text('Why the last operation on the DaemonSet failed.', { optional: true }),
      last_operate_timestamp: instant('When the DaemonSet was last operated on.', { optional: true }),
      // Findings belong to `scene=cluster_risk`, whose effect is undocumented; the live test of the Terraform provider
      // omits the parameter and expects none of these six.
      last_scan_time: instant('When the cluster was last scanned.', { volatile: true, optional: true }),
      sys_vul_num: int('Number of system vulnerabilities.', { optional: true }),
      app_vul_num: int('Number of application vulnerabilities.', { optional: true }),
      emg_vul_num: int('Number of emergency vulnerabilities.', { optional: true }),
      risk_assess_num: int('Number of findings of the risk assessment.', { optional: true }),
      sec_comp_num: int('Number of findings of the security compliance check.', { optional: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssKubernetesClusters);
