import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { DatabaseError } from '../../src/core/errors.ts';
import { inOrder } from '../../src/core/stream/stream.ts';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { type FailedRun, syncOnce } from '../../src/sync/once.ts';
import { scope } from '../support/engine.ts';
import { faultyWorlds, SMALL } from '../support/faults.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { killBackends, startWorld, type World, wipe } from '../support/world.ts';

/** Postgres restarted, away or out of disk space while a list is read. */

const database = await createTestDatabase({ max: 20 });
const { fresh, expectHealed } = faultyWorlds(database);

describe('with Postgres', () => {
  it('restarted in the middle of a walk the run ends with a database error, and the next one completes', async () => {
    const world = await fresh();
    let kills = 0;
    const struck = onOffset(world, 585, () => {
      kills += 1;
      return killBackends(database.url);
    });
    await expect(world.run(hssClusterEvents)).rejects.toThrow(DatabaseError);
    await struck();
    expect(kills).toBe(1);
    const next = await world.run(hssClusterEvents);
    expect(next).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    const { rows } = await database.pool.query<{ status: string }>('select status from sync.runs order by id');
    expect(rows).toEqual([{ status: 'abandoned' }, { status: 'succeeded' }]);
    await expectHealed(world);
  });

  it('ending the connection of one run the other lists are read, its failure is reported, and the next round reads it', async () => {
    const world = await fresh();
    const streams = [hssClusterEvents, dbssAuditReports];
    const failures: FailedRun[] = [];
    const sync = () =>
      syncOnce(
        world.engine,
        { streams, scopes: [scope] },
        { signal: new AbortController().signal, onFailure: (failure) => void failures.push(failure) },
      );
    const struck = onOffset(world, 195, async () => {
      await database.pool.query(
        "select pg_terminate_backend(backend_pid) from sync.runs where status = 'running' and stream = $1",
        [hssClusterEvents.name],
      );
    });
    const reports = await sync();
    await struck();
    expect(reports.map(({ stream }) => stream).sort()).toEqual(
      inOrder(streams)
        .flatMap(({ name }) => (name === hssClusterEvents.name ? [] : [name]))
        .sort(),
    );
    expect(failures).toMatchObject([{ stream: hssClusterEvents, scope, error: { name: 'DatabaseError' } }]);
    world.sandbox.faults.clear();
    failures.length = 0;
    expect((await sync()).every(({ status }) => status === 'succeeded')).toBe(true);
    expect(failures).toEqual([]);
  });

  it('away for a while every run fails, and the first one after it completes', async () => {
    await wipe(database);
    const { hostname, port } = new URL(inject('postgres').serverUrl);
    const proxy = await startProxy(hostname, Number(port));
    const through = new URL(database.url);
    through.hostname = '127.0.0.1';
    through.port = String(proxy.port);
    const pool = createPool(through.href, { max: 10, applicationName: 'test-proxied' });
    onTestFinished(() => pool.end());
    const world = await startWorld(database, { pool, sandbox: SMALL });
    const struck = onOffset(world, 585, () => proxy.cut());
    await expect(world.run(hssClusterEvents)).rejects.toThrow(DatabaseError);
    await struck();
    await expect(world.run(hssClusterEvents)).rejects.toThrow(/no Postgres answers/);
    await expect(world.run(dbssAuditReports)).rejects.toThrow(DatabaseError);
    const failed = new Set<string>();
    const round = syncOnce(
      world.engine,
      { streams: [hssClusterEvents, dbssAuditReports], scopes: [scope] },
      { signal: new AbortController().signal, onFailure: ({ stream }) => void failed.add(stream.name) },
    );
    await expect(round, 'a round in which nothing can be read').rejects.toThrow(/no Postgres answers/);
    expect(failed).toContain(hssClusterEvents.name);
    await proxy.restore();
    await expectHealed(world);
  });

  it.each<[string, string, number]>([
    ['a page', 'before insert on hss.cluster_events', 1],
    ['what a walk proved', 'before update of certificate on sync.listings', 0],
    ['the ledger', 'before update of requests on sync.runs', 1],
  ])(
    'out of disk space for %s the run fails with the reason, whole pages stay, and the next one completes',
    async (_name, when, room) => {
      const world = await fresh();
      await world.run(hssClusterEvents);
      // More than the writer takes at once, so that the second time finds no room.
      world.sandbox.estate.step(900, 'event');
      const before = world.sandbox.requests.count('ListClusterEvents');
      await fillDisk(when, room);
      const run = world
        .run(hssClusterEvents, { full: true })
        .finally(() => database.pool.query('drop function disk_full cascade'));
      await expect(run).rejects.toThrow(/the disk of Postgres at .* is full/);
      const { rows } = await database.pool.query<{ requests: number }>(
        'select * from sync.runs order by id desc limit 1',
      );
      const [report] = rows;
      expect(report).toMatchObject({ status: 'failed', certificate: 'incomplete', reason: 'interrupted' });
      // Where the bookkeeping itself cannot be written, requests cannot be counted.
      if (!when.includes('requests')) {
        expect(report?.requests).toBe(world.sandbox.requests.count('ListClusterEvents') - before);
      }
      await expectHealed(world);
    },
  );
});

/** Does something while the API is being asked for a page; the answer waits for it. */
function onOffset(world: World, offset: number, act: () => Promise<void>): () => Promise<void> {
  let acted: Promise<void> | null = null;
  world.sandbox.faults.add({
    kind: 'late',
    operation: 'ListClusterEvents',
    when: ({ query }) => Number(query.offset) >= offset,
    meanwhile: () => {
      acted = act();
      return acted;
    },
  });
  return async () => {
    await acted;
  };
}

/** After `count` statements the table refuses what a full disk refuses. */
async function fillDisk(when: string, room: number): Promise<void> {
  await database.pool.query('create sequence if not exists disk_used');
  await database.pool.query('alter sequence disk_used restart');
  await database.pool.query(
    `create function disk_full() returns trigger language plpgsql as $$ begin
       if nextval('disk_used') > ${room} then raise exception 'could not extend file: No space left on device' using errcode = '53100'; end if;
       return null;
     end $$`,
  );
  await database.pool.query(`create trigger disk_full ${when} for each statement execute function disk_full()`);
}
