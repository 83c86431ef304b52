import pino from 'pino';
import type { Config } from './config/config.ts';
import { SyncError } from './core/errors.ts';
import { printable } from './core/text.ts';

/** Takes lines: a stream of the process, which has a descriptor, or anything else with `write`. */
export interface LogTarget {
  write(line: string): unknown;
  readonly fd?: number;
  readonly isTTY?: boolean;
}

export interface LoggerOptions {
  readonly level: Config['log']['level'];
  /** With `--json`, stdout carries one JSON document and nothing else. */
  readonly to: LogTarget;
  /** Whether people read the lines; without it, whether `to` is a terminal. */
  readonly pretty?: boolean;
  /** Calls what writes a line: a display on the same terminal makes room for it. */
  readonly around?: (write: () => void) => void;
}

/** Structured lines, one JSON object each; on a terminal the same for people. The only place that knows pino. */
export async function createLogger({
  level,
  to,
  pretty = to.isTTY === true,
  around = (write) => write(),
}: LoggerOptions): Promise<pino.Logger> {
  // Synchronous: what was logged last before a crash is what one wants to read.
  const lines = to.fd === undefined ? to : pino.destination({ fd: to.fd, sync: true });
  const show = pretty ? await showing() : (line: string) => line;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
      // Errors were made plain, and their secrets taken out, before serializers see them.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: cleaned },
    },
    { write: (line: string) => around(() => void lines.write(show(line))) },
  );
}

/** A line for people. Escapes of control characters are escaped once more: decoded, they would steer the terminal. */
async function showing(): Promise<(line: string) => string> {
  const { prettyFactory, isColorSupported } = await import('pino-pretty');
  const options = { translateTime: 'SYS:HH:MM:ss', singleLine: true, colorize: isColorSupported };
  const show = prettyFactory(options);
  return (line) => show(line.replace(/(?<!\\)((?:\\\\)*)\\(?=[bfr]|u00[01789]|u20[026])/g, '$1\\\\'));
}

/** Names of fields that hold a secret wherever they stand, without case, hyphens and underscores. */
const SECRET_FIELDS = new Set(
  'authorization proxyauthorization headers cookie setcookie xauthtoken xsubjecttoken xsecuritytoken xmetadatatoken token securitytoken password passwd secret secretkey secretaccesskey accesskey ak sk credential credentials connectionstring'.split(
    ' ',
  ),
);

/** pino's own redaction wants paths of a known depth; answers and contexts are nested as they please. */
function redactFields(fields: object): Record<string, unknown> {
  return redactEntries(fields, 0);
}

function redactEntries(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      SECRET_FIELDS.has(name.toLowerCase().replace(/[-_]/g, '')) ? '[redacted]' : redact(value, depth + 1),
    ]),
  );
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > 8) return '[deeper]';
  if (value instanceof Error) return plainError(value, depth);
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  // Dates and the like print themselves; what has a serializer (requests) must reach it as it is.
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? redactEntries(value, depth) : value;
}

/**
 * Name, message, code and cause. Foreign errors drag whole connections along (node-postgres its client, with its keys), so of
 * their other properties only plain values are written. A stack is for what was not foreseen.
 */
function plainError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const isOurs = error instanceof SyncError;
  const own = Object.entries(error).filter(([key, value]) => key !== 'name' && (isOurs || typeof value !== 'object'));
  return {
    type: name,
    message,
    ...(isOurs ? {} : { stack }),
    ...redactEntries(Object.fromEntries(own), depth),
    ...(cause === undefined
      ? {}
      : { cause: isOurs && cause instanceof Error ? causeOf(cause) : redact(cause, depth + 1) }),
  };
}

/** Why something foreseen happened: its own stack says nothing. */
function causeOf(cause: Error): Record<string, unknown> {
  return { type: cause.name, message: cause.message, ...('code' in cause ? { code: cause.code } : {}) };
}

/** Without the password of a URL, wherever in the line it stands, and without a character that steers a terminal. */
function cleaned(line: string): string {
  return printable(line.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/"]*:)[^\s@/"]+@/gi, '$1***@'));
}
