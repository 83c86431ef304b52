import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from 'pg';
import { type Config, fingerprintOf } from './config/config.ts';
import { contentPolicyOf, targetMsOf } from './config/streams.ts';
import { DatabaseError } from './core/errors.ts';
import type { Clock, Logger, PageSource, Quota } from './core/ports.ts';
import type { RunReport, Store } from './core/store.ts';
import type { Stream } from './core/stream/stream.ts';
import { SINCE_MS } from './core/windows.ts';
import { createPageSource } from './huawei/requests/read-call.ts';
import { toDatabaseError } from './postgres/connection/database-error.ts';
import { createPool } from './postgres/connection/pool.ts';
import { assertFit, DatabaseClock } from './postgres/connection/readiness.ts';
import { createRunLog, PostgresLaneQueue } from './postgres/coordination/lane-queue.ts';
import { createQuota, createSuspensions } from './postgres/coordination/quota.ts';
import { isInitialised } from './postgres/embedded/files.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/embedded/server.ts';
import { prune as pruneOld } from './postgres/maintenance/retention.ts';
import { publishProjects } from './postgres/queries/projects.ts';
import { createStore } from './postgres/run/store.ts';
import { migrate } from './postgres/schema/migrate.ts';
import { streams as allStreams } from './streams/index.ts';
import { LANES_AT_ONCE } from './sync/once.ts';
import type { Engine } from './sync/run/run-stream.ts';
import { DueLanes } from './sync/service/scheduler.ts';
import { Service } from './sync/service/service.ts';

/** Undone last-in first-out, also when opening fails half-way. */
type Releasers = (() => Promise<unknown>)[];

export interface Database {
  readonly url: string;
  /** Where the embedded one keeps its files; null for a configured one. */
  readonly directory: string | null;
  /** Whether it is gone as soon as it is closed: there is no other one yet. */
  readonly temporary: boolean;
  readonly pool: Pool;
  close(): Promise<void>;
  /** Stops an embedded server without waiting: for a process that is about to exit. */
  stopNow(): void;
}

export interface DatabaseOptions {
  /** Where the embedded one is. */
  readonly directory?: string;
  /** What is done where there is no embedded one; without it one is made. */
  readonly makes?: Makes;
}

/** Makes the embedded database where there is none; or one that goes away with the command; or, with false, fails. */
export type Makes = boolean | 'temporary';

const EMBEDDED_DIRECTORY = join('.data', 'postgres');

