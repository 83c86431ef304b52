import type { Cluster } from '../estate/clusters.ts';
import { seedOf, startRandom, uuidOf } from '../estate/random.ts';

const DAY_MS = 86_400_000;

/** The record of a cluster in the list of Kubernetes clusters; constant members are derived from its id. */
export function kubernetesClusterText(
  cluster: Cluster,
  now: { readonly startedAt: number },
  { withAgents }: { readonly withAgents: boolean },
): string {
  const seed = seedOf(cluster.id);
  const random = startRandom(seed);
  const nodes = 3 + random.int(20);
  const active = nodes - (random.chance(0.2) ? 1 : 0);
  const created = now.startedAt - (30 + random.int(900)) * DAY_MS - random.int(DAY_MS);
  const app = Math.floor(cluster.vulnerabilities * 0.4);
  return JSON.stringify({
    id: uuidOf(seed, 0),
    cluster_name: cluster.name,
    cluster_id: cluster.id,
    cluster_type: 'cce',
    status: 'Available',
    version: cluster.version,
    total_nodes_number: nodes,
    active_nodes_number: active,
    creation_timestamp: created,
    ...(withAgents ? agentNumbers(nodes, random.next(), created) : {}),
    last_scan_time: cluster.scanTime,
    sys_vul_num: cluster.vulnerabilities - app,
    app_vul_num: app,
    emg_vul_num: Math.floor(cluster.vulnerabilities / 50),
    risk_assess_num: cluster.privilegedContainers,
    sec_comp_num: cluster.riskyConfigurations,
  });
}

/** Most clusters have an agent on every node, some on a part, some on none. */
function agentNumbers(nodes: number, luck: number, created: number): Readonly<Record<string, string | number>> {
  const installed = luck < 0.6 ? nodes : luck < 0.75 ? 0 : Math.floor(nodes * luck);
  const failed = installed > 0 && installed < nodes ? 1 : 0;
  return {
    agent_installed_num: installed,
    agent_install_failed_num: failed,
    agent_not_install_num: nodes - installed - failed,
    agent_ds_install_status: installed === 0 ? 'NotInstall' : 'Installed',
    agent_ds_failed_reason: '',
    last_operate_timestamp: installed === 0 ? 0 : created + DAY_MS,
  };
}
