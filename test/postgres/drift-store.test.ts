import { beforeEach, expect, test } from 'vitest';
import { withTransaction } from '../../src/postgres/connection/pool.ts';
import { prune } from '../../src/postgres/maintenance/retention.ts';
import { recordDrift } from '../../src/postgres/run/bookkeeping.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters as clusters } from '../../src/streams/hss/protected-clusters.ts';
import { streams } from '../../src/streams/index.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();
const DAY = 86_400_000;

beforeEach(async () => {
  await pool.query('truncate sync.api_drift');
});

const unknown = (names: readonly string[]) =>
  names.map((field) => ({ field, kind: 'unknown field', sample: 'x' }) as const);
const named = (count: number, prefix: string) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);
const record = (names: readonly string[], stream = events) =>
  withTransaction(pool, (client) => recordDrift(client, stream, unknown(names)));

test('a record with 100,000 unknown names leaves 200 of them and one row that counts the others', async () => {
  const fresh = await record(named(100_000, 'f'));
  const { rows } = await pool.query(
    "select field, kind, sample, count::int as count from sync.api_drift where field like '(%'",
  );
  expect(rows).toEqual([{ field: '(more fields)', kind: 'unknown field', sample: null, count: 99_800 }]);
  expect(fresh).toHaveLength(201);
  expect((await pool.query('select count(*)::int as n from sync.api_drift')).rows).toEqual([{ n: 201 }]);
});

test('a stream that has its share full still counts the differences it knows, and other streams have room', async () => {
  await record(named(200, 'known'));
  expect(await record(['known7', 'new1'])).toEqual(['unknown field: (more fields)']);
  expect(await record(['known7', 'new2'])).toEqual([]);
  expect(await record(['new1'], clusters)).toEqual(['unknown field: new1 = x']);
  const { rows } = await pool.query(
    `select field, count::int as count from sync.api_drift where stream = $1 and field in ('known7', '(more fields)') order by count, field`,
    [events.name],
  );
  expect(rows).toEqual([
    { field: '(more fields)', count: 2 },
    { field: 'known7', count: 3 },
  ]);
});

test('differences not seen for the retention time of runs are deleted, and make room', async () => {
  await record(named(200, 'old'));
  await pool.query("update sync.api_drift set last_seen_at = now() - interval '91 days' where field <> 'old3'");
  const periods = { runsMs: 90 * DAY, rejectsMs: null, historyMs: null };
  expect(await prune(pool, { periods, streams, configuration: 'own' })).toMatchObject({
    drift: 199,
  });
  expect(await record(['new'])).toEqual(['unknown field: new = x']);
  expect((await pool.query('select field from sync.api_drift order by 1')).rows).toEqual([
    { field: 'new' },
    { field: 'old3' },
  ]);
});
