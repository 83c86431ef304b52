import type { ClientBase, Pool, PoolClient } from 'pg';
import { DatabaseError, SchemaError } from '../../core/errors.ts';
import { connect, withClient } from './pool.ts';

/**
 * Refuses a database that cannot hold the data (its encoding has no Chinese names) and a pooler between us and it that
 * gives sessions away. Throws a `SchemaError` that says what to do.
 */
export async function assertFit(pool: Pool): Promise<void> {
  await withClient(pool, assertEncoding);
  await assertSessions(pool);
}

/** Names and texts of the API come in any script. */
export async function assertEncoding(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ encoding: string; name: string }>(
    'select pg_encoding_to_char(encoding) as encoding, datname as name from pg_database where datname = current_database()',
  );
  const [database] = rows;
  if (database === undefined || database.encoding === 'UTF8') return;
  throw new SchemaError(
    `the database "${database.name}" is encoded ${database.encoding}, which cannot hold all texts of the API: make one with ` +
      `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and change DATABASE_URL`,
  );
}

const POOLER =
  'DATABASE_URL leads through a pooler that gives the session to others between two statements (PgBouncer: pool_mode = ' +
  'transaction or statement). Locks and settings of a session are lost there, so two processes could write the same table: ' +
  'connect to Postgres itself or to a pool with pool_mode = session';

/** How often the question is put: with several server connections the pooler may give back the same one by chance. */
const ROUNDS = 3;

/** A pooler with a single server connection has none left while the other client is in a transaction. */
const PATIENCE_MS = 5_000;

/**
 * Whether a session is ours alone: while another client is in the middle of a transaction, ours must still be served by
 * the backend that served it before. A pooler that gives backends away has lent it to the other one.
 */
async function assertSessions(pool: Pool): Promise<void> {
  const ours = await connect(pool);
  const other = await connect(pool);
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await backendOf(ours);
      await other.query('begin');
      await backendOf(other);
      const during = await backendOf(ours, PATIENCE_MS);
      await other.query('rollback');
      if (during !== before) throw new SchemaError(POOLER);
    }
  } finally {
    ours.release(true);
    other.release(true);
  }
}

/** Null when no backend serves the question in time. */
async function backendOf(client: PoolClient, withinMs?: number): Promise<number | null> {
  const asked = client
    .query<{ pid: number }>('select pg_backend_pid() as pid')
    .then(({ rows }) => rows[0]?.pid ?? null);
  if (withinMs === undefined) return asked;
  const { promise, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), withinMs);
  try {
    return await Promise.race([asked, promise]);
  } finally {
    clearTimeout(timer);
    asked.catch(() => {});
  }
}

/** A session that no longer holds its lock was exchanged for another one in the middle of the run. */
export function lostSession(): DatabaseError {
  return new DatabaseError(`the lock of the run was lost: ${POOLER}`);
}
