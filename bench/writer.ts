import { createRequire } from 'node:module';
import { finished } from 'node:stream/promises';
import type { Pool } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { StreamRun } from '../src/core/store.ts';
import { listing } from '../src/core/stream/endpoint.ts';
import { hashOf } from '../src/core/stream/json.ts';
import { drizzleTables } from '../src/core/stream/table.ts';
import type { ValidRow } from '../src/core/stream/validate.ts';
import { withClient } from '../src/postgres/connection/pool.ts';
import { copyText } from '../src/postgres/rows/copy-rows.ts';
import { qualified, statementsOf } from '../src/postgres/rows/statements.ts';
import { createStore } from '../src/postgres/run/store.ts';
import { hssClusterEvents as stream } from '../src/streams/hss/cluster-events.ts';
import type { BenchServer } from './support/database.ts';
import { median } from './support/median.ts';
import { eventPages, SCOPE } from './support/rows.ts';

const require = createRequire(import.meta.url);
const { drizzle }: typeof import('drizzle-orm/node-postgres') = require('drizzle-orm/node-postgres');
const { sql }: typeof import('drizzle-orm') = require('drizzle-orm');
const { getTableConfig }: typeof import('drizzle-orm/pg-core') = require('drizzle-orm/pg-core');

export interface WriterResult {
  readonly method: string;
  readonly rowsPerSecond: number;
  /** Ratio to raw COPY and Drizzle's upsert in the same run. */
  readonly ofCopy: number;
  readonly ofDrizzle: number;
}

type Pages = readonly (readonly ValidRow[])[];

const EVENTS = 50_000;
const REPEATS = 5;
/** Pages that a walk writes together if requests are plentiful. */
const TOGETHER = 5;
const RAW_COPY = 'raw COPY of prepared text';
const DRIZZLE = 'Drizzle multi-row upsert, 1,000 rows each';
const TABLE = qualified(stream.table);

/**
 * Benchmarks the writer without network and validation: five pages of 200 at a time into the table with all its
 * indexes, on one connection.
 */
export async function writer(server: BenchServer): Promise<readonly WriterResult[]> {
  const pages = await eventPages(EVENTS);
  const copyTexts = Array.from({ length: Math.ceil(pages.length / TOGETHER) }, (_, index) =>
    copyText({ stream, scope: SCOPE }, pages.slice(index * TOGETHER, (index + 1) * TOGETHER).flat()),
  );
  const times = new Map<string, number[]>();
  const clock = async (method: string, work: () => Promise<unknown>) => {
    const started = performance.now();
    await work();
    times.set(method, [...(times.get(method) ?? []), performance.now() - started]);
  };
  return server.withDatabase(async (pool) => {
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      await empty(pool);
      await clock(RAW_COPY, () => rawCopy(pool, copyTexts));
      await empty(pool);
      await clock(DRIZZLE, () => drizzleUpsert(pool, pages));
      await empty(pool);
      await clock('writer, first load', () => withLoad(pool, (load) => hand(load, pages)));
      await pool.query('vacuum analyze');
      await clock('writer, unchanged, hashing included', () => withLoad(pool, (load) => hand(load, pages, hashed)));
      const changed = pages.map((page, index) => (index % 10 === 0 ? page.map(handled) : page));
      await clock('writer, 10 % changed', () => withLoad(pool, (load) => hand(load, changed)));
    }
    const against = (method: string, all: readonly number[]) =>
      Math.round((median(times.get(method) ?? []) / median(all)) * 100) / 100;
    return [...times].map(([method, all]) => ({
      method,
      rowsPerSecond: Math.round((EVENTS / median(all)) * 1000),
      ofCopy: against(RAW_COPY, all),
      ofDrizzle: against(DRIZZLE, all),
    }));
  });
}

async function empty(pool: Pool): Promise<void> {
  await pool.query(`truncate ${TABLE}, hss.cluster_events_history`);
  await pool.query('checkpoint');
}

export async function withLoad<T>(pool: Pool, work: (load: StreamRun) => Promise<T>): Promise<T> {
  const load = await createStore(pool, { timeZone: 'UTC' }).open(stream, SCOPE);
  if (load === 'busy') throw new Error('another process holds the lock');
  try {
    return await work(load);
  } finally {
    await load.close();
  }
}

/**
 * Writes pages like a walk that never waits for the API: the next pages are ready when Postgres has finished the last.
 */
export async function hand(load: StreamRun, pages: Pages, prepare = (row: ValidRow) => row): Promise<void> {
  const whole = listing();
  const progress = { offset: 0, total: EVENTS };
  let writing: Promise<unknown> = Promise.resolve();
  for (let start = 0; start < pages.length; start += TOGETHER) {
    const rows = pages.slice(start, start + TOGETHER).flatMap((page) => page.map(prepare));
    const write = { listing: whole, rows, rejects: [], requests: TOGETHER, throttled: 0, progress, refuseOlder: false };
    const before = writing;
    writing = load.page(write);
    await before;
  }
  await writing;
}

export const hashed = (row: ValidRow): ValidRow => ({ ...row, hash: hashOf(row.row, row.extra) });

function handled(row: ValidRow): ValidRow {
  const changed = { ...row, row: { ...row.row, handle_status: `${row.row.handle_status}, again` } };
  return hashed(changed);
}

async function rawCopy(pool: Pool, texts: readonly Buffer[]): Promise<void> {
  await withClient(pool, async (client) => {
    const copying = client.query(copyFrom(statementsOf(stream).copy));
    for (const text of texts) copying.write(text);
    copying.end();
    await finished(copying);
  });
}

async function drizzleUpsert(pool: Pool, pages: Pages): Promise<void> {
  const now = new Date();
  const { table } = drizzleTables(stream);
  if (table === undefined) throw new Error('a stream has a table');
  const { columns } = getTableConfig(table);
  const key = columns.filter(({ name }) => name === 'project_id' || stream.key.includes(name));
  const set = Object.fromEntries(columns.map(({ name }) => [name, sql.raw(`excluded."${name}"`)]));
  await withClient(pool, async (client) => {
    const db = drizzle(client);
    for (let start = 0; start < pages.length; start += 5) {
      const rows = pages.slice(start, start + 5).flat();
      const values = rows.map(({ row, extra, hash }) => ({
        project_id: SCOPE.projectId,
        region: SCOPE.region,
        account: SCOPE.account,
        ...row,
        _extra: extra,
        _hash: Buffer.from(hash, 'hex'),
        _first_seen_at: now,
        _changed_at: now,
      }));
      await db.insert(table).values(values).onConflictDoUpdate({ target: key, set });
    }
  });
}
