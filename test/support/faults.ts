import { expect } from 'vitest';
import { inOrder } from '../../src/core/plan.ts';
import type { RunReport } from '../../src/core/store.ts';
import type { Stream } from '../../src/core/stream.ts';
import type { Fault } from '../../src/sandbox/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { streams } from '../../src/streams/index.ts';
import { expectOrder, tombstones } from './order.ts';
import type { TestDatabase } from './postgres.ts';
import { expectTruth } from './truth.ts';
import { startWorld, type World, type WorldOptions, wipe } from './world.ts';

/** Worlds in which something goes wrong while a list is read, and how they heal. */

export const EVENTS = [hssClusterEvents];

/** Events over a few pages and a little of everything else. */
export const SMALL = { clusters: 4, events: 600, vulnerabilities: 6, instances: 2, reports: 20 } as const;

/** Strikes at the third page of the events, when two are already committed. */
export const MID_WALK: Pick<Fault, 'operation' | 'when'> = {
  operation: 'ListClusterEvents',
  when: ({ query }) => Number(query.offset) > 200,
};

/** What a test file needs of its own database. */
export function faultyWorlds(database: TestDatabase) {
  async function fresh(options: WorldOptions = {}): Promise<World> {
    await wipe(database);
    return startWorld(database, { ...options, sandbox: { ...SMALL, ...options.sandbox } });
  }

  /** A clean run over the world as it is now leaves the tables as the API has it, and nothing was swept on the way. */
  async function expectHealed(world: World, which: readonly Stream[] = streams): Promise<void> {
    world.sandbox.faults.clear();
    const reports: RunReport[] = [];
    for (const stream of inOrder(which)) reports.push(await world.run(stream));
    expect(reports.map(({ status, certificate, reason, error }) => ({ status, certificate, reason, error }))).toEqual(
      reports.map(() => ({ status: 'succeeded', certificate: 'complete', reason: null, error: null })),
    );
    await expectTruth(database.pool, world.sandbox, which);
    await expectOrder(database.pool);
    for (const stream of streams) expect(await tombstones(database.pool, stream), stream.name).toBe(0);
  }

  return { fresh, expectHealed };
}
