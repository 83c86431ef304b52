import { describe, expect, it } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssClusterSecurityReports } from '../../src/streams/hss/cluster-security-reports.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { expectOrder, expectVersions, tombstones } from '../support/order.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { edit, HOUR, type Operation, smallWorlds, someKey } from '../support/tombstones.ts';
import { expectTruth, truthOf } from '../support/truth.ts';

/** Rows that are gone, and some that come back. */

const database = await createTestDatabase();
const { pool } = database;
const { fresh, closedVersions } = smallWorlds(database);

describe('a row that is really gone', () => {
  it('is marked by the next full walk if only a few rows are gone, its version is closed once, and it stays readable', async () => {
    const world = await fresh({ sandbox: { events: 400 } });
    await world.run(hssClusterEvents);
    world.sandbox.estate.step(7, 'removed');
    expect(await world.run(hssClusterEvents, { full: true })).toMatchObject({ status: 'succeeded', deleted: 7 });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', deleted: 0 });
    expect(await tombstones(pool, hssClusterEvents)).toBe(7);
    expect(await closedVersions(hssClusterEvents)).toBe(7);
    const { rows } = await pool.query(
      'select event_name from hss.cluster_events where _deleted_at is not null and event_name is null',
    );
    expect(rows).toEqual([]);
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
    await expectOrder(pool);
  });

  it('is marked by the third walk if many rows are gone, which the service begins as soon as it counts', async () => {
    const world = await fresh();
    await world.run(hssClusterEvents);
    world.sandbox.estate.step(9, 'removed');
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', deleted: 0 });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', requests: 1, deleted: 0 });
    await letPass(pool, HOUR / 2);
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', deleted: 0 });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', requests: 1, deleted: 0 });
    await letPass(pool, HOUR / 2);
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', deleted: 9 });
    expect(await closedVersions(hssClusterEvents)).toBe(9);
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
    await expectOrder(pool);
  });

  it('because it moved from unhandled to handled is marked at once, or by the next walk if half of the list moved', async () => {
    const world = await fresh({ sandbox: { vulnerabilities: 20 } });
    await world.run(hssImageVulnerabilities);
    await letPass(pool, HOUR);
    world.sandbox.estate.step(120, 'operation');
    const report = await world.run(hssImageVulnerabilities, { full: true });
    expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    await letPass(pool, HOUR);
    const next = await world.run(hssImageVulnerabilities, { full: true });
    expect(next).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    expect(report.deleted + next.deleted).toBeGreaterThan(3);
    await expectTruth(pool, world.sandbox, [hssImageVulnerabilities]);
  });

  it('and comes back loses its mark, keeps the time at which it was first seen, and has one closed version', async () => {
    const world = await fresh();
    await world.run(hssClusterEvents);
    const id = someKey(world, hssClusterEvents);
    const look = async () => {
      const { rows } = await pool.query<{ _first_seen_at: Date; _changed_at: Date; _deleted_at: Date | null }>(
        'select _first_seen_at, _changed_at, _deleted_at from hss.cluster_events where event_id = $1',
        [id],
      );
      return rows[0];
    };
    const first = await look();
    for (let round = 1; round <= 3; round += 1) {
      edit(world, 'ListClusterEvents', (record) => (record.event_id === id ? null : record));
      expect(await world.run(hssClusterEvents)).toMatchObject({ deleted: 1 });
      expect((await look())?._deleted_at).not.toBeNull();
      edit(world, 'ListClusterEvents', undefined);
      expect(await world.run(hssClusterEvents)).toMatchObject({ deleted: 0, updated: 1 });
      const back = await look();
      expect(back?._deleted_at).toBeNull();
      expect(back?._first_seen_at).toEqual(first?._first_seen_at);
      expect(await closedVersions(hssClusterEvents)).toBe(round);
    }
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
    await expectOrder(pool);
  });

  it('from a list that only grows is kept while its parent exists', async () => {
    const world = await fresh({ streams: [hssImageVulnerabilities, hssImageVulnerabilityOperations] });
    await world.runAll();
    const operations = [...(truthOf(world.sandbox, hssImageVulnerabilityOperations)?.values() ?? [])];
    const aged = operations.slice(0, 4).map((row) => row.handle_time);
    edit(world, 'ListGeneralImageVulOperations', (record) => {
      const time = typeof record.handle_time === 'number' ? new Date(record.handle_time).toISOString() : null;
      return aged.includes(time) ? null : record;
    });
    for (let walk = 0; walk < 3; walk += 1) {
      const report = await world.run(hssImageVulnerabilityOperations, { full: true });
      expect(report).toMatchObject({ status: 'succeeded', deleted: 0 });
    }
    expect(await tombstones(pool, hssImageVulnerabilityOperations)).toBe(0);
  });

  it('is swept with history for every stream that has one', async () => {
    const world = await fresh({ streams: [hssClusterSecurityReports, dbssAuditInstances] });
    await world.runAll();
    const hide: readonly (readonly [Operation, Stream, string])[] = [
      ['ListSecurityCheckClusterReports', hssClusterSecurityReports, 'report_id'],
      ['ListAuditInstancesLast', dbssAuditInstances, 'id'],
    ];
    for (const [operation, stream, name] of hide) {
      let hidden: unknown = null;
      edit(world, operation, (record) => {
        hidden ??= record[name];
        return record[name] === hidden ? null : record;
      });
      const report = await world.run(stream, { acceptShrink: true });
      expect(report, stream.name).toMatchObject({ status: 'succeeded', deleted: 1 });
      expect(await closedVersions(stream), stream.name).toBe(1);
    }
    await expectVersions(pool);
  });
});
