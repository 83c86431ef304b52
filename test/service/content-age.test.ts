import { beforeEach, expect, test } from 'vitest';
import type { ContentPolicy } from '../../src/core/due.ts';
import { readStreamStates } from '../../src/postgres/queries/stream-state.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { streams } from '../../src/streams/index.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startWorld, type World, wipe } from '../support/world.ts';

const database = await createTestDatabase();
const { pool } = database;
beforeEach(() => wipe(database));

const MINUTE = 60_000;
const POLICY: ContentPolicy = { everyMs: 15 * MINUTE, tickMs: 10 * MINUTE, requestsPerMinute: 2.5, scopes: 1 };

/** 150 instances, of which the 141st can change its state: it is on the second page. */
async function worldOfInstances(content?: ContentPolicy): Promise<World & { freeze(): void }> {
  const world = await startWorld(database);
  let state = 'ACTIVE';
  world.sandbox.override('ListAuditInstancesLast', ({ query }) => {
    const all = Array.from({ length: 150 }, (_, index) => ({
      instance_id: `i${String(index + 1).padStart(3, '0')}`,
      name: `audit ${index + 1}`,
      status: index === 140 ? state : 'ACTIVE',
    }));
    const [offset, limit] = [Number(query.offset ?? 0), Number(query.limit ?? 100)];
    return JSON.stringify({ total: all.length, instances: all.slice(offset, offset + limit) });
  });
  const engine = { ...world.engine, ...(content === undefined ? {} : { content: () => content }) };
  return {
    ...world,
    engine,
    run: (stream, options = {}) =>
      runStream(engine, { stream, scope }, { signal: new AbortController().signal, ...options }),
    freeze: () => {
      state = 'FROZEN';
    },
  };
}

const frozen = async () =>
  (await pool.query("select instance_id from dbss.audit_instances where status = 'FROZEN'")).rowCount ?? 0;
const instances = async () => {
  const states = await readStreamStates(pool, streams);
  return states.find(({ stream }) => stream === 'dbss_audit_instances');
};
const age = (ms: number) =>
  pool.query(
    `update sync.listings set certified_at = certified_at - $1 * interval '1 ms', content_at = content_at - $1 * interval '1 ms'`,
    [ms],
  );

test('a change on the second page of a list without an update time is in the table before its content is 15 minutes old', async () => {
  const world = await worldOfInstances(POLICY);
  expect(await world.run(dbssAuditInstances)).toMatchObject({ certificate: 'complete', walk: 'full', inserted: 150 });
  world.freeze();
  expect(await world.run(dbssAuditInstances)).toMatchObject({ certificate: 'complete', walk: 'probe', requests: 1 });
  expect(await frozen()).toBe(0);

  await age(10 * MINUTE);
  expect(await world.run(dbssAuditInstances)).toMatchObject({ certificate: 'complete', walk: 'full', updated: 1 });
  expect(await frozen()).toBe(1);
  expect((await instances())?.age_seconds).toBeLessThan(MINUTE / 1000);
});

test('a poll with an unchanged first page renews the age of the last poll, not the content age', async () => {
  const world = await worldOfInstances();
  await world.run(dbssAuditInstances);
  world.freeze();
  await age(40 * MINUTE);
  expect(await world.run(dbssAuditInstances)).toMatchObject({ certificate: 'complete', walk: 'probe' });
  expect(await instances()).toMatchObject({ certificate: 'complete', state: 'stale', is_stale: true });
  expect((await instances())?.age_seconds).toBeGreaterThanOrEqual(40 * 60);
  expect((await instances())?.look_age_seconds).toBeLessThan(60);
});

test('a poll of the newest end of a list where all changes appear renews the content age', async () => {
  const world = await startWorld(database, { sandbox: { events: 600, clusters: 3 } });
  await world.run(hssClusterEvents);
  await age(40 * MINUTE);
  const events = async () =>
    (await readStreamStates(pool, streams)).find(({ stream }) => stream === 'hss_cluster_events');
  world.sandbox.estate.step(3, 'event');
  expect(await world.run(hssClusterEvents)).toMatchObject({ certificate: 'complete', walk: 'head' });
  expect((await events())?.age_seconds).toBeLessThan(60);
  expect((await events())?.certificate_age_seconds).toBeGreaterThanOrEqual(40 * 60);
});

test('a poll keeps the proof of the stored certificate', async () => {
  const world = await worldOfInstances();
  await world.run(dbssAuditInstances);
  const proofs = async () =>
    (await pool.query("select proof, evidence->>'order' as by from sync.runs order by id")).rows;
  const [full] = await proofs();
  expect(full).toEqual({ proof: 'order', by: 'instance_id asc' });
  await pool.query("update sync.listings set proof = 'quiet'");
  expect(await world.run(dbssAuditInstances)).toMatchObject({ walk: 'probe' });
  expect((await proofs())[1]).toMatchObject({ proof: 'quiet' });
  expect(await instances()).toMatchObject({ proof: 'quiet', proof_text: 'Two consecutive readings were identical' });
});
