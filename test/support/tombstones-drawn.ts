import { expect } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { startRandom } from '../../src/sandbox/estate/random.ts';
import type { Fault } from '../../src/sandbox/server/server.ts';
import { scope } from './engine.ts';
import { expectOrder } from './order.ts';
import { letPass } from './passing-time.ts';
import type { TestDatabase } from './postgres.ts';
import { edit, empty, HOUR, type Operation, smallWorlds } from './tombstones.ts';
import { expectTruth, falseTombstones } from './truth.ts';

const faults: readonly Omit<Fault, 'operation'>[] = [
  { kind: 'reset', times: 2 },
  { kind: 'truncated', times: 5 },
  { kind: 'bad-gateway', times: 4 },
  { kind: 'no-list', times: 4 },
  { kind: 'forbidden', times: 2 },
  { ...empty, times: 1 },
  { kind: 'server-error', times: 6 },
];
const operations: readonly (readonly [Operation, string])[] = [
  ['ListClusterEvents', 'event_id'],
  ['ListSecurityCheckClusterReports', 'report_id'],
  ['ListGeneralImageVuls', 'vul_id'],
  ['ListClusterProtectionInfo', 'cluster_id'],
  ['ListAuditReports', 'id'],
  ['ListAuditInstancesLast', 'id'],
];

/** One estate, a row of changes and faults drawn from the seed: after every run no listed row may be marked as gone. */
export async function drawnTombstones(
  database: TestDatabase,
  { seed, streams }: { readonly seed: number; readonly streams: readonly Stream[] },
): Promise<void> {
  const { pool } = database;
  const { fresh } = smallWorlds(database);
  const random = startRandom(seed);
  const world = await fresh({
    streams,
    sandbox: {
      seed,
      vulnerabilities: 14,
      clusters: 4 + random.int(10),
      events: 100 + random.int(250),
      retiredClusters: random.int(2),
    },
  });
  await world.runAll();
  for (let round = 0; round < 6; round += 1) {
    world.sandbox.estate.step(random.int(12));
    if (random.chance(0.5)) world.sandbox.estate.step(random.int(6), 'removed');
    const trouble = 1 + random.int(3);
    for (let index = 0; index < trouble; index += 1) {
      const [operation, key] = random.pick(operations);
      const fault = random.pick(faults);
      if (random.chance(0.7)) world.sandbox.faults.add({ ...fault, operation });
      else
        edit(world, operation, (record) =>
          random.chance(0.1)
            ? { ...record, [random.chance(0.5) ? key : 'cluster_name']: random.chance(0.5) ? null : { odd: true } }
            : record,
        );
    }
    const own = random.chance(0.2) ? { ...scope, enterpriseProjectId: '0' } : scope;
    await world.runAll({ scope: own, full: random.chance(0.3) });
    for (const stream of world.streams)
      expect(await falseTombstones(pool, world.sandbox, stream), `${stream.name}, round ${round}`).toEqual([]);
    await letPass(pool, random.pick([60_000, HOUR, 4 * HOUR]));
    world.sandbox.faults.clear();
    for (const [operation] of operations) edit(world, operation, undefined);
  }
  // Clean walks, far enough apart: what is in doubt is settled by the third, and the children of parents by the next.
  for (let walk = 0; walk < 3; walk += 1) {
    await world.runAll({ full: true });
    await letPass(pool, 4 * HOUR);
  }
  for (const report of await world.runAll({ full: true }))
    expect(report, report.stream).toMatchObject({ certificate: 'complete' });
  await expectTruth(pool, world.sandbox, world.streams);
  await expectOrder(pool);
}
