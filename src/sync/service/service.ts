import { coerceError, DatabaseError, SyncError } from '../../core/errors.ts';
import { type Lane, type LaneQueue, laneKey } from '../../core/ports.ts';
import type { RunReport } from '../../core/store.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Engine, runStream } from '../run/run-stream.ts';
import { onTicks } from './cron.ts';
import { type DueLanes, type ScheduledStream, Scheduler } from './scheduler.ts';

/** Dependencies of a service. */
export interface ServiceParts {
  readonly engine: Engine;
  readonly dueLanes: DueLanes;
  readonly streams: readonly ScheduledStream[];
  readonly queue: LaneQueue;
  /** Deletes old bookkeeping; returns null if another replica is doing so. */
  readonly prune?: () => Promise<object | null>;
  readonly onReport?: (report: RunReport) => void;
  /** Maximum random delay of a queued lane; 3 s if absent. */
  readonly jitterMs?: number;
  /** Time after which a lane gives way to other lanes; 15 minutes if absent. */
  readonly laneTimeLimitMs?: number;
  readonly waitMs?: LaneParts['waitMs'];
  /** Time in ms until the account may send a request for the stream from any address; 0 if absent. */
  readonly accountWaitMs?: (stream: Stream, account: string) => number;
}

/** State of a service; it only moves forward. */
export type ServiceState = 'starting' | 'running' | 'stopping' | 'stopped';

const RETRY_MS = 2_000;

/** Four times a day, which is often enough for data that is kept for weeks. */
const PRUNE_SCHEDULE = '17 */6 * * *';

/**
 * Polls until it is stopped: ticks queue lanes, and this process serves the lanes that the queue gives it concurrently.
 */
export class Service {
  readonly #parts: ServiceParts;
  readonly #scheduler: Scheduler;
  readonly #stop = new AbortController();
  /** Lanes that this process is serving. */
  readonly #serving = new Map<string, Promise<void>>();
  #stopPruning: () => void = () => {};
  #state: ServiceState = 'starting';
  #stopping: Promise<void> | null = null;

