import type { Config } from '../config.ts';
import { describeCertificate } from '../core/certificate.ts';
import { migrationState } from '../postgres/migrate.ts';
import { type CountedState, readCountedStates } from '../postgres/stream-state.ts';
import { streams } from '../streams/index.ts';
import { nextTick } from '../sync/cron.ts';
import { type Context, EXIT, type ExitCode, onDatabase } from './context.ts';
import { age, table } from './table.ts';

/** `security-sync status`: per stream and scope the last run, what is proven, how old, and what was rejected. */
export async function status(context: Context): Promise<ExitCode> {
  return onDatabase(context, { needsAccounts: false }, async ({ pool }, config) => {
    const rows = (await migrationState(pool)) === 'absent' ? [] : await readCountedStates(pool, streams);
    const listed = rows.map((row) => ({
      ...row,
      next_run: nextRun(row.stream, config.streams[row.stream]?.schedule),
    }));
    const strangers = notConfigured(rows, config);
    context.answer({ ok: true, streams: listed, not_configured: strangers }, () =>
      rows.length === 0 ? 'Nothing was synced yet: run security-sync sync.' : show(listed, strangers),
    );
    return EXIT.ok;
  });
}

function nextRun(name: string, configured: string | undefined): string | null {
  const schedule = configured ?? streams.find((stream) => stream.name === name)?.schedule;
  return schedule === undefined ? null : (nextTick(schedule)?.toISOString() ?? null);
}

/** Projects that were read once; without any configured project nobody can tell. */
function notConfigured(rows: readonly CountedState[], { scopes }: Config): readonly string[] {
  if (scopes.length === 0) return [];
  const configured = new Set(scopes.map(({ projectId }) => projectId));
  return [...new Set(rows.map((row) => row.project_id))].filter((id) => !configured.has(id));
}

interface Listed extends CountedState {
  readonly next_run: string | null;
}

function show(rows: readonly Listed[], strangers: readonly string[]): string {
  const lines = rows.map((row) => ({
    stream: row.stream,
    project: row.project_id.slice(0, 8),
    region: row.region,
    'last run': row.status,
    certificate: row.certificate === null ? null : describeCertificate({ ...row, kind: row.certificate }),
    age: inWords(row.age_seconds),
    look: inWords(row.look_age_seconds),
    target: age(row.target_seconds * 1000),
    'proven before': inWords(row.certificate_age_seconds) ?? 'never',
    rows: row.rows,
    rejects: row.rejects,
    'next run': row.next_run?.slice(11, 16) ?? null,
  }));
  const proofs = rows.flatMap(({ stream, project_id, proof_text, premises }) =>
    proof_text === null
      ? []
      : [
          `${stream} (${project_id.slice(0, 8)}): ${proof_text}${premises === null ? '' : `; taken for granted: ${premises}`}.`,
        ],
  );
  const errors = rows.flatMap(({ stream, error }) => (error === null ? [] : [`${stream}: ${error}`]));
  const unconfirmed = rows.flatMap(({ stream, unconfirmed: n }) =>
    n === 0
      ? []
      : [
          `${stream}: the API lists ${n} rows no more. They are marked as gone when later full walks agree, or at once with: security-sync sync ${stream} --accept-shrink`,
        ],
  );
  const advice =
    strangers.length === 0
      ? []
      : [
          `Not configured: ${strangers.join(', ')}. To remove a project and all its rows: security-sync reset --project ID`,
        ];
  return [table(lines), '', ...proofs, ...new Set(errors), ...unconfirmed, ...advice].join('\n');
}

function inWords(seconds: number | null): string | null {
  return seconds === null ? null : age(seconds * 1000);
}
