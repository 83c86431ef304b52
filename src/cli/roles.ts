import { migrate } from '../postgres/migrate.ts';
import { withTransaction } from '../postgres/pool.ts';
import { installQueue } from '../postgres/queue.ts';
import { ROLE_NAMES, roleStatements, SCHEMAS } from '../postgres/roles.ts';
import { type Context, EXIT, type ExitCode, onDatabase } from './context.ts';

/**
 * `security-sync roles`: brings the database up to date and makes three roles with just their rights: one that migrates, one
 * for the service, one for dashboards. Needs to be run by a role that may create roles; a second time changes nothing.
 */
export async function roles(context: Context, { print = false }: { readonly print?: boolean }): Promise<ExitCode> {
  const statements = roleStatements(SCHEMAS);
  if (print) {
    const sql = statements.map((statement) => `${statement};`);
    context.answer({ ok: true, roles: ROLE_NAMES, statements: sql }, () => sql.join('\n'));
    return EXIT.ok;
  }
  return onDatabase(context, { needsAccounts: false, makes: true }, async ({ pool, url }) => {
    await migrate(pool);
    await installQueue(url);
    await withTransaction(pool, async (client) => {
      for (const statement of statements) await client.query(statement);
    });
    const { owner, writer, reader } = ROLE_NAMES;
    context.answer({ ok: true, roles: ROLE_NAMES }, () =>
      [
        `${owner}: owns the schemas; run security-sync migrate as it`,
        `${writer}: reads and writes rows, makes and drops nothing; run the service as it`,
        `${reader}: reads data and views, no rejected record; for Grafana, Metabase and people`,
        '',
        'They have no passwords yet, so nobody can log in as one of them:',
        ...[owner, writer, reader].map((name) => `  ALTER ROLE ${name} PASSWORD '...';`),
      ].join('\n'),
    );
    return EXIT.ok;
  });
}
