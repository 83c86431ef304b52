import { installQueue, shareQueue } from '../postgres/coordination/lane-queue.ts';
import { migrate, migrationState } from '../postgres/schema/migrate.ts';
import { type Context, EXIT, type ExitCode, onDatabase } from './context.ts';

/** `security-sync migrate`: brings the database to this program's schema; a second time changes nothing. */
export async function migrateCommand(context: Context): Promise<ExitCode> {
  return onDatabase(context, { databaseOnly: true, makes: true }, async ({ pool, url }) => {
    const before = await migrationState(pool);
    await migrate(pool);
    // The service needs the right to do it only where nobody did it before.
    await installQueue(url);
    await shareQueue(pool);
    context.answer({ ok: true, before, after: 'current' }, () =>
      before === 'current' ? 'The schema is up to date.' : 'Migrations applied.',
    );
    return EXIT.ok;
  });
}
