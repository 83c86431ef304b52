import type { Scope } from '../../core/account.ts';
import {
  type Attempt,
  type Clock,
  HIGHEST_PRIORITY,
  type Lane,
  type LaneQueue,
  type LaneToSend,
  type Logger,
  laneKey,
  type RunLog,
} from '../../core/ports.ts';
import { prerequisites, type Stream } from '../../core/stream/stream.ts';
import { HOUR_MS } from '../../core/stream/time.ts';
import { intervalBefore, isFrequent, onTicks, previousTick, priorityOf, tickEveryMs } from './cron.ts';

/** Dependencies of a scheduler. */
export interface SchedulerParts {
  readonly streams: readonly ScheduledStream[];
  readonly dueLanes: DueLanes;
  readonly queue: LaneQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Each lane waits up to this long, in ms, because many installations have ticks at the same second. */
  readonly jitterMs: number;
  /** Returns 0 to 1; default `Math.random`. Tests replace it. */
  readonly random?: () => number;
}

const RETRY_MS = 5_000;

/** Waits before the attempts to queue a lane that just ended, each twice as long as the one before: two minutes in all. */
const [FIRST_ATTEMPT_MS, LAST_ATTEMPT_MS] = [1_000, 64_000];

/**
 * Queues lanes with work: at their ticks, when the lane that they depend on has ended, and after a start if they missed
 * a tick. `DueLanes` decides which lanes these are, so a tick that fires twice or in several replicas is harmless.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #stop = new AbortController();
  #ticks: (() => void)[] = [];
  /** A failed round is waiting for its retry. One is enough, because it considers all streams. */
  #retrying = false;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Queues what is overdue, then follows the schedules. */
  async start(): Promise<void> {
    const { streams, clock } = this.#parts;
    await this.#enqueue({});
    this.#ticks = streams.map(({ stream, schedule }) =>
      onTicks(schedule, clock, () => void this.#enqueue({ streams: [stream.name] })),
    );
  }

  /** Like `hasRead`, and queues this lane, in `delayMs`, if it has work left; with `again` (out of time) as the last. */
  async ended(
    lane: Lane,
    { again, delayMs = 0 }: { readonly again: boolean; readonly delayMs?: number },
  ): Promise<void> {
    const { account, stream } = lane;
    const notBefore = this.#parts.clock.now() + delayMs;
    const dependants = this.#parts.dueLanes.dependants(stream);
    await this.#enqueue({ streams: again ? dependants : [stream, ...dependants], account }, { ...lane, notBefore });
    if (again) this.#sendWhenFree({ ...lane, notBefore }, null);
  }

  /** Queues the lanes that depend on this one, which has read a project and may be at work in others for long. */
  async hasRead({ account, stream }: Lane): Promise<void> {
    await this.#enqueue({ streams: this.#parts.dueLanes.dependants(stream), account });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const stop of this.#ticks.splice(0)) stop();
  }

  /** `ended` is in the queue until its handler returns. Never rejects: it retries until the database is back. */
  async #enqueue(wanted: DueFilter, ended?: EndedLane): Promise<void> {
    const { dueLanes, queue, logger, jitterMs, random = Math.random } = this.#parts;
    if (this.#stop.signal.aborted || wanted.streams?.length === 0) return;
    try {
      const due = await dueLanes.due(wanted);
      if (due.length === 0) return;
      const pending = await queue.pending();
      const ahead = Map.groupBy(pending, (key) => key.slice(key.lastIndexOf('/') + 1));
      const ready: LaneToSend[] = [];
      for (const lane of due) {
        const isEnded = ended !== undefined && laneKey(lane) === laneKey(ended);
        if (pending.has(laneKey(lane)) && !isEnded) continue;
        const { account, stream } = lane;
        const before = ahead.get(stream) ?? [];
        ahead.set(stream, [...before, laneKey(lane)]);
        const priority = this.#priorityOf(lane, before.length);
        const { isFrequent } = this.#rhythm(stream);
        if (isEnded) this.#sendWhenFree(ended, priority);
        else ready.push({ lane: { account, stream }, priority, isFrequent, delayMs: Math.round(jitterMs * random()) });
      }
      await queue.sendAll(ready);
    } catch (error) {
      // A stop does not wait for decisions, and closes the connections.
      if (this.#stop.signal.aborted) return;
      logger.warn({ err: error }, 'lanes could not be queued; trying again');
      void this.#retry();
    }
  }

  async #retry(): Promise<void> {
    const { clock, random = Math.random } = this.#parts;
    if (this.#retrying) return;
    this.#retrying = true;
    const slept = await clock.sleep(RETRY_MS * (0.5 + random()), this.#stop.signal).then(
      () => true,
      () => false,
    );
    this.#retrying = false;
    if (slept) await this.#enqueue({});
  }

  /**
   * `rank`: number of lanes of the stream that were queued before this one. Lanes that were never served are queued in
   * this order, the first one of each stream, then the second ones. Otherwise those of a few streams would take all
   * places, and the quota of the others would not be used.
   */
  #priorityOf({ stream, servedMs }: DueLane, rank: number): number {
    if (servedMs === Number.POSITIVE_INFINITY) return HIGHEST_PRIORITY - rank;
    return priorityOf({ servedAtMs: this.#parts.clock.now() - servedMs, everyMs: this.#rhythm(stream).everyMs });
  }

  #rhythm(name: string): { readonly everyMs: number; readonly isFrequent: boolean } {
    const schedule = this.#parts.streams.find(({ stream }) => stream.name === name)?.schedule;
    if (schedule === undefined) return { everyMs: 0, isFrequent: false };
    return { everyMs: tickEveryMs(schedule), isFrequent: isFrequent(schedule) };
  }

  /**
   * Queues a lane that is at work: it cannot be queued until its handler has returned, which takes seconds on a busy machine.
   * Without a priority it goes behind all others of its kind that have work. If all attempts fail, its next tick does it.
   */
  #sendWhenFree({ account, stream, notBefore }: EndedLane, fixed: number | null): void {
    const { clock, queue } = this.#parts;
    const { everyMs, isFrequent } = this.#rhythm(stream);
    const send = async () => {
      for (let waitMs = FIRST_ATTEMPT_MS; waitMs <= LAST_ATTEMPT_MS; waitMs *= 2) {
        await clock.sleep(waitMs, this.#stop.signal);
        const priority = fixed ?? priorityOf({ servedAtMs: clock.now(), everyMs });
        const delayMs = Math.max(0, notBefore - clock.now());
        if (await queue.send({ account, stream }, { priority, isFrequent, delayMs }).catch(() => false)) return;
      }
    };
    // Rejects only when the service stops.
    send().catch(() => {});
  }
}

