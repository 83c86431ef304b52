import { beforeEach, expect, test } from 'vitest';
import { NO_EVIDENCE } from '../../src/core/certificate.ts';
import type { RunOutcome, StreamRun } from '../../src/core/store.ts';
import { prune } from '../../src/postgres/maintenance/retention.ts';
import { readStreamStates } from '../../src/postgres/queries/stream-state.ts';
import { createRunLog, createStore } from '../../src/postgres/run/store.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { streams } from '../../src/streams/index.ts';
import { scope } from '../support/engine.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();
const store = createStore(pool, { timeZone: 'UTC' });
const MINUTE = 60_000;
const DAY = 86_400_000;
const KEEP = { runsMs: 90 * DAY, rejectsMs: 90 * DAY, historyMs: null };

beforeEach(async () => {
  await pool.query('truncate sync.runs, sync.listings');
});

const QUIET: RunOutcome = {
  status: 'succeeded',
  walk: 'probe',
  certificate: 'complete',
  certifiedAt: new Date('2026-01-01T00:00:00Z'),
  contentAt: null,
  proof: 'order',
  reason: null,
  evidence: NO_EVIDENCE,
  error: null,
};

async function run(outcome: Partial<RunOutcome> = {}, work: (opened: StreamRun) => Promise<unknown> = async () => {}) {
  const opened = await store.open(events, scope);
  if (opened === 'busy') throw new Error('another run holds the lock');
  await opened.countRequests(1, 0);
  await work(opened);
  const report = await opened.finish({ ...QUIET, ...outcome });
  await opened.close();
  return report;
}

const rows = async () =>
  (
    await pool.query<{ status: string; walk: string | null; looks: number; requests: number }>(
      'select status, walk, looks, requests from sync.runs order by id',
    )
  ).rows;

test('five polls without a change within an hour share one row that counts them, and each is reported', async () => {
  for (let looks = 0; looks < 5; looks++) expect(await run()).toMatchObject({ requests: 1 });
  expect(await rows()).toEqual([{ status: 'succeeded', walk: 'probe', looks: 5, requests: 5 }]);
  const { rows: span } = await pool.query(
    'select first_looked_at < started_at as earlier, looks::int, first_looked_at is null as missing from bi.sync_runs',
  );
  expect(span).toEqual([{ earlier: true, looks: 5, missing: false }]);
});

test('a poll in the next hour starts another row', async () => {
  await run();
  await run();
  await letPass(pool, 60 * MINUTE);
  await run();
  expect((await rows()).map(({ looks }) => looks)).toEqual([2, 1]);
});

test('runs that failed, were cut short, walked or proved less keep their rows, and quiet ones around them are one', async () => {
  await run();
  await run({ status: 'failed', certificate: 'incomplete', reason: 'interrupted', error: new Error('no answer') });
  await run({ status: 'incomplete', certificate: 'incomplete', reason: 'moving' });
  await run({ walk: 'full' });
  await run();
  expect((await rows()).map(({ status, walk, looks }) => `${status} ${walk} ${looks}`)).toEqual([
    'failed probe 1',
    'incomplete probe 1',
    'succeeded full 1',
    'succeeded probe 2',
  ]);
});

test('a run that wrote a row keeps its own', async () => {
  await run();
  await run({}, () => pool.query("update sync.runs set updated = 1 where status = 'running'"));
  await run();
  expect((await rows()).map(({ looks }) => looks)).toEqual([1, 2]);
});

