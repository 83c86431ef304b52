import { enabledStreams, openApp, openService, publishConfiguration, systemClock } from '../app.ts';
import type { RunReport } from '../core/store.ts';
import { inOrder } from '../core/stream/stream.ts';
import { outageLog, waitForDatabase } from '../postgres/connection/readiness.ts';
import { projectsOfOthers } from '../postgres/queries/overview.ts';
import { type FailedRun, syncOnce } from '../sync/once.ts';
import type { Service } from '../sync/service/service.ts';
import {
  type Context,
  EXIT,
  type ExitCode,
  enabledNames,
  loadedConfig,
  loggerFor,
  scopesOf,
  withApp,
  withDatabase,
} from './context.ts';
import { startProgress, table } from './output.ts';

/** Supervisors kill after 10 s. Work that still hangs by then (such as a dead connection) is abandoned. */
const LEAVE_AFTER_MS = 9_500;

/** `security-sync run`: migrates, polls, and serves metrics and the status page until stopped. */
export async function run(context: Context): Promise<ExitCode> {
  const { signal } = context;
  const config = await loadedConfig(context);
  const logger = outageLog(await loggerFor(context, config));
  if (config.unusedVariables.length > 0)
    logger.info(
      { variables: config.unusedVariables },
      'environment variables are ignored, because the configuration file sets their keys',
    );
  signal.addEventListener('abort', () => {
    logger.info({}, 'stopping: no new page is read');
    setTimeout(() => {
      logger.warn({}, 'not everything stopped in time; exiting without waiting for the rest');
      process.exit(EXIT.ok);
    }, LEAVE_AFTER_MS).unref();
  });
  return withDatabase({ context, config, logger, creation: true }, async (database) => {
    logger.watch(database.pool);
    // Imported lazily: `sync` has no web server, and starts faster without it.
    const [{ createMetrics }, { startOpsServer }] = await Promise.all([
      import('../ops/metrics.ts'),
      import('../ops/server.ts'),
    ]);
    const metrics = createMetrics();
    let service: Service | null = null;
    const state = () => (signal.aborted ? 'stopping' : (service?.state ?? 'starting'));
    const ops = await startOpsServer({
      config,
      pool: database.pool,
      streams: enabledStreams(config),
      logger,
      metrics,
      state,
    });
    try {
      await waitForDatabase({ pool: database.pool, clock: systemClock, logger, signal });
      const app = await openApp({
        config,
        logger,
        database,
        instrumentQuota: metrics.instrumentQuota,
        watchSource: metrics.watchSource,
      });
      try {
        await publishConfiguration(app, { serves: true });
        const others = await projectsOfOthers(
          database.pool,
          config.scopes.map(({ projectId }) => projectId),
        );
        if (others.length > 0)
          logger.info(
            { projects: others },
            'another service with a different configuration reads these projects; this one skips them',
          );
        service = openService(app, { logger, onReport: metrics.onReport });
        const { scopes, egress } = config;
        logger.info({ streams: app.streams.length, scopes: scopes.length, egress, status: ops.url }, 'running');
        const started = service.start();
        await Promise.race([aborted(signal), started.then(() => aborted(signal))]);
        await service.stop();
      } finally {
        await app.close();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      logger.stop();
      await ops.close();
    }
    logger.info({}, 'stopped');
    return EXIT.ok;
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}

export interface SyncFlags {
  readonly project?: string;
  readonly full?: boolean;
  readonly acceptShrink?: boolean;
}

/** `security-sync sync`: runs every (or each named) stream once, parents first. */
export async function sync(
  context: Context,
  names: readonly string[],
  { project, full = false, acceptShrink = false }: SyncFlags,
): Promise<ExitCode> {
  const progress = startProgress({ json: context.json, screen: context.io.stderr });
  const { instrumentQuota, around, visible } = progress;
  return withApp(context, { names, creation: true, instrumentQuota, around, quiet: visible }, async (app, logger) => {
    const streams = inOrder(app.streams, enabledNames(app, names));
    const scopes = scopesOf(app, project);
    await publishConfiguration(app, { serves: false });
    const failures: FailedRun[] = [];
    const reports = await syncOnce(
      app.engine,
      { streams, scopes },
      {
        signal: context.signal,
        full,
        acceptShrink,
        watch: (stream, scope) => progress.watch({ stream, scope }, app.config, logger),
        onReport: (report) => progress.done(report),
        onFailure: (failure) => {
          const { stream, scope, error } = failure;
          progress.done({ stream: stream.name, project_id: scope.projectId });
          logger.error({ project_id: scope.projectId, error: error.message }, `${stream.name}: the run failed`);
          failures.push(failure);
        },
      },
    ).finally(() => progress.stop());
    const ok = failures.length === 0 && reports.every(({ status }) => status === 'succeeded');
    const [failure] = failures;
    const answer = { ok, runs: reports, ...(failure === undefined ? {} : { error: failure.error.message }) };
    if (context.json || visible) context.answer(answer, () => summary(reports));
    if (failure !== undefined) return EXIT.database;
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
