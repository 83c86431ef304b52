import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { scope } from '../support/engine.ts';
import { expectOrder } from '../support/order.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startWorld } from '../support/world.ts';

/** The lock of a process that stands still; of one that is paused in the middle of a walk: takeover.long.test.ts. */

const database = await createTestDatabase();
const { pool } = database;

/** As in production, but forty times as fast. */
const HEARTBEAT = { beatMs: 150, staleMs: 1_200 };

it('a holder that was paused before its run began does not keep the lock forever', async () => {
  const world = await startWorld(database, { sandbox: { clusters: 2, events: 50 } });
  const holder = await pool.connect();
  await holder.query(`select pg_advisory_lock(hashtextextended('security-sync/hss_cluster_events/' || $1, 0))`, [
    scope.projectId,
  ]);
  const engine = { ...world.engine, store: createStore(pool, { timeZone: 'UTC', heartbeat: HEARTBEAT }) };
  const attempt = () =>
    runStream(engine, { stream: hssClusterEvents, scope }, { signal: new AbortController().signal });
  expect(await attempt()).toMatchObject({ status: 'busy' });
  await sleep(HEARTBEAT.staleMs + 100);
  expect(await attempt()).toMatchObject({ status: 'succeeded', inserted: 50 });
  await expect(holder.query('select 1')).rejects.toThrow();
  holder.release(true);
  await expectOrder(pool);
});
