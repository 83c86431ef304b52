import pg from 'pg';
import { coerceError, DatabaseError, SyncError } from '../../core/errors.ts';

/** What a connection string points to, without the password. */
interface ConnectionTarget {
  readonly at: string;
  readonly user: string;
  readonly database: string;
}

/** Advice by SQLSTATE or system error code. Exact codes come first, then the class of the SQLSTATE. */
const ADVICE: Readonly<Record<string, (target: ConnectionTarget, message: string) => string>> = {
  ECONNREFUSED: ({ at }) => `no Postgres answers at ${at}: is it running, and are host and port in DATABASE_URL right?`,
  ENOENT: ({ at }) => `no Postgres answers at the socket ${at}: is it running, and is the path in DATABASE_URL right?`,
  ENOTFOUND: ({ at }) => `the host of ${at} is unknown: check the host name in DATABASE_URL`,
  EAI_AGAIN: ({ at }) => `the host name of ${at} cannot be looked up right now: check the name and the DNS`,
  ETIMEDOUT: ({ at }) => `Postgres at ${at} does not answer in time: a firewall, or the wrong host?`,
  EHOSTUNREACH: ({ at }) => `there is no route to ${at}: check the host in DATABASE_URL and the network`,
  ECONNRESET: ({ at }) => `the connection to Postgres at ${at} was lost`,
  EPIPE: ({ at }) => `the connection to Postgres at ${at} was lost`,
  '08': (target, message) =>
    // PgBouncer's message when the time is over that a client may wait for a server connection.
    /query_wait_timeout/.test(message)
      ? noneFree(target)
      : `the connection to Postgres at ${target.at} failed: ${message}`,
  '28': ({ at, user }, message) =>
    /no encryption/.test(message)
      ? `Postgres at ${at} refuses user "${user}" without TLS: add sslmode=require to DATABASE_URL`
      : `Postgres at ${at} refuses user "${user}": check user and password in DATABASE_URL, and pg_hba.conf`,
  '3D000': ({ at, database }) =>
    `there is no database "${database}" at ${at}: create it (createdb ${database}), or change DATABASE_URL`,
  '22P05': (_, message) =>
    `the database cannot hold a character of the API (${message}): it needs ENCODING 'UTF8', see security-sync check`,
  '42501': ({ user }, message) =>
    `user "${user}" lacks a privilege: ${message}; run security-sync migrate as the owner of the schemas, and security-sync ` +
    'roles as an administrator if roles lack privileges (after a restore: backups do not contain them)',
  '42P06': (_, message) =>
    `${message}, and it is not security-sync's: another application uses it, so give security-sync a database of its own`,
  '25006': ({ at, user }) =>
    `Postgres at ${at} is read-only: DATABASE_URL must name the primary, not a replica; if it does, ` +
    `default_transaction_read_only is on for user "${user}", the database or the server`,
  '57014': ({ user }, message) =>
    `Postgres ended a statement (${message}): raise statement_timeout for user "${user}" (ALTER ROLE ... SET)`,
  '57P05': ({ at, user }) =>
    `Postgres at ${at} ended a connection that was idle: raise idle_session_timeout for user "${user}" to a minute or more`,
  '55P03': (_, message) =>
    `another session holds a lock for too long (${message}): look for it in pg_stat_activity, and end it or wait`,
  '53100': ({ at }) => `the disk of Postgres at ${at} is full`,
  '53300': ({ at }) => `Postgres at ${at} has no connection left: raise max_connections, or run fewer processes`,
  '57P01': ({ at }) =>
    `Postgres at ${at} ended the connection: the server was stopped, or an administrator terminated the backend`,
  '57P02': ({ at }) => `Postgres at ${at} ended the connection after a crash and restarts`,
  '57P03': ({ at }) => `Postgres at ${at} is starting or stopping: try again in a moment`,
};

/** Advice for errors without a code, by messages of the driver and OpenSSL. */
const SAID: readonly (readonly [RegExp, (target: ConnectionTarget, message: string) => string])[] = [
  [
    /invalid URL|URI malformed|searchParams/i,
    () =>
      'DATABASE_URL is not of the form postgres://user:password@host:5432/database (special characters in it must be percent-encoded)',
  ],
  [
    /does not support SSL/,
    ({ at }) => `Postgres at ${at} does not support TLS: remove sslmode from DATABASE_URL, or enable TLS on the server`,
  ],
  [
    /does not match certificate/i,
    ({ at }, message) =>
      `the TLS certificate of Postgres at ${at} is for another host (${message}): use that name in DATABASE_URL, or ` +
      'sslmode=verify-ca, which does not compare names',
  ],
  [
    /certificate|self.signed/i,
    ({ at }, message) =>
      `the TLS certificate of Postgres at ${at} is not trusted (${message}): add sslrootcert=FILE to DATABASE_URL`,
  ],
  [/^timeout exceeded when trying to connect|^Query read timeout/, noneFree],
  [
    /connection timeout|timeout expired/,
    ({ at }) =>
      `Postgres at ${at} does not answer in time: a firewall, the wrong host, or a pooler without connections left?`,
  ],
  [
    /Connection terminated|connection error|not queryable|socket/i,
    ({ at }) => `the connection to Postgres at ${at} was lost`,
  ],
  [
    /password must be a string|SASL/i,
    ({ at, user }) => `Postgres at ${at} requires a password for user "${user}", and DATABASE_URL has none`,
  ],
];

/** Advice if all connections stay in use: of this process, or of a pooler in between. */
function noneFree({ at }: ConnectionTarget): string {
  return (
    `no connection to Postgres at ${at} became free in time: a pooler without connections left (default_pool_size; ` +
    'each replica needs 25, each sync 22), or a machine that is too busy?'
  );
}

/**
 * Converts an error of the driver or the server to a `DatabaseError`: one line with advice, never with the password,
 * and the original error as cause. Returns SyncErrors and unknown errors unchanged.
 */
export function toDatabaseError(thrown: unknown, url?: string): Error {
  const error = coerceError(thrown);
  if (error instanceof SyncError) return error;
  const origin = originOf(error);
  const code = codeOf(origin);
  const target = targetOf(url);
  const message = oneLine(origin.message);
  const advise = code === null ? undefined : (ADVICE[code] ?? ADVICE[sqlClass(code)]);
  const said = SAID.find(([pattern]) => pattern.test(origin.message))?.[1];
  const text = (advise ?? said)?.(target, message);
  if (text !== undefined) return new DatabaseError(text, { code }, { cause: error });
  return code !== null && isSqlState(code)
    ? new DatabaseError(`Postgres refused: ${message} (${code})`, { code }, { cause: error })
    : error;
}

/** Drizzle wraps errors of the driver. The innermost error with a code is the relevant one. */
function originOf(error: Error): Error {
  return codeOf(error) === null && error.cause instanceof Error ? originOf(error.cause) : error;
}

function codeOf(error: Error): string | null {
  return 'code' in error && typeof error.code === 'string' ? error.code : null;
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code);
}

function sqlClass(code: string): string {
  return isSqlState(code) ? code.slice(0, 2) : '';
}

function oneLine(message: string): string {
  return message.replace(/\s+/g, ' ').trim();
}

function targetOf(url: string | undefined): ConnectionTarget {
  try {
    const { host, port, user, database } = new pg.Client({ connectionString: url });
    const at = host.startsWith('/') ? host : `${host}:${port}`;
    return { at, user: user ?? '', database: database ?? '' };
  } catch {
    return { at: 'DATABASE_URL', user: '', database: '' };
  }
}
