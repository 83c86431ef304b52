import { describe, expect, it } from 'vitest';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { EVENTS, faultyWorlds } from '../support/faults.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** A clock that jumps while lists are read. */

const database = await createTestDatabase({ max: 20 });
const { fresh, expectHealed } = faultyWorlds(database);

describe('a clock that jumps', () => {
  const MINUTE = 60_000;
  const DAY = 86_400_000;

  it.each([
    ['forward by a day', DAY],
    ['back by a day', -DAY],
    ['forward by ten minutes', 10 * MINUTE],
    ['back by ten minutes', -10 * MINUTE],
  ])('%s in the middle of a walk has no effect on the result', async (_name, jump) => {
    const world = await fresh();
    world.sandbox.override('ListClusterEvents', ({ query }) => {
      if (Number(query.offset) > 200) world.clock.set(jump);
      return undefined;
    });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', inserted: 600 });
    world.sandbox.override('ListClusterEvents', undefined);
    await expectHealed(world, EVENTS);
    world.sandbox.estate.step(10, 'event');
    await expectHealed(world, EVENTS);
    world.clock.set(0);
    await expectHealed(world, EVENTS);
  });

  it('to a time far from that of the server suspends the account, and no row is lost after it is correct again', async () => {
    const world = await fresh({ sandboxClock: 'real' });
    await world.runAll();
    world.sandbox.estate.step(30, 'event');
    world.clock.set(2 * 3_600_000);
    const [refused] = await world.runAll();
    expect(refused).toMatchObject({ status: 'failed', reason: 'refused', deleted: 0 });
    expect(refused?.error).toMatch(/clock/i);
    // Only the first call goes out: an access key locks after five refusals.
    const { length } = world.sandbox.requests.entries().filter(({ status }) => status === 401);
    expect(length).toBe(1);
    world.clock.set(0);
    await database.pool.query(`update sync.suspended_credentials set until = now()`);
    await expectHealed(world);
  });
});
