import { ENVIRONMENTS, USERS, WORKLOADS } from './names.ts';
import { elementAt, hexOf, type Random, uuidOf } from './random.ts';

/** An object of the estate, with the member names of the API. */
export type Bag = Readonly<Record<string, unknown>>;

/** The inputs of hosts, images and containers. */
export interface HostPlan {
  readonly hosts: number;
  readonly seed: number;
  readonly random: Random;
  readonly region: string;
  readonly clusters: readonly { readonly id: string; readonly name: string }[];
  readonly enterpriseProjects: readonly { readonly id: string; readonly name: string }[];
}

const SYSTEMS = [
  ['Linux', 'EulerOS', '2.10', '4.18.0-147.5.1.6.h841.eulerosv2r10.x86_64'],
  ['Linux', 'Huawei Cloud EulerOS', '2.0', '5.10.0-136.12.0.86.r1526_92.hce2.x86_64'],
  ['Linux', 'Ubuntu', '22.04', '5.15.0-106-generic'],
  ['Linux', 'CentOS', '7.9', '3.10.0-1160.92.1.el7.x86_64'],
  ['Linux', 'Debian', '12', '6.1.0-21-amd64'],
  ['Windows', 'Windows', 'Server 2019 Datacenter', '10.0.17763'],
] as const;
const ROLES = ['web', 'api', 'db', 'batch', 'cache', 'bastion', 'queue', 'node'] as const;
/** Most agents are online; some hosts have no agent. */
const AGENTS = ['online', 'online', 'online', 'online', 'online', 'online', 'offline', 'not_installed'] as const;
const VERSIONS = ['basic', 'enterprise', 'enterprise', 'premium', 'wtp'] as const;

/** Builds the hosts that all lists of hosts and their findings share. A third of them are cluster nodes. */
export function buildHosts({ hosts, seed, random, clusters, enterpriseProjects }: HostPlan): readonly Bag[] {
  return Array.from({ length: hosts }, (_, index) => {
    const [os_type, os_name, os_version, kernel_version] = random.pick(SYSTEMS);
    const role = elementAt(ROLES, index);
    const agent_status = random.pick(AGENTS);
    const opened = agent_status !== 'not_installed' && random.chance(0.85);
    const isNode = clusters.length > 0 && (role === 'node' || index % 3 === 2);
    const cluster = isNode ? elementAt(clusters, random.int(clusters.length)) : undefined;
    const project = index % 3 === 0 ? elementAt(enterpriseProjects, index / 3) : elementAt(enterpriseProjects, 0);
    const version = opened ? (cluster === undefined ? random.pick(VERSIONS) : 'container.enterprise') : 'null';
    return {
      host_id: uuidOf(seed + 21, index),
      host_name: `${elementAt(ENVIRONMENTS, index >> 3)}-${role}-${String(index + 1).padStart(2, '0')}`,
      agent_id: agent_status === 'not_installed' ? '' : hexOf(seed + 22, index, 32) + hexOf(seed + 23, index, 32),
      private_ip: `10.${20 + (index >> 16)}.${(index >> 8) & 255}.${(index & 255) + 1}`,
      public_ip: role === 'web' || role === 'bastion' ? `203.0.113.${1 + (index % 250)}` : '',
      os_type,
      os_name,
      os_version,
      kernel_version,
      os_image: `${os_name} ${os_version}`,
      os_bit: '64',
      host_status: random.chance(0.95) ? 'ACTIVE' : 'SHUTOFF',
      agent_status,
      protect_status: opened ? 'opened' : 'closed',
      version: `hss.version.${version}`,
      asset_value: index % 5 === 0 ? 'important' : index % 5 === 4 ? 'test' : 'common',
      enterprise_project_id: project.id,
      enterprise_project_name: project.name,
      group_id: uuidOf(seed + 24, index % 4),
      group_name: `group-${role}`,
      policy_group_id: uuidOf(seed + 25, index % 3),
      policy_group_name: elementAt(['tenant_linux_enterprise', 'tenant_linux_premium', 'tenant_windows'], index),
      vpc_id: uuidOf(seed + 26, index % 2),
      cluster_id: cluster?.id ?? '',
      cluster_name: cluster?.name ?? '',
    };
  });
}

