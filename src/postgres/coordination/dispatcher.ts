import type { PgBoss } from 'pg-boss';
import { coerceError } from '../../core/errors.ts';
import { HIGHEST_PRIORITY, type KeptPlaces, type Lane, type LaneHandler } from '../../core/ports.ts';

/** Different polling intervals make replicas take turns. With equal ones, the same replica would always be first. */
const pollMs = () => 800 + 600 * Math.random();

/** Time without heartbeat after which a lane is handed out again; the least that pg-boss accepts. */
export const HEARTBEAT_SECONDS = 10;
const BEAT_MS = HEARTBEAT_SECONDS * 500;

const STOP_MS = 8_000;

/** Lowest priority of a frequent lane in the queue's table. */
export const FREQUENT_FROM = HIGHEST_PRIORITY + 1;

/** Which lanes a process serves concurrently. */
export interface DispatchOptions {
  /** Maximum number of lanes that this process serves concurrently. */
  readonly concurrency: number;
  /** How many of them are kept for a kind of lanes; none if absent. */
  readonly kept?: KeptPlaces;
  /** Lanes that wait for the same requests: those of the accounts behind one address share a quota for each stream. */
  readonly sharing?: LaneSharing;
}

/** How many lanes of one stream a process serves concurrently. */
export interface LaneSharing {
  /** More would wait for the same requests, in places that lanes of other streams could use. */
  readonly lanesOfStream: number;
  /** The requests of the account are counted. */
  readonly isMetered: (account: string) => boolean;
  /**
   * Time in ms until the lanes of a stream may have a place, by stream, for streams without requests left. Before that they
   * would only wait in it.
   */
  readonly waits?: () => ReadonlyMap<string, number>;
}

interface DispatcherParts extends DispatchOptions {
  readonly boss: PgBoss;
  readonly queue: string;
  readonly handle: LaneHandler;
  readonly onError: (error: unknown) => void;
}

/** Why the work on a lane is aborted. */
const LOST = new Error('another process has the lane');

/** A lane at work. */
interface Claim {
  /** By which pg-boss knows that the lane is still the one that was handed out. */
  readonly attempt: { readonly id: string; readonly retryCount: number };
  /** Aborted when another process has the lane. */
  readonly lost: AbortController;
  readonly done: Promise<void>;
}

/**
 * Gives queued lanes a place: one loop for all places, which asks again as soon as a place is free or a stream has
 * requests again. The workers of pg-boss would each ask for themselves every second, and would hand out lanes that wait.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #free: { frequent: number; others: number; any: number };
  /** By job and attempt: attempts of one job share its id. */
  readonly #claims = new Map<string, Claim>();
  /** Number of metered lanes at work, by stream. */
  readonly #atWork = new Map<string, number>();
  #stopped = false;
  #isWoken = false;
  #wake = () => {};
  #loop: Promise<void> = Promise.resolve();
  #beats: NodeJS.Timeout | undefined;

  constructor(parts: DispatcherParts) {
    const { concurrency, kept: { frequent, others } = { frequent: 0, others: 0 } } = parts;
    this.#parts = parts;
    this.#free = { frequent, others, any: concurrency - frequent - others };
  }

  start(): void {
    this.#beats = setInterval(() => void this.#beat().catch(this.#parts.onError), BEAT_MS);
    this.#loop = this.#run();
  }

  /** Hands out no further lane, and waits for those at work; after some seconds they return to the queue. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakeUp();
    await this.#loop;
    const all = Promise.allSettled([...this.#claims.values()].map(({ done }) => done));
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_MS);
    await Promise.race([all, late]);
    clearTimeout(timer);
    clearInterval(this.#beats);
    for (const { attempt } of this.#claims.values())
      await this.#parts.boss.fail(this.#parts.queue, attempt).catch(this.#parts.onError);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#isWoken = false;
      const waits = this.#parts.sharing?.waits?.() ?? new Map<string, number>();
      const found = await this.#next(waits).catch(this.#parts.onError);
      if (found !== true) await this.#pause(Math.min(pollMs(), ...waits.values()));
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isWoken) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }

  #wakeUp(): void {
    this.#isWoken = true;
    this.#wake();
  }

  /** Returns whether a lane was found. */
  async #next(waits: ReadonlyMap<string, number>): Promise<boolean> {
    const { boss, queue, sharing } = this.#parts;
    const { frequent, others, any } = this.#free;
    if (frequent + others + any === 0) return false;
    const isFull = (lanes: number) => sharing !== undefined && lanes >= sharing.lanesOfStream;
    const full = [...this.#atWork].flatMap(([stream, lanes]) => (isFull(lanes) ? [stream] : []));
    const [job] = await boss.fetch<Lane>(queue, {
      includeMetadata: true,
      ignoreGroups: [...new Set([...full, ...waits.keys()])],
      ...(any === 0 && others === 0 ? { minPriority: FREQUENT_FROM } : {}),
      ...(any === 0 && frequent === 0 ? { maxPriority: HIGHEST_PRIORITY } : {}),
    });
    if (job === undefined) return false;
    const { id, retryCount, priority, data: lane } = job;
    const own = priority >= FREQUENT_FROM ? 'frequent' : 'others';
    // Without a heartbeat in time, a job comes again as its next attempt, also to the process that still works on it.
    for (const { attempt, lost: former } of this.#claims.values()) if (attempt.id === id) former.abort(LOST);
    const lost = new AbortController();
    const done = this.#work({ id, retryCount }, lane, { place: this.#free[own] > 0 ? own : 'any', lost });
    this.#claims.set(`${id}/${retryCount}`, { attempt: { id, retryCount }, lost, done });
    return true;
  }

  async #work(
    attempt: Claim['attempt'],
    lane: Lane,
    { place, lost }: Pick<Claim, 'lost'> & { readonly place: 'frequent' | 'others' | 'any' },
  ): Promise<void> {
    const { boss, queue, sharing, handle, onError } = this.#parts;
    const count = (by: number) => {
      this.#free[place] -= by;
      if (sharing?.isMetered(lane.account) !== true) return;
      this.#atWork.set(lane.stream, (this.#atWork.get(lane.stream) ?? 0) + by);
    };
    count(1);
    try {
      await handle(lane, lost.signal);
      await boss.complete(queue, attempt);
    } catch (error) {
      await boss.fail(queue, attempt, { message: coerceError(error).message }).catch(onError);
    } finally {
      this.#claims.delete(`${attempt.id}/${attempt.retryCount}`);
      count(-1);
      this.#wakeUp();
    }
  }

  /** Without a heartbeat another process gets the lane. A lane whose heartbeat has no effect has another holder. */
  async #beat(): Promise<void> {
    const claims = [...this.#claims.values()];
    if (claims.length === 0) return;
    const touched: object = await this.#parts.boss.touch(
      this.#parts.queue,
      claims.map(({ attempt }) => attempt),
    );
    const settled: unknown = 'settled' in touched ? touched.settled : undefined;
    if (!Array.isArray(settled)) return;
    for (const { attempt, lost } of claims) if (!settled.includes(attempt.id)) lost.abort(LOST);
  }
}
