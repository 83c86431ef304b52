import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { type Child, startChild } from '../support/child.ts';
import { scope } from '../support/engine.ts';
import { expectOrder, expectVersions, tombstones } from '../support/order.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { expectTruth } from '../support/truth.ts';
import { startWorld, type World, wipe } from '../support/world.ts';

const database = await createTestDatabase();
const { pool } = database;

/** As in production, but forty times as fast. */
const HEARTBEAT = { beatMs: 150, staleMs: 1_200 };
const EVENTS = 900;

interface Stage {
  readonly world: World;
  readonly child: Child;
  /** The other process: asks for the right to write until it gets it. */
  takeOver(): Promise<{ status: string; busyFor: number }>;
}

async function stage(prepare: (world: World, child: () => Child) => void): Promise<Stage> {
  await wipe(database);
  const world = await startWorld(database, { sandbox: { clusters: 4, events: EVENTS }, sandboxClock: 'real' });
  await world.run(hssClusterEvents);
  // Something to insert, to change and to sweep, for whichever process is first.
  world.sandbox.estate.step(20, 'removed');
  world.sandbox.estate.step(60, 'handled');
  world.sandbox.estate.step(300, 'event');
  let child: Child | null = null;
  prepare(world, () => {
    if (child === null) throw new Error('not started yet');
    return child;
  });
  child = startChild('test/support/sync-child.ts', [
    database.url,
    world.sandbox.url,
    hssClusterEvents.name,
    String(HEARTBEAT.beatMs),
    String(HEARTBEAT.staleMs),
    'full',
  ]);
  const engine = { ...world.engine, store: createStore(pool, { timeZone: 'UTC', heartbeat: HEARTBEAT }) };
  return {
    world,
    child,
    async takeOver() {
      const startedMs = performance.now();
      const { signal } = new AbortController();
      for (;;) {
        const busyFor = performance.now() - startedMs;
        const { status } = await runStream(engine, { stream: hssClusterEvents, scope }, { signal, full: true });
        if (status !== 'busy') return { status, busyFor };
        await sleep(50);
      }
    },
  };
}

interface Moment {
  /** Number of the page that the child waits for, from 1. */
  readonly page: number;
  /** Milliseconds after its request. */
  readonly afterMs: number;
}

/** Calls `act` at a moment of the child's walk. */
function atPage(world: World, { page, afterMs }: Moment, act: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let pages = 0;
  world.sandbox.faults.add({
    kind: 'late',
    operation: 'ListClusterEvents',
    delayMs: 0,
    when: () => {
      pages += 1;
      if (pages === page) {
        setTimeout(() => {
          act();
          resolve();
        }, afterMs);
      }
      return false;
    },
  });
  return promise;
}

/** What is in the tables, so that a later write of anything shows. */
async function picture(): Promise<unknown> {
  const { rows } = await pool.query(
    `select (select md5(string_agg(t::text, '|' order by event_id)) from hss.cluster_events t) as rows,
       (select md5(string_agg(t::text, '|' order by event_id, _valid_from)) from hss.cluster_events_history t) as history,
       (select json_agg(l order by listing) from (select listing, certificate, certified_at, certified, walked_at, progress from sync.listings) l) as listings`,
  );
  return rows;
}

it.each([
  [1, 0],
  [3, 4],
  [6, 25],
])(
  'a holder that is paused at page %i, %i ms on, is taken over and writes nothing when it wakes',
  async (page, afterMs) => {
    let paused: Promise<void> = Promise.resolve();
    const { world, child, takeOver } = await stage((world, child) => {
      paused = atPage(world, { page, afterMs }, () => void child().process.kill('SIGSTOP'));
    });
    await paused;
    world.sandbox.faults.clear();
    const taken = await takeOver();
    expect(taken.status).toBe('succeeded');
    const before = await picture();
    await expectTruth(pool, world.sandbox, [hssClusterEvents]);
    expect(await tombstones(pool, hssClusterEvents)).toBe(20);

    const { rows: silences } = await pool.query<{ ms: number }>(
      `select extract(epoch from taker.started_at - paused.beat_at)::float8 * 1000 as ms from sync.runs paused
     join sync.runs taker on taker.id > paused.id where paused.status = 'abandoned'`,
    );
    for (const { ms } of silences) expect(ms).toBeGreaterThanOrEqual(HEARTBEAT.staleMs);

    child.process.kill('SIGCONT');
    const ended = await child.ended;
    const { rows } = await pool.query<{ status: string; owner: string }>(
      'select status, owner from sync.runs order by id',
    );
    const [, ofChild, ofOther] = rows;
    expect(ofOther?.status).toBe('succeeded');
    // On a fast machine it may have got to its end before it was paused.
    if (ofChild?.status === 'abandoned') {
      expect(ended, child.output()).toBe(3);
      expect(child.output()).toMatch(/DatabaseError: .*(ended the connection|was lost)/);
      // How long it was silent is measured above; on a loaded machine its last beat may have been late.
      expect(taken.busyFor).toBeGreaterThan(HEARTBEAT.staleMs / 2);
    } else {
      expect(page, 'only the last page can be late').toBe(6);
    }
    expect(await picture()).toEqual(before);
    await expectOrder(pool);
  },
);

it('a holder with a heartbeat keeps its lock, however long its page takes', async () => {
  const { world, child, takeOver } = await stage((world) => {
    world.sandbox.faults.add({ kind: 'late', delayMs: 2 * HEARTBEAT.staleMs, operation: 'ListClusterEvents' });
  });
  await waitForRun();
  const taken = await takeOver();
  expect(await child.ended, child.output()).toBe(0);
  expect(child.output()).toContain('"status":"succeeded"');
  expect(taken).toMatchObject({ status: 'succeeded' });
  expect(taken.busyFor).toBeGreaterThan(HEARTBEAT.staleMs);
  const { rows } = await pool.query<{ status: string }>('select status from sync.runs order by id');
  expect(rows.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  await expectTruth(pool, world.sandbox, [hssClusterEvents]);
  await expectVersions(pool);
});

/** Until the child has its run. */
async function waitForRun(): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const { rows } = await pool.query(`select 1 from sync.runs where status = 'running'`);
    if (rows.length > 0) return;
    await sleep(25);
  }
  throw new Error('the child never began its run');
}

it('a holder that was paused before its run began does not keep the lock forever', async () => {
  await wipe(database);
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
