import type { Pool } from 'pg';
import { parseJson } from '../src/core/stream/json.ts';
import { type ValidRow, validate } from '../src/core/stream/validate.ts';
import { createStore } from '../src/postgres/run/store.ts';
import { startSandbox } from '../src/sandbox/server/server.ts';
import { hssHostVulnerabilities as stream } from '../src/streams/hss/host-vulnerabilities.ts';
import type { BenchServer } from './support/database.ts';
import { median } from './support/median.ts';
import { SCOPE } from './support/rows.ts';
import { hand, hashed } from './writer.ts';

const HOSTS = 500;
const PAGE = 200;
const REPEATS = 5;

/** How long the writer takes with the triggers that keep a table of members, as a multiple of the time without them. */
export interface MembersResult {
  readonly what: string;
  readonly rowsPerSecond: number;
  readonly times: number;
}

/** Benchmarks the writer on host vulnerabilities, with and without the table of their CVEs. */
export async function members(server: BenchServer): Promise<readonly MembersResult[]> {
  const pages = await vulnerabilityPages();
  const count = pages.reduce((sum, page) => sum + page.length, 0);
  const changed = pages.map((page, index) => (index % 10 === 0 ? page.map(repaired) : page));
  return server.withDatabase(async (pool) => {
    const triggers = await memberTriggersOf(pool);
    const times = new Map<string, number[]>();
    const timed = async (what: string, isKept: boolean, written: typeof pages) => {
      const started = performance.now();
      await write(pool, written);
      const key = `${what} ${isKept}`;
      times.set(key, [...(times.get(key) ?? []), performance.now() - started]);
    };
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      for (const isKept of repeat % 2 === 0 ? [true, false] : [false, true]) {
        for (const name of triggers)
          await pool.query(`alter table hss.host_vulnerabilities ${isKept ? 'enable' : 'disable'} trigger ${name}`);
        await pool.query(
          'truncate hss.host_vulnerabilities, hss.host_vulnerabilities_history, hss.host_vulnerability_cves',
        );
        await pool.query('checkpoint');
        await timed('first load', isKept, pages);
        await pool.query('vacuum analyze');
        await timed('unchanged', isKept, pages);
        await timed('10 % changed', isKept, changed);
      }
    }
    return ['first load', 'unchanged', '10 % changed'].map((what) => {
      const [kept, none] = [true, false].map((isKept) => median(times.get(`${what} ${isKept}`) ?? []));
      return {
        what,
        rowsPerSecond: Math.round((count / (kept ?? 1)) * 1_000),
        times: Math.round(((kept ?? 0) / (none ?? 1)) * 100) / 100,
      };
    });
  });
}

async function write(pool: Pool, pages: readonly (readonly ValidRow[])[]): Promise<void> {
  const run = await createStore(pool, { timeZone: 'UTC' }).open(stream, SCOPE);
  if (run === 'busy') throw new Error('another process holds the lock');
  try {
    await hand(run, pages);
  } finally {
    await run.close();
  }
}

async function vulnerabilityPages(): Promise<readonly (readonly ValidRow[])[]> {
  const sandbox = await startSandbox({ hosts: HOSTS });
  const records = [...sandbox.estate.records('ListVulHostVuls')];
  await sandbox.close();
  const rows = records.flatMap(({ text, request }) => {
    const params = { type: request.type ?? '' };
    const origin = { projectId: SCOPE.projectId, region: SCOPE.region, params, timeZone: 'UTC' };
    return validate(stream, [parseJson(text)], { origin, listingKey: '' }).rows;
  });
  return Array.from({ length: Math.ceil(rows.length / PAGE) }, (_, page) => rows.slice(page * PAGE, (page + 1) * PAGE));
}

function repaired(row: ValidRow): ValidRow {
  return hashed({ ...row, row: { ...row.row, status: 'vul_status_fixed', repair_cmd: 'yum update' } });
}

async function memberTriggersOf(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select quote_ident(tgname) as name from pg_trigger
     where tgrelid = 'hss.host_vulnerabilities'::regclass and not tgisinternal and tgname like '%cve%'`,
  );
  if (rows.length === 0) throw new Error('the table of CVEs is not kept by triggers');
  return rows.map(({ name }) => name);
}
