import type pg from 'pg';
import { expect, it } from 'vitest';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { directoryFor, runCli, startCli } from '../support/cli.ts';
import { scope, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startWorld } from '../support/world.ts';

const database = await createTestDatabase();
const { pool } = database;

interface Answer {
  readonly ok: boolean;
  readonly streams: readonly {
    readonly rows: number;
    readonly superseded: number;
    readonly left: number;
    readonly reasons: readonly { readonly reason: string; readonly count: number }[];
  }[];
}

async function replay(
  cwd: string,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly answer: Answer }> {
  const { code, stdout, stderr } = await runCli(['replay', ...args, '--json'], { cwd });
  expect(stderr).toBe('');
  return { code, answer: JSON.parse(stdout) };
}

/** A record that an earlier version of the program could not read: this one can, unless it is really broken. */
async function reject(record: Readonly<Record<string, unknown>>, lastSeen = 'now()'): Promise<void> {
  await pool.query(
    `insert into sync.rejected_records (project_id, stream, fingerprint, account, region, listing, params, key, issues, payload, count, first_seen_at, last_seen_at)
     values ($1, 'hss_cluster_events', md5($2), 'default', $3, '', '{}', null, '[]', $2, 1, ${lastSeen}, ${lastSeen})`,
    [scope.projectId, JSON.stringify(record), scope.region],
  );
}

async function names(client: pg.Pool = pool): Promise<Readonly<Record<string, string>>> {
  const { rows } = await client.query<{ event_id: string; event_name: string }>(
    `select event_id, event_name from hss.cluster_events where event_name like 'Replay%' and _deleted_at is null`,
  );
  return Object.fromEntries(rows.map(({ event_id, event_name }) => [event_id, event_name]));
}

const event = (event_id: string, event_name: string, update_time = 1_700_000_000_000) => ({
  event_id,
  event_name,
  event_type: 3009,
  update_time,
});

it('turns rejects that are now valid into rows, never over newer content', async () => {
  const { sandbox, run } = await startEngine(database, { events: 300 });
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  expect(await replay(cwd)).toEqual({ code: 0, answer: { ok: true, streams: [] } });

  await run(hssClusterEvents);
  const { rows } = await pool.query<{ event_id: string; event_name: string }>(
    'select event_id, event_name from hss.cluster_events order by event_id limit 3',
  );
  const [updated = '', newerVersion = '', newerWalk = ''] = rows.map(({ event_id }) => event_id);
  await reject(event('new', 'Replay new'));
  // Several versions of one record: the last one becomes the row.
  await reject(event('versions', 'Replay old'), "now() - interval '1 hour'");
  await reject(event('versions', 'Replay last'), "now() - interval '1 minute'");
  await reject(event('versions', 'Replay older'), "now() - interval '2 hours'");
  await reject(event(updated, 'Replay updated', 4_000_000_000_000));
  await reject(event(newerVersion, 'Replay stale', 1_000_000_000_000));
  // A complete walk found the record readable after this version of it was seen.
  await reject(event(newerWalk, 'Replay gone', 4_000_000_000_000), "now() - interval '1 day'");
  await reject({ ...event('broken', 'Replay broken'), event_type: 'no number' });
  await reject({ event_name: 'Replay without key' });
  const before = await pool.query('select count(*)::int as runs from sync.runs');

  const first = await replay(cwd);
  expect(first.code).toBe(1);
  expect(first.answer).toMatchObject({ ok: false, streams: [{ rows: 3, superseded: 4, left: 2 }] });
  expect(first.answer.streams[0]?.reasons.map(({ reason }) => reason).sort()).toEqual([
    'event_id: part of the key is missing',
    'event_type: not a 64-bit integer',
  ]);
  expect(await names()).toEqual({ new: 'Replay new', versions: 'Replay last', [updated]: 'Replay updated' });
  const history = await pool.query('select event_id from hss.cluster_events_history');
  expect(history.rows).toEqual([{ event_id: updated }]);
  expect((await pool.query('select count(*)::int as runs from sync.runs')).rows).toEqual(before.rows);

  const again = await replay(cwd, 'hss_cluster_events');
  expect(again).toMatchObject({ code: 1, answer: { streams: [{ rows: 0, superseded: 0, left: 2 }] } });
  expect(await replay(cwd, 'dbss_audit_reports')).toMatchObject({ code: 0 });
  const { stdout } = await runCli(['replay'], { cwd });
  expect(stdout).toContain('hss_cluster_events: 1 left: event_type: not a 64-bit integer');

  await pool.query('delete from sync.rejected_records where replayed_at is null');
  expect(await replay(cwd)).toMatchObject({ code: 0, answer: { streams: [] } });
});

