import type { Scope } from '../core/account.ts';
import { DatabaseError } from '../core/errors.ts';
import {
  type Clock,
  LANES_AT_ONCE,
  type PendingReject,
  type RejectAccess,
  type RejectStore,
  type Replayed,
  Semaphore,
} from '../core/ports.ts';
import type { RunReport } from '../core/store.ts';
import { parseJson } from '../core/stream/json.ts';
import { originOf } from '../core/stream/record.ts';
import { inOrder, prerequisites, type Stream, type StreamScope } from '../core/stream/stream.ts';
import { validate } from '../core/stream/validate.ts';
import { type Engine, type RunOptions, runStream } from './run/run-stream.ts';

/** Options of a one-off run over streams and scopes. */
export interface SyncOptions extends Omit<RunOptions, 'onPage' | 'onListings'> {
  /** Returns progress callbacks for the run of one stream in one scope. */
  readonly watch?: (stream: Stream, scope: Scope) => Pick<RunOptions, 'onPage' | 'onListings'>;
  readonly onReport?: (report: RunReport) => void;
  readonly onFailure?: (failure: FailedRun) => void;
}

/** A run that ended because of the database, so that there is no report of it. */
export interface FailedRun extends StreamScope {
  readonly error: DatabaseError;
}

/** Every stream is read in every scope. */
export interface StreamsAndScopes {
  readonly streams: readonly Stream[];
  readonly scopes: readonly Scope[];
}

/** Interval between checks whether another process has released a stream. */
const BUSY_POLL_MS = 1_000;

/**
 * Runs every stream once in every scope, after the streams that it needs. Returns one report for each run. A run that
 * fails because of the database is passed to `onFailure`, and the others go on. If no run has a report, the database is
 * not available: throws the first `DatabaseError`.
 */
export async function syncOnce(
  engine: Engine,
  { streams, scopes }: StreamsAndScopes,
  options: SyncOptions,
): Promise<readonly RunReport[]> {
  const reports: RunReport[] = [];
  let first: DatabaseError | null = null;
  await forEachLane(streams, scopes, async (stream, scope) => {
    try {
      const report = await runWhenFree(engine, { stream, scope }, options);
      options.onReport?.(report);
      reports.push(report);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      options.onFailure?.({ stream, scope, error });
      first ??= error;
    }
  });
  if (first !== null && reports.length === 0) throw first;
  return reports;
}

/** Another process may be reading the same stream: waits for its end, then reads the stream again. */
async function runWhenFree(engine: Engine, at: StreamScope, options: SyncOptions): Promise<RunReport> {
  const { watch, signal, ...rest } = options;
  for (;;) {
    const report = await runStream(engine, at, { ...rest, signal, ...watch?.(at.stream, at.scope) });
    if (report.status !== 'busy' || signal.aborted) return report;
    await engine.clock.sleep(BUSY_POLL_MS, signal).catch(() => {});
  }
}

/**
 * Does the work for every stream in every scope. Lanes (account and stream) run concurrently, because each has its own
 * quota, at most {@link LANES_AT_ONCE} at a time. A lane starts when the lanes whose rows it needs have ended, and
 * serves its scopes one after the other. After all lanes have ended, throws the first failure.
 */
export async function forEachLane(
  streams: readonly Stream[],
  scopes: readonly Scope[],
  work: (stream: Stream, scope: Scope) => Promise<void>,
): Promise<void> {
  const semaphore = new Semaphore(LANES_AT_ONCE);
  const ordered = inOrder(streams);
  const accounts = [...new Set(scopes.map(({ account }) => account))];
  const lanes = accounts.flatMap((account) => {
    const ends = new Map<Stream, Promise<void>>();
    const mine = scopes.filter((scope) => scope.account === account);
    for (const stream of ordered) {
      const needed = prerequisites(stream).flatMap((one) => ends.get(one) ?? []);
      ends.set(
        stream,
        Promise.all(needed).then(async () => {
          for (const scope of mine) await semaphore.run(() => work(stream, scope));
        }),
      );
    }
    return [...ends.values()];
  });
  const settled = await Promise.allSettled(lanes);
  for (const lane of settled) if (lane.status === 'rejected') throw lane.reason;
}

