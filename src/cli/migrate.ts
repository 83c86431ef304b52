import { ConfigurationError } from '../core/errors.ts';
import { withTransaction } from '../postgres/connection/pool.ts';
import { installQueue, shareQueue } from '../postgres/coordination/lane-queue.ts';
import { quote } from '../postgres/rows/statements.ts';
import { migrate, migrationState } from '../postgres/schema/migrate.ts';
import { ROLE_NAMES, type RoleNames, roleStatements, SCHEMAS } from '../postgres/schema/roles.ts';
import { type Context, EXIT, type ExitCode, onDatabase } from './context.ts';

/** `security-sync migrate`: brings the database to this program's schema; a second time changes nothing. */
export async function migrateCommand(context: Context): Promise<ExitCode> {
  return onDatabase(context, { databaseOnly: true, makes: true }, async ({ pool, url }) => {
    const before = await migrationState(pool);
    await migrate(pool);
    // The service needs the right to do it only where it was not done before.
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
 * `security-sync roles`: brings the database up to date and makes three roles with just their rights: one that migrates, one
 * for the service, one for dashboards. Needs to be run by a role that may create roles; a second time changes nothing. Roles belong
 * to the server, so two installations on one server need names of their own.
 */
export async function roles(context: Context, { print = false, ...given }: RolesFlags): Promise<ExitCode> {
  const names = { ...ROLE_NAMES, ...given };
  if (new Set(Object.values(names)).size < 3)
    throw new ConfigurationError('--owner, --writer and --reader must differ');
  const statements = roleStatements(SCHEMAS, names);
  if (print) {
    const sql = statements.map((statement) => `${statement};`);
    context.answer({ ok: true, roles: names, statements: sql }, () => sql.join('\n'));
    return EXIT.ok;
  }
  return onDatabase(context, { databaseOnly: true, makes: true }, async ({ pool, url }) => {
    await migrate(pool);
    await installQueue(url);
    await withTransaction(pool, async (client) => {
      for (const statement of statements) await client.query(statement);
    });
    const { owner, writer, reader } = names;
    context.answer({ ok: true, roles: names }, () =>
      [
        `${owner}: owns the schemas; run security-sync migrate as it`,
        `${writer}: reads and writes rows, makes and drops nothing; run the service as it`,
        `${reader}: reads data and views, no rejected record; for Grafana, Metabase and people`,
        '',
        'They have no passwords yet, so they cannot log in:',
        ...[owner, writer, reader].map((name) => `  ALTER ROLE ${quote(name)} PASSWORD '...';`),
      ].join('\n'),
    );
    return EXIT.ok;
  });
}
