import type { Logger as Pino } from 'pino';
import { type App, type AppOptions, type Database, openApp, openDatabase } from '../app.ts';
import { type Config, loadConfig } from '../config.ts';
import { ConfigurationError, DatabaseError, SchemaError } from '../core/errors.ts';
import { createLogger } from '../logger.ts';
import { streams } from '../streams/index.ts';

/** Exit codes, the same for every command. */
export const EXIT = { ok: 0, incomplete: 1, usage: 2, database: 3 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface GlobalOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** What every command gets: how to write its answer, where to log, and when to stop. */
export interface Context {
  readonly json: boolean;
  /** Aborts with the first signal. */
  readonly signal: AbortSignal;
  readonly configFile: string | undefined;
  /** The answer: one JSON document with `--json`, else the text. */
  answer(document: unknown, text: () => string): void;
  /** A line for people; nothing with `--json`. */
  say(line: string): void;
}

export function loadedConfig(context: Context, { needsAccounts = true } = {}): Promise<Config> {
  return loadConfig({ streams: streams.map(({ name }) => name), file: context.configFile, needsAccounts });
}

export function loggerFor(context: Context, config: Config | null): Promise<Pino> {
  return createLogger({ level: config?.log.level ?? 'info', to: context.json ? 'stderr' : 'stdout' });
}

/** Runs `work` over an app of the configuration; everything opened is closed again. */
export async function withApp<T>(
  context: Context,
  work: (app: App, logger: Pino) => Promise<T>,
  options: Pick<AppOptions, 'watchQuota'> & { readonly quiet?: boolean } = {},
): Promise<T> {
  const config = await loadedConfig(context);
  const logger = await loggerFor(context, config);
  if (options.quiet) logger.level = 'warn';
  return withDatabase(context, config, logger, async (database) => {
    const app = await openApp({ config, logger, database, ...options });
    try {
      return await work(app, logger);
    } finally {
      await app.close();
    }
  });
}

export async function withDatabase<T>(
  context: Context,
  config: Config | null,
  logger: Pino,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(config, logger);
  try {
    if (database.embedded) context.say(`Database: ${database.url} (embedded, under ./.data/postgres)`);
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Exit code of what a command threw. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigurationError) return EXIT.usage;
  if (error instanceof DatabaseError || error instanceof SchemaError) return EXIT.database;
  return EXIT.incomplete;
}