/** Builds the images used by clusters and stored in registries. */
export function buildImages({ seed, random, region }: HostPlan): readonly Bag[] {
  return WORKLOADS.flatMap(([, , image], index) => {
    const [path = '', tag = ''] = image.split(':');
    const [namespace = '', name = ''] = path.split('/');
    return [tag, `${tag}-rc${1 + random.int(4)}`].map((image_version, at) => ({
      image_id: hexOf(seed + 27, index * 2 + at, 32),
      image_name: name,
      image_version,
      image_digest: `sha256:${hexOf(seed + 28, index * 2 + at, 40)}${hexOf(seed + 29, index * 2 + at, 24)}`,
      namespace,
      registry_name: `swr.${region}.myhuaweicloud.com`,
      registry_id: uuidOf(seed + 30, 0),
      instance_name: '',
      instance_id: '',
    }));
  });
}

/** Builds the containers: each workload runs two in one cluster. */
export function buildContainers(plan: HostPlan, images: readonly Bag[]): readonly Bag[] {
  const { seed, random, clusters } = plan;
  if (clusters.length === 0) return [];
  return WORKLOADS.flatMap(([namespace, workload], index) =>
    [0, 1].map((replica) => {
      const cluster = elementAt(clusters, random.int(clusters.length));
      const at = index * 2 + replica;
      return {
        ...elementAt(images, index * 2),
        container_id: hexOf(seed + 31, at, 32) + hexOf(seed + 32, at, 32),
        container_name: workload,
        pod_id: uuidOf(seed + 33, at),
        pod_uid: uuidOf(seed + 33, at),
        pod_name: `${workload}-${hexOf(seed + 34, at, 10)}-${hexOf(seed + 35, at, 5)}`,
        namespace,
        cluster_id: cluster.id,
        cluster_name: cluster.name,
        cluster_type: 'cce',
      };
    }),
  );
}

/** Configuration checks with their rules. */
const CHECKS = [
  ['SSH', 'cn_standard', 'Set the maximum number of authentication attempts'],
  ['SSH', 'hw_standard', 'Disable the login of root'],
  ['CentOS 7', 'cn_standard', 'Lock accounts after failed logins'],
  ['Docker', 'hw_standard', 'Do not share the network namespace of the host'],
  ['Nginx', 'cn_standard', 'Hide the version of the server'],
  ['MySQL', 'hw_standard', 'Restrict the directories for import and export'],
  ['Redis', 'hw_standard', 'Require a password'],
  ['Kubernetes-Node', 'cis_standard', 'Protect the configuration file of the kubelet'],
] as const;

/** Builds the rules of the configuration check, five for each check. */
export function buildRules(seed: number): readonly Bag[] {
  return CHECKS.flatMap(([check_name, standard, check_rule_name], check) =>
    Array.from({ length: 5 }, (_, index) => ({
      check_name,
      check_type: check_name,
      standard,
      check_rule_id: `${check + 1}.${index + 1}`,
      check_rule_name: `${check_rule_name} (${index + 1})`,
      key: hexOf(seed + 36, check, 16),
    })),
  );
}

/** Builds the databases behind the audit instances, two for each. */
export function buildDatabases(
  seed: number,
  instances: readonly { readonly id: string; readonly name: string }[],
): readonly Bag[] {
  return instances.flatMap((instance, at) =>
    ['ledger', 'orders'].map((name, index) => ({
      instance_id: instance.id,
      instance_name: instance.name,
      db_id: hexOf(seed + 37, at * 2 + index, 20),
      db_name: `${name}_${at + 1}`,
    })),
  );
}

/** The users who handle findings, as shown in the lists. */
export function buildPeople(): readonly Bag[] {
  return USERS.map((user_name) => ({ user_name, handler: user_name, user: user_name }));
}
