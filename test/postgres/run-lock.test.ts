import { describe, expect, onTestFinished, test } from 'vitest';
import { NO_EVIDENCE } from '../../src/core/certificate.ts';
import type { StreamRun } from '../../src/core/store.ts';
import { listing } from '../../src/core/stream/endpoint.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters as clusters } from '../../src/streams/hss/protected-clusters.ts';
import { testNow } from '../support/clock.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();
const { pool } = database;

let projects = 0;
const newScope = () => {
  projects += 1;
  return { ...scope, projectId: `project${projects}` };
};

/** A store with connections of its own, as another process has. */
function otherStore(max = 3) {
  const other = createPool(database.url, { max, applicationName: 'other' });
  onTestFinished(() => other.end());
  return createStore(other, { timeZone: 'UTC' });
}

async function opened(stream: Stream, where: typeof scope, store = otherStore()): Promise<StreamRun> {
  const run = await store.open(stream, where);
  if (run === 'busy') throw new Error('another process holds the lock');
  onTestFinished(() => run.close());
  return run;
}

function pageOf(where: typeof scope, id: string) {
  const origin = { projectId: where.projectId, region: where.region, params: {}, timeZone: 'UTC' };
  const { rows, rejects } = validate(clusters, [{ cluster_id: id }], { origin, listingKey: '' });
  return {
    listing: listing(),
    rows,
    rejects,
    requests: 1,
    throttled: 0,
    progress: { offset: 1, total: 1 },
    refuseOlder: false,
  };
}

async function runsOf({ projectId }: typeof scope) {
  const { rows } = await pool.query('select status, error from sync.runs where project_id = $1 order by id', [
    projectId,
  ]);
  return rows;
}

const silence = ({ projectId }: typeof scope, seconds: number) =>
  pool.query('update sync.runs set beat_at = now() - make_interval(secs => $2) where project_id = $1', [
    projectId,
    seconds,
  ]);

describe('one writer at a time', () => {
  test('a stream that one process reads in a scope is busy for all other processes; other streams and scopes are not', async () => {
    const where = newScope();
    await opened(clusters, where);
    const other = otherStore();
    expect(await other.open(clusters, where)).toBe('busy');
    await opened(events, where, other);
    await opened(clusters, newScope(), other);
    expect(await runsOf(where)).toEqual([
      { status: 'running', error: null },
      { status: 'running', error: null },
    ]);
  });

  test('a process finds out that a stream is busy with one connection, which it gives back', async () => {
    const where = newScope();
    await opened(clusters, where);
    const other = otherStore(1);
    expect(await other.open(clusters, where)).toBe('busy');
    expect(await other.open(clusters, where)).toBe('busy');
  });

  test('of many concurrent attempts exactly one gets the lock', async () => {
    const where = newScope();
    const loads = await Promise.all(Array.from({ length: 6 }, () => otherStore().open(clusters, where)));
    const let_in = loads.filter((run) => run !== 'busy');
    for (const run of let_in) onTestFinished(() => run.close());
    expect(let_in).toHaveLength(1);
    expect(await runsOf(where)).toHaveLength(1);
  });

  test('the end of a run releases the lock for the next one, and closing twice is safe', async () => {
    const where = newScope();
    const first = await opened(clusters, where);
    await first.close();
    await first.close();
    await opened(clusters, where);
  });

  test('the connection of a closed run has the settings of the server again', async () => {
    const other = createPool(database.url, { max: 1, applicationName: 'other' });
    onTestFinished(() => other.end());
    const settings = async () => {
      const { rows } = await other.query(
        `select pg_backend_pid() as pid, current_setting('enable_seqscan') as scan, current_setting('synchronous_commit') as commit`,
      );
      return rows;
    };
    const before = await settings();
    const run = await opened(clusters, newScope(), createStore(other, { timeZone: 'UTC' }));
    await run.close();
    expect(await settings()).toEqual(before);
  });

  test('a lost connection releases the lock', async () => {
    const where = newScope();
    const lost = await opened(clusters, where);
    await pool.query(
      // Waits until it is gone, and its lock with it.
      "select pg_terminate_backend(backend_pid, 30000) from sync.runs where project_id = $1 and status = 'running'",
      [where.projectId],
    );
    await expect(lost.page(pageOf(where, 'late'))).rejects.toThrow(
      /Postgres at .* (ended the connection|was lost)|connection/,
    );
    await opened(clusters, where);
    expect(await runsOf(where)).toEqual([
      { status: 'abandoned', error: 'the process that ran it is gone, or lost its connection to the database' },
      { status: 'running', error: null },
    ]);
  });
});

describe('a holder without a heartbeat', () => {
  test('for less than 45 seconds keeps its lock', async () => {
    const where = newScope();
    const holder = await opened(clusters, where);
    await silence(where, 40);
    expect(await otherStore().open(clusters, where)).toBe('busy');
    await holder.page(pageOf(where, 'a'));
    const { rows } = await pool.query('select inserted from sync.runs where project_id = $1', [where.projectId]);
    expect(rows).toEqual([{ inserted: 1 }]);
  });

  test('for longer loses the lock, and cannot write when it wakes up', async () => {
    const where = newScope();
    const paused = await opened(clusters, where);
    await paused.page(pageOf(where, 'before'));
    await silence(where, 46);
    const next = await opened(clusters, where);
    await expect(paused.page(pageOf(where, 'after'))).rejects.toThrow();
    await expect(
      paused.finish({
        status: 'succeeded',
        walk: 'full',
        certificate: 'complete',
        certifiedAt: new Date(testNow()),
        contentAt: null,
        proof: null,
        reason: null,
        evidence: NO_EVIDENCE,
        error: null,
      }),
    ).rejects.toThrow();
    await paused.close();
    await next.page(pageOf(where, 'next'));
    const { rows } = await pool.query(
      'select cluster_id from hss.protected_clusters where project_id = $1 order by 1',
      [where.projectId],
    );
    expect(rows).toEqual([{ cluster_id: 'before' }, { cluster_id: 'next' }]);
    expect(await runsOf(where)).toEqual([
      { status: 'abandoned', error: 'the process that ran it is gone, or lost its connection to the database' },
      { status: 'running', error: null },
    ]);
  });
});

test('the connection of a run that waits for its quota is not silent, so a server that ends idle ones keeps it', async () => {
  await pool.query(`alter database ${database.name} set idle_session_timeout = '1s'`);
  onTestFinished(() => pool.query(`alter database ${database.name} reset idle_session_timeout`).then(() => {}));
  const other = createPool(database.url, { max: 3, applicationName: 'other' });
  onTestFinished(() => other.end());
  const where = newScope();
  const run = await createStore(other, { timeZone: 'UTC', heartbeat: { beatMs: 250, staleMs: 45_000 } }).open(
    clusters,
    where,
  );
  if (run === 'busy') throw new Error('another process holds the lock');
  // The server's clock decides, and more than twice its patience goes by without a page.
  await pool.query('set idle_session_timeout = 0; select pg_sleep(2.5)');
  await run.page(pageOf(where, 'after the wait'));
  await run.close();
  expect(await runsOf(where)).toEqual([{ status: 'running', error: null }]);
}, 20_000);
