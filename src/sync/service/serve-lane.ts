import { coerceError, DatabaseError } from '../../core/errors.ts';
import type { Lane } from '../../core/ports.ts';
import type { RunReport } from '../../core/store.ts';
import { type Engine, runStream } from '../run/run-stream.ts';
import type { DueLanes } from './due-lanes.ts';

export interface LaneParts {
  readonly engine: Engine;
  readonly dueLanes: DueLanes;
  /** After this, other lanes have their turn. */
  readonly budgetMs: number;
  readonly onReport: (report: RunReport) => void;
}

/** How long to wait before looking again whether another process has finished with a stream, or is dead. */
const BUSY_POLL_MS = 2_000;

/**
 * Serves the scopes of a lane that are due, stalest first, until none is left (`done`) or its time is over (`more`): between
 * scopes, and between the listings of one. A scope that fails does not keep the others from their turn. Rejects when it was aborted or the database is away, so that the
 * queue hands the lane out again.
 */
export async function serveLane(parts: LaneParts, lane: Lane, signal: AbortSignal): Promise<'done' | 'more'> {
  const { engine, dueLanes, budgetMs, onReport } = parts;
  const { clock, logger } = engine;
  const stream = dueLanes.stream(lane.stream);
  if (stream === null) {
    logger.warn({ ...lane }, 'a lane was queued that this configuration does not know');
    return 'done';
  }
  const until = clock.now() + budgetMs;
  const served = new Set<string>();
  const busy = new Set<string>();
  const failures: Error[] = [];
  for (;;) {
    signal.throwIfAborted();
    const left = (await dueLanes.dueScopes(lane)).filter(({ projectId }) => !served.has(projectId));
    if (left.length === 0) break;
    if (clock.now() >= until) return 'more';
    const next = left.find(({ projectId }) => !busy.has(projectId));
    if (next === undefined) {
      // A holder that stopped beating is taken over after a while; one that works will have done our work.
      busy.clear();
      await clock.sleep(BUSY_POLL_MS, signal);
      continue;
    }
    try {
      const report = await runStream(engine, { stream, scope: next }, { signal, until });
      if (report.status === 'busy') {
        busy.add(next.projectId);
        continue;
      }
      onReport(report);
      // Its time was over before its listings were: it is still due.
      if (report.status === 'incomplete' && report.reason === 'interrupted' && report.error === null) continue;
    } catch (error) {
      if (error instanceof DatabaseError) throw error;
      logger.error({ err: error, ...lane, project_id: next.projectId }, `${lane.stream}: broke off`);
      failures.push(coerceError(error));
    }
    served.add(next.projectId);
  }
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  return 'done';
}
