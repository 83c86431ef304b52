import { ConfigurationError } from '../core/errors.ts';
import { inOrder } from '../core/plan.ts';
import { createTableReader } from '../postgres/table-reader.ts';
import type { Difference } from '../sync/findings.ts';
import { verifyAll } from '../sync/verify.ts';
import type { Verification } from '../sync/verify-stream.ts';
import { type Context, EXIT, type ExitCode, withApp } from './context.ts';
import { startProgress } from './progress.ts';
import { table } from './table.ts';

/** Differences that are written out for people; `--json` has all of them. */
const SHOWN = 20;

/** `security-sync verify`: reads the API again and compares it with the tables, row by row; changes nothing. */
export async function verify(
  context: Context,
  names: readonly string[],
  { project }: { readonly project?: string },
): Promise<ExitCode> {
  const progress = startProgress(context);
  return withApp(
    context,
    async (app, logger) => {
      const scopes = app.config.scopes.filter((scope) => project === undefined || scope.projectId === project);
      if (scopes.length === 0) {
        throw new ConfigurationError(
          `no project "${project}" is configured; there are ${app.config.scopes.map(({ projectId }) => projectId).join(', ')}`,
        );
      }
      const tables = createTableReader(app.database.pool);
      const results = await verifyAll(app.engine, tables, inOrder(app.streams, names), scopes, {
        signal: context.signal,
        keep: context.json ? Number.POSITIVE_INFINITY : SHOWN,
        watch: (stream, scope) => progress.watch(stream, scope, app.config, logger),
        onVerified: (verification) => progress.done(verification),
      }).finally(() => progress.stop());
      const ok = results.every((one) => one.ok);
      context.answer({ ok, streams: results }, () => show(results));
      return ok ? EXIT.ok : EXIT.incomplete;
    },
    { watchQuota: progress.watchQuota, quiet: true },
  );
}

function show(results: readonly Verification[]): string {
  const rows = results.map((one) => ({
    stream: one.stream,
    project: one.project_id.slice(0, 8),
    certificate: one.reason === null ? 'complete' : `incomplete (${one.reason})`,
    compared: one.compared,
    missing: one.missing,
    extra: one.extra,
    changed: one.changed,
    volatile: one.volatile,
    excused: one.excused,
    rejects: one.rejected,
    requests: one.requests,
  }));
  const differences = results.flatMap((one) => one.differences.map((difference) => describe(one, difference)));
  const total = results.reduce((sum, one) => sum + one.missing + one.extra + one.changed, 0);
  const shown = differences.slice(0, SHOWN);
  const errors = [...new Set(results.flatMap(({ error }) => (error === null ? [] : [error])))];
  return [
    table(rows),
    ...(shown.length === 0 ? [] : ['', ...shown]),
    ...(total > shown.length ? [`... and ${total - shown.length} more: --json has all of them`] : []),
    ...(errors.length === 0 ? [] : ['', ...errors]),
    '',
    verdict(results, total),
  ].join('\n');
}

function describe({ stream }: Verification, { kind, key, fields }: Difference): string {
  const where = `${stream} ${Object.entries(key)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`;
  if (kind === 'missing') return `${where}: the API lists it, the table does not have it`;
  if (kind === 'extra') return `${where}: the table has it, the API does not list it`;
  const changes = fields.map(
    ({ field, stored, listed }) => `${field}: ${quoted(stored)} is ${quoted(listed)} in the API`,
  );
  return `${where}: ${changes.join('; ')}`;
}

function quoted(value: string | null): string {
  return value === null ? 'null' : JSON.stringify(value);
}

function verdict(results: readonly Verification[], total: number): string {
  const unproven = results.filter(({ certificate }) => certificate !== 'complete').length;
  const excused = results.reduce((sum, one) => sum + one.excused, 0);
  const since = excused === 0 ? '' : ` (${excused} newer than the last certificate excused; sync brings them)`;
  if (total > 0) return `${total} differences${since}. Deleted upstream since the last sync? Sync, then verify again.`;
  return unproven > 0
    ? `No difference, but ${unproven} of ${results.length} walks could not be proven complete${since}.`
    : `The tables equal the API${since}.`;
}