it('leaves a row alone that vanished after the reject was seen, and what Postgres itself refuses', async () => {
  await pool.query('truncate sync.rejected_records');
  const { sandbox } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  await reject(event('vanished', 'Replay vanished'), "now() - interval '1 hour'");
  await reject(event('vanished', 'Replay vanished first'), "now() - interval '2 hours'");
  expect(await replay(cwd)).toMatchObject({ code: 0, answer: { streams: [{ rows: 1, superseded: 1 }] } });
  await pool.query(
    `update hss.cluster_events set _deleted_at = now(), event_name = 'Replay deleted' where event_id = 'vanished'`,
  );
  await pool.query('update sync.rejected_records set replayed_at = null');
  const { rows } = await pool.query(`select _deleted_at from hss.cluster_events where event_id = 'vanished'`);
  expect(await replay(cwd)).toMatchObject({ code: 0, answer: { streams: [{ rows: 0, superseded: 2 }] } });
  expect((await pool.query(`select _deleted_at from hss.cluster_events where event_id = 'vanished'`)).rows).toEqual(
    rows,
  );

  // Longer than an entry of an index can be, and it does not compress.
  const noise = Array.from({ length: 9_000 }, () =>
    String.fromCodePoint(0x4e00 + Math.floor(Math.random() * 20_000)),
  ).join('');
  await reject(event(noise, 'Replay long'));
  const refused = await replay(cwd);
  expect(refused).toMatchObject({ code: 1, answer: { streams: [{ rows: 0, left: 1 }] } });
  expect(refused.answer.streams[0]?.reasons[0]?.reason).toContain('Postgres refused it');
});

it('is not needed for rejects that a complete walk no longer met', async () => {
  const { sandbox, run } = await startWorld(database, { sandbox: { events: 30 } });
  const open = async () =>
    (
      await pool.query<{ n: number }>(
        `select count(*)::int as n from sync.rejected_records where replayed_at is null and stream = 'hss_cluster_events'`,
      )
    ).rows[0]?.n;
  await pool.query('delete from sync.rejected_records');
  const spoiled = { ...event('broken', 'Replay broken'), event_type: 'no number' };
  sandbox.override('ListClusterEvents', () => ({
    status: 200,
    body: JSON.stringify({ total_num: 1, data_list: [spoiled] }),
    headers: {},
  }));
  await run(hssClusterEvents, { full: true, acceptShrink: true });
  expect(await open()).toBe(1);
  await run(hssClusterEvents, { full: true });
  expect(await open(), 'it is met again').toBe(1);
  sandbox.override('ListClusterEvents', undefined);
  await run(hssClusterEvents, { full: true });
  expect(await open()).toBe(0);
});

/** The last statements of connections of other processes to this database. */
async function others(): Promise<readonly string[]> {
  const { rows } = await pool.query<{ query: string }>(
    "select query from pg_stat_activity where datname = current_database() and application_name <> 'test' and query <> ''",
  );
  return rows.map(({ query }) => query);
}

it('waits for a process that runs the stream, and knows only its own streams', async () => {
  await pool.query('truncate sync.rejected_records');
  const { sandbox } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  expect(await runCli(['replay', 'nonsense'], { cwd })).toMatchObject({ code: 2 });
  await reject(event('late', 'Replay late'));
  const run = await createStore(pool, { timeZone: 'UTC' }).open(hssClusterEvents, scope);
  if (run === 'busy') throw new Error('another process holds the lock');
  const { result, child } = startCli(['replay', '--json'], { cwd });
  // Its last statement asked for the lock, or who has it.
  await expect.poll(others).toContainEqual(expect.stringContaining('advisory'));
  expect(child.exitCode).toBeNull();
  expect(await names()).not.toHaveProperty('late');
  await run.close();
  expect(await result).toMatchObject({ code: 0 });
  expect(await names()).toHaveProperty('late', 'Replay late');
  await pool.query(`update sync.rejected_records set replayed_at = null, stream = 'hss_no_more'`);
  expect(await replay(cwd)).toMatchObject({
    code: 1,
    answer: { streams: [{ left: 1, reasons: [{ reason: 'this version has no such stream' }] }] },
  });
});
