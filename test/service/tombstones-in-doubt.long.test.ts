import { expect, it } from 'vitest';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { expectOrder, tombstones } from '../support/order.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { empty, smallWorlds } from '../support/tombstones.ts';
import { expectTruth } from '../support/truth.ts';

/** Absences that prove nothing, in every list that is read by default; tombstones-in-doubt.test.ts has one list of every kind. */

const database = await createTestDatabase();
const { pool } = database;
const { fresh, expectNoFalseTombstones } = smallWorlds(database);

it('an API that refuses every list keeps every row', async () => {
  const world = await fresh({ streams: READ_BY_DEFAULT });
  await world.runAll();
  world.sandbox.faults.add({ kind: 'forbidden', times: Number.POSITIVE_INFINITY });
  for (const report of await world.runAll()) expect(report).toMatchObject({ certificate: 'incomplete', deleted: 0 });
  for (const stream of world.streams) expect(await tombstones(pool, stream), stream.name).toBe(0);
  world.sandbox.faults.clear();
  for (const report of await world.runAll()) expect(report).toMatchObject({ certificate: 'complete', inserted: 0 });
});

it('an empty answer to every list at once sweeps nothing', async () => {
  const world = await fresh({ streams: READ_BY_DEFAULT, sandbox: { clusters: 12 } });
  await world.runAll();
  world.sandbox.faults.add(empty);
  for (const report of await world.runAll()) expect(report, report.stream).toMatchObject({ deleted: 0 });
  await expectNoFalseTombstones(world);
  world.sandbox.faults.clear();
  for (const report of await world.runAll())
    expect(report, report.stream).toMatchObject({ status: 'succeeded', inserted: 0, updated: 0 });
  await expectTruth(pool, world.sandbox, world.streams);
  await expectOrder(pool);
});
