import { createInterface } from 'node:readline/promises';
import { systemClock } from '../app.ts';
import { ConfigurationError } from '../core/errors.ts';
import { streamNamed } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import { withTransaction } from '../postgres/connection/pool.ts';
import { installQueue } from '../postgres/coordination/lane-queue.ts';
import {
  countProject,
  forget,
  forgetProject,
  type Removed,
  type StoredState,
  storedProjects,
  storedStates,
} from '../postgres/maintenance/reset.ts';
import { quote } from '../postgres/rows/statements.ts';
import { createRejectStore } from '../postgres/run/reject-store.ts';
import { migrate, migrationState } from '../postgres/schema/migrate.ts';
import { ROLE_NAMES, type RoleNames, roleStatements, SCHEMAS, shareQueue } from '../postgres/schema/roles.ts';
import { streams } from '../streams/index.ts';
import { type ReplayReport, replayRejects } from '../sync/once.ts';
import { type Context, EXIT, type ExitCode, onDatabase } from './context.ts';
import { table } from './output.ts';

/** `security-sync migrate`: migrates the database to this program's schema; idempotent. */
export async function migrateCommand(context: Context): Promise<ExitCode> {
  return onDatabase(context, { databaseOnly: true, creation: true }, async ({ pool, url }) => {
    const before = await migrationState(pool);
    await migrate(pool);
    // Installed here, so that the role of the service does not need the right to create it.
    await installQueue(url);
    await shareQueue(pool);
    context.answer({ ok: true, before, after: 'current' }, () =>
      before === 'current' ? 'The schema is up to date.' : 'Migrations applied.',
    );
    return EXIT.ok;
  });
}

export interface RolesFlags extends Partial<RoleNames> {
  readonly print?: boolean;
}

/**
 * `security-sync roles`: migrates the database and creates three least-privilege roles: for migrations, for the service
 * and for dashboards. The connecting role must be allowed to create roles. Idempotent. Roles belong to the server, so
 * two installations on one server need different names.
 */
export async function roles(context: Context, { print = false, ...given }: RolesFlags): Promise<ExitCode> {
  const { owner, writer, reader } = { ...ROLE_NAMES, ...given };
  const names = { owner, writer, reader };
  if (new Set(Object.values(names)).size < 3)
    throw new ConfigurationError('--owner, --writer and --reader must differ');
  const statements = roleStatements(SCHEMAS, names);
  if (print) {
    const sql = statements.map((statement) => `${statement};`);
    context.answer({ ok: true, roles: names, statements: sql }, () => sql.join('\n'));
    return EXIT.ok;
  }
  return onDatabase(context, { databaseOnly: true, creation: true }, async ({ pool, url }) => {
    await migrate(pool);
    await installQueue(url);
    const created = await withTransaction(pool, async (client) => {
      const all = [owner, writer, reader];
      const { rows } = await client.query<{ name: string }>(
        'select name from unnest($1::text[]) name where name not in (select rolname from pg_roles) order by array_position($1, name)',
        [all],
      );
      for (const statement of statements) await client.query(statement);
      return rows.map(({ name }) => name);
    });
    context.answer({ ok: true, roles: names, created }, () =>
      [
        `${owner}: owns the schemas; run security-sync migrate as this role`,
        `${writer}: reads and writes rows, creates and drops nothing; run the service as this role`,
        `${reader}: reads data and views, but no rejected records; for Grafana, Metabase and people`,
        '',
        ...(created.length === 0
          ? ['All three existed: their rights were renewed, and their passwords stay.']
          : ['New roles have no password, so they cannot log in yet:']),
        ...created.map((name) => `  ALTER ROLE ${quote(name)} PASSWORD '...';`),
      ].join('\n'),
    );
    return EXIT.ok;
  });
}

export interface ResetFlags {
  readonly project?: string;
  readonly yes?: boolean;
}

/**
 * `security-sync reset STREAM` deletes the certificates and checkpoints of a stream; without a stream, it deletes a
 * project with all its rows.
 */
export async function reset(context: Context, [name]: readonly string[], flags: ResetFlags): Promise<ExitCode> {
  if (name !== undefined) return resetStream(context, name, flags);
  if (flags.project === undefined) {
    throw new ConfigurationError('name a stream, or a project to remove (--project ID)');
  }
  return removeProject(context, flags.project, flags.yes);
}

/** Deletes the certificates, checkpoints and dialects of a stream and clears the fingerprints of its rows. */
async function resetStream(context: Context, name: string, { project, yes = false }: ResetFlags): Promise<ExitCode> {
  return onDatabase(context, { needsAccounts: false, names: [name] }, async ({ pool }) => {
    const stream = streamNamed(streams, name);
    await migrate(pool);
    const all = await storedStates(pool, stream);
    const states = all.filter(({ projectId }) => project === undefined || projectId === project);
    if (project !== undefined && states.length === 0 && all.length > 0) {
      throw new ConfigurationError(
        `nothing is stored about ${name} in project "${project}", only in ${all.map(({ projectId }) => projectId).join(', ')}`,
      );
    }
    if (states.length > 0 && !yes && !(await isWanted(context, name, states))) {
      context.answer({ ok: false, stream: name, reset: [], busy: [] }, () => 'Nothing was changed.');
      return EXIT.incomplete;
    }
    const done: StoredState[] = [];
    const busy: string[] = [];
    for (const { projectId } of states) {
      const forgotten = await forget(pool, stream, projectId);
      if (forgotten === 'busy') busy.push(projectId);
      else done.push(forgotten);
    }
    const ok = busy.length === 0;
    const reset = done.map(({ projectId, listings, dialects }) => ({ project_id: projectId, listings, dialects }));
    context.answer({ ok, stream: name, reset, busy }, () => show(name, done, busy));
    return ok ? EXIT.ok : EXIT.incomplete;
  });
}

