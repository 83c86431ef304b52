import pg from 'pg';
import { coerceError } from '../core/errors.ts';
import { toDatabaseError } from './database-error.ts';

export type { Pool, PoolClient } from 'pg';

export interface PoolOptions {
  readonly max: number;
  /** What `pg_stat_activity` shows. */
  readonly applicationName: string;
  /** An idle connection was lost. The pool replaces it by itself, so this is for the log. */
  readonly onError?: (error: Error) => void;
}

const INT8 = 20;

/**
 * 64-bit integers come as numbers where a number holds all their digits and as bigint beyond, like the fields of a row;
 * the driver's own choice is text. `timestamptz` comes as Date.
 */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary'
      ? parseInt8
      : pg.types.getTypeParser(
          oid,
          format === 'binary' ? 'binary' : 'text',
        )) satisfies pg.CustomTypesConfig['getTypeParser'],
};

function parseInt8(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

/** Connections to the database; what the URL says about TLS, pg understands. */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  assertUrl(url);
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types,
  });
  // Without listeners a lost connection is an uncaught exception: of the pool's while it is idle, of its own while it
  // is lent out. Who has borrowed it hears of the loss from its next query.
  pool.on('error', (error) => options.onError?.(error));
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Lends one connection to `fn`. What fails comes out as a `DatabaseError` that says what to do. */
export async function withClient<T>(pool: pg.Pool, fn: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const url = pool.options.connectionString;
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw toDatabaseError(error, url);
  }
  try {
    const result = await fn(client);
    client.release();
    return result;
  } catch (error) {
    // In which state the connection was left is unknown (a transaction, a lock): the next borrower gets a new one.
    client.release(coerceError(error));
    throw toDatabaseError(error, url);
  }
}

/** Runs `fn` in one transaction: on a connection of the pool, or on one that is held already. */
export function withTransaction<T>(on: pg.Pool | pg.ClientBase, fn: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  return on instanceof pg.Pool ? withClient(on, (client) => transaction(client, fn)) : transaction(on, fn);
}

async function transaction<T>(client: pg.ClientBase, fn: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  try {
    await client.query('begin');
    const result = await fn(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // A rollback that fails has lost its connection, and with it the transaction.
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

/** A pool parses its URL only when it first connects, and the error then shows the whole of it. */
function assertUrl(url: string): void {
  try {
    new pg.Client({ connectionString: url });
  } catch (error) {
    throw toDatabaseError(error, url);
  }
}
