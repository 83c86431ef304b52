import type pg from 'pg';

/**
 * The clock of the tests. Every test file starts at the same instant, and from there time passes as it really does: `Date` is
 * set in the process that runs the file, in every process the file starts, and so is `now()` in the file's database. Neither the
 * hour of the day nor the calendar of a machine can then decide an outcome.
 */

/** A Monday, while people work, with no change of day, month or daylight saving time near it. `TEST_START` sets another one. */
const DEFAULT_START = '2026-03-02T10:00:00Z';

/** By how much the clock of a process is set; read by `pinned-clock.ts` in processes that a test starts. */
const AHEAD = 'TEST_CLOCK_AHEAD_MS';

/** For a child process whose database has the clock of the machine: that of a demo. */
export const MACHINE_CLOCK = { [AHEAD]: '0' };

/** Where the difference is kept: one for all copies of this module in a process. */
const state: { aheadMs?: number; machineNow?: () => number } = (() => {
  const key = Symbol.for('security-sync test clock');
  const held: unknown = Reflect.get(globalThis, key);
  if (typeof held === 'object' && held !== null) return held;
  const created = {};
  Reflect.set(globalThis, key, created);
  return created;
})();

/** The clock of the machine: for the ages of databases and files only, since no outcome may depend on it. */
export function machineNow(): number {
  return (state.machineNow ?? Date.now)();
}

/** What the time is for the tests, in epoch milliseconds. */
export function testNow(): number {
  return Math.floor(machineNow() + aheadMs());
}

/** By how much the clock of the tests is ahead of the machine's, in milliseconds; negative when it is behind. */
export function aheadMs(): number {
  if (state.aheadMs === undefined) throw new Error('the clock is not set: test/support/pinned-clock.ts was not loaded');
  return state.aheadMs;
}

/** The instant at which every test file starts, in epoch milliseconds. */
function startOfTests(): number {
  const text = process.env.TEST_START || DEFAULT_START;
  const start = Date.parse(text);
  if (Number.isNaN(start)) throw new Error(`TEST_START is no instant: ${text} (2028-02-29T23:30:00Z would be one)`);
  return start;
}

/** Sets `Date` in this process: to the start of the tests, or to what the process that started this one says. */
export function pinClock(): void {
  const told = process.env[AHEAD];
  const isFirst = state.aheadMs === undefined;
  state.aheadMs = told === undefined ? startOfTests() - machineNow() : Number(told);
  if (!isFirst) return;
  const Machine = Date;
  state.machineNow = Machine.now;
  Machine.now = testNow;
  globalThis.Date = new Proxy(Machine, {
    construct: (target, args, own) => Reflect.construct(target, args.length === 0 ? [testNow()] : args, own),
    apply: () => new Machine(testNow()).toString(),
  });
  Machine.prototype.constructor = globalThis.Date;
}

/** What makes a Node process start with the clock of this one. */
export const CHILD_CLOCK = {
  /** Arguments of Node, before the script. */
  args: ['--import', new URL('./pinned-clock.ts', import.meta.url).href],
  env: (): Readonly<Record<string, string>> => ({ [AHEAD]: String(aheadMs()) }),
} as const;

/** The schema of these functions, beside those of the product. */
export const CLOCK_SCHEMA = 'test_clock';

/** Found before `pg_catalog`, so that unqualified calls find these: in statements, views, defaults and pg-boss alike. */
const FUNCTIONS = `
  create schema ${CLOCK_SCHEMA};
  grant usage on schema ${CLOCK_SCHEMA} to public;
  create function ${CLOCK_SCHEMA}.ahead() returns interval language sql stable as
    $$ select make_interval(secs => coalesce(nullif(current_setting('${CLOCK_SCHEMA}.ahead_ms', true), ''), '0')::float8 / 1000) $$;
  ${['now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp']
    .map(
      (name) => `create function ${CLOCK_SCHEMA}.${name}() returns timestamptz language sql
        ${name === 'clock_timestamp' ? 'volatile' : 'stable'} as $$ select pg_catalog.${name}() + ${CLOCK_SCHEMA}.ahead() $$;`,
    )
    .join('\n')}`;

/** The search path under which `now()` is the clock of the tests, and nothing but built-in functions and it is found. */
export const CLOCK_PATH = `${CLOCK_SCHEMA}, pg_catalog`;

/** Gives the database that `client` is connected to functions for the clock; connections opened from now on use them. */
export async function installClock(client: pg.Client | pg.Pool): Promise<void> {
  await client.query(FUNCTIONS);
}

/** The statements that set the clock of a database with these functions, for connections opened from now on. */
export function clockOf(database: string, ahead: number): string {
  return `alter database ${database} set search_path = "$user", public, ${CLOCK_PATH};
    alter database ${database} set ${CLOCK_SCHEMA}.ahead_ms = '${ahead}'`;
}

/** `migrate` makes the views without any search path; made again under the one with the clock, their `now()` is that of the tests. */
export async function bindViews(client: pg.Client): Promise<void> {
  await client.query('set search_path = pg_catalog');
  const { rows } = await client.query<{ statement: string }>(
    `select format('create or replace view %I.%I as %s', n.nspname, c.relname, pg_get_viewdef(c.oid)) as statement
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'v' and n.nspname = 'bi' order by c.oid`,
  );
  await client.query(`set search_path = ${CLOCK_PATH}`);
  for (const { statement } of rows) await client.query(statement);
}
