/**
 * `node bench/bi.ts [events]`: times each view of the schema `bi` for a time window over a large estate, on an embedded
 * server or on BENCH_DATABASE_URL (an empty database). Prints the table of docs/performance.md.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { createPool } from '../src/postgres/connection/pool.ts';
import { startEmbeddedPostgres } from '../src/postgres/embedded/server.ts';
import { migrate } from '../src/postgres/schema/migrate.ts';
import { biViews } from '../src/postgres/schema/repeatable.ts';
import { streams } from '../src/streams/index.ts';
import { estate } from './bi-rows.ts';

/** The column to filter by; views without one are read completely. */
const TIME: Readonly<Record<string, string>> = {
  cluster_events: 'create_time',
  open_cluster_events: 'create_time',
  event_response_times: 'create_time',
  cluster_events_hourly: 'hour',
  cluster_risk_daily: 'day',
  image_vulnerability_operations: 'handle_time',
  vulnerability_handling_daily: 'day',
  audit_reports: 'end_time',
  audit_report_jobs: 'end_time',
  sync_runs: 'started_at',
};
const WINDOWS = ['24 hours', '7 days', '90 days'] as const;
const REPEATS = 5;

const events = Number(process.argv[2] ?? 1_000_000);
const url = process.env.BENCH_DATABASE_URL;
const server = url === undefined ? await startEmbeddedPostgres(mkdtempSync(join(tmpdir(), 'bench-bi-'))) : undefined;
const pool = createPool(url ?? server?.url ?? '', { max: 2, applicationName: 'bench' });
try {
  await migrate(pool);
  for (const [what, sql] of estate(events)) {
    const started = performance.now();
    const { rowCount } = await pool.query(sql);
    console.error(`${rowCount ?? 0} ${what} in ${Math.round(performance.now() - started)} ms`);
  }
  await pool.query('vacuum analyze');
  console.log(
    `| View | Rows in 24 h | ${WINDOWS.map((window) => `${window}, ms`).join(' | ')} |\n|---|--:|--:|--:|--:|`,
  );
  for (const { name } of biViews(streams)) console.log(await measure(pool, name));
} finally {
  await pool.end();
  await server?.release();
}

async function measure(database: Pool, view: string): Promise<string> {
  const column = TIME[view];
  const windows = column === undefined ? [null] : WINDOWS;
  const times: string[] = [];
  let rows = 0;
  for (const window of windows) {
    const where = window === null ? '' : `where ${column} between now() - interval '${window}' and now()`;
    const runs = [];
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      runs.push(await explain(database, `select * from bi.${view} ${where}`));
    }
    const sorted = runs.toSorted((a, b) => a.ms - b.ms);
    const median = sorted[Math.floor(REPEATS / 2)];
    times.push(`${Math.round(median?.ms ?? 0)}`);
    if (window === windows[0]) rows = median?.rows ?? 0;
  }
  return `| \`${view}\` | ${rows} | ${[...times, ...Array<string>(WINDOWS.length - times.length).fill('')].join(' | ')} |`;
}

interface Plan {
  readonly 'Planning Time': number;
  readonly 'Execution Time': number;
  readonly Plan: { readonly 'Actual Rows': number };
}

/** Planning and execution time on the server, including the text output, without the network. */
async function explain(database: Pool, sql: string): Promise<{ readonly ms: number; readonly rows: number }> {
  const { rows } = await database.query<{ readonly 'QUERY PLAN': readonly Plan[] }>(
    `explain (analyze, timing off, serialize text, format json) ${sql}`,
  );
  const plan = rows[0]?.['QUERY PLAN'][0];
  if (plan === undefined) throw new Error(`no plan for ${sql}`);
  return { ms: plan['Planning Time'] + plan['Execution Time'], rows: plan.Plan['Actual Rows'] };
}