/** The configured database, or the embedded one under ./.data/postgres. Applies no migrations. */
export async function openDatabase(
  config: Config | null,
  logger: Logger,
  { directory: wanted = EMBEDDED_DIRECTORY, makes = true }: DatabaseOptions = {},
): Promise<Database> {
  const releasers: Releasers = [];
  try {
    const configured = await config?.database.url?.();
    const directory = configured === undefined ? resolve(wanted) : null;
    const temporary = directory !== null && makes === 'temporary' && !(await isInitialised(directory));
    const embedded = directory === null ? null : await openEmbedded(directory, { makes, temporary, releasers });
    const url = configured ?? embedded?.url ?? '';
    let closing = false;
    // One connection for each lane that writes, and a few for looking things up meanwhile.
    const pool = createPool(url, {
      max: LANES_AT_ONCE + 4,
      applicationName: 'security-sync',
      onError: (error) => {
        // Sockets close a moment after the pool has ended, and the embedded server may be faster.
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

interface Opening {
  readonly makes: Makes;
  readonly temporary: boolean;
  readonly releasers: Releasers;
}

async function openEmbedded(directory: string, { makes, temporary, releasers }: Opening): Promise<EmbeddedPostgres> {
  if (makes === false && !(await isInitialised(directory))) {
    throw new DatabaseError(
      `there is no database: DATABASE_URL is not set, and there is none in ${directory}. Set DATABASE_URL, or change to the directory that has it; security-sync migrate makes a new one here`,
    );
  }
  let data = directory;
  if (temporary) {
    const place = await mkdtemp(join(tmpdir(), 'security-sync-'));
    releasers.push(() => rm(place, { recursive: true, force: true, maxRetries: 5 }));
    data = join(place, 'postgres');
  }
  const embedded = await startEmbeddedPostgres(data);
  releasers.push(() => embedded.release());
  return embedded;
}

export interface App {
  readonly config: Config;
  readonly database: Database;
  readonly source: PageSource;
  readonly store: Store;
  /** The time of the database; see {@link DatabaseClock}. */
  readonly clock: DatabaseClock;
  readonly engine: Engine;
  /** The streams that are enabled. */
  readonly streams: readonly Stream[];
  close(): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly database: Database;
  readonly clock?: Clock;
  /** Lets a display see who waits for a request slot. */
  readonly instrumentQuota?: (quota: Quota) => Quota;
  /** Lets metrics see every answer of the API. */
  readonly watchSource?: (source: PageSource) => PageSource;
}

/** Puts the parts together over a migrated database; closing the app leaves the database open. */
export async function openApp({
  config,
  logger,
  database,
  clock: own = systemClock,
  instrumentQuota = (quota) => quota,
  watchSource = (source) => source,
}: AppOptions): Promise<App> {
  await assertFit(database.pool);
  await migrate(database.pool);
  const clock = new DatabaseClock({ pool: database.pool, own, logger });
  await clock.measure();
  // A pool of its own: a slot must not wait behind the writers.
  const quotaPool = createPool(database.url, { max: 2, applicationName: 'security-sync quota' });
  const suspensions = createSuspensions(database.pool);
  const quota = instrumentQuota(createQuota(quotaPool, own, { requestDeadlineMs: config.pageTimeoutMs }));
  const api = createPageSource({
    accounts: config.accounts,
    quota,
    suspensions,
    clock: own,
    logger,
    pageBudgetMs: config.pageTimeoutMs,
  });
  const source = watchSource(api);
  const store = createStore(database.pool, { timeZone: config.dbssTimeZone });
  return {
    config,
    database,
    source,
    store,
    clock,
    engine: {
      source,
      store,
      clock,
      logger,
      timeZone: config.dbssTimeZone,
      reconcileEveryMs: (stream) => config.streams[stream.name]?.reconcileEveryMs ?? stream.reconcileEveryMs,
      sinceMs: (stream) => config.streams[stream.name]?.sinceMs ?? SINCE_MS,
      content: (stream, scope) => contentPolicyOf(config, stream, scope),
    },
    streams: enabledStreams(config),
    close: once(() => releaseAll([() => quotaPool.end(), () => api.close()])),
  };
}

export function enabledStreams(config: Config): readonly Stream[] {
  return allStreams.filter(({ name }) => config.streams[name]?.enabled !== false);
}

/**
 * What reads says which account and region its projects have, and how old their data may get; other commands leave that as it
 * is. `serves`: it goes on reading, so that others leave these projects to it.
 */
export function publishConfiguration(
  { config, database, streams }: App,
  { serves }: { readonly serves: boolean },
): Promise<void> {
  return publishProjects(database.pool, {
    configuration: serves ? fingerprintOf(config, streams) : null,
    scopes: config.scopes,
    targets: Object.fromEntries(streams.map((stream) => [stream.name, targetMsOf(config, stream)])),
  });
}

export interface ServiceOptions {
  readonly logger: Logger;
  readonly onReport?: (report: RunReport) => void;
}

/** The polling service over an app, not started yet. */
export function openService(app: App, { logger, onReport }: ServiceOptions): Service {
  const { config, database, engine, streams, clock } = app;
  const configuration = fingerprintOf(config, streams);
  const scheduled = streams.map((stream) => ({
    stream,
    schedule: config.streams[stream.name]?.schedule ?? stream.schedule,
  }));
  const concurrency = Math.min(LANES_AT_ONCE, scheduled.length * config.accounts.length);
  const queue = new PostgresLaneQueue({ pool: database.pool, url: database.url, logger, configuration, concurrency });
  const runs = createRunLog(database.pool);
  const dueLanes = new DueLanes({
    streams: scheduled,
    scopes: config.scopes,
    runs: { lastAttempts: () => clock.measure().then(() => runs.lastAttempts()) },
    clock,
  });
  const prune = async () => {
    await publishConfiguration(app, { serves: true });
    // Histories of streams that are switched off age as well.
    return pruneOld(database.pool, { periods: config.retention, streams: allStreams, configuration });
  };
  return new Service({
    engine,
    dueLanes,
    streams: scheduled,
    queue,
    prune,
    ...(onReport === undefined ? {} : { onReport }),
  });
}

async function releaseAll(releasers: Releasers): Promise<void> {
  for (const release of releasers.splice(0).reverse()) await release();
}

/** A second caller gets the first one's promise, so that both see how it ended. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

/** Timers count in 32 bits; a longer wait would end at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    for (let left = ms; left > 0; left -= LONGEST_MS) {
      try {
        await wait(Math.min(left, LONGEST_MS), undefined, signal && { signal });
      } catch (error) {
        // Node wraps the reason in an AbortError of its own; callers compare with the reason they gave.
        signal?.throwIfAborted();
        throw error;
      }
    }
  },
};
