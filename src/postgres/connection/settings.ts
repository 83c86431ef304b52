import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { coerceError, DatabaseError } from '../../core/errors.ts';

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
