import { describe, expect, it } from 'vitest';
import { isObject } from '../../src/core/stream/json.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { expectOrder, tombstones } from '../support/order.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { edit, HOUR, smallWorlds } from '../support/tombstones.ts';
import { expectTruth, storedOf, truthOf } from '../support/truth.ts';
import { editList, type World } from '../support/world.ts';

/** What becomes of the children when their parent is gone, or only seems to be. */

const database = await createTestDatabase();
const { pool } = database;
const { fresh, confirm } = smallWorlds(database);

const AUDIT = [dbssAuditInstances, dbssAuditReports];
const IMAGES = [hssImageVulnerabilities, hssImageVulnerabilityOperations];

/** The list of the parents is read again, long enough after whatever was marked. */
async function readParentsLater(world: World, stream: Stream): Promise<void> {
  await letPass(pool, HOUR);
  expect(await world.run(stream, { full: true })).toMatchObject({ deleted: 0 });
}

/** The first instance is listed no longer. */
function hideFirst(world: World): void {
  const [lost] = world.sandbox.estate.instanceIds();
  edit(world, 'ListAuditInstancesLast', (record) => (record.id === lost ? null : record));
}

describe('a parent that was swept by mistake', () => {
  it('marks its children too and restores all of them, on whatever page they are', async () => {
    const world = await fresh({ streams: AUDIT, sandbox: { instances: 2, reports: 500 } });
    await world.runAll();
    const [lost] = world.sandbox.estate.instanceIds();
    edit(world, 'ListAuditInstancesLast', (record) => (record.id === lost ? null : record));
    const marks = await confirm(world, dbssAuditInstances);
    expect(marks.map(({ deleted }) => deleted)).toEqual([0, 0, 1]);
    expect(await world.run(dbssAuditReports)).toMatchObject({ status: 'succeeded', deleted: 0 });
    await readParentsLater(world, dbssAuditInstances);
    expect(await world.run(dbssAuditReports)).toMatchObject({ status: 'succeeded', deleted: 250 });
    edit(world, 'ListAuditInstancesLast', undefined);
    await world.run(dbssAuditInstances);
    expect(await world.run(dbssAuditReports)).toMatchObject({ status: 'succeeded', updated: 250 });
    await expectTruth(pool, world.sandbox, world.streams);
    await expectOrder(pool);
  });

  it.each<[string, (world: World) => unknown, () => unknown]>([
    [
      'in a list with a record that could not be read',
      (world) => {
        const [lost, odd] = world.sandbox.estate.instanceIds();
        edit(world, 'ListAuditInstancesLast', (record) =>
          record.id === lost ? null : record.id === odd ? { ...record, effect: 'odd' } : record,
        );
      },
      () => {},
    ],
    [
      'while another row of its list is in doubt',
      hideFirst,
      () =>
        pool.query(
          `update sync.listings set missing = '[{"walks":1,"lastAt":0,"keys":["in doubt"]}]' where stream = $1`,
          [dbssAuditInstances.name],
        ),
    ],
    [
      'in a list that was not certified since',
      hideFirst,
      () =>
        pool.query(`update sync.listings set certificate = 'incomplete' where stream = $1`, [dbssAuditInstances.name]),
    ],
  ])('%s keeps its children until a walk without such a fault', async (_name, change, after) => {
    const world = await fresh({ streams: AUDIT });
    await world.runAll();
    change(world);
    expect((await confirm(world, dbssAuditInstances)).at(-1)).toMatchObject({ deleted: 1 });
    await readParentsLater(world, dbssAuditInstances);
    await after();
    expect(await world.run(dbssAuditReports)).toMatchObject({ deleted: 0 });
    expect(await tombstones(pool, dbssAuditReports)).toBe(0);
    hideFirst(world);
    await readParentsLater(world, dbssAuditInstances);
    expect((await world.run(dbssAuditReports)).deleted).toBeGreaterThan(0);
  });

  it('by empty responses keeps its children until a later response confirms it', async () => {
    const world = await fresh({ streams: AUDIT });
    await world.runAll();
    edit(world, 'ListAuditInstancesLast', () => null);
    expect((await confirm(world, dbssAuditInstances)).at(-1)).toMatchObject({ deleted: 3 });
    expect(await world.run(dbssAuditReports)).toMatchObject({ deleted: 0 });
    await readParentsLater(world, dbssAuditInstances);
    expect((await world.run(dbssAuditReports)).deleted).toBeGreaterThan(0);
  });

  it('by responses with 1 of 3 instances keeps the instances and their reports in two runs, and reports it', async () => {
    const world = await fresh({ streams: AUDIT });
    await world.runAll();
    const [only] = world.sandbox.estate.instanceIds();
    edit(world, 'ListAuditInstancesLast', (record) => (record.id === only ? record : null));
    for (let run = 0; run < 2; run += 1) {
      const reports = await world.runAll({ full: true });
      expect(reports.find(({ stream }) => stream === dbssAuditInstances.name)).toMatchObject({
        status: 'incomplete',
        reason: 'suspicious-shrink',
        deleted: 0,
      });
      await letPass(pool, 4 * HOUR);
    }
    for (const stream of [dbssAuditInstances, dbssAuditReports]) expect(await tombstones(pool, stream)).toBe(0);
    edit(world, 'ListAuditInstancesLast', undefined);
    for (const report of await world.runAll()) expect(report).toMatchObject({ status: 'succeeded', updated: 0 });
    await expectTruth(pool, world.sandbox, world.streams);
  });

  it('because it moved between two lists and back keeps its children until they are read again', async () => {
    const world = await fresh({ streams: IMAGES });
    await world.runAll();
    const operations = [...(truthOf(world.sandbox, hssImageVulnerabilityOperations)?.values() ?? [])];
    const [first] = operations;
    const own = operations.filter(({ vul_id }) => vul_id === first?.vul_id).length;
    // When the first list is read it is in the second one, and the other way round.
    edit(world, 'ListGeneralImageVuls', (record) => (record.vul_id === first?.vul_id ? null : record));
    await world.run(hssImageVulnerabilities, { full: true, acceptShrink: true });
    expect(await world.run(hssImageVulnerabilityOperations)).toMatchObject({ deleted: 0 });
    await readParentsLater(world, hssImageVulnerabilities);
    expect(await world.run(hssImageVulnerabilityOperations)).toMatchObject({ deleted: own });
  });

  it('restores children whose own list was not due', async () => {
    const world = await fresh({ streams: IMAGES });
    await world.runAll();
    const { length } = [...(truthOf(world.sandbox, hssImageVulnerabilityOperations)?.keys() ?? [])];
    expect(length).toBeGreaterThan(5);
    const parents = new Set(
      [...(truthOf(world.sandbox, hssImageVulnerabilityOperations)?.values() ?? [])].map((row) => row.vul_id),
    );
    const hidden = new Set([...parents].sort().slice(0, 3));
    edit(world, 'ListGeneralImageVuls', (record) =>
      typeof record.vul_id === 'string' && hidden.has(record.vul_id) ? null : record,
    );
    await world.run(hssImageVulnerabilities, { full: true, acceptShrink: true });
    await readParentsLater(world, hssImageVulnerabilities);
    await world.run(hssImageVulnerabilityOperations);
    const orphans = [...(await storedOf(pool, hssImageVulnerabilityOperations)).values()].filter(
      ({ deleted }) => deleted,
    );
    expect(new Set(orphans.map(({ content }) => content.vul_id ?? null))).toEqual(hidden);
    edit(world, 'ListGeneralImageVuls', undefined);
    await world.run(hssImageVulnerabilities);
    await world.run(hssImageVulnerabilityOperations);
    await expectTruth(pool, world.sandbox, world.streams);
    await expectOrder(pool);
  });

  it('does not lose its children if it moves during the walk to a list that was already read', async () => {
    const world = await fresh({ streams: IMAGES });
    const handled = [...(truthOf(world.sandbox, hssImageVulnerabilities)?.values() ?? [])].filter(
      (row) => row.handle_status === 'handled',
    );
    const parents = new Set(
      [...(truthOf(world.sandbox, hssImageVulnerabilityOperations)?.values() ?? [])].map(
        (row) => `${row.image_type}/${row.vul_id}`,
      ),
    );
    const moving = handled.find((row) => parents.has(`${row.image_type}/${row.vul_id}`));
    // The estate lists it as handled; until it moves, it is shown in the list of the others instead.
    let moved = false;
    let shown: unknown = null;
    const isOne = (record: Readonly<Record<string, unknown>>) => record.vul_id === moving?.vul_id;
    world.sandbox.override('ListGeneralImageVuls', ({ query }, normal) => {
      const reply = normal();
      const place = query.image_type === 'local' ? 'local_image' : query.image_type;
      if (place !== moving?.image_type || query.type !== moving?.type) return undefined;
      if (query.handle_status === 'handled' && !moved) {
        const body = editList(reply.body, (record) => {
          if (!isOne(record)) return record;
          shown = record;
          return null;
        });
        return { ...reply, body };
      }
      if (query.handle_status !== 'unhandled' || moved) return undefined;
      const answer: unknown = JSON.parse(reply.body);
      if (!isObject(answer) || !Array.isArray(answer.data_list)) return undefined;
      const total = Number(answer.total_num) + 1;
      return {
        ...reply,
        body: JSON.stringify({ ...answer, total_num: total, data_list: [...answer.data_list, shown] }),
      };
    });
    await world.runAll();
    const before = await storedOf(pool, hssImageVulnerabilityOperations);
    expect([...before.values()].some(({ content }) => content.vul_id === moving?.vul_id)).toBe(true);

    world.sandbox.faults.add({
      kind: 'late',
      delayMs: 0,
      operation: 'ListGeneralImageVuls',
      when: ({ query }) => {
        if (query.handle_status !== 'unhandled' || query.type !== moving?.type) return false;
        moved = true;
        return true;
      },
    });
    const options = { full: true, acceptShrink: true };
    expect(await world.run(hssImageVulnerabilities, options)).toMatchObject({ deleted: 1, inserted: 0 });
    await world.run(hssImageVulnerabilityOperations);
    expect(await tombstones(pool, hssImageVulnerabilityOperations)).toBe(0);
    await letPass(pool, HOUR);
    await world.runAll(options);
    await letPass(pool, HOUR);
    await world.runAll(options);
    await expectTruth(pool, world.sandbox, world.streams);
    await expectOrder(pool);
  });
});