/** A lane that was served. */
interface EndedLane extends Lane {
  /** Time in ms before which it is not served again. */
  readonly notBefore: number;
}

/** A stream with its configured schedule. */
export interface ScheduledStream {
  readonly stream: Stream;
  readonly schedule: string;
}

/** A lane with work, and how long its most overdue scope has waited. */
export interface DueLane extends Lane {
  /** Most overdue first; scopes whose last run was cut short come last. */
  readonly scopes: readonly Scope[];
  /** In ms; infinity if a scope was never read. */
  readonly waitedMs: number;
  /** Time since a due scope was last served, also by a run that was cut short, in ms; infinity if one never was. */
  readonly servedMs: number;
}

/** Dependencies of `DueLanes`. */
export interface DueLanesParts {
  readonly streams: readonly ScheduledStream[];
  readonly scopes: readonly Scope[];
  readonly runs: RunLog;
  readonly clock: Clock;
}

/**
 * How long a stream rests if all its lists were refused (no permission, or not published). Shorter if it was read
 * before, so that a permission removed by mistake does not cost a day of data.
 */
export const REST_MS = { neverRead: 24 * HOUR_MS, readBefore: HOUR_MS } as const;

/** Clocks of replicas differ: a run within this time before a tick was another replica's reaction to the same tick. */
const SKEW_MS = 30_000;

/** Limits what is decided, because each pair of stream and project costs a query; absent means all. */
export interface DueFilter {
  readonly streams?: readonly string[];
  readonly account?: string;
}

/**
 * Decides which scopes are due: those whose last attempt began before the last tick of the stream, and that do not wait
 * for their parent. This depends only on the runs in the database, so all replicas agree, and any number of missed ticks
 * leads to one run.
 */
export class DueLanes {
  readonly #parts: DueLanesParts;
  readonly #sinceMs: number;

  constructor(parts: DueLanesParts) {
    this.#parts = parts;
    this.#sinceMs = parts.clock.now();
  }

