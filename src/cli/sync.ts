import { publishConfiguration } from '../app.ts';
import type { RunReport } from '../core/store.ts';
import { inOrder } from '../core/stream/stream.ts';
import { syncOnce } from '../sync/once/sync-once.ts';
import { type Context, EXIT, type ExitCode, enabledNames, scopesOf, withApp } from './context.ts';
import { startProgress } from './progress.ts';
import { table } from './table.ts';

export interface SyncFlags {
  readonly project?: string;
  readonly full?: boolean;
  readonly acceptShrink?: boolean;
}

/** `security-sync sync`: every (or the named) stream once, parents first. */
export async function sync(
  context: Context,
  names: readonly string[],
  { project, full = false, acceptShrink = false }: SyncFlags,
): Promise<ExitCode> {
  const progress = startProgress({ json: context.json, screen: context.io.stderr });
  const { instrumentQuota, around, visible } = progress;
  return withApp(context, { names, makes: true, instrumentQuota, around, quiet: visible }, async (app, logger) => {
    const streams = inOrder(app.streams, enabledNames(app, names));
    const scopes = scopesOf(app, project);
    await publishConfiguration(app, { serves: false });
    const reports = await syncOnce(
      app.engine,
      { streams, scopes },
      {
        signal: context.signal,
        full,
        acceptShrink,
        watch: (stream, scope) => progress.watch({ stream, scope }, app.config, logger),
        onReport: (report) => progress.done(report),
      },
    ).finally(() => progress.stop());
    const ok = reports.every(({ status }) => status === 'succeeded');
    if (context.json || visible) context.answer({ ok, runs: reports }, () => summary(reports));
    return ok ? EXIT.ok : EXIT.incomplete;
  });
}

function summary(reports: readonly RunReport[]): string {
  const rows = reports.map((report) => ({
    stream: report.stream,
    project: report.project_id.slice(0, 8),
    status: report.status,
    certificate: report.certificate === 'incomplete' ? `incomplete (${report.reason})` : report.certificate,
    requests: report.requests,
    records: report.records,
    new: report.inserted,
    changed: report.updated,
    same: report.unchanged,
    rejects: report.rejected,
    seconds: Number((report.duration_ms / 1000).toFixed(1)),
  }));
  const errors = [...new Set(reports.flatMap(({ error }) => (error === null ? [] : [error])))];
  return [table(rows), ...errors].join('\n');
}
