import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ClientBase, Pool } from 'pg';
import pg from 'pg';
import { coerceError, DatabaseError } from '../../core/errors.ts';
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

/**
 * Runs `fn` in one transaction: on a connection of the pool, or on one that is held already. `begin` may set what is to hold
 * for the transaction only (`begin; set local ...`).
 */
export function withTransaction<T>(
  on: pg.Pool | pg.ClientBase,
  fn: (client: pg.ClientBase) => Promise<T>,
  begin = 'begin',
): Promise<T> {
  return on instanceof pg.Pool
    ? withClient(on, (client) => transaction(client, fn, begin))
    : transaction(on, fn, begin);
}

async function transaction<T>(
  client: pg.ClientBase,
  fn: (client: pg.ClientBase) => Promise<T>,
  begin: string,
): Promise<T> {
  try {
    await client.query(begin);
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

/** A connection string without its TLS parameters, and what they mean. */
export interface Target {
  readonly connectionString: string;
  /** Absent: what the driver does without TLS parameters. */
  readonly ssl?: boolean | ConnectionOptions;
  /** The server need not speak TLS: without it the connection is made in plain. */
  readonly tlsOptional: boolean;
}

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const;
type Mode = (typeof MODES)[number];

/** Spellings of `ssl=` that drivers of other languages take. */
const SSL: Readonly<Record<string, Mode>> = {
  true: 'verify-full',
  '1': 'verify-full',
  on: 'verify-full',
  false: 'disable',
  '0': 'disable',
  off: 'disable',
};

/**
 * Reads TLS parameters as libpq does (https://www.postgresql.org/docs/current/libpq-ssl.html): `require` encrypts,
 * `verify-ca` checks who signed the certificate, `verify-full` the host name as well; `require` with `sslrootcert` is
 * `verify-ca`. The driver of its own takes all of them for `verify-full`. Throws a `DatabaseError` for an unknown mode and
 * for a file that cannot be read.
 */
export function targetOf(url: string): Target {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) return { connectionString: url, tlsOptional: false };
  const files = {
    ca: readFile(parsed, 'sslrootcert'),
    cert: readFile(parsed, 'sslcert'),
    key: readFile(parsed, 'sslkey'),
  };
  const mode = modeOf(parsed) ?? (Object.values(files).some((file) => file !== undefined) ? 'verify-full' : null);
  if (mode === null) return { connectionString: url, tlsOptional: false };
  for (const name of ['ssl', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey']) parsed.searchParams.delete(name);
  const given = Object.fromEntries(Object.entries(files).filter(([, file]) => file !== undefined));
  return {
    connectionString: parsed.href,
    ssl: mode === 'disable' ? false : { ...given, ...checksOf(mode, files.ca !== undefined) },
    tlsOptional: mode === 'prefer' || mode === 'allow',
  };
}

function checksOf(mode: Mode, hasCa: boolean): ConnectionOptions {
  if (mode === 'verify-full') return {};
  if (mode === 'verify-ca' || (mode === 'require' && hasCa)) return { checkServerIdentity: () => undefined };
  return { rejectUnauthorized: false };
}

function modeOf(url: URL): Mode | null {
  const given = url.searchParams.get('sslmode') ?? url.searchParams.get('ssl');
  if (given === null) return null;
  const mode = MODES.find((one) => one === given) ?? SSL[given];
  if (mode === undefined)
    throw new DatabaseError(`unknown sslmode "${given}" in DATABASE_URL: use one of ${MODES.join(', ')}`);
  return mode;
}

function readFile(url: URL, name: string): string | undefined {
  const path = url.searchParams.get(name);
  // `system` is what libpq calls the certificates of the operating system, which are Node's default.
  if (path === null || path === 'system') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new DatabaseError(
      `${name} in DATABASE_URL cannot be read: ${coerceError(error).message}`,
      {},
      { cause: error },
    );
  }
}

/**
 * What a role, a database or a server may set otherwise and our statements and the driver rely on. Not as `options` of
 * the connection: poolers refuse them.
 */
const PINNED = Object.entries({
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read committed',
})
  .map(([name, value]) => `set ${name} = '${value}'`)
  .join('; ');

/** Brings a new connection to the settings that we rely on. */
export async function pinSettings(client: pg.ClientBase): Promise<void> {
  await client.query(PINNED);
}

/**
 * The driver's client, which closes its socket when it does not get through. The driver leaves it open, for example when
 * the server asks for a password that there is none of: the process then stays until the server gives up, a minute later.
 */
export class Client extends pg.Client {
  readonly #socket: Socket;

  constructor(config?: pg.ClientConfig) {
    const socket = new Socket();
    super({ ...config, stream: () => socket });
    this.#socket = socket;
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
