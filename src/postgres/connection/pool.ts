import { Socket } from 'node:net';
import type { ClientBase, Pool } from 'pg';
import pg from 'pg';
import type { z } from 'zod';
import { coerceError, DatabaseError } from '../../core/errors.ts';
import { Semaphore } from '../../core/ports.ts';
import { connectionSettings } from './connection-settings.ts';
import { toDatabaseError } from './database-error.ts';

export type { Pool, PoolClient } from 'pg';

/** Advisory locks with one key, by their use. Those of runs have two keys (`run/lock.ts`), and never conflict with these. */
export const ADVISORY_LOCKS = {
  /** Held shared by every user of an embedded server. The process that gets it exclusively is the last one. */
  embedded: 4_242_001,
  /** Without it, one of three processes that migrate at once would succeed and two would fail. */
  migration: 4_242_002,
  /** One replica prunes at a time. */
  pruning: 4_242_003,
  /** One demo writes its data at a time. */
  demo: 4_242_004,
} as const;

/** Settings of a pool. */
export interface PoolOptions {
  readonly max: number;
  /** Name in `pg_stat_activity`. */
  readonly applicationName: string;
  /** Called when an idle connection is lost, for the log. The pool replaces the connection. */
  readonly onError?: (error: Error) => void;
}

/**
 * How long to wait until one of the pool's connections is free. On a machine without CPU time left, statements of other
 * runs take seconds each.
 */
const FREE_WITHIN_MS = 60_000;

/** How long to wait until a new connection is open. */
const OPEN_WITHIN_MS = 10_000;

const INT8 = 20;

/**
 * Reads 64-bit integers as number if that is exact, otherwise as bigint, like the fields of a row. The driver's default
 * is text. `timestamptz` becomes a Date.
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

/**
 * A value of a JSON column; null if nothing is stored, or nothing that this version can read. A list whose checkpoint
 * cannot be read is read in full.
 */
export function readStored<T>(schema: z.ZodType<T>, stored: unknown): T | null {
  return stored === null ? null : (schema.safeParse(stored).data ?? null);
}

/** Pools that may connect without TLS. */
const tlsOptional = new WeakSet<pg.Pool>();

/**
 * Creates a pool whose connections all have the same settings (see {@link pinSettings}). Throws a `DatabaseError` for a
 * bad URL.
 */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  assertUrl(url);
  const { connectionString, ssl, tlsOptional: isOptional } = connectionSettings(url);
  const pool = new pg.Pool({
    connectionString,
    ...(ssl === undefined ? {} : { ssl }),
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: FREE_WITHIN_MS,
    keepAlive: true,
    types,
    Client,
    onConnect: (client: pg.ClientBase) => pinSettings(client, FREE_WITHIN_MS),
  });
  if (isOptional) tlsOptional.add(pool);
  // Without these listeners a lost connection is an uncaught exception, of the pool while idle, of the connection while
  // in use. The user of the connection gets the error from its next query.
  pool.on('error', (error) => options.onError?.(error));
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Takes a connection from the pool; the caller releases it. Throws a `DatabaseError` with advice. */
export async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  // Read before, because several connections may be refused at the same time.
  const { ssl } = pool.options;
  try {
    return await pool.connect();
  } catch (error) {
    if (tlsOptional.has(pool) && ssl !== false && /does not support SSL/.test(coerceError(error).message)) {
      pool.options.ssl = false;
      return connect(pool);
    }
    throw toDatabaseError(error, pool.options.connectionString);
  }
}

/** Runs `fn` with a connection. Throws errors of the database as `DatabaseError` with advice. */
export async function withClient<T>(pool: pg.Pool, fn: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await connect(pool);
  try {
    const result = await fn(client);
    client.release();
    return result;
  } catch (error) {
    // The state of the connection is unknown (a transaction, a lock), so it is closed and not reused.
    client.release(coerceError(error));
    throw toDatabaseError(error, pool.options.connectionString);
  }
}

/**
 * Runs `fn` in one transaction, on a connection of the pool or on the given one. `begin` may include settings for this
 * transaction (`begin; set local ...`), or a query, in the same round trip; `began` is what the driver returns for it.
 */
export function withTransaction<T>(
  on: pg.Pool | pg.ClientBase,
  fn: (client: pg.ClientBase, began: unknown) => Promise<T>,
  begin = 'begin',
): Promise<T> {
  return on instanceof pg.Pool
    ? withClient(on, (client) => transaction(client, fn, begin))
    : transaction(on, fn, begin);
}

