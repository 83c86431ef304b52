import { expect, test } from 'vitest';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { tombstones } from '../support/order.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { expectTruth } from '../support/truth.ts';
import { startWorld, type World, wipe } from '../support/world.ts';

/** Lists of a stream that the API never answers for, and the others beside them. */

const database = await createTestDatabase();

const INSTANCES = 6;

/** A stream of six lists, the first of which get nothing but 500s. */
async function failing(count: number): Promise<World> {
  await wipe(database);
  const world = await startWorld(database, { sandbox: { instances: INSTANCES, reports: 60 } });
  await world.run(dbssAuditInstances);
  fail(world, count);
  return world;
}

function fail(world: World, count: number): void {
  for (const instanceId of world.sandbox.estate.instanceIds().slice(0, count)) {
    const times = Number.POSITIVE_INFINITY;
    world.sandbox.faults.add({ kind: 'server-error', operation: 'ListAuditReports', instanceId, times });
  }
}

async function certified(): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    `select count(*)::int as n from sync.listings where stream = $1 and certificate = 'complete'`,
    [dbssAuditReports.name],
  );
  return rows[0]?.n ?? 0;
}

/** Requests for the lists that are answered, since the last time. */
function asked(world: World): number {
  const failed = world.sandbox.requests.entries().filter(({ status }) => status === 500).length;
  return world.sandbox.requests.count('ListAuditReports') - failed;
}

const PARTLY = { status: 'incomplete', reason: 'interrupted', certificate: 'incomplete', certified_at: null };

test.each([1, 2])('%i lists without a response do not prevent the others from being read in any run', async (count) => {
  const world = await failing(count);
  for (let run = 0; run < 3; run += 1) {
    const before = asked(world);
    const report = await world.run(dbssAuditReports);
    expect(report, String(run)).toMatchObject({ ...PARTLY, deleted: 0 });
    expect(report.error).toMatch(/500/);
    expect(asked(world) - before, String(run)).toBe(INSTANCES - count);
    expect(await certified()).toBe(INSTANCES - count);
  }
  world.sandbox.faults.clear();
  expect(await world.run(dbssAuditReports)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  await expectTruth(database.pool, world.sandbox, [dbssAuditReports]);
});

test('a complete list without a response keeps its certificate and its rows, but the run is not complete', async () => {
  const world = await failing(0);
  await world.run(dbssAuditReports);
  fail(world, 1);
  expect(await world.run(dbssAuditReports)).toMatchObject({ ...PARTLY, deleted: 0 });
  expect(await certified()).toBe(INSTANCES);
  expect(await tombstones(database.pool, dbssAuditReports)).toBe(0);
});

test('a refused list that is the last one of interrupted runs does not keep the others from being read again', async () => {
  const world = await failing(0);
  const instanceId = world.sandbox.estate.instanceIds().toSorted().at(-1) ?? expect.unreachable();
  const times = Number.POSITIVE_INFINITY;
  world.sandbox.faults.add({ kind: 'forbidden', operation: 'ListAuditReports', instanceId, times });
  for (let run = 1; run < INSTANCES; run += 1) await world.run(dbssAuditReports, { until: 0 });
  expect(await certified()).toBe(INSTANCES - 1);
  expect(await world.run(dbssAuditReports)).toMatchObject({ status: 'incomplete', reason: 'refused', requests: 1 });
  expect(await world.run(dbssAuditReports)).toMatchObject({ reason: 'refused', requests: INSTANCES });
});

test('a resumed run that gets no response for the remaining lists ends the chain of runs', async () => {
  const world = await failing(0);
  const cut = await world.run(dbssAuditReports, { until: 0 });
  expect(cut).toMatchObject({ status: 'incomplete', reason: 'interrupted', error: null });
  expect(await certified()).toBe(1);
  world.sandbox.faults.add({ kind: 'server-error', operation: 'ListAuditReports', times: Number.POSITIVE_INFINITY });
  expect(await world.run(dbssAuditReports)).toMatchObject(PARTLY);
  world.sandbox.faults.clear();
  const before = asked(world);
  expect(await world.run(dbssAuditReports)).toMatchObject({ status: 'succeeded' });
  expect(asked(world) - before).toBe(INSTANCES);
});

test('a run stops after three lists without a response in a row', async () => {
  const world = await failing(INSTANCES);
  const report = await world.run(dbssAuditReports);
  expect(report).toMatchObject({ status: 'failed', reason: 'interrupted', inserted: 0, deleted: 0 });
  // Four attempts each.
  expect(world.sandbox.requests.count('ListAuditReports')).toBe(12);
  expect(report.requests).toBe(12);
});

test('if the time limit is reached after every list, a list without a response goes behind the others and is reported', async () => {
  const world = await failing(1);
  const reports = [];
  for (let run = 0; run < INSTANCES; run += 1) reports.push(await world.run(dbssAuditReports, { until: 0 }));
  expect(await certified()).toBe(INSTANCES - 1);
  expect(reports.filter(({ error }) => error !== null)).toHaveLength(1);
});

test('a list that is refused does not hide that the service is down', async () => {
  const world = await failing(0);
  const refused = world.sandbox.estate.instanceIds().toSorted()[0];
  const add = (kind: 'forbidden' | 'server-error', isHit: (instanceId: string | undefined) => boolean) =>
    world.sandbox.faults.add({
      kind,
      operation: 'ListAuditReports',
      times: Number.POSITIVE_INFINITY,
      when: ({ instanceId }) => isHit(instanceId),
    });
  add('forbidden', (instanceId) => instanceId === refused);
  add('server-error', (instanceId) => instanceId !== refused);
  const report = await world.run(dbssAuditReports);
  expect(report).toMatchObject({ status: 'failed', reason: 'interrupted', error: expect.stringMatching(/500/) });
});

test('lists that were not requested before the run ended are counted', async () => {
  const world = await failing(INSTANCES);
  const report = await world.run(dbssAuditReports);
  const { rows } = await database.pool.query(
    `select evidence from sync.runs where stream = $1 order by id desc limit 1`,
    [report.stream],
  );
  expect(rows[0]?.evidence).toMatchObject({ listings: INSTANCES, notAsked: INSTANCES - 3 });
});
