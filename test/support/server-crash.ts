import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { DatabaseError } from '../../src/core/errors.ts';
import { createPool, type Pool } from '../../src/postgres/connection/pool.ts';
import { startEmbeddedPostgres } from '../../src/postgres/embedded/server.ts';
import { migrate } from '../../src/postgres/schema/migrate.ts';
import { startRandom } from '../../src/sandbox/estate/random.ts';
import type { SandboxOptions } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { storedOf, truthOf } from './truth.ts';
import { startWorld, type World } from './world.ts';

/** Postgres that loses what it has not written to disk, in the middle of pages. */

const EVENTS = 'ListClusterEvents';
const STREAMS = [hssProtectedClusters, hssClusterEvents];

export interface CrashedServerOptions {
  readonly seed: number;
  readonly kills: number;
  /** Requests of a run that nothing disturbs: the kills come within as many. Learnt from the first such run when absent. */
  readonly requests?: number;
  readonly sandbox: SandboxOptions;
  /** Events that change between two kills. */
  readonly changes: number;
}

/**
 * Reads the events again and again from a list that changes between the runs, and stops Postgres at a random request of each
 * run as a power failure of its process does: what it has not written is lost. After each start the tables must hold every
 * row of every list that they call complete. Returns how many runs were cut short.
 */
export async function crashServer({
  seed,
  kills,
  sandbox,
  changes,
  ...options
}: CrashedServerOptions): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'server-crash-'));
  let server = await startEmbeddedPostgres(directory);
  const pool = createPool(server.url, { max: 10, applicationName: 'test' });
  onTestFinished(async () => {
    await pool.end();
    await server.release();
    await rm(directory, { recursive: true });
  });
  await migrate(pool);
  const world = await startWorld({ name: 'postgres', url: server.url, pool }, { sandbox: { seed, ...sandbox } });
  const random = startRandom(seed);
  let cutShort = 0;
  let { requests = 20 } = options;
  await world.run(hssProtectedClusters);
  for (let kill = 0; kill < kills; kill += 1) {
    world.sandbox.estate.step(changes, 'handled');
    const blow = { atRequest: 1 + random.int(requests), afterMs: random.int(20) };
    const stopped = stopPostgres(world, directory, blow);
    const before = world.sandbox.requests.count(EVENTS);
    const run: unknown = await world.run(hssClusterEvents, { full: true }).catch((error: unknown) => error);
    world.sandbox.faults.clear();
    if (run instanceof DatabaseError) cutShort += 1;
    else if (run instanceof Error) throw run;
    else requests = world.sandbox.requests.count(EVENTS) - before;
    await stopped();
    server = await startEmbeddedPostgres(directory);
    await expectCompleteListsWhole(pool, world);
  }
  const clean = await world.run(hssClusterEvents, { full: true });
  expect(clean).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  for (const stream of STREAMS) {
    expect(await world.compare(stream), stream.name).toEqual({ missing: [], extra: [], different: [] });
  }
  return cutShort;
}

/** Tells Postgres to stop at once, a moment after a request for events. Resolves when it has, and at once if it was never told. */
function stopPostgres(
  world: World,
  directory: string,
  { atRequest, afterMs }: { readonly atRequest: number; readonly afterMs: number },
): () => Promise<void> {
  let seen = 0;
  let stopped: Promise<void> = Promise.resolve();
  world.sandbox.faults.add({
    kind: 'late',
    operation: EVENTS,
    when: () => {
      seen += 1;
      if (seen === atRequest) stopped = sleep(afterMs).then(() => stopAtOnce(directory));
      return false;
    },
  });
  return async () => {
    await stopped;
  };
}

/** An immediate shutdown: no checkpoint, and what is only in the memory of the server is lost. */
async function stopAtOnce(directory: string): Promise<void> {
  const file = (await readdir(directory, { recursive: true })).find((name) => basename(name) === 'postmaster.pid');
  const [pid] = (await readFile(join(directory, file ?? ''), 'utf8')).split('\n');
  process.kill(Number(pid), 'SIGQUIT');
}

/** Lists that this run certified lack nothing, whatever was lost with the server. */
async function expectCompleteListsWhole(pool: Pool, { sandbox }: World): Promise<void> {
  const { rows } = await pool.query<{ listing: string }>(
    `select listing from sync.listings where stream = $1 and certificate = 'complete'
       and certified_at >= (select max(started_at) from sync.runs where stream = $1)`,
    [hssClusterEvents.name],
  );
  const proven = new Set(rows.map(({ listing }) => listing));
  const stored = await storedOf(pool, hssClusterEvents);
  for (const [key, content] of truthOf(sandbox, hssClusterEvents) ?? []) {
    const isProven = [...proven].some((listing) => listing === '' || listing.includes(String(content.cluster_id)));
    if (isProven)
      expect(stored.get(key), `event ${key} of a list that is called complete`).toEqual({ content, deleted: false });
  }
}