/** Deletes all data of a project that is no longer configured: its id was mistyped, or its account was closed. */
async function removeProject(context: Context, project: string, yes = false): Promise<ExitCode> {
  return onDatabase(context, { needsAccounts: false }, async ({ pool }, config) => {
    await migrate(pool);
    const projects = await storedProjects(pool, streams);
    if (!projects.includes(project)) {
      const known =
        projects.length === 0 ? 'no project has stored data' : `projects with stored data: ${projects.join(', ')}`;
      throw new ConfigurationError(`nothing is stored for project "${project}"; ${known}`);
    }
    const again = config.scopes.some(({ projectId }) => projectId === project)
      ? ' It is configured: the next run reads it again.'
      : '';
    const count = yes ? 0 : await countProject(pool, streams, project);
    const question = `Delete project ${project}, ${counted(count, 'row')} with history and certificates? Rows that the API no longer lists are then lost.${again}`;
    if (!yes && !(await isConfirmed(context, question))) {
      context.answer({ ok: false, project, removed: [], busy: [] }, () => 'Nothing was changed.');
      return EXIT.incomplete;
    }
    const { removed, busy } = await forgetProject(pool, streams, project);
    const ok = busy.length === 0;
    context.answer({ ok, project, removed, busy }, () =>
      ok
        ? `Removed project ${project}: ${counted(sum(removed, 'rows'), 'row')}, ${counted(sum(removed, 'versions'), 'earlier version')}, ${counted(sum(removed, 'rejects'), 'reject')}, ${counted(sum(removed, 'runs'), 'run')}.${again}`
        : `Another process is running ${busy.join(', ')} in project ${project}; nothing was changed.`,
    );
    return ok ? EXIT.ok : EXIT.incomplete;
  });
}

function sum(removed: readonly Removed[], what: Exclude<keyof Removed, 'stream'>): number {
  return removed.reduce((total, one) => total + one[what], 0);
}

async function isWanted(context: Context, name: string, states: readonly StoredState[]): Promise<boolean> {
  const lists = states.reduce((sum, { listings }) => sum + listings, 0);
  return isConfirmed(
    context,
    `Delete the certificates and checkpoints of ${name} (${counted(lists, 'list')} in ${counted(states.length, 'project')})? Its next run reads and writes every row again; no row is deleted.`,
  );
}

async function isConfirmed({ signal }: Context, question: string): Promise<boolean> {
  const answer = await confirm(question, signal);
  if (answer === 'no terminal')
    throw new ConfigurationError(`reset asks for confirmation, and there is no terminal: add --yes`);
  return answer === 'yes';
}

function show(name: string, done: readonly StoredState[], busy: readonly string[]): string {
  const lines = [
    ...done.map(
      ({ projectId, listings }) =>
        `${name}: deleted the certificates and checkpoints of ${counted(listings, 'list')} of project ${projectId}; no row was deleted.`,
    ),
    ...busy.map(
      (projectId) => `${name}: another process is running it in project ${projectId}; nothing was changed there.`,
    ),
  ];
  return lines.length === 0 ? `Nothing is stored about the lists of ${name}.` : lines.join('\n');
}

export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/** Asks a yes/no question on the terminal: only `y` or `yes` means yes. Returns `no terminal` if there is none. */
export async function confirm(
  question: string,
  signal: AbortSignal,
  { input, output }: Terminal = { input: process.stdin, output: process.stderr },
): Promise<'yes' | 'no' | 'no terminal'> {
  if (input.isTTY !== true) return 'no terminal';
  const lines = createInterface({ input, output });
  try {
    // End of input and signals do not count as an answer.
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }).catch(() => ''), ended]);
    return /^y(es)?$/i.test(answer.trim()) ? 'yes' : 'no';
  } finally {
    lines.close();
  }
}

/** `security-sync replay`: validates stored rejects against the current definitions. Sends no API requests. */
export async function replay(context: Context, names: readonly string[]): Promise<ExitCode> {
  return onDatabase(context, { needsAccounts: false, names }, async ({ pool }, config) => {
    await migrate(pool);
    const timeZone = config.dbssTimeZone;
    const rejects = createRejectStore(pool, { timeZone });
    const parts = { rejects, clock: systemClock, timeZone, signal: context.signal };
    const reports = await replayRejects(parts, streams, names);
    const ok = reports.every(({ left }) => left === 0);
    context.answer({ ok, streams: reports }, () => showReplays(reports));
    return ok ? EXIT.ok : EXIT.incomplete;
  });
}

function showReplays(reports: readonly ReplayReport[]): string {
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
