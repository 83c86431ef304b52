import pg from 'pg';
import { onTestFinished } from 'vitest';
import type { Account, Scope } from '../../src/core/account.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { RunReport } from '../../src/core/store.ts';
import { isObject } from '../../src/core/stream/json.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { createPageSource } from '../../src/huawei/requests/read-call.ts';
import { createQuota, createSuspensions } from '../../src/postgres/coordination/quota.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';
import { type Engine, type RunOptions, runStream } from '../../src/sync/run/run-stream.ts';
import { testNow } from './clock.ts';
import { accountOn, HOSTS, OF_EVERY_KIND, quietLogger, scope } from './engine.ts';
import { EMPTIED_TABLES, type TestDatabase } from './postgres.ts';
import { type Comparison, compare } from './truth.ts';

/** Sleeping takes no time but moves the clock, and the clock can be set. */
export interface VirtualClock extends Clock {
  set(aheadMs: number): void;
  advance(ms: number): void;
}

export function virtualClock(): VirtualClock {
  let aheadMs = 0;
  return {
    now: () => Math.floor(testNow() + aheadMs),
    set: (ms) => {
      aheadMs = ms;
    },
    advance: (ms) => {
      aheadMs += ms;
    },
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      aheadMs += ms;
    },
  };
}

export interface WorldOptions {
  readonly sandbox?: SandboxOptions;
  readonly account?: Partial<Account>;
  /** What `runAll` reads, parents first: one stream of every kind when absent. */
  readonly streams?: readonly Stream[];
  /** Where the engine reaches the database: the test's own pool, unless it is to be cut off. */
  readonly pool?: pg.Pool;
  readonly reconcileEveryMs?: number;
  readonly pageTimeoutMs?: number;
  /** The sandbox shares the engine's clock, unless it is to be wrong. */
  readonly sandboxClock?: 'shared' | 'real';
}

export interface World {
  readonly sandbox: Sandbox;
  readonly clock: VirtualClock;
  readonly engine: Engine;
  /** What `runAll` reads. */
  readonly streams: readonly Stream[];
  run(stream: Stream, options?: Partial<RunOptions> & { readonly scope?: Scope }): Promise<RunReport>;
  /** Every stream of the world once, parents first. */
  runAll(options?: Partial<RunOptions> & { readonly scope?: Scope }): Promise<readonly RunReport[]>;
  /** Keys by which the table differs from what the estate lists now. */
  compare(stream: Stream): Promise<Comparison>;
}

/** The real engine, database and HTTP against a sandbox of its own; only waiting takes no time. */
export async function startWorld(database: TestDatabase, options: WorldOptions = {}): Promise<World> {
  const { account = {}, pool = database.pool, reconcileEveryMs, pageTimeoutMs } = options;
  const { sandboxClock = 'shared', streams = OF_EVERY_KIND } = options;
  const clock = virtualClock();
  const now = sandboxClock === 'shared' ? { now: clock.now } : {};
  const sandbox = await startSandbox({ hosts: HOSTS, ...now, ...options.sandbox });
  const source = createPageSource({
    accounts: [accountOn(sandbox, account)],
    quota: createQuota(pool, clock, { now: clock.now }),
    suspensions: createSuspensions(pool, clock.now),
    clock,
    logger: quietLogger,
    ...(pageTimeoutMs === undefined ? {} : { pageTimeoutMs }),
  });
  onTestFinished(async () => {
    await source.close();
    await sandbox.close();
  });
  const engine: Engine = {
    source,
    store: createStore(pool, { timeZone: 'UTC' }),
    clock,
    logger: quietLogger,
    timeZone: 'UTC',
    reconcileEveryMs: (stream) => reconcileEveryMs ?? stream.reconcileEveryMs,
  };
  const run: World['run'] = (stream, { scope: own = scope, ...rest } = {}) =>
    runStream(engine, { stream, scope: own }, { signal: new AbortController().signal, ...rest });
  return {
    sandbox,
    clock,
    engine,
    streams,
    run,
    async runAll(runOptions) {
      const reports: RunReport[] = [];
      for (const stream of streams) reports.push(await run(stream, runOptions));
      return reports;
    },
    compare: (stream) => compare({ pool, sandbox, stream, projectId: scope.projectId }),
  };
}

/** Empties everything, so that tests of one file share a database without sharing rows. */
export async function wipe({ pool }: { readonly pool: Pick<pg.ClientBase, 'query'> }): Promise<void> {
  // Not truncate: new files for all tables and indexes take longer than the few rows there are. Nor the tables that never had
  // a row: planning a statement for each of them takes longer than all the rest.
  await pool.query(`do $$ declare name text; begin
    for name in select t from (select format('%I.%I', schemaname, tablename) t from ${EMPTIED_TABLES})
      where pg_relation_size(t::regclass) > 0 order by t loop
      execute 'delete from ' || name;
    end loop;
  end $$`);
}

/** Ends every connection to the database but the caller's own, as a restart of the server does. */
export async function killBackends(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    'select pg_terminate_backend(pid, 30000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await client.end();
}

/** Changes the records of a list on their way out; null takes one out, and the list's count follows. */
export function editList(body: string, edit: (record: Readonly<Record<string, unknown>>) => unknown): string {
  const answer: unknown = JSON.parse(body);
  if (!isObject(answer)) return body;
  let gone = 0;
  const edited = Object.entries(answer).map(([name, value]) => {
    if (!Array.isArray(value)) return [name, value];
    const kept = value.flatMap((one: unknown) => {
      const inner = isObject(one) && isObject(one.report) ? one.report : one;
      const result = isObject(inner) ? edit(inner) : inner;
      if (result === null) return [];
      return [inner === one ? result : { report: result }];
    });
    gone += value.length - kept.length;
    return [name, kept];
  });
  return JSON.stringify(
    Object.fromEntries(
      edited.map(([name, value]) => [
        name,
        typeof value === 'number' && (name === 'total_num' || name === 'total') ? value - gone : value,
      ]),
    ),
  );
}
