import pino from 'pino';
import type { Config } from './config.ts';

export interface LoggerOptions {
  readonly level: Config['log']['level'];
  /** With `--json`, stdout carries one JSON document and nothing else. */
  readonly to: 'stdout' | 'stderr';
  /** Instead of `to`: where tests read the lines from. */
  readonly stream?: pino.DestinationStream;
}

/** Structured lines, one JSON object each; on a terminal the same for people. The only place that knows pino. */
export async function createLogger({ level, to, stream }: LoggerOptions): Promise<pino.Logger> {
  const output = process[to];
  // Synchronous: what was logged last before a crash is what one wants to read.
  const lines = pino.destination({ fd: output.fd, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
      // Errors were made plain, and their secrets taken out, before serializers see them.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: withoutUrlPasswords },
    },
    stream ?? (output.isTTY ? await prettyStream(to) : lines),
  );
}

async function prettyStream(to: LoggerOptions['to']): Promise<pino.DestinationStream> {
  const { build } = await import('pino-pretty');
  return build({ destination: process[to].fd, sync: true, translateTime: 'SYS:HH:MM:ss', singleLine: true });
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

function plainError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const own = redactEntries(error, depth);
  return { type: name, message, stack, ...own, ...(cause === undefined ? {} : { cause: redact(cause, depth + 1) }) };
}

/** The password of a URL, wherever in the line it stands. */
function withoutUrlPasswords(line: string): string {
  return line.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/"]*:)[^\s@/"]+@/gi, '$1***@');
}
