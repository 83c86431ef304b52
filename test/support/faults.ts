import { expect } from 'vitest';
import type { RunReport } from '../../src/core/store.ts';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import type { SandboxRequest } from '../../src/sandbox/server/faults.ts';
import type { Operation } from '../../src/sandbox/server/operations.ts';
import type { Fault } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { expectOrder } from './order.ts';
import type { TestDatabase } from './postgres.ts';
import { expectTruth, tableOf } from './truth.ts';
import { startWorld, type World, type WorldOptions, wipe } from './world.ts';

/** Worlds in which something goes wrong while a list is read, and how they heal. */

export const EVENTS = [hssClusterEvents];

/** Events over a few pages and a little of everything else. */
export const SMALL = { hosts: 6, clusters: 4, events: 600, vulnerabilities: 6, instances: 2, reports: 20 } as const;

/** Strikes at the third page of the events, when two are already committed. */
export const MID_WALK: Pick<Fault, 'operation' | 'when'> = {
  operation: 'ListClusterEvents',
  when: ({ query }) => Number(query.offset) > 200,
};

/** Selects one request of an operation: the `count`th from now on. */
export function nthRequest(count: number, operation: Operation): (request: SandboxRequest) => boolean {
  let seen = 0;
  return (request) => {
    if (request.operation === operation) seen += 1;
    return request.operation === operation && seen === count;
  };
}

/** What a test file needs of its own database. */
export function faultyWorlds(database: TestDatabase) {
  async function fresh(options: WorldOptions = {}): Promise<World> {
    await wipe(database);
    return startWorld(database, { ...options, sandbox: { ...SMALL, ...options.sandbox } });
  }

  /**
   * A clean run over the world as it is now leaves the tables as the API has it, and marks only what the API lists no more: a row
   * that was marked on the way and came back would be counted as deleted and have no mark.
   */
  async function expectHealed(world: World, which: readonly Stream[] = world.streams): Promise<void> {
    world.sandbox.faults.clear();
    const reports: RunReport[] = [];
    for (const stream of inOrder(which)) reports.push(await world.run(stream));
    expect(reports.map(({ status, certificate, reason, error }) => ({ status, certificate, reason, error }))).toEqual(
      reports.map(() => ({ status: 'succeeded', certificate: 'complete', reason: null, error: null })),
    );
    await expectTruth(database.pool, world.sandbox, which);
    await expectOrder(database.pool);
    // Live rows are what is listed, so that marked rows are those that are not; each mark has to be one that a run counted.
    expect(await marks(database, world.streams)).toEqual(await marksOfRuns(database));
  }

  return { fresh, expectHealed };
}

/** Marked rows by stream, without streams that have none. */
async function marks({ pool }: TestDatabase, which: readonly Stream[]): Promise<readonly unknown[]> {
  const counts = which.map(
    (one) => `select '${one.name}' as stream, count(_deleted_at)::int as marks from ${tableOf(one)}`,
  );
  const { rows } = await pool.query(`select * from (${counts.join(' union all ')}) t where marks > 0 order by stream`);
  return rows;
}

/** Marks that the runs of each stream have set, whether or not they are still there. */
async function marksOfRuns({ pool }: TestDatabase): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    'select stream, sum(deleted)::int as marks from sync.runs group by 1 having sum(deleted) > 0 order by stream',
  );
  return rows;
}
