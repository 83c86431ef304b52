import type { ClientBase, Pool } from 'pg';
import pg from 'pg';
import { coerceError } from '../../core/errors.ts';
import { toDatabaseError } from './database-error.ts';
import { Client, pinSettings, targetOf } from './settings.ts';

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

/** Pools whose server need not speak TLS. */
const tlsOptional = new WeakSet<pg.Pool>();

/** Connections to the database, all with the same settings (see {@link pinSettings}). */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  assertUrl(url);
  const { connectionString, ssl, tlsOptional: isOptional } = targetOf(url);
  const pool = new pg.Pool({
    connectionString,
    ...(ssl === undefined ? {} : { ssl }),
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types,
    Client,
    onConnect: pinSettings,
  });
  if (isOptional) tlsOptional.add(pool);
  // Without listeners a lost connection is an uncaught exception: of the pool's while it is idle, of its own while it
  // is lent out. Who has borrowed it hears of the loss from its next query.
  pool.on('error', (error) => options.onError?.(error));
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Takes a connection of the pool, which the caller gives back. Throws a `DatabaseError` that says what to do. */
export async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    if (
      tlsOptional.has(pool) &&
      pool.options.ssl !== false &&
      /does not support SSL/.test(coerceError(error).message)
    ) {
      pool.options.ssl = false;
      return connect(pool);
    }
    throw toDatabaseError(error, pool.options.connectionString);
  }
}

/** Lends one connection to `fn`. What fails comes out as a `DatabaseError` that says what to do. */
export async function withClient<T>(pool: pg.Pool, fn: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await connect(pool);
  try {
    const result = await fn(client);
    client.release();
    return result;
  } catch (error) {
    // In which state the connection was left is unknown (a transaction, a lock): the next borrower gets a new one.
    client.release(coerceError(error));
    throw toDatabaseError(error, pool.options.connectionString);
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
    new pg.Client({ connectionString: targetOf(url).connectionString });
  } catch (error) {
    throw toDatabaseError(error, url);
  }
}

/** Longer than any reading of the bookkeeping takes, and short beside the patience of those who wait for it. */
const LIMIT = '15s';

/**
 * Ends a statement when its client is gone (Postgres then looks after its socket every second). Postgres refuses the setting
 * on systems that cannot tell, such as Windows: there only the time limit holds.
 */
const WATCH_CLIENT = `do $$ begin
  perform set_config('client_connection_check_interval', '1s', true);
exception when others then null;
end $$`;

/** Lends a connection for questions that change nothing: each ends by itself when it takes too long, or its client is gone. */
export function withReading<T>(pool: Pool, fn: (client: ClientBase) => Promise<T>): Promise<T> {
  return withClient(pool, async (client) => {
    await client.query(`begin read only; set local statement_timeout = '${LIMIT}'; ${WATCH_CLIENT}`);
    const result = await fn(client);
    await client.query('commit');
    return result;
  });
}