test('folded runs leave the age, the last attempt and what a resumed run goes on from as they were', async () => {
  await run();
  await letPass(pool, 5 * MINUTE);
  await run();
  const [state] = await readStreamStates(pool, [events]);
  expect(state).toMatchObject({ state: 'fresh', certificate: 'complete', proof: 'order' });
  expect(state?.look_age_seconds).toBeLessThan(60);
  const [attempt] = await createRunLog(pool).lastAttempts({ streams: [events.name], projects: [scope.projectId] });
  expect(attempt).toMatchObject({ stream: events.name, projectId: scope.projectId });
  expect(attempt?.ageMs).toBeLessThan(60_000);
  expect(attempt?.servedMs).toBe(attempt?.ageMs);
  const opened = await store.open(events, scope);
  if (opened === 'busy') throw new Error('another run holds the lock');
  expect({ skipCertifiedSince: opened.skipCertifiedSince, skipWalkedSince: opened.skipWalkedSince }).toEqual({
    skipCertifiedSince: null,
    skipWalkedSince: null,
  });
  await opened.close();
  await run();
  const left = await rows();
  expect(left.filter(({ status }) => status === 'abandoned')).toHaveLength(1);
  expect(left.filter(({ status }) => status === 'succeeded').reduce((sum, { looks }) => sum + looks, 0)).toBe(3);
});

test('an interrupted run after folded looks says since when its successor resumes', async () => {
  await run();
  await run();
  await run({ status: 'incomplete', walk: null, certificate: 'incomplete', reason: 'interrupted' });
  const { rows: began } = await pool.query<{ started_at: Date }>(
    "select started_at from sync.runs where reason = 'interrupted'",
  );
  const opened = await store.open(events, scope);
  if (opened === 'busy') throw new Error('another run holds the lock');
  expect(opened.skipCertifiedSince).toEqual(began[0]?.started_at);
  await opened.close();
});

test('since when a list is certified survives the folding of the run that certified it', async () => {
  const only = { listing: { key: '', params: {}, hot: true }, checkpoint: null, sweep: null };
  const certificate = { kind: 'complete', proof: 'atomic', evidence: NO_EVIDENCE } as const;
  await run({}, (opened) => opened.conclude({ ...only, certificate }));
  const since = async () =>
    (await pool.query<{ since: Date }>('select certified_since as since from sync.listings')).rows[0]?.since;
  const { rows: began } = await pool.query<{ started_at: Date }>('select started_at from sync.runs');
  await run();
  expect(await since()).toEqual(began[0]?.started_at);
  expect(await rows()).toHaveLength(1);
});

test('quiet rows older than three days become one a day; others, the last days and the sums stay', async () => {
  await pool.query(
    `insert into sync.runs (stream, account, region, project_id, status, walk, certificate, started_at, beat_at, finished_at, owner, requests, inserted, looks)
     select 'hss_cluster_events', 'a', 'r', 'p' || p, 'succeeded', 'probe', 'complete', t, t, t, 'test', 12, case when n % 24 = 0 then 1 else 0 end, 12
     from generate_series(1, 2) p, generate_series(0, 24 * 20 - 1) n, lateral (select date_trunc('day', now(), 'UTC') - n * interval '1 hour' as t) x`,
  );
  const totals = `select sum(requests)::int as requests, sum(looks)::int as looks, count(*) filter (where inserted > 0)::int as changed from sync.runs`;
  const before = (await pool.query(totals)).rows;
  const pruned = await prune(pool, { periods: KEEP, streams, configuration: 'own' });
  expect(pruned).toMatchObject({ runs: 0, folded: 2 * 17 * 22 });
  expect((await pool.query(totals)).rows).toEqual(before);
  const { rows: days } = await pool.query(
    `select count(*)::int as rows, max(looks)::int as looks from sync.runs where project_id = 'p1' and inserted = 0
     and started_at < now() - interval '5 days' group by date_trunc('day', started_at, 'UTC')`,
  );
  expect(new Set(days.map((day) => JSON.stringify(day)))).toContain('{"rows":1,"looks":276}');
  expect(days.every(({ rows: left }) => left === 1)).toBe(true);
  expect(
    await prune(pool, { periods: KEEP, streams, configuration: 'own' }),
    'a second time there is nothing to fold',
  ).toMatchObject({ folded: 0 });
});
