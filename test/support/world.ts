import pg from 'pg';
import { expect, onTestFinished } from 'vitest';
import type { Account, Scope } from '../../src/core/account.ts';
import { isObject } from '../../src/core/paging.ts';
import { inOrder } from '../../src/core/plan.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { RunReport } from '../../src/core/store.ts';
import type { Stream } from '../../src/core/stream.ts';
import { createPageSource } from '../../src/huawei/page-source.ts';
import { createQuota } from '../../src/postgres/quota.ts';
import { createStore } from '../../src/postgres/store.ts';
import { createSuspensions } from '../../src/postgres/suspensions.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server.ts';
import { streams } from '../../src/streams/index.ts';
import { type Engine, type RunOptions, runStream } from '../../src/sync/run-stream.ts';
import { accountOn, quietLogger, scope } from './engine.ts';
import type { TestDatabase } from './postgres.ts';

/** Sleeping takes no time but moves the clock, and the clock can be set. */
export interface VirtualClock extends Clock {
  set(aheadMs: number): void;
  advance(ms: number): void;
}

export function virtualClock(): VirtualClock {
  let aheadMs = 0;
  return {
    now: () => Math.floor(Date.now() + aheadMs),
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
  /** Where the engine reaches the database: the test's own pool, unless it is to be cut off. */
  readonly pool?: pg.Pool;
  readonly reconcileEveryMs?: number;
  readonly pageBudgetMs?: number;
  /** The sandbox shares the engine's clock, unless it is to be wrong. */
  readonly sandboxClock?: 'shared' | 'real';
}

export interface World {
  readonly sandbox: Sandbox;
  readonly clock: VirtualClock;
  readonly engine: Engine;
  run(stream: Stream, options?: Partial<RunOptions> & { readonly scope?: Scope }): Promise<RunReport>;
  /** Every stream once, parents first. */
  runAll(options?: Partial<RunOptions> & { readonly scope?: Scope }): Promise<readonly RunReport[]>;
  /** Keys by which the table differs from what the estate lists now. */
  compare(stream: Stream): Promise<Comparison>;
}

export interface Comparison {
  /** Listed, and not among the live rows. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly different: readonly string[];
}

/** The real engine, database and HTTP against a sandbox of its own; only waiting takes no time. */
export async function startWorld(database: TestDatabase, options: WorldOptions = {}): Promise<World> {
  const { account = {}, pool = database.pool, reconcileEveryMs, pageBudgetMs, sandboxClock = 'shared' } = options;
  const clock = virtualClock();
  const now = sandboxClock === 'shared' ? { now: clock.now } : {};
  const sandbox = await startSandbox({ ...now, ...options.sandbox });
  const source = createPageSource({
    accounts: [accountOn(sandbox, account)],
    quota: createQuota(pool, clock, { now: clock.now }),
    suspensions: createSuspensions(pool, clock.now),
    clock,
    logger: quietLogger,
    ...(pageBudgetMs === undefined ? {} : { pageBudgetMs }),
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
    runStream(engine, stream, own, { signal: new AbortController().signal, ...rest });
  return {
    sandbox,
    clock,
    engine,
    run,
    async runAll(runOptions) {
      const reports: RunReport[] = [];
      for (const stream of inOrder(streams)) reports.push(await run(stream, runOptions));
      return reports;
    },
    compare: (stream) => compare(pool, sandbox, stream),
  };
}

/** Empties everything, so that tests of one file share a database without sharing rows. */
export async function wipe({ pool }: Pick<TestDatabase, 'pool'>): Promise<void> {
  // Not truncate: new files for all tables and indexes take longer than the few rows there are.
  await pool.query(`do $$ declare name text; begin
    for name in select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('hss', 'dbss', 'sync') loop
      execute 'delete from ' || name;
    end loop;
  end $$`);
}

const LISTS = {
  hss_cluster_events: 'events',
  hss_cluster_security_reports: 'clusterReports',
  hss_protected_clusters: 'clusters',
  hss_kubernetes_clusters: 'kubernetesClusters',
  hss_image_vulnerabilities: 'vulnerabilities',
  hss_image_vulnerability_operations: 'operations',
  dbss_audit_reports: 'reports',
} as const;

type Content = Readonly<Record<string, string | null>>;

/** What the estate lists at this moment, as rows by key. Null for a list that the estate does not tell about. */
export function truthOf(sandbox: Sandbox, stream: Stream, projectId = scope.projectId): Map<string, Content> | null {
  const list = Object.entries(LISTS).find(([name]) => name === stream.name)?.[1];
  const estate = sandbox.estates.get(projectId);
  if (list === undefined || estate === undefined) return null;
  const rows = new Map<string, Content>();
  for (const { request, text } of estate.records(list)) {
    const { image_type } = request;
    if (image_type !== undefined && !['local', 'local_image', 'registry'].includes(image_type)) continue;
    const params = image_type === 'local' ? { ...request, image_type: 'local_image' } : request;
    const origin = { projectId, region: scope.region, params, timeZone: 'UTC' };
    const parsed = stream.parse(JSON.parse(text), origin);
    if (!parsed.ok) throw new Error(`the estate holds a record that is no row: ${text}`);
    rows.set(keyText(stream, parsed.row), contentOf(stream, parsed.row));
  }
  return rows;
}

interface Stored {
  readonly content: Content;
  readonly deleted: boolean;
}

/** What the table holds, tombstones included. */
export async function storedOf(
  pool: pg.Pool,
  stream: Stream,
  projectId = scope.projectId,
): Promise<Map<string, Stored>> {
  const { rows } = await pool.query<Record<string, unknown>>(`select * from ${tableOf(stream)} where project_id = $1`, [
    projectId,
  ]);
  return new Map(
    rows.map((row) => [keyText(stream, row), { content: contentOf(stream, row), deleted: row._deleted_at !== null }]),
  );
}

/** The table as `schema.name`. */
export function tableOf(stream: Stream): string {
  const dash = stream.name.indexOf('_');
  return `${stream.name.slice(0, dash)}.${stream.name.slice(dash + 1)}`;
}

function keyText(stream: Stream, row: Readonly<Record<string, unknown>>): string {
  return stream.key.map((name) => String(row[name])).join('/');
}

/** Columns of the Kubernetes clusters that the estate fills in only on request. */
const UNTOLD = /^agent_|^last_operate_timestamp$/;

function contentOf(stream: Stream, row: Readonly<Record<string, unknown>>): Content {
  return Object.fromEntries(
    Object.keys(stream.fields).flatMap((name) => (UNTOLD.test(name) ? [] : [[name, plain(row[name])]])),
  );
}

function plain(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(sorted(value)) : String(value);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  );
}

/** Rows the API still lists although the table says it does not. */
export async function falseTombstones(
  pool: pg.Pool,
  sandbox: Sandbox,
  stream: Stream,
  projectId = scope.projectId,
): Promise<readonly string[]> {
  const stored = await storedOf(pool, stream, projectId);
  const rows = new Map([...stored].map(([key, { content }]) => [key, content]));
  const truth = truthOf(sandbox, stream, projectId) ?? idsOf(sandbox, stream, projectId, rows);
  return [...truth.keys()].filter((key) => stored.get(key)?.deleted === true);
}

async function compare(
  pool: pg.Pool,
  sandbox: Sandbox,
  stream: Stream,
  projectId = scope.projectId,
): Promise<Comparison> {
  const stored = await storedOf(pool, stream, projectId);
  const live = new Map([...stored].flatMap(([key, { content, deleted }]) => (deleted ? [] : [[key, content]])));
  const truth = truthOf(sandbox, stream, projectId) ?? idsOf(sandbox, stream, projectId, live);
  return {
    missing: [...truth.keys()].filter((key) => !live.has(key)),
    extra: [...live.keys()].filter((key) => !truth.has(key)),
    different: [...truth].flatMap(([key, content]) => {
      const found = live.get(key);
      return found === undefined || JSON.stringify(found) === JSON.stringify(content) ? [] : [key];
    }),
  };
}

/** Of some lists the estate tells no more than the ids, of others not even that: their rows are taken as they are. */
function idsOf(
  sandbox: Sandbox,
  { name }: Stream,
  projectId: string,
  live: ReadonlyMap<string, Content>,
): ReadonlyMap<string, Content | undefined> {
  const ids = name === 'dbss_audit_instances' ? sandbox.estates.get(projectId)?.instanceIds() : undefined;
  return new Map((ids ?? [...live.keys()]).map((id) => [id, live.get(id)]));
}

/** Every row the API lists is a live row with the same columns, and there are no others. */
export async function expectTruth(
  pool: pg.Pool,
  sandbox: Sandbox,
  which: readonly Stream[] = streams,
  projectId = scope.projectId,
): Promise<void> {
  for (const stream of which) {
    const { missing, extra, different } = await compare(pool, sandbox, stream, projectId);
    const [a, b, c] = [missing[0], extra[0], different[0]];
    expect(
      [missing.length, extra.length, different.length],
      `${stream.name} against what the API lists: missing, extra, different; such as ${[a, b, c].join(', ')}`,
    ).toEqual([0, 0, 0]);
  }
}

/** Nothing is locked, no run is under way, the counters add up, and no version of a row overlaps another. */
export async function expectOrder(pool: pg.Pool): Promise<void> {
  const { rows: locks } = await pool.query(
    `select pid from pg_locks where locktype = 'advisory' and granted
       and database = (select oid from pg_database where datname = current_database())`,
  );
  expect(locks, 'locks left').toEqual([]);
  const { rows: odd } = await pool.query(
    `select id, stream, status, records, inserted, updated, unchanged, rejected, stale from sync.runs
     where status = 'running' or finished_at is null or records <> inserted + updated + unchanged + rejected + stale`,
  );
  expect(odd, 'runs without an end or whose counters do not add up').toEqual([]);
  await expectVersions(pool);
}

/** Closed versions neither overlap nor repeat, and a swept row has exactly one that ends with it. */
export async function expectVersions(pool: pg.Pool): Promise<void> {
  for (const stream of streams) {
    if (stream.history === null) continue;
    const table = tableOf(stream);
    const keys = ['project_id', ...stream.key];
    const same = (a: string, b: string) => keys.map((name) => `${a}.${name} = ${b}.${name}`).join(' and ');
    const { rows } = await pool.query(
      `select 'overlap' as fault, ${keys.map((name) => `a.${name}`).join(', ')} from ${table}_history a join ${table}_history b
         on ${same('a', 'b')} and a._valid_from < b._valid_from and a._valid_to > b._valid_from
       union all
       select 'empty', ${keys.join(', ')} from ${table}_history where _valid_to <= _valid_from
       union all
       select 'later than the row', ${keys.map((name) => `a.${name}`).join(', ')} from ${table}_history a join ${table} t
         on ${same('a', 't')} where t._deleted_at is null and a._valid_to > t._changed_at
       union all
       select 'not closed once', ${keys.map((name) => `t.${name}`).join(', ')} from ${table} t
         where t._deleted_at is not null and 1 <> (
           select count(*) from ${table}_history a where ${same('a', 't')} and a._valid_to = t._deleted_at)`,
    );
    expect(rows.slice(0, 3), `versions in ${table}_history`).toEqual([]);
  }
}

/** How many rows are marked, by table. */
export async function tombstones(pool: pg.Pool, stream: Stream, projectId = scope.projectId): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from ${tableOf(stream)} where project_id = $1 and _deleted_at is not null`,
    [projectId],
  );
  return rows[0]?.n ?? 0;
}

/** Requests that the runs say they made, all together. */
export async function requestsSaid(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('select coalesce(sum(requests), 0)::int as n from sync.runs');
  return rows[0]?.n ?? 0;
}

/** Ends every connection to the database but the caller's own, as a restart of the server does. */
export async function killBackends(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
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