  constructor(parts: ServiceParts) {
    const { engine, dueLanes, streams, queue, jitterMs = 3_000 } = parts;
    this.#parts = parts;
    this.#scheduler = new Scheduler({ streams, dueLanes, queue, clock: engine.clock, logger: engine.logger, jitterMs });
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** Resolves when the queue works, and waits for the database. Throws errors that only a person can correct. */
  async start(): Promise<void> {
    const { queue, engine } = this.#parts;
    while (!this.#stop.signal.aborted) {
      try {
        await queue.start((lane, signal) => this.#serve(lane, signal));
        break;
      } catch (error) {
        if (error instanceof SyncError && error.recovery === 'fix-setup') throw error;
        engine.logger.warn({ err: coerceError(error) }, 'the queue could not be started; trying again');
        await engine.clock.sleep(RETRY_MS, this.#stop.signal).catch(() => {});
      }
    }
    if (this.#stop.signal.aborted) return;
    await this.#scheduler.start();
    this.#stopPruning = onTicks(PRUNE_SCHEDULE, engine.clock, () => void this.#prune());
    if (this.#state === 'starting') this.#state = 'running';
  }

  /** Reads no further page, finishes running transactions, releases locks and returns unfinished lanes to the queue. */
  stop(): Promise<void> {
    this.#stopping ??= this.#shutDown();
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    this.#state = 'stopping';
    // First, because otherwise the queue would hand aborted lanes to this process again.
    const queueStopped = this.#parts.queue.stop();
    this.#stop.abort(new Error('the service is stopping'));
    this.#stopPruning();
    await Promise.allSettled([this.#scheduler.stop(), queueStopped, ...this.#serving.values()]);
    this.#state = 'stopped';
  }

  async #prune(): Promise<void> {
    const { engine, prune } = this.#parts;
    try {
      const pruned = await prune?.();
      if (pruned) engine.logger.info(pruned, 'old bookkeeping was deleted');
    } catch (error) {
      engine.logger.warn(
        { err: coerceError(error) },
        'old bookkeeping could not be deleted; it will be tried again later',
      );
    }
  }

  #serve(lane: Lane, lost: AbortSignal): Promise<void> {
    const key = laneKey(lane);
    const work = this.#serveNow(lane, AbortSignal.any([lost, this.#stop.signal])).finally(() => {
      if (this.#serving.get(key) === work) this.#serving.delete(key);
    });
    this.#serving.set(key, work);
    return work;
  }

  async #serveNow(lane: Lane, signal: AbortSignal): Promise<void> {
    const { engine, dueLanes, laneTimeLimitMs = 15 * 60_000, onReport = () => {}, waitMs = () => 0 } = this.#parts;
    let outcome: LaneOutcome = 'done';
    const parts = { engine, dueLanes, timeLimitMs: laneTimeLimitMs, waitMs };
    const reported = (report: RunReport) => {
      onReport(report);
      void this.#scheduler.hasRead(lane);
    };
    try {
      outcome = await serveLane({ ...parts, onReport: reported }, lane, signal);
    } catch (error) {
      if (!signal.aborted)
        engine.logger.warn({ err: coerceError(error), ...lane }, 'the lane failed, and is queued again');
      throw error;
    }
    await this.#scheduler.ended(lane, { again: outcome === 'more', delayMs: this.#delayMs(lane, outcome) });
  }

  /** A lane whose account has no requests left would only wait in its next place, also behind another address. */
  #delayMs({ account, stream: name }: Lane, outcome: LaneOutcome): number {
    const { dueLanes, accountWaitMs = () => 0 } = this.#parts;
    const stream = dueLanes.stream(name);
    if (stream === null || outcome !== 'no requests left') return 0;
    return Math.max(0, accountWaitMs(stream, account) - SHORT_WAIT_MS - AHEAD_MS);
  }
}

/** Dependencies of serving a lane. */
export interface LaneParts {
  readonly engine: Engine;
  readonly dueLanes: DueLanes;
  /** Time in ms after which the lane gives way to other lanes. */
  readonly timeLimitMs: number;
  readonly onReport: (report: RunReport) => void;
  /** Time in ms until a request for the stream may be sent; 0 if absent, and for an account without a limit. */
  readonly waitMs?: (stream: Stream, account: string) => number;
}

/** How the serving of a lane ended: no scope is due, its time was over, or its requests were used up. */
export type LaneOutcome = 'done' | 'more' | 'no requests left';

/**
 * For a shorter wait for a request a lane gets a place, and keeps the one it has: it is ready when the request may be sent,
 * also on a busy machine, where a lane takes seconds to begin.
 */
export const SHORT_WAIT_MS = 10_000;

/** A delayed lane is in its turn again before the lanes that its address could not serve meanwhile get a place. */
const AHEAD_MS = 2_000;

/** Interval between checks whether another process has released a stream, or has died. */
const BUSY_POLL_MS = 2_000;

/**
 * Serves the due scopes of a lane, most overdue first, until none is left (`done`), the time is over (`more`), or
 * requests are used up, so that lanes of other streams have its place meanwhile. The time is checked between scopes and
 * between the listings of a scope, requests between scopes. A failed scope does not keep the others from being served.
 * Rejects if aborted or if the database is not reachable, so that the queue hands the lane out again.
 */
export async function serveLane(parts: LaneParts, lane: Lane, signal: AbortSignal): Promise<LaneOutcome> {
  const { engine, dueLanes, timeLimitMs, onReport, waitMs = () => 0 } = parts;
  const { clock, logger } = engine;
  const stream = dueLanes.stream(lane.stream);
  if (stream === null) {
    logger.warn({ ...lane }, 'a lane was queued that this configuration does not know');
    return 'done';
  }
  const until = clock.now() + timeLimitMs;
  const served = new Set<string>();
  const busy = new Set<string>();
  const failures: Error[] = [];
  for (;;) {
    signal.throwIfAborted();
    const left = (await dueLanes.dueScopes(lane)).filter(({ projectId }) => !served.has(projectId));
    if (left.length === 0) break;
    if (clock.now() >= until) return 'more';
    if (served.size > 0 && failures.length === 0 && waitMs(stream, lane.account) > SHORT_WAIT_MS)
      return 'no requests left';
    const next = left.find(({ projectId }) => !busy.has(projectId));
    if (next === undefined) {
      // A holder without heartbeat loses its lock after some time. A working holder does this lane's work.
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
      // Its time ran out before all listings were read, so it is still due.
      if (report.status === 'incomplete' && report.reason === 'interrupted' && report.error === null) continue;
    } catch (error) {
      if (error instanceof DatabaseError) throw error;
      logger.error({ err: error, ...lane, project_id: next.projectId }, `${lane.stream}: the run failed`);
      failures.push(coerceError(error));
    }
    served.add(next.projectId);
  }
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  return 'done';
}
