import { describe, expect, it } from 'vitest';
import type { Scope } from '../../src/core/account.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { CHANGED_SETTINGS, sweepsNothing } from '../support/changed-settings.ts';
import { scope } from '../support/engine.ts';
import { expectOrder, tombstones } from '../support/order.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type Edit, edit, empty, HOUR, smallWorlds, someKey } from '../support/tombstones.ts';
import { expectTruth, storedOf, truthOf } from '../support/truth.ts';
import type { World } from '../support/world.ts';

/** Absences that prove nothing: rows that are missing in an answer, and are kept. */

const database = await createTestDatabase();
const { pool } = database;
/** Instances and the reports that belong to them. */
const AUDIT = [dbssAuditInstances, dbssAuditReports];

const { fresh, expectNoFalseTombstones, confirm, closedVersions } = smallWorlds(database);

describe('a rejected record', () => {
  it('with a readable key keeps its row, and rows that are gone are swept in the same walk', async () => {
    const world = await fresh();
    await world.run(hssClusterEvents);
    world.sandbox.estate.step(2, 'removed');
    const id = someKey(world, hssClusterEvents);
    edit(world, 'ListClusterEvents', (record) => (record.event_id === id ? { ...record, event_type: 'none' } : record));
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'succeeded', rejected: 1, deleted: 2 });
    expect((await storedOf(pool, hssClusterEvents)).get(id)?.deleted).toBe(false);
    await expectNoFalseTombstones(world);
  });

  it('with an unreadable key withholds the sweep until a walk can read all keys', async () => {
    const world = await fresh();
    await world.run(hssClusterEvents);
    const id = someKey(world, hssClusterEvents);
    edit(world, 'ListClusterEvents', (record) => (record.event_id === id ? { ...record, event_id: null } : record));
    world.sandbox.estate.step(2, 'removed');
    for (const time of ['once', 'again', 'and again']) {
      expect(await world.run(hssClusterEvents), time).toMatchObject({ rejected: 1, deleted: 0 });
    }
    expect(await tombstones(pool, hssClusterEvents)).toBe(0);
    edit(world, 'ListClusterEvents', undefined);
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', deleted: 2 });
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
    await expectOrder(pool);
  });

  it('of a parent keeps the parent and its children', async () => {
    const world = await fresh({ streams: AUDIT });
    await world.runAll();
    const id = someKey(world, dbssAuditReports).split('/')[0];
    edit(world, 'ListAuditInstancesLast', (record) => (record.id === id ? { ...record, effect: 'odd' } : record));
    expect(await world.run(dbssAuditInstances)).toMatchObject({ rejected: 1, deleted: 0 });
    expect(await world.run(dbssAuditReports)).toMatchObject({ deleted: 0, reason: 'parents' });
    await expectNoFalseTombstones(world);
    for (const stream of AUDIT) expect(await tombstones(pool, stream), stream.name).toBe(0);
  });
});

describe('an enterprise project that vanishes', () => {
  it('stops the sweep in every walk, and its rows are live when it comes back', async () => {
    const world = await fresh();
    await world.run(hssClusterEvents);
    const projects = new Set(
      [...(truthOf(world.sandbox, hssClusterEvents)?.values() ?? [])].map((row) => row.enterprise_project_id),
    );
    const [lost] = [...projects].filter((id) => id !== '0');
    expect(projects.size).toBeGreaterThan(1);
    edit(world, 'ListClusterEvents', (record) => (record.enterprise_project_id === lost ? null : record));
    for (const time of ['once', 'again']) {
      const report = await world.run(hssClusterEvents);
      expect(report, time).toMatchObject({ status: 'incomplete', reason: 'suspicious-shrink', deleted: 0 });
    }
    expect(await tombstones(pool, hssClusterEvents)).toBe(0);
    edit(world, 'ListClusterEvents', undefined);
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
    expect(await closedVersions(hssClusterEvents)).toBe(0);
  });
});

describe('one refused instance', () => {
  it('keeps its reports, and the other instances are read and swept as before', async () => {
    const world = await fresh({ streams: AUDIT });
    await world.runAll();
    const [refusedId, otherId] = world.sandbox.estate.instanceIds();
    const gone = someReportOf(world, otherId ?? '');
    edit(world, 'ListAuditReports', (record) => (record.id === gone ? null : record));
    world.sandbox.faults.add({
      kind: 'forbidden',
      operation: 'ListAuditReports',
      instanceId: refusedId ?? '',
      times: Number.POSITIVE_INFINITY,
    });
    const reports = await confirm(world, dbssAuditReports);
    expect(reports.map(({ deleted }) => deleted)).toEqual([0, 0, 1]);
    expect(reports.at(-1)).toMatchObject({ status: 'incomplete', reason: 'refused' });
    const stored = await storedOf(pool, dbssAuditReports);
    const dead = [...stored].filter(([, { deleted }]) => deleted).map(([key]) => key);
    expect(dead).toEqual([`${otherId}/${gone}`]);

    world.sandbox.faults.clear();
    edit(world, 'ListAuditReports', undefined);
    expect(await world.run(dbssAuditReports)).toMatchObject({ status: 'succeeded', updated: 1 });
    await expectTruth(pool, world.sandbox, world.streams);
    await expectOrder(pool);
  });

  it('of a service that answers 404 keeps its rows', async () => {
    const world = await fresh();
    await world.runAll();
    world.sandbox.faults.add({
      kind: 'reply',
      status: 404,
      body: '{"error_code":"APIGW.0101","error_msg":"no such API"}',
      times: Number.POSITIVE_INFINITY,
    });
    for (const report of await world.runAll()) expect(report).toMatchObject({ certificate: 'incomplete', deleted: 0 });
    for (const stream of world.streams) expect(await tombstones(pool, stream), stream.name).toBe(0);
  });
});

