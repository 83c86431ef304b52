import { beforeEach, expect, test } from 'vitest';
import { createSuspensions } from '../../src/postgres/coordination/quota.ts';
import { readSuspended } from '../../src/postgres/queries/overview.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();
const MINUTE = 60_000;
const START = Date.parse('2026-01-01T00:00:00Z');
let time = START;
let suspensions = createSuspensions(pool, () => time);

beforeEach(async () => {
  time = START;
  suspensions = createSuspensions(pool, () => time);
  await pool.query('truncate sync.suspended_credentials');
});

test('credentials that were never refused are not suspended', async () => {
  expect(await suspensions.find('a', 'key')).toBeNull();
});

test('a refusal suspends the credentials for 10 minutes, with its reason', async () => {
  const suspension = await suspensions.suspend('a', 'key', { reason: 'APIGW.0301', serverTime: null });
  expect(suspension).toEqual({ serverNow: null, until: new Date(START + 10 * MINUTE), reason: 'APIGW.0301' });
  expect(await suspensions.find('a', 'key')).toEqual(suspension);
  time += 10 * MINUTE;
  expect(await suspensions.find('a', 'key')).toBeNull();
});

test('every further refusal doubles the time, up to a day', async () => {
  const minutes: number[] = [];
  for (let i = 0; i < 10; i++) {
    const { until } = await suspensions.suspend('a', 'key', { reason: 'no', serverTime: null });
    minutes.push((until.getTime() - time) / MINUTE);
    time = until.getTime();
  }
  expect(minutes).toEqual([10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
});

test('requests that fail together count once', async () => {
  const five = await Promise.all(
    [1, 2, 3, 4, 5].map(() => suspensions.suspend('a', 'key', { reason: 'no', serverTime: null })),
  );
  expect(new Set(five.map(({ until }) => until.getTime()))).toEqual(new Set([START + 10 * MINUTE]));
});

test('other credentials and other accounts continue', async () => {
  await suspensions.suspend('a', 'key', { reason: 'no', serverTime: null });
  expect(await suspensions.find('a', 'new key')).toBeNull();
  expect(await suspensions.find('b', 'key')).toBeNull();
});

test('a suspension by another process is seen within five seconds, one by this process at once', async () => {
  const other = createSuspensions(pool, () => time);
  expect(await suspensions.find('a', 'key')).toBeNull();
  const suspension = await other.suspend('a', 'key', { reason: 'no', serverTime: null });
  expect(await other.find('a', 'key')).toEqual(suspension);
  time += 4_999;
  expect(await suspensions.find('a', 'key')).toBeNull();
  time += 1;
  expect(await suspensions.find('a', 'key')).toMatchObject({ reason: 'no' });
});

test('the suspension of credentials is queried at most once in five seconds', async () => {
  let statements = 0;
  pool.on('acquire', () => {
    statements += 1;
  });
  for (let i = 0; i < 50; i++) {
    time += 100;
    expect(await suspensions.find('a', 'quiet')).toBeNull();
  }
  expect(statements).toBe(1);
});

test('credentials that work again are no longer counted as refused', async () => {
  await suspensions.suspend('a', 'key', { reason: 'no', serverTime: null });
  await suspensions.lift('a', 'key');
  expect(await suspensions.find('a', 'key')).toBeNull();
  const { until } = await suspensions.suspend('a', 'key', { reason: 'no', serverTime: null });
  expect(until.getTime()).toBe(START + 10 * MINUTE);
});

test('without a virtual clock the time of the database decides', async () => {
  const real = createSuspensions(pool);
  const { until } = await real.suspend('a', 'key', { reason: 'no', serverTime: null });
  const { rows } = await pool.query<{ minutes: number }>(
    'select extract(epoch from $1 - now())::float8 / 60 as minutes',
    [until],
  );
  expect(rows[0]?.minutes).toBeCloseTo(10, 1);
});

test('the estimated clock of the API follows the database clock, not that of the process', async () => {
  const real = createSuspensions(pool);
  const serverTime = new Date('2026-11-28T05:30:00Z');
  await real.suspend('a', 'key', { reason: 'clock', serverTime });
  await pool.query(
    "update sync.suspended_credentials set last_failed_at = last_failed_at - interval '20 s', until = until - interval '20 s'",
  );
  const found = await real.find('a', 'key');
  const elapsed = (found?.serverNow?.getTime() ?? 0) - serverTime.getTime();
  expect(elapsed).toBeGreaterThanOrEqual(20_000);
  expect(elapsed).toBeLessThan(20_000 + 60_000);
});

test('an account counts as suspended until a later run with other credentials is answered', async () => {
  const real = createSuspensions(pool);
  await real.suspend('a', 'wrong key', { reason: 'no', serverTime: null });
  await real.suspend('b', 'key', { reason: 'no', serverTime: null });
  const run = (...values: readonly [account: string, status: string, requests: number, started: string]) =>
    pool.query(
      `insert into sync.runs (stream, account, region, project_id, status, started_at, beat_at, finished_at, owner, requests)
       values ('s', $1, 'r', 'p', $2, now() + $4::interval, now(), now(), 'o', $3)`,
      [...values],
    );
  const suspended = async () => (await readSuspended(pool)).map(({ account }) => account).toSorted();
  await run('a', 'succeeded', 1, '-1 minute');
  await run('a', 'succeeded', 0, '1 second');
  await run('a', 'failed', 1, '1 second');
  await run('c', 'succeeded', 1, '1 second');
  expect(await suspended()).toEqual(['a', 'b']);
  await run('a', 'succeeded', 1, '1 second');
  expect(await suspended()).toEqual(['b']);
});
