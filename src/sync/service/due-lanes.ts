import type { Scope } from '../../core/account.ts';
import { type Attempt, type Clock, type Lane, laneKey, type RunLog } from '../../core/ports.ts';
import { prerequisites, type Stream } from '../../core/stream/stream.ts';
import { intervalBefore, previousTick } from './cron.ts';

/** A stream the service polls, with the schedule that holds for it. */
export interface ScheduledStream {
  readonly stream: Stream;
  readonly schedule: string;
}

/** A lane with work, and how long its stalest scope has waited. */
export interface DueLane extends Lane {
  /** Stalest first; those that were cut short come after the others. */
  readonly scopes: readonly Scope[];
  /** Infinity for a scope that was never read. */
  readonly waitedMs: number;
}

export interface AgendaParts {
  readonly streams: readonly ScheduledStream[];
  readonly scopes: readonly Scope[];
  readonly runs: RunLog;
  readonly clock: Clock;
}

const HOUR_MS = 3_600_000;

/**
 * How long a stream rests whose lists were all refused, for want of permission or because they are not published: a day, and an
 * hour where it was read before, so that a permission that was taken away by mistake does not cost a day of data.
 */
export const REST_MS = { neverRead: 24 * HOUR_MS, readBefore: HOUR_MS } as const;

/** Clocks of replicas differ: a run so shortly before a tick was another replica's answer to the same tick. */
const SKEW_MS = 30_000;

/**
 * Who is due: a scope whose last attempt began before its stream's last tick. It follows from the runs in the database
 * alone, so any number of replicas agree on it, a tick that was missed is made up for, and a hundred missed ones once.
 */
export class DueLanes {
  readonly #parts: AgendaParts;

  constructor(parts: AgendaParts) {
    this.#parts = parts;
  }

  /** Every lane with work, stalest first. */
  async due(): Promise<readonly DueLane[]> {
    const { streams, runs } = this.#parts;
    const attempts = new Map(
      (await runs.lastAttempts()).map((attempt) => [`${attempt.projectId}/${attempt.stream}`, attempt]),
    );
    return streams
      .flatMap((scheduled) => this.#dueLanes(scheduled, attempts))
      .sort((a, b) => compareWaits(a.waitedMs, b.waitedMs));
  }

  /** The scopes of one lane that are due, stalest first. */
  async dueScopes(lane: Lane): Promise<readonly Scope[]> {
    const found = (await this.due()).find((due) => laneKey(due) === laneKey(lane));
    return found?.scopes ?? [];
  }

  stream(name: string): Stream | null {
    return this.#parts.streams.find(({ stream }) => stream.name === name)?.stream ?? null;
  }

  /** Streams that read rows of this one, and so should come after it. */
  dependants(name: string): readonly string[] {
    return this.#parts.streams.flatMap(({ stream }) =>
      prerequisites(stream).some((needed) => needed.name === name) ? [stream.name] : [],
    );
  }

  #dueLanes({ stream, schedule }: ScheduledStream, attempts: ReadonlyMap<string, Attempt>): DueLane[] {
    const limitMs = this.#dueFromMs(schedule);
    const byAccount = Map.groupBy(this.#parts.scopes, ({ account }) => account);
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
      return [{ account, stream: stream.name, scopes: due.map(({ scope }) => scope), waitedMs }];
    });
  }

  /** An attempt older than this missed the last tick. */
  #dueFromMs(schedule: string): number {
    const now = new Date(this.#parts.clock.now());
    const tick = previousTick(schedule, now);
    if (tick === null) return Number.POSITIVE_INFINITY;
    const interval = intervalBefore(schedule, tick) ?? SKEW_MS;
    return now.getTime() - tick.getTime() + Math.min(SKEW_MS, interval / 2);
  }
}

/** A child of what could never be read has no lists: it rests with its parent. */
function isResting(attempt: Attempt | undefined): boolean {
  if (attempt === undefined || attempt.refusal === null || attempt.ageMs === null) return false;
  return attempt.ageMs < (attempt.wasComplete ? REST_MS.readBefore : REST_MS.neverRead) - SKEW_MS;
}

/** Not a subtraction: Infinity minus Infinity is not a number. */
function compareWaits(a: number, b: number): number {
  if (a === b) return 0;
  return a > b ? -1 : 1;
}
