import type { Scope } from '../../core/account.ts';
import type { RunReport } from '../../core/store.ts';
import { inOrder, prerequisites, type Stream, type StreamScope } from '../../core/stream/stream.ts';
import { type Engine, type RunOptions, runStream } from '../run/run-stream.ts';

export interface SyncOptions extends Omit<RunOptions, 'onPage' | 'onListings'> {
  /** What to call while a run goes on, for one stream and scope. */
  readonly watch?: (stream: Stream, scope: Scope) => Pick<RunOptions, 'onPage' | 'onListings'>;
  readonly onReport?: (report: RunReport) => void;
}

/** Every stream is read in every scope. */
export interface StreamsAndScopes {
  readonly streams: readonly Stream[];
  readonly scopes: readonly Scope[];
}

/** How long to wait before looking again whether another process has finished with a stream. */
const BUSY_POLL_MS = 1_000;

/** Every stream once in every scope, each after what it needs. */
export async function syncOnce(
  engine: Engine,
  { streams, scopes }: StreamsAndScopes,
  options: SyncOptions,
): Promise<readonly RunReport[]> {
  const reports: RunReport[] = [];
  await alongLanes(streams, scopes, async (stream, scope) => {
    const report = await runPatiently(engine, { stream, scope }, options);
    options.onReport?.(report);
    reports.push(report);
  });
  return reports;
}

/** Another process may be reading the very list: its end is waited for, then the list is read again. */
async function runPatiently(engine: Engine, at: StreamScope, options: SyncOptions): Promise<RunReport> {
  const { watch, signal, ...rest } = options;
  for (;;) {
    const report = await runStream(engine, at, { ...rest, signal, ...watch?.(at.stream, at.scope) });
    if (report.status !== 'busy' || signal.aborted) return report;
    await engine.clock.sleep(BUSY_POLL_MS, signal).catch(() => {});
  }
}

/**
 * Lanes one process serves side by side; more of them wait for their turn or for another replica. Each holds a database
 * connection while it runs.
 */
export const LANES_AT_ONCE = 16;

/**
 * Does something for every stream in every scope. Lanes (account + stream) go side by side, because each has a quota of
 * its own, up to {@link LANES_AT_ONCE}; a lane starts when the lanes it needs rows of have ended, and serves its scopes one after the other.
 */
export async function alongLanes(
  streams: readonly Stream[],
  scopes: readonly Scope[],
  work: (stream: Stream, scope: Scope) => Promise<void>,
): Promise<void> {
  const places = new Places(LANES_AT_ONCE);
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
          for (const scope of mine) await places.during(() => work(stream, scope));
        }),
      );
    }
    return [...ends.values()];
  });
  const settled = await Promise.allSettled(lanes);
  for (const lane of settled) if (lane.status === 'rejected') throw lane.reason;
}

/** A limited number of places; who finds none waits for one, in the order of coming. */
class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((done) => this.#waiting.push(done));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
