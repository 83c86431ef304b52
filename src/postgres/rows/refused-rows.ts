import pg, { type ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import { DatabaseError } from '../../core/errors.ts';
import type { Listing } from '../../core/stream/listing.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Reject, rejectOf, type ValidRow } from '../../core/stream/validate.ts';
import { writeRows } from './row-writer.ts';

/** SQLSTATE 22 is about a value, 54 about a limit of Postgres, such as a key too long for its index. */
const ABOUT_DATA = /^(22|54)/;

/** Whether Postgres refused what a row holds, rather than the statement or the connection. */
export function refusesData(error: unknown): boolean {
  const code = error instanceof DatabaseError ? error.context.code : codeOf(error);
  return typeof code === 'string' && ABOUT_DATA.test(code);
}

/**
 * Tells the rows that Postgres takes from those it does not, by trying each alone; nothing stays written. Whatever
 * validation let through that no column can hold becomes a reject like any other, and its page goes on without it.
 */
export async function sortOut(
  client: ClientBase,
  stream: Stream,
  scope: Scope,
  { listing, rows }: { readonly listing: Listing; readonly rows: readonly ValidRow[] },
): Promise<{ readonly rows: readonly ValidRow[]; readonly rejects: readonly Reject[] }> {
  const taken: ValidRow[] = [];
  const rejects: Reject[] = [];
  await client.query('begin');
  try {
    for (const row of rows) {
      await client.query('savepoint row');
      try {
        await writeRows(client, stream, scope, [row], false);
        taken.push(row);
      } catch (error) {
        if (!refusesData(error)) throw error;
        const issues = [{ field: '', message: `Postgres refused it: ${error instanceof Error ? error.message : ''}` }];
        rejects.push(rejectOf(row.record, { key: row.key, issues }, listing.key));
      }
      await client.query('rollback to savepoint row');
    }
  } finally {
    await client.query('rollback');
  }
  return { rows: taken, rejects };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
