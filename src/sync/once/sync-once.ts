import type { Scope } from '../../core/account.ts';
import type { RunReport } from '../../core/store.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Engine, type RunOptions, runStream } from '../run/run-stream.ts';
import { alongLanes } from './lanes.ts';

export interface SyncOptions extends Omit<RunOptions, 'onPage' | 'onListings'> {
  /** What to call while a run goes on, for one stream and scope. */
  readonly watch?: (stream: Stream, scope: Scope) => Pick<RunOptions, 'onPage' | 'onListings'>;
  readonly onReport?: (report: RunReport) => void;
}

/** How long to wait before looking again whether another process has finished with a stream. */
const BUSY_POLL_MS = 1_000;

/** Every stream once in every scope, each after what it needs. */
export async function syncOnce(
  engine: Engine,
  streams: readonly Stream[],
  scopes: readonly Scope[],
  options: SyncOptions,
): Promise<readonly RunReport[]> {
  const reports: RunReport[] = [];
  await alongLanes(streams, scopes, async (stream, scope) => {
    const report = await runPatiently(engine, stream, scope, options);
    options.onReport?.(report);
    reports.push(report);
  });
  return reports;
}

/** Another process may be reading the very list: its end is waited for, then the list is read again. */
async function runPatiently(engine: Engine, stream: Stream, scope: Scope, options: SyncOptions): Promise<RunReport> {
  const { watch, signal, ...rest } = options;
  for (;;) {
    const report = await runStream(engine, stream, scope, { ...rest, signal, ...watch?.(stream, scope) });
    if (report.status !== 'busy' || signal.aborted) return report;
    await engine.clock.sleep(BUSY_POLL_MS, signal).catch(() => {});
  }
}
