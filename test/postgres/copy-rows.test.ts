import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type ValidRow, validate } from '../../src/core/stream/validate.ts';
import { copyRows, copyText } from '../../src/postgres/rows/copy-rows.ts';
import { pageBooking, withLiterals } from '../../src/postgres/run/bookkeeping.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

const { pool } = await createTestDatabase();
const client = await pool.connect();
afterAll(() => client.release());
beforeEach(() => wipe({ pool: client }));

const at = { client, stream: events, scope };

function rowsOf(...records: readonly object[]): readonly ValidRow[] {
  const origin = { projectId: scope.projectId, region: scope.region, params: {}, timeZone: 'UTC' };
  return validate(events, records, { origin, listingKey: '' }).rows;
}

const event = (id: string, more: object = {}) => ({ event_id: id, update_time: 1_700_000_001_000, ...more });
const many = (count: number) => rowsOf(...Array.from({ length: count }, (_, index) => event(`e${index}`)));

async function stored(): Promise<readonly string[]> {
  const { rows } = await client.query<{ event_id: string }>('select event_id from hss.cluster_events order by 1');
  return rows.map(({ event_id }) => event_id);
}

const COUNT =
  "insert into sync.projects (project_id, account, region, targets, seen_at) values ('p', 'a', 'r', '{}', now())";

const counted = async () => (await client.query("select from sync.projects where project_id = 'p'")).rowCount;

describe('copied rows', () => {
  test('and the statement after them are one transaction', async () => {
    await copyRows(at, many(450), COUNT);
    expect([(await stored()).length, await counted()]).toEqual([450, 1]);

    await expect(copyRows(at, rowsOf(event('x')), COUNT)).rejects.toMatchObject({ code: '23505' });
    await expect(copyRows(at, rowsOf(event('e0')), COUNT)).rejects.toMatchObject({ code: '23505' });
    expect([(await stored()).length, await counted()]).toEqual([450, 1]);
  });

  test('all have the time of the statement, as first seen and as changed', async () => {
    const { rows: before } = await client.query<{ at: Date }>('select clock_timestamp()::timestamptz(3) as at');
    await copyRows(at, many(450));
    const { rows } = await client.query<{ first: Date; changed: Date }>(
      'select distinct _first_seen_at as first, _changed_at as changed from hss.cluster_events',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.changed).toEqual(rows[0]?.first);
    expect(rows[0]?.first.getTime()).toBeGreaterThanOrEqual(before[0]?.at.getTime() ?? Number.POSITIVE_INFINITY);
  });

  test('that Postgres refuses are thrown, nothing is stored, and the connection can be used', async () => {
    const [row] = rowsOf(event('x'));
    if (row === undefined) throw new Error('no row');
    const refused = { ...row, row: { ...row.row, update_time: '2026-13-45' } };
    await expect(copyRows(at, [...many(250), refused], COUNT)).rejects.toMatchObject({ code: '22008' });
    await client.query('begin');
    await expect(client.query('select 1 / 0')).rejects.toThrow();
    await expect(copyRows(at, many(3))).rejects.toMatchObject({ code: '25P02' });
    await client.query('rollback');
    expect([await stored(), await counted()]).toEqual([[], 0]);
  });

  test('a row that has no text is thrown, nothing is stored, and the connection can be used', async () => {
    const [row] = rowsOf(event('x'));
    if (row === undefined) throw new Error('no row');
    const broken = { ...row, row: { ...row.row, update_time: new Date(Number.NaN) } };
    await expect(copyRows(at, [...many(200), broken], COUNT)).rejects.toThrow(RangeError);
    expect([await stored(), await counted()]).toEqual([[], 0]);
  });

  test('a lost connection is thrown', async () => {
    const other = await pool.connect();
    const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
    // The lock makes the copy wait until its connection is ended.
    await client.query('begin; lock table hss.cluster_events in access exclusive mode');
    const copied = expect(copyRows({ ...at, client: other }, many(3))).rejects.toThrow(/terminat/i);
    other.on('error', () => {});
    const waits = 'select from pg_stat_activity where pid = $1 and wait_event_type = $2';
    await expect.poll(async () => (await pool.query(waits, [rows[0]?.pid, 'Lock'])).rowCount).toBe(1);
    await client.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await copied;
    other.release(true);
    await client.query('rollback');
    expect(await stored()).toEqual([]);
  });

  test('keep their characters, however many bytes these take', async () => {
    for (const name of ['plain', '集群集群', '🙂é', 'a\tb\\n\n']) {
      const records = Array.from({ length: 40 }, (_, index) => event(`e${index}`, { cluster_name: name.repeat(5) }));
      await copyRows(at, rowsOf(...records));
      const { rows } = await client.query('select distinct cluster_name from hss.cluster_events');
      expect(rows).toEqual([{ cluster_name: name.repeat(5) }]);
      await wipe({ pool: client });
    }
    expect(copyText(at, [], 5)).toHaveLength(5);
  });
});

test('a statement with its parameters in the text stores the same', async () => {
  const { rows } = await client.query<{ id: number }>(
    `insert into sync.runs (stream, account, region, project_id, status, started_at, beat_at, owner)
     values ('s', 'a', 'r', 'p', 'running', now(), now(), 'o') returning id::int`,
  );
  const runId = rows[0]?.id ?? 0;
  const odd = 'it\'s \\ $1 \n "x" 集群';
  const counts = {
    requests: 1,
    throttled: 2,
    records: 3,
    inserted: 4,
    updated: 5,
    unchanged: 6,
    deleted: 7,
    rejected: 8,
    stale: -1,
  };
  const changed_at = new Date('2026-11-29T10:00:00.123Z');
  const listing = { key: odd, params: { odd } };
  await client.query(
    withLiterals(pageBooking(at, listing, { runId, counts, columns: { progress: null, changed_at, reason: odd } })),
  );
  const { rows: listed } = await client.query(
    'select listing, params, reason, progress, changed_at from sync.listings',
  );
  expect(listed).toEqual([{ listing: odd, params: { odd }, reason: odd, progress: null, changed_at }]);
  const { rows: runs } = await client.query(
    `select ${Object.keys(counts).join(', ')} from sync.runs where id = ${runId}`,
  );
  expect(runs).toEqual([counts]);
});
