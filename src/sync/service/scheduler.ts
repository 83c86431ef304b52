import type { Scope } from '../../core/account.ts';
import {
  type Attempt,
  type Clock,
  HIGHEST_PRIORITY,
  type KeptPlaces,
  type Lane,
  type LaneQueue,
  type Logger,
  laneKey,
  type RunLog,
} from '../../core/ports.ts';
import { prerequisites, type Stream } from '../../core/stream/stream.ts';
import { intervalBefore, onTicks, previousTick, tickEveryMs } from './cron.ts';

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
    await this.#enqueue(() => true);
    this.#ticks = streams.map(({ stream, schedule }) =>
      onTicks(schedule, clock, () => void this.#enqueue((due) => due.stream === stream.name)),
    );
  }

  /**
   * Queues the lanes that depend on this one, and with `again` also this one, because its time ran out before its work.
   */
  async ended(lane: Lane, { again }: { readonly again: boolean }): Promise<void> {
    const dependants = this.#parts.dueLanes.dependants(lane.stream);
    const mayStart = (due: DueLane) => due.account === lane.account && dependants.includes(due.stream);
    if (dependants.length > 0) await this.#enqueue(mayStart, laneKey(lane));
    if (again) this.#sendWhenFree(lane);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const stop of this.#ticks.splice(0)) stop();
  }

  /** Never rejects: on failure it retries until the database is back. */
  async #enqueue(wanted: (due: DueLane) => boolean, ended?: string): Promise<void> {
    const { dueLanes, queue, logger } = this.#parts;
    if (this.#stop.signal.aborted) return;
    try {
      const due = await dueLanes.due();
      const blocking = new Set([...(await queue.pending()), ...due.map(laneKey)]);
      if (ended !== undefined) blocking.delete(ended);
      const ready = due.filter((lane) => wanted(lane) && !this.#needs(lane).some((key) => blocking.has(key)));
      const sent = new Map<string, number>();
      for (const lane of ready) {
        const rank = sent.get(lane.stream) ?? 0;
        sent.set(lane.stream, rank + 1);
        await this.#send(lane, rank);
      }
    } catch (error) {
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
    if (slept) await this.#enqueue(() => true);
  }

  /** Keys of the lanes whose rows this lane reads. It waits for those of them that have work. */
  #needs({ account, stream }: Lane): readonly string[] {
    const definition = this.#parts.dueLanes.stream(stream);
    return definition === null ? [] : prerequisites(definition).map(({ name }) => laneKey({ account, stream: name }));
  }

  /**
   * `rank`: number of lanes of the stream that were queued before this one. Lanes that were never served are queued in
   * this order, the first one of each stream, then the second ones. Otherwise those of a few streams would take all
   * places, and the quota of the others would not be used.
   */
  async #send({ account, stream, servedMs }: DueLane, rank: number): Promise<void> {
    const { queue, clock, jitterMs, random = Math.random } = this.#parts;
    const { everyMs, isFrequent } = this.#rhythm(stream);
    const neverServed = servedMs === Number.POSITIVE_INFINITY;
    const priority = neverServed
      ? HIGHEST_PRIORITY - rank
      : priorityOf({ servedAtMs: clock.now() - servedMs, everyMs });
    await queue.send({ account, stream }, { priority, isFrequent, delayMs: Math.round(jitterMs * random()) });
  }

  #rhythm(name: string): { readonly everyMs: number; readonly isFrequent: boolean } {
    const schedule = this.#parts.streams.find(({ stream }) => stream.name === name)?.schedule;
    if (schedule === undefined) return { everyMs: 0, isFrequent: false };
    return { everyMs: tickEveryMs(schedule), isFrequent: isFrequent(schedule) };
  }

  /**
   * Queues a lane behind all others of its kind that have work. It cannot be queued while it runs, and it runs until
   * its handler has returned. If all attempts fail, its next tick does it.
   */
  #sendWhenFree(lane: Lane): void {
    const { clock, logger } = this.#parts;
    const { everyMs, isFrequent } = this.#rhythm(lane.stream);
    const send = async () => {
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await clock.sleep(1_000, this.#stop.signal);
        const priority = priorityOf({ servedAtMs: clock.now(), everyMs });
        if (await this.#parts.queue.send(lane, { priority, isFrequent, delayMs: 0 })) return;
      }
    };
    send().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) logger.debug({ err: error, ...lane }, 'the lane waits for its next tick');
    });
  }
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

const HOUR_MS = 3_600_000;

/**
 * How long a stream rests if all its lists were refused (no permission, or not published). Shorter if it was read
 * before, so that a permission removed by mistake does not cost a day of data.
 */
export const REST_MS = { neverRead: 24 * HOUR_MS, readBefore: HOUR_MS } as const;

/** Clocks of replicas differ: a run within this time before a tick was another replica's reaction to the same tick. */
const SKEW_MS = 30_000;

/**
 * Decides which scopes are due: those whose last attempt began before the last tick of the stream. This depends only on
 * the runs in the database, so all replicas agree, and any number of missed ticks leads to one run.
 */
