import { describe, expect, it } from 'vitest';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { expectOrder, tombstones } from '../support/order.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { edit, HOUR, smallWorlds } from '../support/tombstones.ts';
import { expectTruth, storedOf, truthOf } from '../support/truth.ts';
import type { World } from '../support/world.ts';

/** A list that loses more rows at once than is believed. */

const database = await createTestDatabase();
const { pool } = database;
const { fresh, closedVersions } = smallWorlds(database);

describe('a suspicious shrink', () => {
  const keep = (record: Readonly<Record<string, unknown>>) => String(record.event_id).charCodeAt(0) % 4 === 0;

  /** Most of the events vanish, some of every enterprise project stay. */
  async function shrunk(reconcileEveryMs: number): Promise<{ world: World; gone: number }> {
    const world = await fresh({ reconcileEveryMs });
    await world.run(hssClusterEvents);
    const ids = [...(truthOf(world.sandbox, hssClusterEvents)?.keys() ?? [])];
    edit(world, 'ListClusterEvents', (record) => (keep(record) ? record : null));
    const gone = ids.filter((event_id) => !keep({ event_id })).length;
    expect(gone).toBeGreaterThan(60);
    return { world, gone };
  }

  /** Two walks that count; from now on a third one does. */
  async function confirmTwice(world: World): Promise<void> {
    for (let walk = 0; walk < 2; walk += 1) {
      expect(await world.run(hssClusterEvents, { full: true })).toMatchObject({ reason: 'suspicious-shrink' });
      await letPass(pool, HOUR);
    }
  }

  it('stops the sweep, is reported, and keeps the earlier certificate', async () => {
    const { world } = await shrunk(3_600_000);
    const certifiedAt = () => pool.query(`select certified_at from sync.listings where listing = ''`);
    const { rows: before } = await certifiedAt();
    for (const time of ['once', 'again', 'again', 'again']) {
      const report = await world.run(hssClusterEvents, { full: true });
      expect(report, time).toMatchObject({
        status: 'incomplete',
        reason: 'suspicious-shrink',
        deleted: 0,
        certified_at: null,
      });
    }
    expect((await certifiedAt()).rows).toEqual(before);
    edit(world, 'ListClusterEvents', undefined);
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', inserted: 0, updated: 0 });
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
  });

  it('is accepted with --accept-shrink', async () => {
    const { world, gone } = await shrunk(3_600_000);
    expect(await world.run(hssClusterEvents)).toMatchObject({ reason: 'suspicious-shrink' });
    const report = await world.run(hssClusterEvents, { acceptShrink: true });
    expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete', deleted: gone });
    expect(await closedVersions(hssClusterEvents)).toBe(gone);
    await expectOrder(pool);
  });

  it('is accepted by the third agreeing walk; until then the list is polled with one request', async () => {
    const { world, gone } = await shrunk(3_600_000);
    for (let walk = 0; walk < 2; walk += 1) {
      const report = await world.run(hssClusterEvents);
      expect(report).toMatchObject({ walk: 'full', reason: 'suspicious-shrink', deleted: 0 });
      const poll = await world.run(hssClusterEvents);
      expect(poll).toMatchObject({ reason: 'suspicious-shrink', requests: 1, deleted: 0 });
      await letPass(pool, 20 * 60_000);
    }
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', deleted: gone });
    await expectOrder(pool);
  });

  it('is still polled, and new rows are stored', async () => {
    const { world } = await shrunk(3_600_000);
    expect(await world.run(hssClusterEvents)).toMatchObject({ reason: 'suspicious-shrink' });
    const before = await storedOf(pool, hssClusterEvents);
    edit(world, 'ListClusterEvents', undefined);
    world.sandbox.estate.step(3, 'event');
    const after = [...(truthOf(world.sandbox, hssClusterEvents)?.keys() ?? [])].filter((id) => !before.has(id));
    edit(world, 'ListClusterEvents', (record) =>
      keep(record) || after.includes(String(record.event_id)) ? record : null,
    );
    expect(await world.run(hssClusterEvents)).toMatchObject({ reason: 'suspicious-shrink', inserted: 3, deleted: 0 });
  });

  it('does not count walks that miss different rows', async () => {
    const { world } = await shrunk(3_600_000);
    await confirmTwice(world);
    // The third walk misses a different part of the list: nothing was agreed on.
    edit(world, 'ListClusterEvents', (record) => (String(record.event_id).charCodeAt(0) % 4 === 1 ? record : null));
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'incomplete', reason: 'suspicious-shrink', deleted: 0 });
    expect(await tombstones(pool, hssClusterEvents)).toBe(0);
  });

  it('starts over if the list was complete in between', async () => {
    const { world } = await shrunk(3_600_000);
    await confirmTwice(world);
    edit(world, 'ListClusterEvents', undefined);
    await world.run(hssClusterEvents);
    edit(world, 'ListClusterEvents', (record) => (keep(record) ? record : null));
    expect(await world.run(hssClusterEvents)).toMatchObject({ reason: 'suspicious-shrink', deleted: 0 });
    expect(await tombstones(pool, hssClusterEvents)).toBe(0);
  });
});
