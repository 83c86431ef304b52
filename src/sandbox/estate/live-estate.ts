import type { Project } from '../auth/identities.ts';
import { type DocumentedOperation, isDocumented } from '../documented/lists.ts';
import { axisOf } from '../lists/list-page.ts';
import type { ChangeKind, SandboxSettings } from '../server/options.ts';
import { prepareChanges } from './churn.ts';
import { buildEstate, type EstateState, type ListName, type TrueRecord, trueRecords } from './estate.ts';

/** Current number of objects in a project. */
interface EstateCounts {
  readonly clusters: number;
  readonly events: number;
  readonly vulnerabilities: number;
  readonly operations: number;
  readonly instances: number;
  readonly reports: number;
}

/** A handle to one project of the sandbox, for tests and benchmarks. */
export interface Estate {
  readonly project: Project;
  /**
   * Makes changes, of one kind or mixed; the same calls with the same seed make the same changes. Mixed changes include
   * the documented lists generated so far; `documented` changes only those.
   */
  readonly step: (changes?: number, kind?: ChangeKind | 'documented') => void;
  readonly counts: () => EstateCounts;
  /** The current content of a list across all enterprise projects. */
  readonly records: (list: ListName | DocumentedOperation) => Iterable<TrueRecord>;
  readonly clusterIds: () => readonly string[];
  readonly instanceIds: () => readonly string[];
  /** The time of the last change of the event list. */
  readonly newestEventTime: () => number;
}

/** An estate with its internal state, which only the server uses. */
export interface LiveEstate {
  readonly estate: Estate;
  readonly state: EstateState;
}

/** Builds a project and its handle. */
export function openEstate(project: Project, settings: SandboxSettings): LiveEstate {
  const state = buildEstate(project, settings);
  // Sorts a large event list at the start, so that the first request does not have to.
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
