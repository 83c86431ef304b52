import { ALL_ENTERPRISE_PROJECTS } from '../auth/identities.ts';
import { type Cluster, clusterReportText, protectedClusterText, severityOf } from '../estate/clusters.ts';
import type { EstateState } from '../estate/estate.ts';
import type { ProjectHandler } from '../server/call.ts';
import type { SandboxSettings } from '../server/options.ts';
import { hssChoice, hssOptional, hssWindow } from '../server/parameters.ts';
import { hssParameterError, ok, type Reply } from '../server/replies.ts';
import { kubernetesClusterText } from './kubernetes-cluster-text.ts';
import { axisOf, cutPage, type ListBehaviour } from './list-page.ts';

/** `all`, or the index of an enterprise project; an unknown one has no resources. */
export type EnterpriseFilter = 'all' | number;

/** Parses the enterprise project filter. Without it, the API shows only the default enterprise project. */
export function enterpriseFilter(query: URLSearchParams, estate: EstateState): EnterpriseFilter {
  const id = hssOptional(query, 'enterprise_project_id') ?? '0';
  return id === ALL_ENTERPRISE_PROJECTS ? 'all' : estate.enterpriseProjectIds.indexOf(id);
}

/** Where a list response differs from most. */
interface ListForm {
  /** Members between the count and the list, as JSON text that ends with a comma. */
  readonly extra?: string;
  /** Name of the list. */
  readonly key?: string;
}

/** An HSS list response from finished records. */
export function hssList(total: number, records: readonly string[], form: ListForm = {}): Reply {
  const { extra = '', key = 'data_list' } = form;
  return ok(`{"total_num":${total},${extra}"${key}":[${records.join(',')}]}`);
}

const EVENTS: ListBehaviour = { order: 'update_desc' };

/** The events of cluster protection, cut at the cap. */
export const listEvents: ProjectHandler = ({ settings, query, salt }, estate) => {
  const { offset, limit } = hssWindow(query, 'required');
  const clusterId = hssOptional(query, 'cluster_id');
  const filter = enterpriseFilter(query, estate);
  const { events, clusters } = estate;
  const behaviour = { ...EVENTS, ...settings.lists.ListClusterEvents };
  const listed = (cluster: Cluster | undefined): boolean => filter === 'all' || cluster?.enterpriseProject === filter;
  const belongs = (row: number): boolean => listed(clusters[events.cluster(row)]);
  // All unknown clusters share one more group, which stays empty.
  const division = { groups: clusters.length + 1, groupOf: (row: number) => events.cluster(row) };
  const cluster = clusters.findIndex((each) => each.id === clusterId && listed(each));
  const list =
    clusterId === undefined
      ? events.views.view(axisOf(behaviour), `${filter}`, belongs)
      : events.views.group(axisOf(behaviour), division, cluster < 0 ? clusters.length : cluster);
  const hint = lastUpdateTime(settings, estate, events.newest);
  const total = Math.min(list.size, settings.eventCap);
  if (offset >= settings.eventCap) {
    if (settings.beyondEventCap === 'empty') return hssList(total, [], { extra: hint });
    return hssParameterError(`offset must be below ${settings.eventCap}`);
  }
  const page = cutPage(list, { behaviour, offset, limit: Math.min(limit, settings.eventCap - offset), salt });
  const texts = estate.eventTexts[behaviour.casing ?? 'snake'];
  return ok(texts.page(page.rows, `{"total_num":${total},${hint}"data_list":[`, ']}'));
};

/** The update time of the whole list. Its meaning is undocumented, so all interpretations can be configured. */
function lastUpdateTime(settings: SandboxSettings, estate: EstateState, newest: number): string {
  if (settings.lastUpdateTime === 'absent') return '';
  const readings = { newest, silent: estate.startedAt, restless: settings.now() } as const;
  return `"last_update_time":${readings[settings.lastUpdateTime]},`;
}

/** The last security check of each cluster. */
export const listClusterReports: ProjectHandler = ({ settings, query, salt }, estate) => {
  const { offset, limit } = hssWindow(query, 'optional');
  const id = hssOptional(query, 'cluster_id');
  const name = hssOptional(query, 'cluster_name');
  const category = hssChoice(query, 'cluster_category', ['CCE', 'Turbo']);
  const severity = hssChoice(query, 'severity', ['Security', 'Insecurity']);
  const filter = enterpriseFilter(query, estate);
  const behaviour = { ...settings.lists.ListSecurityCheckClusterReports };
  const list = estate.clusterViews.all('update').filter((row) => {
    const cluster = estate.clusters[row];
    return (
      cluster !== undefined &&
      (filter === 'all' || cluster.enterpriseProject === filter) &&
      (id === undefined || cluster.id === id) &&
      (name === undefined || cluster.name.includes(name)) &&
      (category === undefined || cluster.category === category) &&
      (severity === undefined || severityOf(cluster) === severity)
    );
  });
  const page = cutPage(list, { behaviour, offset, limit, salt });
  return hssList(page.total, texts(page.rows, estate, clusterReportText));
};

/** The protected clusters. */
export const listProtectedClusters: ProjectHandler = ({ settings, query, salt }, estate) => {
  const { offset, limit } = hssWindow(query, 'required');
  const filter = enterpriseFilter(query, estate);
  const behaviour = { ...settings.lists.ListClusterProtectionInfo };
  const belongs = (row: number): boolean => filter === 'all' || estate.clusters[row]?.enterpriseProject === filter;
  const page = cutPage(estate.clusterViews.all('update').filter(belongs), { behaviour, offset, limit, salt });
  return hssList(page.total, texts(page.rows, estate, protectedClusterText));
};

/** All Kubernetes clusters; agent members are included on request only. */
export const listKubernetesClusters: ProjectHandler = ({ settings, query, salt }, estate) => {
  const { offset, limit } = hssWindow(query, 'optional');
  const name = hssOptional(query, 'cluster_name');
  const withAgents = hssChoice(query, 'load_agent_info', ['true', 'false']) === 'true';
  const filter = enterpriseFilter(query, estate);
  const behaviour = { ...settings.lists.ListKubernetesClusterDetails };
  const list = estate.clusterViews.all('update').filter((row) => {
    const cluster = estate.clusters[row];
    return (
      cluster !== undefined &&
      (filter === 'all' || cluster.enterpriseProject === filter) &&
      (name === undefined || cluster.name.includes(name))
    );
  });
  const page = cutPage(list, { behaviour, offset, limit, salt });
  const hint = lastUpdateTime(settings, estate, Math.max(0, ...estate.clusters.map((each) => each.scanTime)));
  const write = (cluster: Cluster) => kubernetesClusterText(cluster, estate, { withAgents });
  return hssList(page.total, texts(page.rows, estate, write), { extra: hint, key: 'cluster_info_list' });
};

function texts(rows: readonly number[], estate: EstateState, write: (cluster: Cluster) => string): string[] {
  return rows.flatMap((row) => {
    const cluster = estate.clusters[row];
    return cluster === undefined ? [] : [write(cluster)];
  });
}