/** What happened to a stream's rejects in one project, with the field names of `replay --json`. */
export interface ReplayReport {
  readonly stream: string;
  readonly project_id: string;
  /** Rejects that became rows. */
  readonly rows: number;
  /** Rejects for which the table already has newer content. */
  readonly superseded: number;
  /** Rejects that are still invalid; `reasons` says why. */
  readonly left: number;
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
}

/** Dependencies of `replayRejects`. */
export interface ReplayParts {
  readonly rejects: RejectStore;
  readonly clock: Clock;
  readonly timeZone: string;
  readonly signal: AbortSignal;
}

/** Validates stored rejects again with the current stream definitions. `known`: all streams. `names`: empty for all. */
export async function replayRejects(
  { rejects, clock, timeZone, signal }: ReplayParts,
  known: readonly Stream[],
  names: readonly string[],
): Promise<readonly ReplayReport[]> {
  const reports: ReplayReport[] = [];
  for (const { stream: name, projectId, rejects: count } of await rejects.count()) {
    if (names.length > 0 && !names.includes(name)) continue;
    const stream = known.find((one) => one.name === name);
    const counter = new ReplayCounter(name, projectId);
    if (stream === undefined) counter.leave('this version has no such stream', count);
    while (stream !== undefined) {
      signal.throwIfAborted();
      const done = await rejects.open(stream, projectId, (access) =>
        replayAll({ access, stream, timeZone }, counter, signal),
      );
      if (done !== 'busy') break;
      await clock.sleep(BUSY_POLL_MS, signal);
    }
    reports.push(counter.report());
  }
  return reports;
}

interface ReplayInput {
  readonly access: RejectAccess;
  readonly stream: Stream;
  readonly timeZone: string;
}

async function replayAll(replaying: ReplayInput, counter: ReplayCounter, signal: AbortSignal): Promise<'done'> {
  let after: PendingReject | null = null;
  for (;;) {
    const slice: readonly PendingReject[] = await replaying.access.pending(after);
    // Newest first, so that of several versions of a record the last one becomes the row.
    for (const reject of slice) {
      signal.throwIfAborted();
      counter.take(await replayOne(replaying, reject));
    }
    after = slice.at(-1) ?? null;
    if (after === null) return 'done';
  }
}

async function replayOne({ access, stream, timeZone }: ReplayInput, reject: PendingReject): Promise<Replayed> {
  const { listing, payload } = reject;
  const origin = originOf(reject, listing, timeZone);
  const { rows, rejects } = validate(stream, [parseJson(payload)], { origin, listingKey: listing.key });
  const [row] = rows;
  if (row !== undefined) return access.write(reject, row);
  const issues = rejects.flatMap((one) => one.issues.map(({ field, message }) => `${field}: ${message}`));
  return { kind: 'refused', reason: issues.join(', ') };
}

class ReplayCounter {
  readonly #stream: string;
  readonly #projectId: string;
  readonly #reasons = new Map<string, number>();
  #rows = 0;
  #superseded = 0;

  constructor(stream: string, projectId: string) {
    this.#stream = stream;
    this.#projectId = projectId;
  }

  take(replayed: Replayed): void {
    if (replayed.kind === 'written') this.#rows += 1;
    else if (replayed.kind === 'superseded') this.#superseded += 1;
    else this.leave(replayed.reason, 1);
  }

  leave(reason: string, count: number): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + count);
  }

  report(): ReplayReport {
    const reasons = [...this.#reasons].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count);
    return {
      stream: this.#stream,
      project_id: this.#projectId,
      rows: this.#rows,
      superseded: this.#superseded,
      left: reasons.reduce((sum, { count }) => sum + count, 0),
      reasons,
    };
  }
}
