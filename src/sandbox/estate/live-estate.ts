import type { Project } from '../auth/identities.ts';
import { type DocumentedOperation, isDocumented } from '../documented/lists.ts';
import { axisOf } from '../lists/list-page.ts';
import type { ChangeKind, SandboxSettings } from '../server/options.ts';
import { prepareChanges } from './churn.ts';
import { buildEstate, type EstateState, type ListName, type TrueRecord, trueRecords } from './estate.ts';

/** How much of everything a project holds at the moment. */
interface EstateCounts {
  readonly clusters: number;
  readonly events: number;
  readonly vulnerabilities: number;
  readonly operations: number;
  readonly instances: number;
  readonly reports: number;
}

/** One project of the sandbox, as tests and benchmarks handle it. */
export interface Estate {
  readonly project: Project;
  /**
   * Applies changes, of one kind or mixed; the same calls on the same seed make the same changes. Mixed ones change the documented
   * lists that were asked for as well, `documented` ones nothing else.
   */
  readonly step: (changes?: number, kind?: ChangeKind | 'documented') => void;
  readonly counts: () => EstateCounts;
  /** What a list holds now, across all enterprise projects. */
  readonly records: (list: ListName | DocumentedOperation) => Iterable<TrueRecord>;
  readonly clusterIds: () => readonly string[];
  readonly instanceIds: () => readonly string[];
  /** The time of the last change of the event list. */
  readonly newestEventTime: () => number;
}

/** An estate with the state behind it, which only the server sees. */
export interface LiveEstate {
  readonly estate: Estate;
  readonly state: EstateState;
}

/** Builds a project and the handle to it. */
export function openEstate(project: Project, settings: SandboxSettings): LiveEstate {
  const state = buildEstate(project, settings);
  // Sorting a million events takes a moment, which would otherwise be the first request's.
  state.events.views.all(axisOf(settings.lists.ListClusterEvents ?? {}));
  const change = prepareChanges(state, settings);
  const estate: Estate = {
    project,
    step: (changes = 1, kind) => {
      for (let index = 0; index < changes; index += 1) {
        if (kind !== 'documented') change(kind);
        if (kind === undefined || kind === 'documented') state.documented.change(settings.now());
      }
    },
    counts: () => ({
      clusters: state.clusters.filter((each) => !each.retired).length,
      events: state.events.live,
      vulnerabilities: new Set(state.findings.findings.map((each) => each.vulnerability.id)).size,
      operations: state.history.size,
      instances: state.audit.instances.length,
      reports: state.audit.reports.length,
    }),
    records: (list) => (isDocumented(list) ? state.documented.records(list) : trueRecords(state, list)),
    clusterIds: () => state.clusters.map((each) => each.id),
    instanceIds: () => state.audit.instances.map((each) => each.id),
    newestEventTime: () => state.events.newest,
  };
  return { estate, state };
}
