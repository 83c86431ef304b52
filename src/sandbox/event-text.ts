import type { Cluster } from './estate-clusters.ts';
import type { EventTable } from './event-table.ts';
import { POLICIES, type PolicyText } from './names.ts';
import { elementAt, hashPair, uuidOf } from './random.ts';

/** What the text of an event needs besides its row. */
export interface EventTextContext {
  readonly table: EventTable;
  readonly clusters: readonly Cluster[];
  readonly projectId: string;
  readonly enterpriseProjectIds: readonly string[];
}

const POD_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * Writes one event as JSON.
 *
 * The text is put together by hand because pages are produced by the thousand in benchmarks; only what may hold
 * special characters goes through JSON.stringify.
 */
export function eventText(context: EventTextContext, row: number, casing: 'snake' | 'camel'): string {
  const { table } = context;
  const cluster = elementAt(context.clusters, table.cluster(row));
  const policy = elementAt(POLICIES, table.policy(row));
  const workload = elementAt(cluster.workloads, table.workload(row));
  const message = JSON.stringify(policy.message(workload.image, workload.name));
  const name = resourceName(policy, workload.name, hashPair(row, table.seed));
  const rest = `"group":"${policy.group}","kind":"${policy.kind}","message":${message},"name":"${name}","namespace":"${workload.namespace}","version":"v1"`;
  const content = JSON.stringify(`{"enforcementAction":"${policy.action}",${rest}}`);
  const enterpriseProject = context.enterpriseProjectIds[cluster.enterpriseProject] ?? '0';
  const keys = casing === 'snake' ? SNAKE : CAMEL;
  return `{"${keys.project}":"${context.projectId}","${keys.enterpriseProject}":"${enterpriseProject}","action":"${policy.action}","cluster_name":"${cluster.name}","cluster_id":"${cluster.id}","${keys.created}":${table.created(row)},"${keys.updated}":${table.updated(row)},"event_id":"${uuidOf(table.seed, row)}","event_name":"${policy.event}","event_class_id":"${classOf(table.policy(row))}","event_type":3009,"handle_status":"${table.isHandled(row) ? 'handled' : 'unhandled'}","event_content":${content},"policy_id":"${uuidOf(table.seed + 99, table.policy(row))}","policy_name":"${policy.name}","resource_info":{"${keys.enforcement}":"${policy.action}",${rest},"${keys.resourceName}":"${workload.name}"}}`;
}

interface Keys {
  readonly project: string;
  readonly enterpriseProject: string;
  readonly created: string;
  readonly updated: string;
  readonly enforcement: string;
  readonly resourceName: string;
}

const SNAKE: Keys = {
  project: 'project_id',
  enterpriseProject: 'enterprise_project_id',
  created: 'create_time',
  updated: 'update_time',
  enforcement: 'enforcement_action',
  resourceName: 'resource_name',
};

/** The Chinese document spells these in camelCase and leaves event_id, cluster_id and others as they are. */
const CAMEL: Keys = {
  project: 'projectId',
  enterpriseProject: 'enterpriseProjectId',
  created: 'createTime',
  updated: 'updateTime',
  enforcement: 'enforcementAction',
  resourceName: 'resourceName',
};

function classOf(policy: number): string {
  return `clusterprotect_10${(policy + 1).toString().padStart(2, '0')}`;
}

/** Pods carry the hash of their template and a suffix, other resources their plain name. */
function resourceName(policy: PolicyText, workload: string, hash: number): string {
  if (policy.kind === 'ClusterRole') return `${workload}-admin`;
  if (policy.kind !== 'Pod') return workload;
  let suffix = '';
  let left = hash;
  for (let index = 0; index < 5; index += 1) {
    suffix += POD_LETTERS[left % POD_LETTERS.length] ?? 'x';
    left = Math.floor(left / POD_LETTERS.length);
  }
  return `${workload}-${(hash >>> 8).toString(16).padStart(6, '0')}f9f-${suffix}`;
}
