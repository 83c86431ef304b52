import type { ChangeKind, SandboxSettings } from '../server/options.ts';
import { beginReport } from './audit.ts';
import { rescan } from './clusters.ts';
import type { EstateState } from './estate.ts';
import { choosePolicy, clusterChooser } from './events.ts';
import type { Estate } from './live-estate.ts';
import { inventRecord } from './operations.ts';
import { cumulate, weightedIndex } from './random.ts';

/** Makes one change to an estate. */
export type Change = (kind?: ChangeKind) => void;

const KINDS = ['event', 'handled', 'report', 'rescan', 'operation', 'scan', 'removed'] as const;

/** Prepares changes to an estate; each call makes one, of the given kind or a kind chosen by weight. */
export function prepareChanges(state: EstateState, settings: SandboxSettings): Change {
  const totals = cumulate(KINDS.map((kind) => settings.churnMix[kind] ?? 0));
  let last = 0;
  // Times of changes are unique, so that the newest row is unambiguous even with a stopped clock (in tests).
  const time = (): number => {
    last = Math.max(settings.now(), last + 1);
    return last - state.random.int(settings.lateArrivalMs + 1);
  };
  const changes: Readonly<Record<ChangeKind, () => void>> = {
    event: () => addEvent(state, time()),
    handled: () => handleEvent(state, time()),
    report: () => advanceReport(state, time()),
    rescan: () => rescanCluster(state, time()),
    operation: () => addOperation(state, time()),
    scan: () => rescanFinding(state, time()),
    removed: () => removeEvent(state),
  };
  return (kind) => changes[kind ?? KINDS[weightedIndex(totals, state.random.next())] ?? 'event']();
}

function addEvent({ events, clusters, random }: EstateState, time: number): void {
  if (clusters.length === 0) return;
  const cluster = clusterChooser(clusters)(random.next());
  const workload = random.int(clusters[cluster]?.workloads.length ?? 1);
  events.add({ created: time, updated: time, cluster, policy: choosePolicy(random.next()), workload, handled: false });
}

/** Tries a number of random rows; undefined if none fits, as in a list where everything is handled. */
function findEvent({ events, random }: EstateState, fits: (row: number) => boolean): number | undefined {
  for (let attempt = 0; attempt < 64 && events.size > 0; attempt += 1) {
    const row = random.int(events.size);
    if (fits(row)) return row;
  }
  return undefined;
}

function handleEvent(state: EstateState, time: number): void {
  const row = findEvent(state, (each) => state.events.isOpen(each));
  if (row !== undefined) state.events.handle(row, time);
}

function removeEvent(state: EstateState): void {
  const row = findEvent(state, (each) => !state.events.isGone(each));
  if (row !== undefined) state.events.remove(row);
}

function rescanCluster({ clusters, clusterViews, random }: EstateState, time: number): void {
  if (clusters.length === 0) return;
  const row = random.int(clusters.length);
  const cluster = clusters[row];
  if (cluster !== undefined && !cluster.retired) clusterViews.change(row, () => rescan(cluster, random, time));
}

/** Finishes a report in progress; without one, starts a new report. */
function advanceReport({ audit, random, seed }: EstateState, time: number): void {
  const { reports, instances, views } = audit;
  const running = instances.flatMap(({ status }, index) => (status === 'ACTIVE' ? [index] : []));
  if (running.length === 0) return;
  const row = reports.findLastIndex((each) => each.percentum < 100 && !each.stuck);
  const report = reports[row];
  if (report === undefined) {
    const index = reports.length;
    reports.push(beginReport({ instance: running[random.int(running.length)] ?? 0, index, seed, time }));
    views.insert(index);
    return;
  }
  report.percentum = Math.min(100, report.percentum + 60);
  if (report.percentum === 100) report.finish = time;
}

function rescanFinding({ findings, random }: EstateState, time: number): void {
  if (findings.findings.length === 0) return;
  const row = random.int(findings.findings.length);
  findings.views.change(row, () => {
    const finding = findings.findings[row];
    if (finding !== undefined) finding.scanTime = time;
  });
}

/** Adds a handling of a vulnerability, usually of one that was handled before. */
function addOperation({ findings, history, random }: EstateState, time: number): void {
  const wanted = random.chance(0.85) ? 'handled' : 'unhandled';
  for (let attempt = 0; attempt < 64; attempt += 1) {
    const row = random.int(Math.max(1, findings.findings.length));
    const finding = findings.findings[row];
    const usual = finding?.imageType === 'local' || finding?.imageType === 'registry';
    if (finding === undefined || !usual || !finding.statuses.includes(wanted)) continue;
    history.add(
      inventRecord({ finding, random, time, handleType: random.chance(0.75) ? 'ignore' : 'add_to_whitelist' }),
    );
    if (!finding.statuses.includes('handled')) {
      findings.views.change(row, () => {
        finding.statuses = ['handled'];
      });
    }
    return;
  }
}

const TICK_MS = 1_000;

/** Changes each estate at the given rate per minute; returns a function that stops it. */
export function startChurn(estates: Iterable<Estate>, changesPerMinute: number): () => void {
  if (changesPerMinute <= 0) return () => undefined;
  const all = [...estates];
  let owed = 0;
  const timer = setInterval(() => {
    owed += (changesPerMinute * TICK_MS) / 60_000;
    const due = Math.floor(owed);
    owed -= due;
    for (const estate of all) estate.step(due);
  }, TICK_MS);
  // An unclosed sandbox must not keep its process alive.
  timer.unref();
  return () => clearInterval(timer);
}
