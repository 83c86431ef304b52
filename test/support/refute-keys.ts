import { expect } from 'vitest';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import { keyPartSql, qualified } from '../../src/postgres/rows/statements.ts';
import { streams } from '../../src/streams/index.ts';
import { ownProjects } from './answers.ts';
import type { TestDatabase } from './postgres.ts';

interface Reject {
  readonly key: string;
  readonly payload: string;
  readonly count: number;
}

/** Records that another one of their list has the key of. */
export async function rejectsOf(
  { pool }: Pick<TestDatabase, 'pool'>,
  stream: Stream,
  projectId: string,
): Promise<readonly Reject[]> {
  const { rows } = await pool.query<Reject>(
    `select key, payload, count from sync.rejected_records where stream = $1 and project_id = $2 and replayed_at is null
       and issues = $3 order by key`,
    [
      stream.name,
      projectId,
      JSON.stringify([{ field: stream.key.join(', '), message: 'another record of the list has the same key' }]),
    ],
  );
  return rows;
}

interface RowKey {
  readonly stream: Stream;
  readonly projectId: string;
  readonly key: string;
}

async function rowsWith({ pool }: Pick<TestDatabase, 'pool'>, { stream, projectId, key }: RowKey): Promise<number> {
  const match = stream.key.map((name) => keyPartSql(stream, name)).join(` || chr(1) || `);
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from ${qualified(stream.table)} where project_id = $1 and ${match} = $2 and _deleted_at is null`,
    [projectId, key],
  );
  return rows[0]?.n ?? 0;
}

/**
 * Reads each list with its first record twice under one key: a row and a reject, and no certificate stands. Reads the parents
 * of the named streams as well; all streams when no names are given.
 */
export async function refuteKeys(database: TestDatabase, names?: readonly string[]): Promise<void> {
  // One estate for all, parents first: each list is whole again before the lists below it are asked for.
  const { run, sandbox, id } = await ownProjects(database, 60).start({
    hosts: 3,
    vulnerabilities: 6,
    events: 20,
    reports: 6,
  });
  for (const stream of inOrder(streams, names)) {
    sandbox.faults.add({ kind: 'double-key', times: Number.POSITIVE_INFINITY });
    const report = await run(stream, true);
    expect(report, stream.name).toMatchObject({
      status: 'incomplete',
      certificate: 'incomplete',
      reason: 'key',
      error: null,
    });
    expect(report.records, stream.name).toBe(report.inserted + report.updated + report.unchanged + report.rejected);
    const { rows: drift } = await database.pool.query<{ field: string }>(
      `select field from sync.api_drift where stream = $1 and kind = 'key is not unique'`,
      [stream.name],
    );
    expect(drift, stream.name).toEqual([{ field: stream.key.join(', ') }]);
    const rejects = await rejectsOf(database, stream, id);
    expect(rejects.length, stream.name).toBeGreaterThan(0);
    for (const { key } of rejects)
      expect(await rowsWith(database, { stream, projectId: id, key }), `${stream.name} ${key}`).toBe(1);

    sandbox.faults.clear();
    expect(await run(stream, true), 'without the second record the key is as good as before').toMatchObject({
      stream: stream.name,
      certificate: 'complete',
    });
    if (stream.appendOnly !== true) expect(await rejectsOf(database, stream, id), stream.name).toEqual([]);
  }
}
