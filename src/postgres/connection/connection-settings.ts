import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { coerceError, DatabaseError } from '../../core/errors.ts';

/** A connection string without its TLS parameters, and their meaning. */
export interface ConnectionSettings {
  readonly connectionString: string;
  /** Absent: the driver's default. */
  readonly ssl?: boolean | ConnectionOptions;
  /** Connect without TLS if the server does not support it. */
  readonly tlsOptional: boolean;
}

/**
 * A parameter of the driver that is ignored: after this time the driver reports an error, while Postgres goes on and may
 * still commit. `statement_timeout` ends the statement itself.
 */
const QUERY_TIMEOUT = 'query_timeout';

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const;
type Mode = (typeof MODES)[number];

/** Values of `ssl=` that drivers of other languages accept. */
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
 * `verify-ca` also checks the issuer of the certificate, `verify-full` also the host name; `require` with `sslrootcert`
 * means `verify-ca`. The driver itself treats all of them as `verify-full`. Throws a `DatabaseError` for an unknown
 * mode or an unreadable file.
 */
export function connectionSettings(url: string): ConnectionSettings {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) return { connectionString: url, tlsOptional: false };
  const files = {
    ca: readFile(parsed, 'sslrootcert'),
    cert: readFile(parsed, 'sslcert'),
    key: readFile(parsed, 'sslkey'),
  };
  const mode = modeOf(parsed) ?? (Object.values(files).some((file) => file !== undefined) ? 'verify-full' : null);
  const hasTimeout = parsed.searchParams.has(QUERY_TIMEOUT);
  parsed.searchParams.delete(QUERY_TIMEOUT);
  if (mode === null) return { connectionString: hasTimeout ? parsed.href : url, tlsOptional: false };
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
  // In libpq, `system` means the certificates of the operating system, which are Node's default.
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
