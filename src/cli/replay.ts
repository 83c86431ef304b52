import { systemClock } from '../clock.ts';
import { createRejectStore } from '../postgres/run/reject-store.ts';
import { migrate } from '../postgres/schema/migrate.ts';
import { streams } from '../streams/index.ts';
import { type ReplayReport, replayRejects } from '../sync/once/replay.ts';
import { type Context, EXIT, type ExitCode, onDatabase } from './context.ts';
import { table } from './table.ts';

/** `security-sync replay`: puts stored rejects through the definitions of today. Asks no API. */
export async function replay(context: Context, names: readonly string[]): Promise<ExitCode> {
  return onDatabase(context, { needsAccounts: false, names }, async ({ pool }, config) => {
    await migrate(pool);
    const timeZone = config.dbssTimeZone;
    const rejects = createRejectStore(pool, { timeZone });
    const parts = { rejects, clock: systemClock, timeZone, signal: context.signal };
    const reports = await replayRejects(parts, streams, names);
    const ok = reports.every(({ left }) => left === 0);
    context.answer({ ok, streams: reports }, () => show(reports));
    return ok ? EXIT.ok : EXIT.incomplete;
  });
}

function show(reports: readonly ReplayReport[]): string {
  if (reports.length === 0) return 'There are no rejects.';
  const rows = reports.map(({ stream, project_id, rows: became, superseded, left }) => ({
    stream,
    project: project_id.slice(0, 8),
    'became rows': became,
    superseded,
    left,
  }));
  const reasons = reports.flatMap(({ stream, reasons: given }) =>
    given.map(({ reason, count }) => `${stream}: ${count} left: ${reason}`),
  );
  return [table(rows), ...(reasons.length === 0 ? [] : ['', ...reasons])].join('\n');
}