  /** All lanes with work, most overdue first. Rejects if the database is not reachable. */
  async due({ streams: names, account }: DueFilter = {}): Promise<readonly DueLane[]> {
    const { runs, streams } = this.#parts;
    const wanted = streams.filter(({ stream }) => names === undefined || names.includes(stream.name));
    const scopes = this.#parts.scopes.filter((scope) => account === undefined || scope.account === account);
    const needed = new Set(wanted.flatMap(({ stream }) => [stream, ...prerequisites(stream)]));
    const found = await runs.lastAttempts({
      streams: [...needed].map(({ name }) => name),
      projects: [...new Set(scopes.map(({ projectId }) => projectId))],
    });
    const attempts = new Map(found.map((attempt) => [`${attempt.projectId}/${attempt.stream}`, attempt]));
    const considered = streams.filter(({ stream }) => needed.has(stream));
    const limitsOf = new Map(considered.map(({ stream, schedule }) => [stream.name, this.#dueFromMs(schedule)]));
    const upMs = this.#parts.clock.now() - this.#sinceMs;
    return wanted
      .flatMap(({ stream, schedule }) =>
        dueLanesOf(stream, { scopes, attempts, limits: limitsOf, patienceMs: this.#patienceMs(schedule), upMs }),
      )
      .sort((a, b) => compareWaits(a.waitedMs, b.waitedMs));
  }

  /** The scopes of one lane that are due, most overdue first. */
  async dueScopes({ account, stream }: Lane): Promise<readonly Scope[]> {
    const [found] = await this.due({ account, streams: [stream] });
    return found?.scopes ?? [];
  }

  stream(name: string): Stream | null {
    return this.#parts.streams.find(({ stream }) => stream.name === name)?.stream ?? null;
  }

  /** Names of the streams that read rows of this one and therefore run after it. */
  dependants(name: string): readonly string[] {
    return this.#parts.streams.flatMap(({ stream }) =>
      prerequisites(stream).some((needed) => needed.name === name) ? [stream.name] : [],
    );
  }

  /** Time from the tick before the last one to the last one, in ms: a night, for the first tick of a day. */
  #patienceMs(schedule: string): number {
    const tick = previousTick(schedule, new Date(this.#parts.clock.now()));
    return (tick === null ? null : intervalBefore(schedule, tick)) ?? 0;
  }

  /** Age in ms from which an attempt counts as older than the last tick. */
  #dueFromMs(schedule: string): number {
    const now = new Date(this.#parts.clock.now());
    const tick = previousTick(schedule, now);
    if (tick === null) return Number.POSITIVE_INFINITY;
    const interval = intervalBefore(schedule, tick) ?? SKEW_MS;
    return now.getTime() - tick.getTime() + Math.min(SKEW_MS, interval / 2);
  }
}

/** What decides whether a stream is due. */
interface DueInput {
  readonly scopes: readonly Scope[];
  /** By project and stream. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** Age in ms from which an attempt counts as older than the last tick, by stream. */
  readonly limits: ReadonlyMap<string, number>;
  /**
   * How long a scope that is due waits for its parent, in ms since the tick after its last attempt. The next tick is
   * as far from that one.
   */
  readonly patienceMs: number;
  /** How long the service has been deciding, in ms. */
  readonly upMs: number;
}

function dueLanesOf(stream: Stream, considered: DueInput): DueLane[] {
  const byAccount = Map.groupBy(considered.scopes, ({ account }) => account);
  return [...byAccount].flatMap(([account, scopes]) => {
    const due = scopes
      .flatMap((scope) => {
        const attempt = considered.attempts.get(`${scope.projectId}/${stream.name}`);
        if (!isDue(stream, scope, considered) || mustWait(stream, scope, considered)) return [];
        const [waitedMs, servedMs] = [attempt?.ageMs ?? NEVER, attempt?.servedMs ?? NEVER];
        return [{ scope, waitedMs, servedMs }];
      })
      .sort((a, b) => compareWaits(a.servedMs, b.servedMs));
    if (due.length === 0) return [];
    const waitedMs = Math.max(...due.map((one) => one.waitedMs));
    const servedMs = Math.max(...due.map((one) => one.servedMs));
    return [{ account, stream: stream.name, scopes: due.map(({ scope }) => scope), waitedMs, servedMs }];
  });
}

const NEVER = Number.POSITIVE_INFINITY;

/** Whether the stream has not been tried in the scope since its last tick. False for a disabled stream. */
function isDue({ name, parent: above }: Stream, { projectId }: Scope, { attempts, limits }: DueInput): boolean {
  const limitMs = limits.get(name);
  if (limitMs === undefined) return false;
  const attempt = attempts.get(`${projectId}/${name}`);
  const parent = attempts.get(`${projectId}/${above?.stream.name}`);
  const rests = isResting(attempt) || (attempt !== undefined && isResting(parent) && !parent?.wasComplete);
  const waitedMs = attempt?.ageMs ?? NEVER;
  return !rests && (waitedMs > limitMs || waitedMs === NEVER);
}

/**
 * Whether a scope that is due is read after a stream that it depends on and that is due as well: until that one was read
 * since, but no longer than to the next tick, because under a quota it may take its turn much later. A stream that was
 * never read is always waited for.
 */
function mustWait(stream: Stream, scope: Scope, considered: DueInput): boolean {
  const { attempts, limits, patienceMs, upMs } = considered;
  const own = attempts.get(`${scope.projectId}/${stream.name}`);
  const overdueMs = Math.min((own?.ageMs ?? NEVER) - (limits.get(stream.name) ?? 0), upMs);
  return prerequisites(stream).some((needed) => {
    if (!isDue(needed, scope, considered)) return false;
    const before = attempts.get(`${scope.projectId}/${needed.name}`);
    if (before === undefined) return true;
    const wasRead = !before.isRunning && before.servedMs < (own?.servedMs ?? NEVER);
    return !wasRead && overdueMs <= patienceMs;
  });
}

/**
 * All lists were refused recently. A child of a stream that was never read has no lists, so it rests with its parent.
 */
function isResting(attempt: Attempt | undefined): boolean {
  if (attempt === undefined || attempt.refusal === null || attempt.ageMs === null) return false;
  return attempt.ageMs < (attempt.wasComplete ? REST_MS.readBefore : REST_MS.neverRead) - SKEW_MS;
}

/** Compares without subtraction, because Infinity minus Infinity is NaN. */
function compareWaits(a: number, b: number): number {
  if (a === b) return 0;
  return a > b ? -1 : 1;
}
