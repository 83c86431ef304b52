import { describe, expect, onTestFinished, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor, startCli } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

const database = await createTestDatabase();

/** One request and page of 200 rows, then 195 new ones a page, then one look back at the first. */
const MOST_REQUESTS = 1 + Math.ceil((9_900 - 200) / 195) + 1;

/** Rows that the documents let one list show. */
const CAP = 10_000;

const MADE_AT = Date.UTC(2026, 10, 17, 15, 30);

test('9,900 events are read completely in at most 52 requests and 200 MB', async () => {
  expect(MOST_REQUESTS).toBe(52);
  // Rows of one instant have to be read twice when a page ends among them, and which do depends on when the estate is made:
  // at some hours of the day they cost a 53rd request.
  const sandbox = await startSandbox({ events: 9_900, now: () => MADE_AT, clockSkewMs: Number.POSITIVE_INFINITY });
  onTestFinished(() => sandbox.close());
  // Below 6,000 a minute requests are counted; from there on they are plentiful, and pages are read ahead on a guess.
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url, requestsPerMinute: 5_999 });

  const { code, stdout, peakMb } = await startCli(['sync', '--json', 'hss_cluster_events'], { cwd }).result;

  expect(code).toBe(0);
  const events = JSON.parse(stdout).runs.find(({ stream }: { stream: string }) => stream === 'hss_cluster_events');
  expect(events).toMatchObject({ status: 'succeeded', certificate: 'complete', reason: null, inserted: 9_900 });
  const sent = sandbox.requests.count('ListClusterEvents');
  expect(sent).toBeLessThanOrEqual(MOST_REQUESTS);
  expect(events.requests, 'every request that was sent is counted').toBe(sent);
  expect(peakMb).toBeGreaterThan(20);
  expect(peakMb).toBeLessThan(200);
  const { rows } = await database.pool.query(
    'select count(*)::int as n, count(distinct event_id)::int as ids from hss.cluster_events',
  );
  expect(rows).toEqual([{ n: 9_900, ids: 9_900 }]);
  console.log(`9,900 events: ${sent} requests, ${Math.round(peakMb)} MB at most, ${events.duration_ms} ms`);
});

describe('37,000 events in two clusters', () => {
  const EVENTS = 37_000;

  async function syncedFrom(sandbox: Sandbox) {
    onTestFinished(() => sandbox.close());
    await wipe(database);
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
    const { code, stdout } = await startCli(['sync', '--json', 'hss_cluster_events'], { cwd }).result;
    const run = JSON.parse(stdout).runs.find(({ stream }: { stream: string }) => stream === 'hss_cluster_events');
    const { rows } = await database.pool.query<{ stored: number; hidden: number | null }>(
      `select (select count(*)::int from hss.cluster_events) as stored,
         (select (evidence->>'outOfSight')::int from sync.listings where stream = 'hss_cluster_events' and listing = '') as hidden`,
    );
    return { code, run, ...rows[0] };
  }

  test("behind the cap are stored up to the cap from both ends of each cluster's list, and the others are counted", async () => {
    const sandbox = await startSandbox({ events: EVENTS, clusters: 2, noisyCluster: false, eventCap: CAP });
    sandbox.override('ListClusterEvents', ({ query }, normal) => {
      const reply = normal();
      const { total_num: count, ...body } = JSON.parse(String(reply.body));
      const whole = query.cluster_id === undefined ? EVENTS : EVENTS / 2;
      return { ...reply, body: JSON.stringify({ total_num: count < CAP ? count : whole, ...body }) };
    });
    const { code, run, stored = 0, hidden } = await syncedFrom(sandbox);
    expect({ code, ...run }).toMatchObject({ code: 1, status: 'incomplete', reason: 'capped', certified_at: null });
    expect(stored).toBeGreaterThanOrEqual(20_000);
    expect(hidden).toBe(EVENTS - stored);
    console.log(`37,000 events behind the cap: ${stored} stored, ${hidden} out of sight, ${run.requests} requests`);
  });

  test('on a server without the cap are all stored, and the list is complete', async () => {
    const sandbox = await startSandbox({
      events: EVENTS,
      clusters: 2,
      noisyCluster: false,
      eventCap: Number.POSITIVE_INFINITY,
    });
    const { code, run, stored } = await syncedFrom(sandbox);
    expect({ code, stored, ...run }).toMatchObject({ code: 0, stored: EVENTS, certificate: 'complete' });
    console.log(`37,000 events without a cap: ${stored} stored, ${run.requests} requests`);
  });
});
