import type { Project } from '../auth/identities.ts';
import { DocumentedEstate } from '../documented/documented-estate.ts';
import { reportText } from '../lists/audit-text.ts';
import { EventTexts } from '../lists/event-text.ts';
import { kubernetesClusterText } from '../lists/kubernetes-cluster-text.ts';
import type { EstateSize, SandboxSettings } from '../server/options.ts';
import { type AuditTable, buildAudit } from './audit.ts';
import { buildClusters, type Cluster, clusterReportText, protectedClusterText } from './clusters.ts';
import type { EventTable } from './event-table.ts';
import { buildEvents } from './events.ts';
import { buildHistory, type HandlingHistory, handlingText } from './operations.ts';
import { hashPair, mix, type Random, rankOf, seedOf, startRandom } from './random.ts';
import { Views } from './views.ts';
import { buildFindings, type FindingTable, findingText } from './vulnerabilities.ts';

/** All data of one project. */
export interface EstateState {
  readonly project: Project;
  readonly seed: number;
  readonly random: Random;
  readonly startedAt: number;
  readonly enterpriseProjectIds: readonly string[];
  readonly clusters: readonly Cluster[];
  readonly clusterViews: Views;
  readonly events: EventTable;
  readonly eventTexts: Readonly<Record<'snake' | 'camel', EventTexts>>;
  readonly findings: FindingTable;
  readonly history: HandlingHistory;
  readonly audit: AuditTable;
  /** The lists generated from the facts. */
  readonly documented: DocumentedEstate;
}

/**
 * Builds an estate. The same seed and project give the same estate at any time of day; only its times follow the clock.
 */
export function buildEstate(project: Project, settings: SandboxSettings): EstateState {
  const seed = mix(seedOf(`${settings.seed}`) ^ seedOf(project.id));
  const now = settings.now();
  const size = sizeOf(project, settings);
  const enterpriseProjectIds = settings.enterpriseProjects.map((each) => each.id);
  // Each part has its own generator, so that more events do not change the vulnerabilities.
  const part = (number: number): Random => startRandom(hashPair(seed, number));
  const common = { seed, now, enterpriseProjects: enterpriseProjectIds.length };
  const clusters = buildClusters({ ...common, size, random: part(1), region: project.region });
  const eventTies = settings.lists.ListClusterEvents?.ties ?? 1;
  const findings = buildFindings({
    ...common,
    vulnerabilities: size.vulnerabilities,
    random: part(3),
    ties: settings.lists.ListGeneralImageVuls?.ties ?? 1,
  });
  const events = buildEvents({
    ...common,
    events: size.events,
    random: part(2),
    clusters,
    incidentsStrike: size.noisyCluster,
    ties: eventTies,
  });
  const texts = { table: events, clusters, projectId: project.id, enterpriseProjectIds };
  const audit = buildAudit({ ...common, instances: size.instances, reports: size.reports, random: part(5) });
  return {
    project,
    seed,
    random: part(9),
    startedAt: now,
    enterpriseProjectIds,
    clusters,
    clusterViews: clusterViews(clusters, seed),
    events,
    eventTexts: { snake: new EventTexts(texts, 'snake'), camel: new EventTexts(texts, 'camel') },
    findings,
    history: buildHistory(findings, part(4), now),
    audit,
    documented: new DocumentedEstate({
      seed,
      startedAt: now,
      project,
      hosts: size.hosts,
      enterpriseProjects: settings.enterpriseProjects,
      clusters,
      findings,
      audit,
    }),
  };
}

function sizeOf(project: Project, settings: SandboxSettings): EstateSize {
  return {
    clusters: project.clusters ?? settings.clusters,
    retiredClusters: project.retiredClusters ?? settings.retiredClusters,
    noisyCluster: settings.noisyCluster,
    events: project.events ?? settings.events,
    vulnerabilities: project.vulnerabilities ?? settings.vulnerabilities,
    instances: project.instances ?? settings.instances,
    reports: project.reports ?? settings.reports,
    hosts: project.hosts ?? settings.hosts,
  };
}

function clusterViews(clusters: readonly Cluster[], seed: number): Views {
  const keys = { time: (row: number) => clusters[row]?.scanTime ?? 0, tie: (row: number) => rankOf(seed, row) };
  const listed = clusters.flatMap((each, row) => (each.retired ? [] : [row]));
  return new Views({ update: keys, create: keys }, () => Uint32Array.from(listed));
}

/** Names of lists in tests. */
export type ListName =
  | 'events'
  | 'clusterReports'
  | 'clusters'
  | 'kubernetesClusters'
  | 'vulnerabilities'
  | 'operations'
  | 'reports';

/** A record currently in a list, with the values known only from the request. */
export interface TrueRecord {
  readonly request: Readonly<Record<string, string>>;
  readonly text: string;
}

/** The current content of a list across all enterprise projects: what a correct reader ends up with. */
export function* trueRecords(state: EstateState, list: ListName): Generator<TrueRecord> {
  const listed = state.clusters.filter((each) => !each.retired);
  if (list === 'events') {
    for (let row = 0; row < state.events.size; row += 1) {
      if (!state.events.isGone(row)) yield { request: {}, text: state.eventTexts.snake.page([row]).toString() };
    }
  } else if (list === 'clusterReports') {
    for (const cluster of listed) yield { request: {}, text: clusterReportText(cluster) };
  } else if (list === 'clusters') {
    for (const cluster of listed) yield { request: {}, text: protectedClusterText(cluster) };
  } else if (list === 'kubernetesClusters') {
    for (const cluster of listed)
      yield { request: {}, text: kubernetesClusterText(cluster, state, { withAgents: false }) };
  } else if (list === 'vulnerabilities') {
    for (const finding of state.findings.findings) {
      const { imageType: image_type, vulnerability } = finding;
      for (const handle_status of finding.statuses) {
        yield { request: { image_type, handle_status, type: vulnerability.type }, text: findingText(finding) };
      }
    }
  } else if (list === 'operations') {
    for (const record of state.history.all()) {
      const image_type = record.finding.imageType === 'local' ? 'local_image' : 'registry';
      yield { request: { image_type, vul_id: record.finding.vulnerability.id }, text: handlingText(record) };
    }
  } else {
    for (const report of state.audit.reports) {
      const instance_id = state.audit.instances[report.instance]?.id ?? '';
      yield { request: { instance_id }, text: reportText(report, 'UTC') };
    }
  }
}
