import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Pool } from 'pg';
import type { Config } from './config/config.ts';
import { DatabaseError } from './core/errors.ts';
import { LANES_AT_ONCE, type Logger } from './core/ports.ts';
import { toDatabaseError } from './postgres/connection/database-error.ts';
import { createPool } from './postgres/connection/pool.ts';
import { isInitialised } from './postgres/embedded/files.ts';
import type { EmbeddedPostgres } from './postgres/embedded/server.ts';

/** Released in reverse order, also if opening fails half-way. */
type Releasers = (() => Promise<unknown>)[];

export interface Database {
  readonly url: string;
  /** The directory of the embedded server; null for a configured database. */
  readonly directory: string | null;
  /** Whether the database is deleted when it is closed, because no permanent one exists. */
  readonly temporary: boolean;
  readonly pool: Pool;
  close(): Promise<void>;
  /** Stops an embedded server without waiting, for a process that is about to exit. */
  stopNow(): void;
}

export interface DatabaseOptions {
  /** The directory of the embedded server. */
  readonly directory?: string;
  /** What to do if there is no embedded database; by default it is created. */
  readonly creation?: CreationMode;
}

/** What to do without an embedded database: create it, create a temporary one for this command, or (false) fail. */
export type CreationMode = boolean | 'temporary';

const EMBEDDED_DIRECTORY = join('.data', 'postgres');

/** Opens the configured database, or the embedded one under ./.data/postgres. Does not migrate. */
export async function openDatabase(
  config: Config | null,
  logger: Logger,
  { directory: wanted = EMBEDDED_DIRECTORY, creation = true }: DatabaseOptions = {},
): Promise<Database> {
  const releasers: Releasers = [];
  try {
    const configured = await config?.database.url?.();
    const directory = configured === undefined ? resolve(wanted) : null;
    const temporary = directory !== null && creation === 'temporary' && !(await isInitialised(directory));
    const embedded = directory === null ? null : await openEmbedded(directory, { creation, temporary, releasers });
    const url = configured ?? embedded?.url ?? '';
    let closing = false;
    // One connection for each writing lane, and a few for queries.
    const pool = createPool(url, {
      max: LANES_AT_ONCE + 4,
      applicationName: 'security-sync',
      onError: (error) => {
        // Sockets close shortly after the pool has ended, possibly after the embedded server stopped.
        if (!closing) logger.warn({ err: toDatabaseError(error, url) }, 'a database connection was lost');
      },
    });
    releasers.push(() => {
      closing = true;
      return pool.end();
    });
    return {
      url,
      directory,
      temporary,
      pool,
      close: once(() => releaseAll(releasers)),
      stopNow: () => embedded?.stopNow(),
    };
  } catch (error) {
    await releaseAll(releasers);
    throw error;
  }
}

interface OpeningOptions {
  readonly creation: CreationMode;
  readonly temporary: boolean;
  readonly releasers: Releasers;
}

async function openEmbedded(
  directory: string,
  { creation, temporary, releasers }: OpeningOptions,
): Promise<EmbeddedPostgres> {
  if (creation === false && !(await isInitialised(directory))) {
    throw new DatabaseError(
      `there is no database: DATABASE_URL is not set, and there is none in ${directory}. Set DATABASE_URL, or change to the directory that has it; security-sync migrate creates a new one here`,
    );
  }
  let data = directory;
  if (temporary) {
    const place = await mkdtemp(join(tmpdir(), 'security-sync-'));
    releasers.push(() => rm(place, { recursive: true, force: true, maxRetries: 5 }));
    data = join(place, 'postgres');
  }
  // Imported lazily: with a configured database nothing starts processes.
  const { startEmbeddedPostgres } = await import('./postgres/embedded/server.ts');
  // A database that goes with the command need not survive a power failure.
  const embedded = await startEmbeddedPostgres(data, temporary ? { fsync: 'off' } : {});
  releasers.push(() => embedded.release());
  return embedded;
}

export async function releaseAll(releasers: Releasers): Promise<void> {
  for (const release of releasers.splice(0).reverse()) await release();
}

/** Later callers get the promise of the first call, so that all see its outcome. */
export function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
