import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/app.ts';
import type { Scope } from '../../src/core/account.ts';
import type { RunReport } from '../../src/core/store.ts';
import { PostgresLaneQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { createRunLog } from '../../src/postgres/run/store.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations as operations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { DueLanes } from '../../src/sync/service/scheduler.ts';
import { type LaneOutcome, Service, serveLane } from '../../src/sync/service/service.ts';
import { quietLogger, scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { expectTruthIn } from '../support/truth.ts';
import { startWorld, type World, wipe } from '../support/world.ts';

const database = await createTestDatabase();
const { pool } = database;

/** A tenth of the real one. */
const BOUND_MS = 1.5 * 60_000;
const LANE = { account: 'default', stream: operations.name };
const OTHER: Scope = { ...scope, region: 'cn-east-3', projectId: '0a1b2c3d4e5f60718293a4b5c6d7e8f9' };
const SCOPES = [scope, OTHER];
/** One request each: at five a minute the lists of both projects take three times as long. */
const CHILDREN = 12;

interface Turn {
  readonly outcome: LaneOutcome;
  readonly tookMs: number;
  readonly reports: readonly RunReport[];
}

interface Stage {
  readonly world: World;
  /** One job of the lane, as the queue hands it out. */
  turn(): Promise<Turn>;
  /** Jobs until the lane has no more work. */
  turns(): Promise<readonly Turn[]>;
  /** How many lists of children there are: the history documents two of the four kinds of images. */
  lists(): Promise<number>;
}

/** Both projects have their vulnerabilities; how those were handled is read under the documented quota. */
async function stage(): Promise<Stage> {
  await wipe(database);
  const sandbox = {
    projects: SCOPES.map(({ projectId, region }) => ({ id: projectId, region })),
    clusters: 1,
    events: 0,
    vulnerabilities: CHILDREN,
    instances: 0,
    reports: 0,
  };
  const world = await startWorld(database, { sandbox, account: { requestsPerMinute: 5 } });
  for (const one of SCOPES)
    expect(await world.run(hssImageVulnerabilities, { scope: one })).toMatchObject({ certificate: 'complete' });
  const streams = [{ stream: operations, schedule: operations.schedule }];
  const dueLanes = new DueLanes({ streams, scopes: SCOPES, runs: createRunLog(pool), clock: world.clock });
  const turn = async () => {
    const reports: RunReport[] = [];
    const began = world.clock.now();
    const parts = {
      engine: world.engine,
      dueLanes,
      timeLimitMs: BOUND_MS,
      onReport: (one: RunReport) => void reports.push(one),
    };
    const outcome = await serveLane(parts, LANE, new AbortController().signal);
    return { outcome, tookMs: world.clock.now() - began, reports };
  };
  return {
    world,
    turn,
    async turns() {
      const all: Turn[] = [];
      for (let round = 0; round < 20; round += 1) {
        const one = await turn();
        all.push(one);
        if (one.outcome === 'done') return all;
      }
      throw new Error('the lane has no end');
    },
    async lists() {
      const { rows } = await pool.query<{ n: number }>(
        `select count(distinct (project_id, vul_id, image_type))::int as n from hss.image_vulnerabilities
         where image_type in ('local_image', 'registry')`,
      );
      return rows[0]?.n ?? 0;
    },
  };
}

/** As if all that was read had been read a day ago: every list is due again. */
async function nextDay(): Promise<void> {
  await pool.query("update sync.runs set started_at = started_at - interval '20 hours'");
  await pool.query(
    "update sync.listings set certified_at = certified_at - interval '20 hours', walked_at = walked_at - interval '20 hours'",
  );
}

const requestsOf = (turns: readonly Turn[]) =>
  turns.flatMap(({ reports }) => reports).reduce((sum, { requests }) => sum + requests, 0);

test('a lane stops at its time limit between the listings of a stream, and resumes there', async () => {
  const { turns, lists, world } = await stage();
  const done = await turns();
  const total = await lists();
  expect(total).toBeGreaterThan(16);
  expect(done.length).toBeGreaterThan(2);
  // The list that is under way at the bound is read to its end: that is one wait for a slot more.
  for (const { tookMs } of done) expect(tookMs).toBeLessThanOrEqual(BOUND_MS + 62_000);
  const reports = done.flatMap((turn) => turn.reports);
  expect(reports.filter(({ status }) => status === 'succeeded').map(({ certificate }) => certificate)).toEqual([
    'complete',
    'complete',
  ]);
  for (const { reason, status, error } of reports.filter(({ status }) => status !== 'succeeded')) {
    expect({ reason, status, error }).toEqual({ reason: 'interrupted', status: 'incomplete', error: null });
  }
  // Scopes take turns, however much one of them has to read.
  expect(
    done
      .slice(0, 2)
      .map((turn) => turn.reports[0]?.project_id)
      .sort(),
  ).toEqual(SCOPES.map(({ projectId }) => projectId).sort());
  // One request for each list, and one more where the spelling of its image type had to be found.
  expect(requestsOf(done)).toBeLessThanOrEqual(total + 20);
  const { rows } = await pool.query(
    "select 1 from sync.runs where status = 'incomplete' and (evidence->>'notAsked')::int > 0",
  );
  expect(rows.length).toBe(reports.length - 2);
  for (const { projectId } of SCOPES)
    await expectTruthIn(projectId, { pool, sandbox: world.sandbox, streams: [operations] });
});

test('a resumed run does not poll lists again that were polled and had not changed', async () => {
  const { turns, lists, world } = await stage();
  await turns();
  await nextDay();
  // All of them are worth a look.
  await pool.query("update sync.listings set changed_at = now() where stream = 'hss_image_vulnerability_operations'");
  const total = await lists();
  const again = await turns();
  expect(again.length).toBeGreaterThan(2);
  expect(requestsOf(again)).toBeGreaterThanOrEqual(total);
  expect(requestsOf(again)).toBeLessThanOrEqual(total + 5);
  expect(again.flatMap((turn) => turn.reports).filter(({ status }) => status === 'succeeded')).toHaveLength(2);
  for (const { projectId } of SCOPES)
    await expectTruthIn(projectId, { pool, sandbox: world.sandbox, streams: [operations] });
});

test('lists that cannot be proven are tried once in a chain of runs, and its end says why', async () => {
  const { turns, lists, world } = await stage();
  world.sandbox.faults.add({
    kind: 'forbidden',
    operation: 'ListGeneralImageVulOperations',
    times: Number.POSITIVE_INFINITY,
  });
  const refused = await turns();
  expect(refused.length).toBeGreaterThan(2);
  expect(requestsOf(refused)).toBeLessThanOrEqual((await lists()) * 1.1);
  const last = refused.flatMap((turn) => turn.reports).filter(({ reason }) => reason !== 'interrupted');
  expect(last.map(({ reason }) => reason)).toEqual(['refused', 'refused']);
});

test('lists of a run that was interrupted a day ago are polled again', async () => {
  const { turn, turns, lists, world } = await stage();
  const cut = await turn();
  expect(cut.outcome).toBe('more');
  await nextDay();
  await pool.query(
    "update sync.runs set beat_at = beat_at - interval '20 hours', finished_at = finished_at - interval '20 hours'",
  );
  await pool.query("update sync.listings set changed_at = now() where stream = 'hss_image_vulnerability_operations'");
  expect(requestsOf(await turns())).toBeGreaterThanOrEqual(await lists());
  for (const { projectId } of SCOPES)
    await expectTruthIn(projectId, { pool, sandbox: world.sandbox, streams: [operations] });
});

test('a lane gives its place back between projects when its requests are used up, and reads the next project with its next place', async () => {
  const { world } = await stage();
  const streams = [{ stream: hssImageVulnerabilities, schedule: '0 0 1 1 *' }];
  await nextDay();
  await pool.query("update sync.runs set started_at = started_at - interval '400 days'");
  const dueLanes = new DueLanes({ streams, scopes: SCOPES, runs: createRunLog(pool), clock: world.clock });
  const read: string[] = [];
  const parts = {
    engine: world.engine,
    dueLanes,
    timeLimitMs: 60 * BOUND_MS,
    onReport: (one: RunReport) => void read.push(one.project_id),
    // Accounts without a limit do not wait, so the account is asked for.
    waitMs: (_: unknown, account: string) => (account === 'default' ? 30_000 : 0),
  };
  const serve = () =>
    serveLane(parts, { account: 'default', stream: hssImageVulnerabilities.name }, new AbortController().signal);
  expect([await serve(), read.length]).toEqual(['no requests left', 1]);
  expect([await serve(), read.toSorted()]).toEqual(['done', SCOPES.map(({ projectId }) => projectId).toSorted()]);
});

test('a service keeps a lane whose account has no requests left from a place behind another address until it has', async () => {
  await wipe(database);
  const projects = SCOPES.map(({ projectId, region }) => ({ id: projectId, region }));
  const { engine } = await startWorld(database, { sandbox: { projects, vulnerabilities: 2, hosts: 1, events: 0 } });
  const streams = [{ stream: hssImageVulnerabilities, schedule: '0 0 1 1 *' }];
  const queue = new PostgresLaneQueue({
    pool,
    url: database.url,
    logger: quietLogger,
    configuration: 'used',
    concurrency: 1,
  });
  const service = new Service({
    engine: { ...engine, clock: systemClock },
    dueLanes: new DueLanes({ streams, scopes: SCOPES, runs: createRunLog(pool), clock: systemClock }),
    streams,
    queue,
    jitterMs: 0,
    waitMs: () => 60_000,
    accountWaitMs: () => 60_000,
  });
  onTestFinished(() => service.stop());
  await service.start();
  const delays = async () => {
    const { rows } = await pool.query<{ ms: number }>(
      `select extract(epoch from start_after - created_on)::float * 1000 as ms from security_sync_queue.job
       where name = 'lanes-used' and state = 'created'
         and exists (select from security_sync_queue.job where name = 'lanes-used' and state = 'completed')`,
    );
    return rows.map(({ ms }) => ms);
  };
  await expect.poll(async () => (await delays()).length).toBe(1);
  const [delayMs = 0] = await delays();
  // Ten seconds ahead of the request and two ahead of the others, less the time that queueing took.
  expect(delayMs).toBeGreaterThan(20_000);
  expect(delayMs).toBeLessThanOrEqual(48_000);
});

test('the service queues a lane that reached its time limit again at once', async () => {
  const { world } = await stage();
  // Real time from here on, no quota, and a bound that the lists exceed by their latency alone, however fast the machine is.
  const fast = await startWorld(database, { sandbox: { ...world.sandbox.settings, port: 0, latencyMs: 150 } });
  const streams = [{ stream: operations, schedule: '0 0 1 1 *' }];
  const dueLanes = new DueLanes({ streams, scopes: [scope], runs: createRunLog(pool), clock: systemClock });
  const reports: RunReport[] = [];
  const service = new Service({
    engine: { ...fast.engine, clock: systemClock },
    dueLanes,
    streams,
    queue: new PostgresLaneQueue({
      pool,
      url: database.url,
      logger: quietLogger,
      configuration: 'test',
      concurrency: 1,
    }),
    jitterMs: 0,
    laneTimeLimitMs: 1_500,
    onReport: (report) => void reports.push(report),
  });
  onTestFinished(() => service.stop());
  await service.start();
  await expect.poll(() => reports.at(-1)?.status).toBe('succeeded');
  expect(reports.length).toBeGreaterThan(1);
  expect(new Set(reports.slice(0, -1).map(({ reason }) => reason))).toEqual(new Set(['interrupted']));
});