export class DueLanes {
  readonly #parts: DueLanesParts;

  constructor(parts: DueLanesParts) {
    this.#parts = parts;
  }

  /** All lanes with work, most overdue first. Rejects if the database is not reachable. */
  async due(): Promise<readonly DueLane[]> {
    return await this.#due(this.#parts.streams, this.#parts.scopes);
  }

  async #due(streams: readonly ScheduledStream[], scopes: readonly Scope[]): Promise<readonly DueLane[]> {
    const { runs } = this.#parts;
    const attempts = new Map(
      (await runs.lastAttempts()).map((attempt) => [`${attempt.projectId}/${attempt.stream}`, attempt]),
    );
    // Streams share a few schedules, and finding the last tick of one is slow.
    const limits = new Map(
      [...new Set(streams.map(({ schedule }) => schedule))].map((one) => [one, this.#dueFromMs(one)]),
    );
    return streams
      .flatMap(({ stream, schedule }) => dueLanesOf(stream, { scopes, attempts, limitMs: limits.get(schedule) ?? 0 }))
      .sort((a, b) => compareWaits(a.waitedMs, b.waitedMs));
  }

  /** The scopes of one lane that are due, most overdue first. */
  async dueScopes(lane: Lane): Promise<readonly Scope[]> {
    const { streams, scopes } = this.#parts;
    const [found] = await this.#due(
      streams.filter(({ stream }) => stream.name === lane.stream),
      scopes.filter(({ account }) => account === lane.account),
    );
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
interface Considered {
  readonly scopes: readonly Scope[];
  /** By project and stream. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** Age in ms from which an attempt counts as older than the last tick. */
  readonly limitMs: number;
}

function dueLanesOf(stream: Stream, { scopes, attempts, limitMs }: Considered): DueLane[] {
  const byAccount = Map.groupBy(scopes, ({ account }) => account);
  return [...byAccount].flatMap(([account, scopes]) => {
    const waits = scopes.map((scope) => {
      const attempt = attempts.get(`${scope.projectId}/${stream.name}`);
      const parent = attempts.get(`${scope.projectId}/${stream.parent?.stream.name}`);
      const waitedMs = attempt?.ageMs ?? Number.POSITIVE_INFINITY;
      const rests = isResting(attempt) || (attempt !== undefined && isResting(parent) && !parent?.wasComplete);
      return { scope, waitedMs, rests, servedMs: attempt?.servedMs ?? Number.POSITIVE_INFINITY };
    });
    const due = waits
      .filter(({ waitedMs, rests }) => !rests && (waitedMs > limitMs || waitedMs === Number.POSITIVE_INFINITY))
      .sort((a, b) => compareWaits(a.servedMs, b.servedMs));
    if (due.length === 0) return [];
    const waitedMs = Math.max(...due.map((one) => one.waitedMs));
    const servedMs = Math.max(...due.map((one) => one.servedMs));
    return [{ account, stream: stream.name, scopes: due.map(({ scope }) => scope), waitedMs, servedMs }];
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

/** A stream whose schedule fires at least this often, in ms, has places that long walks of other streams cannot take. */
const FREQUENT_MS = 2 * 60_000;

/** Whether the lanes of a schedule use the places that are kept for frequent ones. */
export function isFrequent(schedule: string): boolean {
  return tickEveryMs(schedule) <= FREQUENT_MS;
}

/**
 * Places kept for frequent lanes and for all others. A walk keeps its place while it waits for its quota, up to many
 * minutes, so without them a minute's lane would wait that long for a place. Each kind has at least a third, so none
 * starves.
 */
export function keptPlaces(schedules: readonly string[], concurrency: number): KeptPlaces {
  if (schedules.length <= 1) return { frequent: 0, others: 0 };
  const most = Math.floor(concurrency / 3);
  const frequent = schedules.filter(isFrequent).length;
  return { frequent: Math.min(most, frequent), others: Math.min(most, schedules.length - frequent) };
}

/** Start of the count of seconds in priorities, which suffices until 2054. */
const PRIORITIES_FROM_MS = Date.UTC(2020, 0, 1);
/** Lanes with longer schedules would otherwise wait for as long if all places are in use. */
const LONGEST_INTERVAL_MS = 3_600_000;

/** When a lane was last served and how often its stream fires. */
export interface Served {
  /** In ms since the epoch. */
  readonly servedAtMs: number;
  /** Interval of the schedule, in ms. */
  readonly everyMs: number;
}

/**
 * Priority of a lane: the earlier it should be served again by its schedule, the higher. It depends on that time and
 * not on how long ago it is, because the queue keeps it: lanes queued later, after a shorter wait, must not go first.
 */
export function priorityOf({ servedAtMs, everyMs }: Served): number {
  const deadline = servedAtMs + Math.min(everyMs, LONGEST_INTERVAL_MS);
  return HIGHEST_PRIORITY - Math.max(0, Math.floor((deadline - PRIORITIES_FROM_MS) / 1000));
}
