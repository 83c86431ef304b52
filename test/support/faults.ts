import { expect } from 'vitest';
import type { RunReport } from '../../src/core/store.ts';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import type { Fault } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { expectOrder } from './order.ts';
import type { TestDatabase } from './postgres.ts';
import { expectTruth, storedOf, truthOf } from './truth.ts';
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
    for (const stream of world.streams) {
      const stored = await storedOf(database.pool, stream);
      const listed = which.includes(stream) ? truthOf(world.sandbox, stream) : null;
      const gone = [...stored.keys()].filter((key) => listed !== null && !listed.has(key));
      const marked = [...stored].filter(([, { deleted }]) => deleted).map(([key]) => key);
      expect(marked.sort(), stream.name).toEqual(gone.sort());
      expect(await markedByRuns(stream), `${stream.name}: rows marked by its runs`).toBe(marked.length);
    }
  }

  /** Marks that the runs of a stream have set, whether or not they are still there. */
  async function markedByRuns(stream: Stream): Promise<number> {
    const { rows } = await database.pool.query<{ marks: number }>(
      'select coalesce(sum(deleted), 0)::int as marks from sync.runs where stream = $1',
      [stream.name],
    );
    return rows[0]?.marks ?? 0;
  }

  return { fresh, expectHealed };
}