async function transaction<T>(
  client: pg.ClientBase,
  fn: (client: pg.ClientBase, began: unknown) => Promise<T>,
  begin: string,
): Promise<T> {
  try {
    const began: unknown = await client.query(begin);
    const result = await fn(client, began);
    await client.query('commit');
    return result;
  } catch (error) {
    // If the rollback fails, the connection is lost, which ends the transaction as well.
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

/**
 * Parses the URL now, because a pool parses it at the first connection and then reports all of it, with its password.
 */
function assertUrl(url: string): void {
  try {
    // A slash in the password ends the host, so that part of the password would be shown as the address.
    if (URL.parse(url)?.pathname.includes('@') === true) throw new TypeError('Invalid URL');
    new pg.Client({ connectionString: connectionSettings(url).connectionString });
  } catch (error) {
    throw toDatabaseError(error, url);
  }
}

/** Longer than any query on the bookkeeping takes. */
const LIMIT_SECONDS = 15;

/**
 * Ends a statement if its client has disconnected (Postgres then checks the socket every second). Postgres refuses this
 * setting on systems without support, such as Windows, where only the time limit applies.
 */
const WATCH_CLIENT = `do $$ begin
  perform set_config('client_connection_check_interval', '1s', true);
exception when others then null;
end $$`;

/** Concurrent readings of a pool: the status page and the metrics need up to eight, and runs the other connections. */
const READINGS_AT_ONCE = 2;
const readings = new WeakMap<Pool, Semaphore>();

/**
 * Runs read-only queries with a connection, two at a time on a pool. They end after the time limit, or when their client
 * has disconnected.
 */
export function withReading<T>(pool: Pool, fn: (client: ClientBase) => Promise<T>): Promise<T> {
  const semaphore = readings.get(pool) ?? new Semaphore(READINGS_AT_ONCE);
  readings.set(pool, semaphore);
  return semaphore.run(() =>
    withClient(pool, async (client) => {
      await client.query(`begin read only; set local statement_timeout = '${LIMIT_SECONDS}s'; ${WATCH_CLIENT}`);
      const result = await fn(client).catch(explainLimit);
      await client.query('commit');
      return result;
    }),
  );
}

/** The limit is that of {@link withReading}, so a setting of the role would change nothing. */
function explainLimit(thrown: unknown): never {
  const error = coerceError(thrown);
  if (!/due to statement timeout/.test(error.message)) throw error;
  throw new DatabaseError(
    `Postgres needed more than ${LIMIT_SECONDS} s for a query on the bookkeeping: it is overloaded, or waits for its disk; ` +
      'try again, and look at pg_stat_activity for other work',
    { code: '57014' },
    { cause: error },
  );
}

/**
 * Settings that a role, a database or a server may override and that our statements or the driver rely on. Not sent as
 * connection `options`, because poolers refuse those.
 */
const PINNED = Object.entries({
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read committed',
  // The query for the state of all streams is long and reads little: compiling it takes seconds, running it milliseconds.
  jit: 'off',
})
  .map(([name, value]) => `set ${name} = '${value}'`)
  .join('; ');

/**
 * Applies these settings to a new connection. A pooler accepts connections that it has no server connection for, and
 * answers their first statement when it has one. Throws the driver's `Query read timeout` if that takes longer than
 * `withinMs`; without it there is no limit.
 */
export async function pinSettings(client: pg.ClientBase, withinMs?: number): Promise<void> {
  await client.query({ text: PINNED, ...(withinMs === undefined ? {} : { query_timeout: withinMs }) });
}

/**
 * The driver's client, but it closes its socket after a failed connection. The driver leaves it open, for example if
 * the server requires a password and there is none; the process would then stay alive until the server times out.
 */
export class Client extends pg.Client {
  readonly #socket: Socket;

  constructor(config?: pg.ClientConfig) {
    const socket = new Socket();
    // The pool passes its own limit, which is that of waiting for a free connection.
    super({ ...config, connectionTimeoutMillis: OPEN_WITHIN_MS, stream: () => socket });
    this.#socket = socket;
    // Everything is sent. The server closes the connection a few milliseconds later, for which no command has to wait. Not `unref`:
    // the pool waits for the end of a connection before it serves the next caller, and the process could exit before.
    socket.once('finish', () => socket.destroy());
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
    if (callback === undefined) return super.connect();
    super.connect((error: Error) => {
      if (error) this.#socket.destroy();
      callback(error);
    });
    return undefined;
  }
}