function someReportOf(world: World, instanceId: string): string {
  const keys = [...(truthOf(world.sandbox, dbssAuditReports)?.keys() ?? [])].sort();
  return (keys.find((key) => key.startsWith(`${instanceId}/`)) ?? '').slice(instanceId.length + 1);
}

describe('a changed setting of enterprise projects', () => {
  const narrow: Scope = { ...scope, enterpriseProjectId: '0' };

  // The others, over every list: changed-settings.long.test.ts.
  it.each(CHANGED_SETTINGS.slice(2, 3))('sweeps nothing: %s', (_name, scopes) => sweepsNothing(database, { scopes }));

  it('is accepted with --accept-shrink', async () => {
    const world = await fresh();
    await world.run(hssClusterEvents);
    const outside = [...(truthOf(world.sandbox, hssClusterEvents)?.values() ?? [])].filter(
      (row) => row.enterprise_project_id !== '0',
    );
    const report = await world.run(hssClusterEvents, { scope: narrow, acceptShrink: true });
    expect(report).toMatchObject({ status: 'succeeded', deleted: outside.length });
    // From now on that is the setting: nothing is in doubt any more.
    expect(await world.run(hssClusterEvents, { scope: narrow })).toMatchObject({ status: 'succeeded', deleted: 0 });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', updated: outside.length });
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
    await expectOrder(pool);
  });
});

describe('an empty answer', () => {
  it('to every list at once sweeps nothing', async () => {
    const world = await fresh({ sandbox: { clusters: 12 } });
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

  it('to one short list marks its rows only after two later walks, some time apart, agree', async () => {
    const world = await fresh();
    await world.run(dbssAuditInstances);
    edit(world, 'ListAuditInstancesLast', () => null);
    for (let minute = 0; minute < 5; minute += 1) {
      const report = await world.run(dbssAuditInstances, { full: true });
      expect(report).toMatchObject({ status: 'incomplete', reason: 'suspicious-shrink', deleted: 0 });
      await letPass(pool, 60_000);
    }
    await expectNoFalseTombstones(world, [dbssAuditInstances]);
    const [, second, third] = await confirm(world, dbssAuditInstances);
    expect([second?.deleted, third?.deleted]).toEqual([0, 3]);
  });

  it('with an error code and status 200 to a short list marks nothing in two polls', async () => {
    const world = await fresh();
    await world.run(hssProtectedClusters);
    world.sandbox.faults.add({
      kind: 'reply',
      body: '{"error_code":"HSS.1001","error_msg":"internal error","total_num":0,"data_list":[]}',
      operation: 'ListClusterProtectionInfo',
      times: Number.POSITIVE_INFINITY,
    });
    for (let poll = 0; poll < 2; poll += 1) {
      expect(await world.run(hssProtectedClusters)).toMatchObject({ deleted: 0, certificate: 'incomplete' });
      await letPass(pool, 4 * HOUR);
    }
    world.sandbox.faults.clear();
    expect(await world.run(hssProtectedClusters)).toMatchObject({ status: 'succeeded', updated: 0 });
    await expectTruth(pool, world.sandbox, [hssProtectedClusters]);
  });

  it.each<[string, Edit | undefined, Scope]>([
    ['under a narrower setting', undefined, { ...scope, enterpriseProjectId: 'there-is-none' }],
    ['that hid which row it is', (record) => ({ ...record, cluster_id: null }), scope],
  ])('is not confirmed by an absence %s', async (_name, change, own) => {
    const world = await fresh();
    await world.run(hssProtectedClusters);
    edit(world, 'ListClusterProtectionInfo', change);
    expect(await world.run(hssProtectedClusters, { scope: own, full: true })).toMatchObject({ deleted: 0 });
    edit(world, 'ListClusterProtectionInfo', () => null);
    for (let walk = 0; walk < 2; walk += 1) {
      await letPass(pool, 4 * HOUR);
      expect(await world.run(hssProtectedClusters, { full: true })).toMatchObject({ deleted: 0 });
    }
    await expectNoFalseTombstones(world, [hssProtectedClusters]);
  });
});
