import pino from 'pino';
import type { Config } from './config/config.ts';
import { SyncError } from './core/errors.ts';
import { printable } from './core/text.ts';

/** Receives lines: an output stream of the process, which has a descriptor, or any object with `write`. */
export interface LogTarget {
  write(line: string): unknown;
  readonly fd?: number;
  readonly isTTY?: boolean;
}

export interface LoggerOptions {
  readonly level: Config['log']['level'];
  /** stderr with `--json`, because stdout then has exactly one JSON document. */
  readonly to: LogTarget;
  /** Whether to format lines for people; by default, whether `to` is a terminal. */
  readonly pretty?: boolean;
  /** Wraps each write, so that a display on the same terminal can clear its lines. */
  readonly around?: (write: () => void) => void;
}

/** A logger that writes one JSON object per line, or readable lines on a terminal. Only this module uses pino. */
export async function createLogger({
  level,
  to,
  pretty = to.isTTY === true,
  around = (write) => write(),
}: LoggerOptions): Promise<pino.Logger> {
  // Synchronous, so that the last lines before a crash are written.
  const lines = to.fd === undefined ? to : pino.destination({ fd: to.fd, sync: true });
  const show = pretty ? await showing() : (line: string) => line;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
      // Errors are already plain and redacted when serializers see them.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: cleaned },
    },
    { write: (line: string) => around(() => void lines.write(show(line))) },
  );
}

/**
 * A formatter for people. Escaped control characters are escaped once more, because after decoding they would control
 * the terminal.
 */
async function showing(): Promise<(line: string) => string> {
  const { prettyFactory, isColorSupported } = await import('pino-pretty');
  const options = { translateTime: 'SYS:HH:MM:ss', singleLine: true, colorize: isColorSupported };
  const show = prettyFactory(options);
  return (line) => show(line.replace(/(?<!\\)((?:\\\\)*)\\(?=[bfr]|u00[01789]|u20[026])/g, '$1\\\\'));
}

/** Names of fields with secrets, at any depth, without case, hyphens and underscores. */
const SECRET_FIELDS = new Set(
  'authorization proxyauthorization headers cookie setcookie xauthtoken xsubjecttoken xsecuritytoken xmetadatatoken token securitytoken password passwd secret secretkey secretaccesskey accesskey ak sk credential credentials connectionstring'.split(
    ' ',
  ),
);

/** pino's own redaction needs paths of a known depth, but responses and contexts have any depth. */
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
  // Dates and the like format themselves; objects with a serializer (requests) must reach it unchanged.
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? redactEntries(value, depth) : value;
}

/**
 * Name, message, code and cause of an error. Errors of libraries can contain whole connections (node-postgres: its
 * client with its keys), so only plain values of their other properties are logged. Only unexpected errors have a
 * stack.
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

/** The cause of an expected error; the error's own stack has no information. */
function causeOf(cause: Error): Record<string, unknown> {
  return { type: cause.name, message: cause.message, ...('code' in cause ? { code: cause.code } : {}) };
}

/** Removes passwords from URLs, and control characters that affect a terminal. */
function cleaned(line: string): string {
  return printable(line.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/"]*:)[^\s@/"]+@/gi, '$1***@'));
}
