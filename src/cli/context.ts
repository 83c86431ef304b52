import type { Logger as Pino } from 'pino';
import type { App, AppOptions } from '../app.ts';
import { type Config, loadConfig } from '../config/config.ts';
import type { Scope } from '../core/account.ts';
import { ConfigurationError, DatabaseError, SchemaError } from '../core/errors.ts';
import type { Logger } from '../core/ports.ts';
import { unknownStreams } from '../core/stream/stream.ts';
import { didYouMean } from '../core/text.ts';
import { type CreationMode, type Database, openDatabase } from '../database.ts';
import { createLogger, type LoggerOptions } from '../logger.ts';
import { streams } from '../streams/index.ts';

/** Exit codes of all commands. */
export const EXIT = { ok: 0, incomplete: 1, usage: 2, database: 3 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface GlobalOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** An output stream of a command. */
export type Output = NodeJS.WritableStream &
  Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>> & { readonly fd?: number };

/** Where a command writes answers and logs: the streams of the process, or those of a caller in the same process. */
export interface StandardIo {
  readonly stdout: Output;
  readonly stderr: Output;
}

/** What every command receives: configuration, output, logger and abort signal. */
export interface Context {
  readonly json: boolean;
  readonly io: StandardIo;
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly configFile: string | undefined;
  /** Writes the answer: one JSON document with `--json`, otherwise the text. */
  answer(document: unknown, text: () => string): void;
  /** Writes a line for people; nothing with `--json`. */
  say(line: string): void;
}

export interface CommandNeeds {
  /** False for commands that only read the database. */
  readonly needsAccounts?: boolean;
  /** True for commands that need only the database and no API secret. */
  readonly databaseOnly?: boolean;
  /** Stream names given on the command line. */
  readonly names?: readonly string[];
}

/** Loads the configuration. An unknown stream name is reported together with the problems of the file. */
export async function loadedConfig(
  context: Context,
  { databaseOnly = false, needsAccounts = !databaseOnly, names = [] }: CommandNeeds = {},
): Promise<Config> {
  const typo = unknownStreams(streams, names);
  try {
    const config = await loadConfig({
      streams,
      file: context.configFile,
      needsAccounts,
      databaseOnly,
    });
    if (typo !== null) throw new ConfigurationError(typo);
    return config;
  } catch (error) {
    if (typo === null || !(error instanceof ConfigurationError) || error.message === typo) throw error;
    throw new ConfigurationError(`${typo}\n${error.message}`, {}, { cause: error });
  }
}

export function loggerFor(
  context: Context,
  config: Config | null,
  { around, logsToStderr = false }: Pick<AppNeeds, 'around' | 'logsToStderr'> = {},
): Promise<Pino> {
  return createLogger({
    level: config?.log.level ?? 'info',
    to: context.json || logsToStderr ? context.io.stderr : context.io.stdout,
    ...(around === undefined ? {} : { around }),
  });
}

export interface DatabaseNeeds extends CommandNeeds {
  /** Whether a missing embedded database is created; read-only commands do not leave one behind. */
  readonly creation?: CreationMode;
}

/** Runs `work` with the configured database and closes the database afterwards. */
export async function onDatabase<T>(
  context: Context,
  wanted: DatabaseNeeds,
  work: (database: Database, config: Config, logger: Pino) => Promise<T>,
): Promise<T> {
  const config = await loadedConfig(context, wanted);
  const logger = await loggerFor(context, config);
  return withDatabase({ context, config, logger, ...wanted }, (database) => work(database, config, logger));
}

export interface AppNeeds extends DatabaseNeeds, Pick<AppOptions, 'instrumentQuota'>, Pick<LoggerOptions, 'around'> {
  /** Log only warnings and errors. */
  readonly quiet?: boolean;
  /** Log to stderr, because the answer goes to stdout. */
  readonly logsToStderr?: boolean;
}

/** Runs `work` with an app of the configuration, and closes everything afterwards. */
export async function withApp<T>(
  context: Context,
  wanted: AppNeeds,
  work: (app: App, logger: Pino) => Promise<T>,
): Promise<T> {
  const { instrumentQuota, quiet = false } = wanted;
  const config = await loadedConfig(context, wanted);
  const logger = await loggerFor(context, config, wanted);
  if (quiet) logger.level = 'warn';
  return withDatabase({ context, config, logger, ...wanted }, async (database) => {
    // Imported lazily: read-only commands need neither the API client nor the queue, and start faster without them.
    const { openApp } = await import('../app.ts');
    const app = await openApp({
      config,
      logger,
      database,
      ...(instrumentQuota === undefined ? {} : { instrumentQuota }),
    });
    try {
      return await work(app, logger);
    } finally {
      await app.close();
    }
  });
}

export interface DatabaseSession {
  readonly context: Context;
  readonly config: Config;
  readonly logger: Logger;
  readonly creation?: CreationMode;
}

/** Opens the database, reports where an embedded one is, and closes it after `work`. */
export async function withDatabase<T>(
  { context, config, logger, creation = false }: DatabaseSession,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(config, logger, { creation });
  try {
    const { url, directory, temporary } = database;
    if (temporary) context.say(`Database: none yet; security-sync sync creates one in ${directory}`);
    else if (directory !== null) context.say(`Database: ${url} (embedded, in ${directory})`);
    return await work(database);
  } finally {
    await database.close();
  }
}

/** The configured scopes, or those of one project. Throws ConfigurationError for a project that is not configured. */
export function scopesOf({ config }: App, project: string | undefined): readonly Scope[] {
  const scopes = config.scopes.filter(({ projectId }) => project === undefined || projectId === project);
  if (scopes.length > 0) return scopes;
  const known = config.scopes.map(({ projectId }) => projectId);
  throw unknownProject(project ?? '', 'configured', known);
}

/** The error for a project that is not among the known ones; `what` they are: configured, or stored. */
export function unknownProject(project: string, what: string, known: readonly string[]): ConfigurationError {
  const others = `${what}: ${known.join(', ') || 'none'}`;
  return new ConfigurationError(`project "${project}" is not ${what} (${others})${didYouMean(project, known)}`);
}

/** The stream names as typed. Throws ConfigurationError for a stream that is not enabled. */
export function enabledNames({ streams: enabled }: App, names: readonly string[]): readonly string[] {
  const off = names.filter((name) => !enabled.some((stream) => stream.name === name));
  if (off.length === 0) return names;
  throw new ConfigurationError(
    `${off.join(', ')} not enabled: add the group to streams.groups, or set streams.${off[0]}.enabled: true`,
  );
}

/** The exit code for an error that a command threw. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigurationError) return EXIT.usage;
  if (error instanceof DatabaseError || error instanceof SchemaError) return EXIT.database;
  return EXIT.incomplete;
}
