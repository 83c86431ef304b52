import { expect } from 'vitest';
import type { RunReport } from '../../src/core/store.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { elementAt } from '../../src/sandbox/estate/random.ts';
import type { Fault } from '../../src/sandbox/server/server.ts';
import { letPass } from './passing-time.ts';
import type { TestDatabase } from './postgres.ts';
import { falseTombstones, tableOf, truthOf } from './truth.ts';
import { editList, startWorld, type World, type WorldOptions, wipe } from './world.ts';

/** Small worlds in which lists lose rows, truly or only as it seems, and what the tables then say is gone. */

const SMALL = {
  clusters: 6,
  noisyCluster: false,
  events: 120,
  vulnerabilities: 8,
  instances: 3,
  reports: 30,
} as const;

export const HOUR = 3_600_000;

export type Operation = Parameters<World['sandbox']['override']>[0];
export type Edit = (record: Readonly<Record<string, unknown>>) => unknown;

/** From now on the list is answered with changed records; null takes one out. */
export function edit(world: World, operation: Operation, change: Edit | undefined): void {
  world.sandbox.override(
    operation,
    change === undefined
      ? undefined
      : (_request, normal) => {
          const reply = normal();
          return { ...reply, body: editList(reply.body, change) };
        },
  );
}

/** The key of a row in the list, always the same one. */
export function someKey(world: World, stream: Stream, index = 3): string {
  return elementAt([...(truthOf(world.sandbox, stream)?.keys() ?? [])].sort(), index);
}

/** Every list says that it has no rows. */
export const empty: Omit<Fault, 'operation'> = {
  kind: 'reply',
  body: '{"total_num":0,"total":0,"data_list":[],"reports":[],"instances":[],"cluster_info_list":[]}',
  times: Number.POSITIVE_INFINITY,
};

/** What a test file needs of its own database. */
export function smallWorlds(database: TestDatabase) {
  const { pool } = database;

  async function fresh(options: WorldOptions = {}): Promise<World> {
    await wipe(database);
    return startWorld(database, { ...options, sandbox: { ...SMALL, ...options.sandbox } });
  }

  async function expectNoFalseTombstones(world: World, which: readonly Stream[] = world.streams): Promise<void> {
    for (const stream of which) expect(await falseTombstones(pool, world.sandbox, stream), stream.name).toEqual([]);
  }

  /** Full walks far enough apart to confirm whatever is missing from all of them; answers with their reports. */
  async function confirm(
    world: World,
    stream: Stream,
    options: Parameters<World['run']>[1] = {},
  ): Promise<readonly RunReport[]> {
    const reports: RunReport[] = [];
    for (let walk = 0; walk < 3; walk += 1) {
      if (walk > 0) await letPass(pool, 4 * HOUR);
      reports.push(await world.run(stream, { full: true, ...options }));
    }
    return reports;
  }

  async function closedVersions(stream: Stream): Promise<number> {
    const { rows } = await pool.query<{ n: number }>(`select count(*)::int as n from ${tableOf(stream)}_history`);
    return rows[0]?.n ?? 0;
  }

  return { fresh, expectNoFalseTombstones, confirm, closedVersions };
}
