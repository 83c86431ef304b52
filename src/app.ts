import { setTimeout as wait } from 'node:timers/promises';
import { type Config, fingerprintOf } from './config/config.ts';
import { contentPolicyOf, targetMsOf } from './config/streams.ts';
import {
  type Clock,
  LANES_AT_ONCE,
  type Logger,
  type PageSource,
  PLENTY_PER_MINUTE,
  type Quota,
} from './core/ports.ts';
import type { RunReport, Store } from './core/store.ts';
import type { Stream } from './core/stream/stream.ts';
import { SINCE_MS } from './core/windows.ts';
import { type Database, once, releaseAll } from './database.ts';
import { createPageSource } from './huawei/requests/read-call.ts';
import { createPool } from './postgres/connection/pool.ts';
import { assertFit, DatabaseClock } from './postgres/connection/readiness.ts';
import { PostgresLaneQueue } from './postgres/coordination/lane-queue.ts';
import { createQuota, createSuspensions } from './postgres/coordination/quota.ts';
import { prune as pruneOld } from './postgres/maintenance/retention.ts';
import { publishProjects } from './postgres/queries/overview.ts';
import { createRunLog, createStore } from './postgres/run/store.ts';
import { migrate } from './postgres/schema/migrate.ts';
import { streams as allStreams } from './streams/index.ts';
import type { Engine } from './sync/run/run-stream.ts';
import { keptPlaces } from './sync/service/cron.ts';
import { DueLanes } from './sync/service/scheduler.ts';
import { Service, SHORT_WAIT_MS } from './sync/service/service.ts';

export interface App {
  readonly config: Config;
  readonly database: Database;
  readonly source: PageSource;
  readonly store: Store;
  /** The time of the database; see {@link DatabaseClock}. */
  readonly clock: DatabaseClock;
  readonly engine: Engine;
  /** The enabled streams. */
  readonly streams: readonly Stream[];
  /** Time in ms until a request for the stream may be sent from this address, as far as this process knows. */
  readonly waitMs: (stream: Stream) => number;
  /** The same for an account, from whichever address. */
  readonly accountWaitMs: (stream: Stream, account: string) => number;
  close(): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly database: Database;
  readonly clock?: Clock;
  /** Wraps the quota, so that a display can show who waits for a request slot. */
  readonly instrumentQuota?: (quota: Quota) => Quota;
  /** Wraps the page source, so that metrics count every response. */
  readonly watchSource?: (source: PageSource) => PageSource;
}

/** Assembles the app over a migrated database. Closing the app leaves the database open. */
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
  // A separate pool, so that requests for slots do not wait behind writers.
  const quotaPool = createPool(database.url, { max: 2, applicationName: 'security-sync quota' });
  const suspensions = createSuspensions(database.pool);
  const shared = createQuota(quotaPool, own, {
    requestDeadlineMs: config.pageTimeoutMs,
    egress: config.egress ?? '',
  });
  const quota = instrumentQuota(shared);
  const api = createPageSource({
    accounts: config.accounts,
    quota,
    suspensions,
    clock: own,
    logger,
    pageTimeoutMs: config.pageTimeoutMs,
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
    waitMs: (stream) => Math.max(...operationsOf(stream).map((one) => shared.waitMs(one))),
    accountWaitMs: (stream, account) =>
      Math.max(...operationsOf(stream).map((one) => shared.accountWaitMs(account, one))),
    close: once(() => releaseAll([() => quotaPool.end(), () => api.close()])),
  };
}

function operationsOf({ endpoint: { method, paths } }: Stream): readonly string[] {
  return paths.map((path) => `${method} ${path}`);
}

export function enabledStreams(config: Config): readonly Stream[] {
  return allStreams.filter(({ name }) => config.streams[name]?.enabled !== false);
}

/**
 * Writes account, region and target of each project to the database. Only commands that read the API call it. `serves`:
 * the process keeps reading, so that other configurations leave these projects to it.
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

/** The polling service over an app; not started. */
export function openService(app: App, { logger, onReport }: ServiceOptions): Service {
  const { config, database, engine, streams, clock, waitMs, accountWaitMs } = app;
  const configuration = fingerprintOf(config, streams);
  const scheduled = streams.map((stream) => ({
    stream,
    schedule: config.streams[stream.name]?.schedule ?? stream.schedule,
  }));
  const concurrency = Math.min(LANES_AT_ONCE, scheduled.length * config.accounts.length);
  const metered = new Map(config.accounts.map((one) => [one.name, one.requestsPerMinute < PLENTY_PER_MINUTE]));
  const queue = new PostgresLaneQueue({
    pool: database.pool,
    url: database.url,
    logger,
    configuration,
    concurrency,
    kept: keptPlaces(
      scheduled.map(({ schedule }) => schedule),
      concurrency,
    ),
    sharing: {
      lanesOfStream: Math.max(1, Math.floor(concurrency / scheduled.length)),
      isMetered: (account) => metered.get(account) === true,
      waits: () =>
        new Map(streams.map((one) => [one.name, waitMs(one) - SHORT_WAIT_MS] as const).filter(([, ms]) => ms > 0)),
    },
  });
  const runs = createRunLog(database.pool);
  const dueLanes = new DueLanes({
    streams: scheduled,
    scopes: config.scopes,
    runs: { lastAttempts: (of) => clock.measure().then(() => runs.lastAttempts(of)) },
    clock,
  });
  const prune = async () => {
    await publishConfiguration(app, { serves: true });
    // Includes the history of disabled streams.
    return pruneOld(database.pool, { periods: config.retention, streams: allStreams, configuration });
  };
  return new Service({
    engine,
    dueLanes,
    streams: scheduled,
    queue,
    prune,
    waitMs: (stream, account) =>
      metered.get(account) === true ? Math.max(waitMs(stream), accountWaitMs(stream, account)) : 0,
    accountWaitMs,
    ...(onReport === undefined ? {} : { onReport }),
  });
}

/** Timers use 32 bits; a longer wait would end at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The system clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    for (let left = ms; left > 0; left -= LONGEST_MS) {
      try {
        await wait(Math.min(left, LONGEST_MS), undefined, signal && { signal });
      } catch (error) {
        // Node wraps the reason in its own AbortError; callers compare with their original reason.
        signal?.throwIfAborted();
        throw error;
      }
    }
  },
};
