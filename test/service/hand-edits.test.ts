import { beforeEach, expect, test } from 'vitest';
import { forget } from '../../src/postgres/maintenance/reset.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startWorld, type World, wipe } from '../support/world.ts';

const database = await createTestDatabase();
const { pool } = database;
beforeEach(() => wipe(database));

const EVENTS = 700;

async function certifiedEvents(): Promise<World> {
  const world = await startWorld(database, { sandbox: { events: EVENTS, clusters: 3 } });
  expect(await world.run(hssClusterEvents)).toMatchObject({ certificate: 'complete', inserted: EVENTS });
  expect(await world.run(hssClusterEvents)).toMatchObject({ walk: 'probe', requests: 1 });
  return world;
}

const equal = { missing: [], extra: [], different: [] };
const edits = async () => (await pool.query('select from sync.hand_edits')).rowCount;

/** The event that changed least recently: on the last page, which no poll reads. */
const OLDEST = '(select event_id from hss.cluster_events order by update_time, event_id limit 1)';

test('a row that was changed by hand is restored by the next run, also outside the first page', async () => {
  const world = await certifiedEvents();
  await pool.query(`update hss.cluster_events set event_name = 'by hand' where event_id = ${OLDEST}`);
  expect(await edits()).toBe(1);
  expect(await world.run(hssClusterEvents)).toMatchObject({ walk: 'full', certificate: 'complete', updated: 1 });
  expect(await world.compare(hssClusterEvents)).toMatchObject(equal);
  expect(await edits()).toBe(0);
  expect(await world.run(hssClusterEvents)).toMatchObject({ walk: 'probe', requests: 1, updated: 0 });
});

test.each([
  ['one row is deleted', `delete from hss.cluster_events where event_id = ${OLDEST}`, 1],
  ['all rows are deleted', 'delete from hss.cluster_events', EVENTS],
  ['the table is truncated', 'truncate hss.cluster_events', EVENTS],
])('when %s by hand, the next run restores the listed rows', async (_, sql, rows) => {
  const world = await certifiedEvents();
  await pool.query(sql);
  expect(await world.run(hssClusterEvents)).toMatchObject({ walk: 'full', certificate: 'complete', inserted: rows });
  expect(await world.compare(hssClusterEvents)).toMatchObject(equal);
  expect(await world.run(hssClusterEvents)).toMatchObject({ walk: 'probe', requests: 1 });
});

test('every list of a stream with several is read again after an edit', async () => {
  const world = await startWorld(database);
  await world.run(hssImageVulnerabilities);
  await pool.query(
    "update hss.image_vulnerabilities set severity_level = 'None', image_num = 0 where type = 'app_vul'",
  );
  const { rowCount } = await pool.query("select from hss.image_vulnerabilities where severity_level = 'None'");
  expect(await edits()).toBe(1);
  expect(await world.run(hssImageVulnerabilities)).toMatchObject({ certificate: 'complete', updated: rowCount });
  expect(await world.compare(hssImageVulnerabilities)).toMatchObject(equal);
});

test('a row that is edited after a run read its list and stopped is restored by the run that continues it', async () => {
  const world = await startWorld(database, { sandbox: { vulnerabilities: 20 } });
  await world.run(hssImageVulnerabilities);
  const stop = new AbortController();
  let requests = 0;
  world.sandbox.faults.add({
    kind: 'late',
    delayMs: 50,
    when: () => {
      requests += 1;
      if (requests === 9) stop.abort(new Error('stopped'));
      return requests === 9;
    },
  });
  const stopped = await world.run(hssImageVulnerabilities, { full: true, signal: stop.signal });
  expect(stopped).toMatchObject({ status: 'incomplete', reason: 'interrupted' });
  const { rowCount } = await pool.query(
    `update hss.image_vulnerabilities v set severity_level = 'None', image_num = 0 from sync.listings l
     where l.stream = 'hss_image_vulnerabilities' and l.certified_at = (
       select min(certified_at) from sync.listings where stream = l.stream and certified_at >= (
         select max(started_at) from sync.runs where stream = l.stream)
         and exists (select from hss.image_vulnerabilities o where o.image_type = params->>'image_type'
           and o.type = params->>'type' and o.handle_status = params->>'handle_status'))
       and v.image_type = l.params->>'image_type' and v.type = l.params->>'type'
       and v.handle_status = l.params->>'handle_status'`,
  );
  expect(rowCount).toBeGreaterThan(0);
  expect(await world.run(hssImageVulnerabilities)).toMatchObject({ certificate: 'complete', updated: rowCount });
  expect(await world.compare(hssImageVulnerabilities)).toMatchObject(equal);
  expect(await edits()).toBe(0);
});

test('writes, tombstones and reappearing rows of the service are not edits by hand', async () => {
  const world = await certifiedEvents();
  world.sandbox.estate.step(5, 'handled');
  world.sandbox.estate.step(1, 'removed');
  await world.run(hssClusterEvents, { full: true });
  expect(await world.run(hssClusterEvents, { full: true })).toMatchObject({ certificate: 'complete', inserted: 0 });
  await pool.query(
    "update hss.cluster_events set _deleted_at = now(), _changed_at = now() where event_name like '%e%'",
  );
  expect(await edits()).toBe(0);
  await world.run(hssClusterEvents, { full: true });
  expect(await world.compare(hssClusterEvents)).toMatchObject(equal);
  expect(await edits()).toBe(0);
});

test('a run that does not finish leaves the recorded edit for the next one', async () => {
  const world = await certifiedEvents();
  await pool.query(`delete from hss.cluster_events where event_id = ${OLDEST}`);
  world.sandbox.faults.add({ kind: 'server-error', times: 100 });
  await world.run(hssClusterEvents).catch(() => {});
  expect(await edits()).toBe(1);
  world.sandbox.faults.clear();
  expect(await world.run(hssClusterEvents)).toMatchObject({ walk: 'full', certificate: 'complete', inserted: 1 });
  expect(await edits()).toBe(0);
});

test('after a reset every row is written again, also if the triggers were disabled', async () => {
  const world = await startWorld(database);
  const { inserted } = await world.run(dbssAuditInstances);
  await pool.query('alter table dbss.audit_instances disable trigger note_update');
  await pool.query("update dbss.audit_instances set name = 'by hand'");
  await pool.query('alter table dbss.audit_instances enable trigger note_update');
  expect(await edits()).toBe(0);
  expect(await world.run(dbssAuditInstances, { full: true })).toMatchObject({ updated: 0 });
  expect(await forget(pool, dbssAuditInstances, scope.projectId)).toMatchObject({ listings: 1 });
  expect(await world.run(dbssAuditInstances)).toMatchObject({ walk: 'full', updated: inserted, inserted: 0 });
  expect(await world.compare(dbssAuditInstances)).toMatchObject(equal);
});
