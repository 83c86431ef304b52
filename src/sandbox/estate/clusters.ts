import type { EstateSize } from '../server/options.ts';
import { CLUSTER_DOMAINS, CLUSTER_VERSIONS, ENVIRONMENTS, WORKLOADS } from './names.ts';
import { elementAt, hexOf, type Random } from './random.ts';

/** A cluster with the results of its last security check. */
export interface Cluster {
  readonly name: string;
  readonly id: string;
  readonly category: 'CCE' | 'Turbo';
  readonly version: string;
  /** Index of the enterprise project. */
  readonly enterpriseProject: number;
  /** Relative share of all events. */
  readonly weight: number;
  readonly retired: boolean;
  readonly protectStatus: (typeof PROTECT_STATUSES)[number];
  /** Number of policies, if it is protected by policies. */
  readonly policies: number;
  readonly reportId: string;
  readonly workloads: readonly Workload[];
  scanTime: number;
  vulnerabilities: number;
  riskyConfigurations: number;
  privilegedContainers: number;
}

/** A workload and its image. */
export interface Workload {
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
}

const HOUR_MS = 3_600_000;
/** Most clusters have a policy, some have protection without a policy, some no protection. */
const PROTECT_STATUSES = [
  'protected with policy',
  'protected with policy',
  'protected with policy',
  'protected without policy',
  'unprotected',
] as const;

/** The inputs of clusters. */
export interface ClusterPlan {
  readonly size: EstateSize;
  readonly seed: number;
  readonly random: Random;
  readonly now: number;
  readonly region: string;
  readonly enterpriseProjects: number;
}

/** Builds the clusters; one of them has most of the events. */
export function buildClusters(plan: ClusterPlan): Cluster[] {
  const { size } = plan;
  const clusters: Cluster[] = [];
  const workloads = regionalWorkloads(plan.region);
  for (let index = 0; index < size.clusters + size.retiredClusters; index += 1) {
    clusters.push(buildCluster(plan, index, workloads));
  }
  return clusters;
}

function buildCluster(plan: ClusterPlan, index: number, regional: readonly Workload[]): Cluster {
  const { size, seed, random, now, enterpriseProjects } = plan;
  const retired = index >= size.clusters;
  const environment = elementAt(ENVIRONMENTS, Math.floor(index / CLUSTER_DOMAINS.length));
  const round = Math.floor(index / (CLUSTER_DOMAINS.length * ENVIRONMENTS.length));
  const category = index % 3 === 2 ? 'Turbo' : 'CCE';
  const suffix = `${category === 'CCE' ? 'cce' : 'turbo'}${round > 0 ? `-${round + 1}` : ''}`;
  const prefix = retired ? 'old-' : '';
  const clean = index > 0 && random.chance(0.2);
  return {
    name: `${prefix}${environment}-${elementAt(CLUSTER_DOMAINS, index)}-${suffix}`,
    id: clusterId(seed, index),
    category,
    version: random.pick(CLUSTER_VERSIONS),
    // The default enterprise project has most clusters, including the one with most events.
    enterpriseProject:
      index % 2 === 0 || enterpriseProjects < 2 ? 0 : 1 + (((index - 1) >> 1) % (enterpriseProjects - 1)),
    // More than half of all events come from one cluster, as with a policy that was enabled and never tuned.
    weight: retired
      ? 0.1
      : size.noisyCluster === false
        ? 1
        : index === 0
          ? 1.25 * Math.max(1, size.clusters - 1) * 0.8
          : 0.3 + random.next(),
    retired,
    protectStatus: random.pick(PROTECT_STATUSES),
    policies: 1 + random.int(6),
    reportId: hexOf(seed + 31, index, 30).replace(/^(.{8})(.{4})(.{4})(.{4})(.{6}).*$/, '$1-$2-$3-$4-$5'),
    workloads: Array.from({ length: 6 + random.int(14) }, () => random.pick(regional)),
    scanTime: now - Math.floor(random.next() * 26 * HOUR_MS),
    vulnerabilities: clean ? 0 : random.int(random.chance(0.3) ? 900 : 120),
    riskyConfigurations: clean ? 0 : random.int(40),
    privilegedContainers: clean ? 0 : random.int(9),
  };
}

/** Cluster ids are time-based UUIDs with the same node part throughout a region. */
function clusterId(seed: number, index: number): string {
  const hex = hexOf(seed + 7, index, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-11ee-${'8'}${hex.slice(13, 16)}-0255ac1001b2`;
}

/** Clusters share workloads, so that memory per workload does not grow with the number of clusters. */
function regionalWorkloads(region: string): Workload[] {
  return WORKLOADS.map(([namespace, name, image]) => ({
    namespace,
    name,
    image: `swr.${region}.myhuaweicloud.com/${image}`,
  }));
}

/** Repeats the security check of a cluster: the same report gets a new time and new numbers. */
export function rescan(cluster: Cluster, random: Random, time: number): void {
  cluster.scanTime = time;
  cluster.vulnerabilities = Math.max(0, cluster.vulnerabilities + random.int(21) - 11);
  cluster.riskyConfigurations = Math.max(0, cluster.riskyConfigurations + random.int(5) - 2);
  cluster.privilegedContainers = Math.max(0, cluster.privilegedContainers + random.int(3) - 1);
}

/** The record of a cluster in the list of security check reports. */
export function clusterReportText(cluster: Cluster): string {
  return JSON.stringify({
    report_id: cluster.reportId,
    cluster_name: cluster.name,
    cluster_id: cluster.id,
    cluster_category: cluster.category,
    severity: severityOf(cluster),
    local_image_vul_num: cluster.vulnerabilities,
    risk_config_num: cluster.riskyConfigurations,
    privileged_container_num: cluster.privilegedContainers,
    scan_time: cluster.scanTime,
  });
}

/** Whether the last check found anything. */
export function severityOf(cluster: Cluster): 'Security' | 'Insecurity' {
  const findings = cluster.vulnerabilities + cluster.riskyConfigurations + cluster.privilegedContainers;
  return findings > 0 ? 'Insecurity' : 'Security';
}

/** The record of a cluster in the list of protected clusters. */
export function protectedClusterText(cluster: Cluster): string {
  return JSON.stringify({
    cluster_name: cluster.name,
    cluster_id: cluster.id,
    cluster_version: cluster.version,
    protect_status: cluster.protectStatus,
    policy_num: cluster.protectStatus === 'protected with policy' ? cluster.policies : 0,
    cluster_status: 'Available',
    cluster_type: 'cce',
  });
}
